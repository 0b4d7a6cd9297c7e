"""What a path names: an ordinary file, a folder, or a device."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

Path = str | os.PathLike[str]

SYSTEM = ("/dev", "/proc", "/sys")  # these belong to the system: a file here may be written to, never replaced
SHARED_MEMORY = "/dev/shm"  # but these are files like all others
STANDARD = "-"  # standard input or output; a file of that name is called ./-
MOST_LINKS = 40  # behind one path, as Linux has it


class Place(NamedTuple):
    """Where a path leads.

    real: the file behind all symbolic links
    status: what is there; None if nothing is
    device: whether what is written goes through it: a pipe, a terminal, /dev/null, or anything that /dev names, such as
        /dev/stdout even if the shell made that an ordinary file
    descriptor: the number of the open file of this process that the path names, as /dev/fd/3 does; else None
    """

    real: str
    status: os.stat_result | None
    device: bool
    descriptor: int | None


def find(path: Path) -> Place:
    """The `Place` of a path, `-` being standard output; OSError for a loop of links or a name that is too long."""
    if path == STANDARD:
        return Place(STANDARD, os.fstat(1), True, 1)
    steps = list(_steps(os.fsdecode(path)))
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        status = None
    real = os.path.join(*steps[-1])
    own = [name for folder, name in steps if folder in ("/dev/fd", f"/proc/{os.getpid()}/fd") and name.isdecimal()]
    through = status is not None and _goes_through(status)
    device = through or any(_is_of_the_system(folder) for folder, _ in steps)
    return Place(real, status, device, int(own[0]) if own else None)


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """Folder, without links, and name: of the path and of each link that it leads through.

    Not os.path.realpath alone: that shows where /dev/stdout leads to, and no longer that it was called so.
    """
    given = path
    for _ in range(MOST_LINKS):
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            folder, name = os.path.split(os.path.realpath(path))
        folder = os.path.realpath(folder)
        yield folder, name
        try:
            path = os.path.join(folder, os.readlink(os.path.join(folder, name)))
        except OSError:  # no link, or nothing there
            return
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), given)


def _is_of_the_system(folder: str) -> bool:
    if os.name != "posix" or _is_in(folder, SHARED_MEMORY):
        return False
    return any(_is_in(folder, root) for root in SYSTEM)


def _is_in(folder: str, root: str) -> bool:
    return folder == root or folder.startswith(root + "/")


def _goes_through(status: os.stat_result) -> bool:
    return not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode)


def is_hidden(name: str) -> bool:
    """Whether the name of a file, or of a folder before it, begins with a dot: `._a.png`, `.thumbnails/a.png`."""
    return any(part.startswith(".") for part in name.split("/"))


def is_device(path: Path) -> bool:
    """Whether what is written goes through it; see `Place`."""
    return find(path).device


def is_pipe(path: Path) -> bool:
    """Whether the path can be read only once and in order, as a pipe or a terminal."""
    try:
        return _goes_through(os.fstat(0) if path == STANDARD else os.stat(path))
    except OSError:  # opening it will report the reason
        return False
