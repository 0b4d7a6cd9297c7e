"""Atomic replacement of files and folders, and checks that they can be written.

A half-written file lies beside its target, under a name that only this package uses. If the process is killed,
the next one that writes there removes it.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path as FolderPath
from typing import BinaryIO

from digitnn_fast.files import STANDARD, Path, Place, find

OURS = re.compile(r"\.digitnn-fast-([0-9a-f]{8})-(\d{1,9})-[0-9a-f]{8}\.tmp")  # machine, process, chance
UNWRITABLE = "can't be written: "
ABANDONED = 86_400.0  # seconds; another machine's process is not seen from here, and nobody writes for so long


def check_output(path: str, others: Sequence[str | None] = (), device: bool = True) -> None:
    """OSError or ValueError, one line, if `path` can't be written, or is one of the `others` that a command uses.

    For before the work starts: a file is made beside it and removed again. `device` tells whether it may be /dev/stdout
    and its like.
    """
    with _named(path, path):  # a relative path has no meaning in a folder that somebody removed
        real = "" if path in ("", STANDARD) else os.path.realpath(path)
    if real and any(other and os.path.realpath(other) == real for other in others):
        raise ValueError(f"{path}: the same command uses this file for something else")
    place = _place(path)
    if place.device:
        if not device:
            raise ValueError(f"{path}: can't be written: not a file")
        return
    temporary = _new_name(os.path.dirname(place.real))
    with _named(path, temporary):
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.unlink(temporary)


@contextmanager
def replacing(path: Path, lasting: bool = False) -> Iterator[BinaryIO]:
    """A file to write that becomes `path` when the block ends without an error; else `path` stays as it was.

    Written beside the target, because os.replace is atomic only within a file system; through a symbolic link, instead
    of replacing the link. It keeps the mode and, for root, the owner of an older file. With `lasting` it reaches the
    disk before it takes the older one's place, so that a power cut leaves one of the two. A device is never replaced:
    it gets everything at the end. OSError with `path` and the reason if that fails.
    """
    name, place = os.fsdecode(path), _place(path)
    if place.device:
        content = io.BytesIO()
        yield content
        _write_through(name, place, content)
        return
    folder = os.path.dirname(place.real)
    _sweep_once(folder)
    temporary = _new_name(folder)
    try:
        with _named(name, temporary):
            with open(temporary, "xb", opener=lambda own, flags: os.open(own, flags, _mode(place))) as file:
                _keep_owner_and_mode(temporary, place)
                yield file
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            if find(place.real).device:
                raise OSError(errno.EBUSY, "a device has taken its place")
            os.replace(temporary, place.real)
    except BaseException:  # Ctrl-C too must leave nothing behind
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _place(path: Path) -> Place:
    """Where to write; OSError with `path` and the reason if that can't be."""
    name = os.fsdecode(path)
    if not name:
        raise _error(errno.ENOENT, "an empty name is not a file", name)
    with _named(name, name):
        place = find(name)
    if name.endswith(("/", os.sep)) or (place.status and stat.S_ISDIR(place.status.st_mode)):
        raise _error(errno.EISDIR, "this is a folder, not a file", name)
    if place.device:
        if place.status is None:
            raise _error(errno.ENOENT, "there is no such device", name)
        return place
    folder = os.path.dirname(place.real)
    if not os.path.isdir(folder):
        raise _error(errno.ENOENT, f"there is no folder {folder}", name)
    if not os.access(folder, os.W_OK | os.X_OK) or (place.status and not os.access(place.real, os.W_OK)):
        raise _error(errno.EACCES, "permission denied", name)
    return place


def _error(number: int, reason: str, path: str) -> OSError:
    """The OSError whose filename is `path` and whose strerror says why."""
    return OSError(number, f"{UNWRITABLE}{reason}", path)


@contextmanager
def _named(path: str, temporary: str) -> Iterator[None]:
    """Let an OSError that names no file, as that of a full disk, or one of ours, name the one that the user means."""
    try:
        yield
    except OSError as error:
        inside = str(error.filename).startswith(temporary + os.sep)
        if error.errno is None or not (inside or error.filename in (None, temporary)):
            raise
        reason = (error.strerror or str(error)).removeprefix(UNWRITABLE)
        raise _error(error.errno, reason, path) from error


def _write_through(name: str, place: Place, content: io.BytesIO) -> None:
    """An open file of this process goes on where it is, as print does: it may be `>> log`, or a socket."""
    with _named(name, name):
        number = os.open(name, os.O_WRONLY | os.O_TRUNC) if place.descriptor is None else os.dup(place.descriptor)
        with open(number, "wb") as file:
            file.write(content.getbuffer())


def _mode(place: Place) -> int:
    """Permissions of the new file; of an older one its own, so that nobody else can open what it did not show."""
    return stat.S_IMODE(place.status.st_mode) & 0o777 if place.status else 0o666


