"""Reading an `.npz` that a stranger may have written: no code runs, and memory is bounded by the file's length."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from digitnn_fast.checks import require
from digitnn_fast.sizes import CLASSES, MAX_HIDDEN, PIXELS

# zipfile is imported where it is used: it would add 10 ms to every start.
if TYPE_CHECKING:
    from zipfile import ZipFile

    from numpy.typing import NDArray

MAX_MEMBERS = 16  # a zip directory of millions of entries would need gigabytes
MAX_FILE_BYTES = 4 * (PIXELS + 1 + CLASSES) * MAX_HIDDEN + 2**25  # the widest network, a million epochs


class ModelFileError(ValueError):
    """A model file that is missing, damaged, foreign or newer; the text is one line with file and reason."""


def check_directory(file: BinaryIO) -> None:
    """ModelFileError unless the file ends in a zip directory that is small enough to be given to zipfile.

    A zip without comment ends in 22 bytes: signature, 6 bytes on, number of members (2 bytes), size of the
    directory (4), 6 bytes on. A zip64 locator (20 bytes) before them would overrule both; `save` writes none.
    """
    size = file.seek(0, os.SEEK_END)
    accept(size > 0, "the file is empty")
    accept(size <= MAX_FILE_BYTES, f"not a digitnn-fast model: {size:,} bytes are more than one can have")
    file.seek(0)
    accept(file.read(4) == b"PK\3\4", "not a digitnn-fast model: not an .npz file")
    file.seek(max(0, size - 42))
    locator, end = file.read(20), file.read()
    complete = end.startswith(b"PK\5\6")
    accept(complete, "truncated, or not a digitnn-fast model: it does not end in a zip directory")
    members, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    small = members <= MAX_MEMBERS and length <= MAX_MEMBERS * 256 and not locator.startswith(b"PK\6\7")
    accept(small, f"not a digitnn-fast model: a zip of {members:,} files")


def read_array(archive: ZipFile, name: str) -> NDArray[Any]:
    """The array of that name, exactly as long as its header claims; ValueError if it isn't.

    Not np.load: it allocates what the header claims before it looks how much there is.
    """
    from io import BytesIO
    from zipfile import ZIP_STORED

    require(f"{name}.npy" in archive.namelist(), f"the array {name} is missing")
    member = archive.getinfo(f"{name}.npy")
    stored = member.compress_type == ZIP_STORED and member.compress_size <= MAX_FILE_BYTES
    require(stored, f"{name} is compressed or too long")
    content = archive.read(member)
    header = BytesIO(content)
    require(np.lib.format.read_magic(header) == (1, 0), f"{name} is in another .npy version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(header)
    require(dtype.kind in "fU", f"{name} must hold numbers or text, not {dtype}")
    values = memoryview(content)[header.tell() :]
    exact = math.prod(shape) * dtype.itemsize == len(values)
    require(exact, f"{name} is not as long as its header says")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran else "C")


def accept(condition: bool, reason: str) -> None:
    """ModelFileError with that reason, unless the condition holds."""
    if not condition:
        raise ModelFileError(reason)
