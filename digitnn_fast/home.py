"""Where the package's own files are."""

from __future__ import annotations

import os
from pathlib import Path

_HERE = Path(__file__).parent


def _unpacked(package: Path) -> Path:
    """A copy of a package that is imported from a zip, in a temporary folder for as long as this process runs."""
    import atexit
    import shutil
    import tempfile
    import zipfile

    folder, process = tempfile.mkdtemp(prefix="digitnn-fast-"), os.getpid()

    def remove() -> None:
        if os.getpid() == process:  # and not a fork of it
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    with zipfile.ZipFile(package.parent) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(f"{package.name}/")])
    return Path(folder, package.name)


PACKED = not _HERE.is_dir()
HOME = _unpacked(_HERE) if PACKED else _HERE
