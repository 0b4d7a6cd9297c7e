"""The cache of machine code: one file for each kernel, with a checksum.

The checksum tells damage, not malice: whoever can write a file here has code run by all who load it. So a folder or
a file is used only if it is this user's or root's, and nobody else may write it.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time
import warnings
from contextlib import suppress
from functools import cache
from importlib.util import source_hash
from pathlib import Path

from digitnn_fast.home import HOME, PACKED

KERNELS = HOME / "kernels"
LARGEST = 1 << 26  # bytes; a kernel has 10 to 100 kB
LITTER = r"\.digitnn-fast-code-\d+-[0-9a-f]{8}\.tmp"
ABANDONED = 86_400.0  # seconds after which nobody writes such a file any more


class CacheWarning(RuntimeWarning):
    """Machine code can't be kept, or what is kept is not trusted: kernels are compiled again, which takes seconds."""


@cache
def _folders() -> list[Path]:
    """Where machine code is looked for: as numba does, beside the source, else the user's cache folder.

    Never below the current folder, which may be anybody's: not by a relative path, nor by a `~` without a home.
    """
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        if not os.path.isabs(folder):
            _say(f"NUMBA_CACHE_DIR is {folder!r}, a relative path, below which anybody's code may lie")
            return []
        return [Path(folder)]
    home = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}.get(sys.platform, "~/.cache")
    user = os.environ.get("XDG_CACHE_HOME") or ""
    user = user if os.path.isabs(user) else os.path.expanduser(home)
    folders = [KERNELS / "__pycache__", *([Path(user) / "digitnn-fast"] if os.path.isabs(user) else [])]
    # What is unpacked into a folder is gone when the process ends.
    return folders[::-1] if PACKED or getattr(sys, "frozen", False) else folders


def find(stem: str) -> tuple[Path, bytes] | None:
    """The folder that holds machine code whose checksum is right, and the code; or None."""
    for folder in _folders():
        try:
            content = _read_trusted(folder, f"{stem}.o")
        except OSError:
            continue
        if content is not None and (machine_code := unsealed(stem, content)) is not None:
            return folder, machine_code
    return None


def _read_trusted(folder: Path, name: str) -> bytes | None:
    """The file's content; None if it, or the folder, is not to be trusted."""
    # Without waiting for a pipe, and by the open file: its name may mean another one a moment later.
    with open(
        os.open(folder / name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb"
    ) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not _is_trusted(folder):
            return None
        if reason := _distrust(status):
            _say(f"{folder / name} is not loaded: {reason}")
            return None
        return file.read(LARGEST)


@cache
def _is_trusted(folder: Path) -> bool:
    """Whether machine code may be loaded from there, and put there; said once if not."""
    if reason := _distrust(os.stat(folder)):
        _say(f"{folder} is not used: {reason}")
    return not reason


def _distrust(status: os.stat_result) -> str:
    """Why somebody else could have written what has this status; empty if nobody could."""
    if os.name != "posix":
        return ""
    if status.st_uid not in (0, os.geteuid()):
        return "another user owns it"
    if status.st_mode & stat.S_IWOTH:
        return "every user may write it"
    if status.st_mode & stat.S_IWGRP and not _is_alone(status.st_uid, status.st_gid):
        return "other users of its group may write it"
    return ""


def _is_alone(user: int, group: int) -> bool:
    """Whether the group is the user's own, called like them and without others, as many systems make one for each."""
    import grp
    import pwd

    try:
        name, found = pwd.getpwuid(user).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == name and set(found.gr_mem) <= {name}


@cache
def _say(reason: str) -> None:
    warnings.warn(f"cache of machine code: {reason}", CacheWarning, stacklevel=2)


def digest(content: bytes) -> bytes:
    """64 bits that stand for the content, by what Python has for its own compiled files: hashlib takes 2 ms to load."""
    return source_hash(content)


def sealed(name: str, machine_code: bytes) -> bytes:
    """Machine code behind a checksum, of the name too: another kernel's code would be linked to address 0."""
    return digest(name.encode() + machine_code) + machine_code


def unsealed(name: str, content: bytes) -> bytes | None:
    """The machine code, or None if it is damaged or another one's: LLVM would abort the process."""
    machine_code = content[8:]
    return machine_code if content and sealed(name, machine_code) == content else None


def write(stem: str, machine_code: bytes) -> None:
    """Keep the machine code in the first folder that can be written; without one, compile again next time.

    Others may read it, as far as this user's umask lets them: what root has compiled serves all.
    """
    for folder in _folders():
        temporary = folder / f".digitnn-fast-code-{os.getpid()}-{os.urandom(4).hex()}.tmp"
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            if not _is_trusted(folder):
                continue
            _sweep(folder)
            with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, 0o644)) as file:
                file.write(sealed(stem, machine_code))
            os.replace(temporary, folder / f"{stem}.o")
            return
        except OSError:
            with suppress(OSError):  # of a full disk, or a folder that is called like the file
                temporary.unlink()


@cache
def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote."""
    with suppress(OSError):
        for path in folder.iterdir():
            if re.fullmatch(LITTER, path.name) and time.time() - path.lstat().st_mtime > ABANDONED:
                path.unlink()
