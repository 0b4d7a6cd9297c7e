"""Reading an `.npz` that a stranger may have written: no code runs, and memory is bounded by the file's length.

What must be in it is said once, by a `Form` for each array, and checked before anything is made of it.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from digitnn_fast.checks import require, shortened
from digitnn_fast.sizes import CLASSES, MAX_HIDDEN, PIXELS

# zipfile is imported where it is used: it would add 10 ms to every start.
if TYPE_CHECKING:
    from zipfile import ZipFile

    from numpy.typing import NDArray

MAX_MEMBERS = 16  # a zip directory of millions of entries would need gigabytes
MAX_FILE_BYTES = 4 * (PIXELS + 1 + CLASSES) * MAX_HIDDEN + 2**25  # the widest network, a million epochs
STEP = 1 << 20  # bytes that are read at once


class ModelFileError(ValueError):
    """A model file that is missing, damaged, foreign or newer; the text is one line with file and reason."""


class Form(NamedTuple):
    """What an array must be: its dtypes, by NumPy's names or "text", and its shape.

    A size is a number, or a name: then it may be any, but the same wherever the name stands.
    """

    dtypes: tuple[str, ...]
    shape: tuple[int | str, ...] = ()


def check_directory(file: BinaryIO, most: int = MAX_FILE_BYTES, what: str = "digitnn-fast model") -> None:
    """ModelFileError unless the file ends in a zip directory that is small enough to be given to zipfile.

    A zip without comment ends in 22 bytes: signature, 6 bytes on, number of members (2 bytes), size of the
    directory (4), 6 bytes on. A zip64 locator (20 bytes) before them would overrule both; `save` writes none.
    """
    size = file.seek(0, os.SEEK_END)
    accept(size > 0, "the file is empty")
    accept(size <= most, f"not a {what}: {size:,} bytes are more than one can have")
    file.seek(0)
    accept(file.read(4) == b"PK\3\4", f"not a {what}: not an .npz file")
    file.seek(max(0, size - 42))
    locator, end = file.read(20), file.read()
    complete = end.startswith(b"PK\5\6")
    accept(complete, f"truncated, or not a {what}: it does not end in a zip directory")
    members, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    small = members <= MAX_MEMBERS and length <= MAX_MEMBERS * 256 and not locator.startswith(b"PK\6\7")
    accept(small, f"not a {what}: a zip of {members:,} files")


def read_arrays(
    archive: ZipFile, forms: Mapping[str, Form], sizes: Mapping[str, int] | None = None
) -> dict[str, NDArray[Any]]:
    """The arrays of these names, each of its form; ValueError if one is not. `sizes` are those known by name."""
    known, arrays = dict(sizes or {}), {}
    for name, form in forms.items():
        arrays[name] = _read_array(archive, name, form, known)
    return arrays


def _read_array(archive: ZipFile, name: str, form: Form, known: dict[str, int]) -> NDArray[Any]:
    """The array of that name, exactly as long as its header claims; new sizes go to `known`.

    Not np.load: it allocates what the header claims before it looks how much there is.
    """
    from zipfile import ZIP_STORED

    require(f"{name}.npy" in archive.namelist(), f"the array {name} is missing")
    member = archive.getinfo(f"{name}.npy")
    assert archive.fp is not None
    length = os.fstat(archive.fp.fileno()).st_size
    stored = member.compress_type == ZIP_STORED and member.file_size == member.compress_size <= length
    require(stored, f"{name} is compressed or too long")
    opened: Any = archive.open(member)
    with opened as file:
        require(np.lib.format.read_magic(file) == (1, 0), f"{name} is in another .npy version")
        shape, fortran, dtype = npy_header(file)
        kind = "text" if dtype.kind == "U" else dtype.name
        right = kind in form.dtypes and dtype.isnative
        require(right, f"{name} must hold {' or '.join(form.dtypes)}, not {shortened(str(dtype))}")
        _check_shape(name, shape, form.shape, known)
        exact = math.prod(shape) * dtype.itemsize == member.file_size - file.tell()
        require(exact, f"{name} is not as long as its header says")
        array: NDArray[Any] = np.empty(shape, dtype, order="F" if fortran else "C")
        content = array.ravel(order="K").view(np.uint8) if array.nbytes else np.empty(0, np.uint8)
        for first in range(0, len(content), STEP):
            part = content[first : first + STEP].data
            require(file.readinto(part) == len(part), f"{name} is cut off")
        require(not file.read(1), f"{name} is longer than its header says")  # at its end the checksum is compared
    return array


def npy_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is stored by columns, and dtype, from behind the version of a .npy file; any exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's advice on files of Python 2, for which a damaged header passes
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, fortran, dtype


def _check_shape(name: str, shape: tuple[int, ...], wanted: tuple[int | str, ...], known: dict[str, int]) -> None:
    text = ", ".join(str(known.get(place, place) if isinstance(place, str) else place) for place in wanted)
    if fits := len(shape) == len(wanted) and min(shape, default=0) >= 0:
        for size, place in zip(shape, wanted, strict=True):
            expected = known.setdefault(place, size) if isinstance(place, str) else place
            fits = fits and size == expected
    one = "," if len(wanted) == 1 else ""
    require(fits, f"{name} must have shape ({text}{one}), got {shortened(str(shape))}")


def accept(condition: bool, reason: str) -> None:
    """ModelFileError with that reason, unless the condition holds."""
    if not condition:
        raise ModelFileError(reason)
