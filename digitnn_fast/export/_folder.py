"""A folder of files that appears all at once, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_folder(path: str | os.PathLike[str]) -> None:
    """ValueError, before any work, if files can't be put into that folder, which need not exist."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise ValueError(f"{os.fspath(path)}: can't be written: not a folder")
    if not target.parent.is_dir():
        raise ValueError(f"{os.fspath(path)}: can't be written: there is no folder {target.parent}")
    if not all(os.access(place, os.W_OK) for place in (target, target.parent) if place.exists()):
        raise ValueError(f"{os.fspath(path)}: can't be written: permission denied")


@contextmanager
def filling(path: str | os.PathLike[str]) -> Iterator[Path]:
    """An empty folder whose files become those of `path` when the block ends without an error; else nothing stays.

    It lies beside the target, because a move is atomic only within a file system. Other files in `path` stay.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f"{target.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        if not target.exists():
            temporary.rename(target)
            return
        for source in list_files(temporary):
            place = target / source.relative_to(temporary)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, place)
    finally:  # Ctrl-C too must leave no litter
        shutil.rmtree(temporary, ignore_errors=True)


def list_files(folder: Path) -> list[Path]:
    """All files below the folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