def _keep_owner_and_mode(temporary: str, place: Place) -> None:
    if place.status is None:
        return
    if hasattr(os, "chown"):
        with suppress(OSError):  # to give a file away takes root
            os.chown(temporary, place.status.st_uid, place.status.st_gid)
    with suppress(OSError):  # some file systems have no modes
        os.chmod(temporary, _mode(place))


# Folders


def check_folder(path: Path, deep: bool = False) -> None:
    """OSError, before any work, if files can't be put into that folder; it may be new, if `deep` with those above."""
    name = os.fsdecode(path)
    if not name:
        raise _error(errno.ENOENT, "an empty name is not a folder", name)
    with _named(name, os.path.join(name, "file")):
        target = FolderPath(os.path.realpath(path))
        if find(os.path.join(name, "file")).device:
            raise _error(errno.EACCES, "this folder is the system's", name)
    if target.exists() and not target.is_dir():
        raise _error(errno.ENOTDIR, "not a folder", name)
    place = target if target.is_dir() else target.parent
    while deep and not place.exists():
        place = place.parent
    if not place.is_dir():
        raise _error(errno.ENOENT, f"there is no folder {place}", name)
    if not os.access(place, os.W_OK | os.X_OK):
        raise _error(errno.EACCES, "permission denied", name)


@contextmanager
def filling(path: Path, whole: bool = False) -> Iterator[FolderPath]:
    """An empty folder whose files become those of `path` when the block ends without an error; else nothing stays.

    Other files in `path` stay, unless the `whole` folder is to be replaced. OSError as of `check_folder`.
    """
    check_folder(path)
    name, target = os.fsdecode(path), FolderPath(os.path.realpath(path))
    inside = target.is_dir() and not whole
    _sweep_once(str(target if inside else target.parent))
    temporary = FolderPath(_new_name(str(target if inside else target.parent)))
    made, older = temporary / "made", temporary / "older"
    try:
        with _named(name, str(temporary)):
            made.mkdir(parents=True)
            yield made
            if inside:
                _move_files(made, target)
                return
        if target.exists() and not _exchange(made, target):
            target.rename(older)
        if not target.exists():
            made.rename(target)
    finally:  # Ctrl-C too must leave no litter
        if older.exists() and not target.exists():
            older.rename(target)
        shutil.rmtree(temporary, ignore_errors=True)


def _exchange(one: FolderPath, other: FolderPath) -> bool:
    """Give each the other's name, in one step; False where the system can't: by two, a kill could leave no folder."""
    if sys.platform != "linux":
        return False
    import ctypes

    current, both = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2
    try:
        exchange = ctypes.CDLL(None).renameat2
    except AttributeError:  # an old or another libc
        return False
    return bool(exchange(current, os.fsencode(one), current, os.fsencode(other), both) == 0)


def _move_files(folder: FolderPath, target: FolderPath) -> None:
    """Each file as `replacing` does it, all at the end."""
    with ExitStack() as stack:
        for source in list_files(folder):
            place = target / source.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(replacing(place))
            file.write(source.read_bytes())


def list_files(folder: FolderPath) -> list[FolderPath]:
    """All files below the folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


# Names and litter


def _new_name(folder: str) -> str:
    """A name in that folder for what is not done yet; short, however long the target's is."""
    return os.path.join(folder, f".digitnn-fast-{_machine()}-{os.getpid()}-{os.urandom(4).hex()}.tmp")


@cache
def _machine() -> str:
    """8 digits for this machine since it was started and, in containers, whose processes these are."""
    facts = [os.uname().nodename if hasattr(os, "uname") else ""]
    with suppress(OSError):
        facts.append(FolderPath("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(os.readlink("/proc/self/ns/pid"))
    return f"{zlib.crc32(repr(facts).encode()):08x}"


def sweep(folder: Path, deep: bool = False) -> None:
    """Remove half-written files of killed processes from a folder and, if `deep`, from its folders."""
    for parent, folders, names in os.walk(folder):
        for name in filter(OURS.fullmatch, names):
            if _is_abandoned(os.path.join(parent, name)):
                with suppress(OSError):
                    os.unlink(os.path.join(parent, name))
        for name in filter(OURS.fullmatch, folders):
            path = os.path.join(parent, name)
            # One that was killed between two renames may hold all that there is of an older folder.
            if _is_abandoned(path) and not os.path.lexists(os.path.join(path, "older")):
                shutil.rmtree(path, ignore_errors=True)
        if not deep:
            return


@cache
def _sweep_once(folder: str) -> None:
    """Once in a process: a folder may get a million files."""
    sweep(folder)


def _is_abandoned(path: str) -> bool:
    """Whether nobody writes it any more, `path` being called as `_new_name` does."""
    found = OURS.fullmatch(os.path.basename(path))
    assert found
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return False
        if found[1] != _machine():
            return time.time() - status.st_mtime > ABANDONED
        if os.name == "posix":  # os.kill would end the process on other systems
            os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # gone, or somebody else's
        return False
    return False
