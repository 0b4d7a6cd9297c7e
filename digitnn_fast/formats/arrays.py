"""Arrays of images in files: `.npy` and IDX (MNIST's own format), each also as `.gz`.

Streamed a block of images at a time. What a header claims is believed only as far as the bytes come.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import shortened
from digitnn_fast.formats.kinds import FormatError, Kind, damage
from digitnn_fast.kaggle.gathering import MAX_ROWS
from digitnn_fast.npz import npy_header
from digitnn_fast.sizes import PIXELS

IDX_TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
NUMBERS = "biuf"  # kinds of dtypes
DIGIT = re.compile(r"\s*\d(\.0*)?\s*")
SHAPES = (PIXELS,), (28, 28), (28, 28, 1), (1, 28, 28)
BLOCK = 4096  # images: 3 MB, some of which the CPU's caches still hold when they are predicted


class Header(NamedTuple):
    """What is stored, behind so many `bytes`; whether it is stored by columns, as that of a pandas table."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    bytes: int
    by_columns: bool = False


def blocks(stream: io.BufferedReader, kind: Kind, name: str, size: int | None, most: int) -> Iterator[NDArray[Any]]:
    """Images (m, 784) or (m, 28, 28) of any dtype of numbers, of a `.npy` or IDX file.

    `size` is that of the file, None if it is packed: then its header can only be checked at the end. What is stored
    by columns is held as a whole, as no image is complete before the last of them: up to `most` bytes.
    """
    dtype, shape, header, by_columns = _header(stream, kind, name)
    if dtype.kind not in NUMBERS:
        raise FormatError(f"{name}: images must be integers 0..255 or floats 0..1, not {shortened(str(dtype))}")
    if len(shape) == 1:
        raise FormatError(f"{name}: a file of labels, not of images")
    if shape[1:] not in SHAPES:
        raise FormatError(f"{name}: images must be (n, 784) or (n, 28, 28), not {shortened(str(shape))}")
    claimed = header + math.prod(shape) * dtype.itemsize
    if size is not None and size != claimed:
        what = "cut off" if size < claimed else "longer than its header says"
        raise FormatError(f"{name}: {what}: {size:,} bytes instead of {claimed:,} for {shape[0]:,} images")
    if by_columns and claimed > most:
        raise FormatError(f"{name}: stored by columns, and too large for that; save numpy.ascontiguousarray(images)")
    step = max(1, shape[0]) if by_columns else BLOCK
    for first in range(0, shape[0], step):
        stored = np.empty((min(step, shape[0] - first), *shape[1:]), dtype, "F" if by_columns else "C")
        with damage(name):
            complete = _fill(stream, (stored.T if by_columns else stored).reshape(-1).view(np.uint8).data)
        if not complete:
            raise FormatError(f"{name}: cut off: it ends before image {first + len(stored):,} of {shape[0]:,}")
        for start in range(0, len(stored), BLOCK):
            yield stored[start : start + BLOCK]
    with damage(name):
        rest = stream.read(1)
    if rest:
        raise FormatError(f"{name}: longer than its header says: more than {shape[0]:,} images")


def read_labels(stream: io.BufferedReader, kind: Kind, name: str) -> NDArray[np.uint8]:
    """Labels (n,) of a `.npy` or IDX file of n numbers or texts; FormatError unless they are 0 to 9."""
    dtype, shape, *_ = _header(stream, kind, name)
    if len(shape) == 2 and shape[1] == 1:
        shape = shape[:1]
    if len(shape) != 1 or shape[0] > MAX_ROWS:
        raise FormatError(f"{name}: labels must be (n,), not {shortened(str(shape))}")
    if dtype.kind not in NUMBERS + "U":
        raise FormatError(f"{name}: labels must be numbers or texts, not {shortened(str(dtype))}")
    with damage(name):
        content = stream.read(shape[0] * dtype.itemsize + 1)
    if len(content) != shape[0] * dtype.itemsize:
        raise FormatError(f"{name}: not as long as its header says, {shape[0]:,} labels")
    return as_labels(np.frombuffer(content, dtype), name, 1)


def as_labels(labels: NDArray[Any], name: str, row: int) -> NDArray[np.uint8]:
    """The same as uint8; FormatError for the first that is none of 0 to 9, the first of all being that of `row`."""
    numbers = labels
    if labels.dtype.kind not in NUMBERS:
        numbers = np.array([float(text) if DIGIT.fullmatch(text) else np.nan for text in map(str, labels)])
    wrong = ~((numbers >= 0) & (numbers <= 9) & (numbers == np.rint(numbers)))
    if wrong.any():
        at = int(wrong.argmax())
        raise FormatError(f"{name}: row {row + at}: {shortened(str(labels[at]))} is not a digit from 0 to 9")
    return numbers.astype(np.uint8)


def _header(stream: io.BufferedReader, kind: Kind, name: str) -> Header:
    with damage(name):
        return _npy_header(stream, name) if kind is Kind.NPY else _idx_header(stream, name)


def _fill(stream: io.BufferedReader, view: memoryview) -> bool:
    filled = 0
    while filled < len(view):
        count = stream.readinto(view[filled:])
        if not count:
            return False
        filled += count
    return True


def _npy_header(stream: io.BufferedReader, name: str) -> Header:
    """Format: numpy.lib.format. Not np.load, which trusts the header; a pickle is never read."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # the others are for headers of more than 64 kB, which numbers do not need
        raise FormatError(f"{name}: .npy format {version[0]}.{version[1]} is not for plain numbers")
    length = int.from_bytes(stream.peek(2)[:2], "little")
    shape, fortran, dtype = npy_header(stream)
    if min(shape, default=0) < 0:
        raise FormatError(f"{name}: images must be (n, 784) or (n, 28, 28), not {shortened(str(shape))}")
    return Header(dtype, shape, 10 + length, fortran)


def _idx_header(stream: io.BufferedReader, name: str) -> Header:
    """Format: two bytes of 0, the type, the number of dimensions, then each as four bytes, the highest first."""
    start = stream.read(4)
    if len(start) < 4 or start[2] not in IDX_TYPES:
        raise FormatError(f"{name}: not a format that can be read")
    kind, dimensions = IDX_TYPES[start[2]], start[3]
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise FormatError(f"{name}: cut off in its header")
    shape = tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))
    return Header(np.dtype(kind).newbyteorder(">"), shape, 4 + len(sizes))
