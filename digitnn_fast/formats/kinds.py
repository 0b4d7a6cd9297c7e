"""What a file of digits is, by its first bytes: the one place that is asked."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from digitnn_fast.checks import reason_of
from digitnn_fast.picture_files import begins_as_picture

GZIP, ZIP = b"\x1f\x8b", b"PK\3\4"
BUFFER = 1 << 16
# What is refused, with what to do.
REFUSED = (
    (
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        "a pickle, which could run any code; save it as CSV",
    ),
    ((b"\x89HDF",), "HDF5; save its images as .npz, .npy or CSV"),
    ((b"ARROW1",), "Arrow's own format; save it as Parquet"),
    ((b"%PDF",), "a PDF, not a table of digits"),
    ((b"MATLAB 5",), "a file of MATLAB; save its images as .npy or CSV"),
    ((b"\xd0\xcf\x11\xe0",), "an old Excel workbook; save it as CSV"),
    ((b"SQLite format",), "a database; save the table as CSV"),
    (
        (b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!"),
        "packed as neither .gz nor .zip; unpack it",
    ),
)
TAR, TAR_AT = b"ustar", 257


class FormatError(ValueError):
    """A file of digits that can't be used; the text is one line with the file's name and the reason."""


class Shared(io.RawIOBase):
    """A file with several readers, in buffers and archives of their own: only `file` itself closes it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.size: int = file.seek(0, os.SEEK_END)
        file.seek(0)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go there."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Where we are."""
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        """Fill as much of the buffer as comes at once."""
        return int(self._file.readinto(buffer) or 0)

    def close(self) -> None:
        """Nothing: others may still want to read."""


class Kind(Enum):
    """The kinds of files that hold digits."""

    TABLE = "CSV, also as .gz or .zip"
    PARQUET = "Parquet"
    NPY = "an array of NumPy"
    NPZ = "an archive of NumPy's arrays"
    IDX = "IDX, MNIST's own format"


MAGIC = {b"PAR1": Kind.PARQUET, b"\x93NUMPY": Kind.NPY, b"\0\0": Kind.IDX}


def identify(file: Any, name: str) -> tuple[Kind, io.BufferedReader]:
    """What a file is, or what is in it if it is a gzip, and a stream of that; FormatError if no such kind is read.

    The file is read from its beginning, and must be one that can seek.
    """
    stream = io.BufferedReader(file, BUFFER)
    packed = stream.peek(2)[:2] == GZIP
    if packed:
        import gzip

        unpacked: Any = gzip.GzipFile(fileobj=stream)
        stream = io.BufferedReader(unpacked, BUFFER)
    with damage(name):
        start = stream.peek(512)
    magic = start[:16]
    if packed and magic.startswith((GZIP, ZIP, b"PAR1")):
        raise FormatError(f"{name}: packed twice; unpack the .gz")
    if start[TAR_AT:].startswith(TAR):
        raise FormatError(f"{name}: a .tar; unpack it")
    if begins_as_picture(start):
        raise FormatError(f"{name}: a picture; `digitnn-fast image` reads pictures")
    for starts, what in REFUSED:
        if magic.startswith(starts):
            raise FormatError(f"{name}: {what}")
    if magic.startswith(ZIP) and _holds_arrays(file):
        return Kind.NPZ, stream
    return next((kind for start, kind in MAGIC.items() if magic.startswith(start)), Kind.TABLE), stream


def _holds_arrays(file: Any) -> bool:
    """Whether a zip is an .npz; what is damaged is none."""
    from digitnn_fast.formats.archives import names_of

    try:
        return bool(names_of(file))
    except Exception:  # on hostile bytes zipfile raises half a dozen types
        return False
    finally:
        file.seek(0)


@contextmanager
def damage(name: str) -> Iterator[None]:
    """FormatError for what the unpacking of a damaged file or the parsing of its header raises."""
    try:
        yield
    except (FormatError, MemoryError):
        raise
    except EOFError:
        raise FormatError(f"{name}: cut off: its compressed data has no end") from None
    except Exception as error:  # gzip, zipfile and NumPy's parser raise half a dozen types
        raise FormatError(f"{name}: damaged: {reason_of(error)}") from error
