"""The cache of machine code: one file for each kernel, with a checksum."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

KERNELS = Path(__file__).parents[1]


@cache
def _folders() -> list[Path]:
    """Where machine code is looked for: as numba does, beside the source, else the user's cache folder."""
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(folder)]
    home = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}.get(sys.platform, "~/.cache")
    return [
        KERNELS / "__pycache__",
        Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(home)) / "digitnn-fast",
    ]


def find(stem: str) -> tuple[Path, bytes] | None:
    """The folder that holds machine code whose checksum is right, and the code; or None."""
    for folder in _folders():
        try:
            content = (folder / f"{stem}.o").read_bytes()
        except OSError:
            continue
        if (machine_code := unsealed(stem, content)) is not None:
            return folder, machine_code
    return None


def read(stem: str) -> bytes | None:
    """Machine code whose checksum is right, or None."""
    found = find(stem)
    return found[1] if found else None


def sealed(name: str, machine_code: bytes) -> bytes:
    """Machine code behind a checksum, of the name too: another kernel's code would be linked to address 0."""
    return hashlib.sha256(name.encode() + machine_code).digest() + machine_code


def unsealed(name: str, content: bytes) -> bytes | None:
    """The machine code, or None if it is damaged or another one's: LLVM would abort the process."""
    machine_code = content[32:]
    return machine_code if content and sealed(name, machine_code) == content else None


def write(stem: str, machine_code: bytes) -> None:
    """Keep the machine code in the first folder that can be written; without one, compile again next time."""
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                file.write(sealed(stem, machine_code))
            os.replace(file.name, folder / f"{stem}.o")
            return
        except OSError:
            continue
