"""A CSV file open for reading: plain, `.gz` or `.zip`, recognised by its first bytes and unpacked on the way."""

from __future__ import annotations

import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from digitnn_fast.files import Path

if TYPE_CHECKING:
    from zipfile import ZipFile

Role = Literal["train", "test", "submission"]
Opener = Callable[[Path], io.BufferedReader]


class KaggleFileError(ValueError):
    """A file that can't be used; the text is one line with file, row, line, column (as far as known) and reason."""


def open_file(path: Path) -> io.BufferedReader:
    """The file of that name, to be read; other stores than this machine's have an opener of their own."""
    return open(path, "rb")


def _size(file: io.BufferedReader) -> int | None:
    """Bytes in the file, None for a pipe."""
    try:
        status = os.fstat(file.fileno())
    except io.UnsupportedOperation:  # not a file of this machine
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return size
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class Table:
    """One pass over the bytes of a CSV file; a context manager. KaggleFileError for any fault of the file.

    `role` picks the member of a zip that holds several. `name` is the file as messages call it.
    `size` is None for a pipe, `packed` tells whether it is the size of something compressed.
    """

    def __init__(self, path: Path, role: Role, opener: Opener = open_file) -> None:
        self.name = os.fspath(path)
        with self._errors():
            self._file = opener(path)
        try:
            with self._errors():
                self.size = _size(self._file)
                unpacked = self._unpack(role)
            self.packed = unpacked is not None
            # Large reads go past the buffer; it is there for readline, which GzipFile and ZipFile make slow.
            self._stream: Any = io.BufferedReader(unpacked, 1 << 16) if unpacked is not None else self._file
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read_into(self, view: memoryview) -> int:
        """Fill `view`; fewer bytes than it holds only at the end of the file."""
        with self._errors():
            return int(self._stream.readinto(view))

    def read_line(self, limit: int) -> bytes:
        """The next line with its line end, or its first `limit` bytes; b"" at the end of the file."""
        with self._errors():
            return bytes(self._stream.readline(limit))

    def seek(self, offset: int) -> None:
        """Go on at this byte of the unpacked file."""
        with self._errors():
            self._stream.seek(offset)

    def bytes_done(self) -> int:
        """How far in the file on disk, out of `size`."""
        return self._file.tell() if self.size is not None else 0

    def error(
        self, reason: str, row: int | None = None, line: int | None = None, column: str | None = None
    ) -> KaggleFileError:
        """The exception `<file>: row R (line L), column C: reason` with the parts that are known."""
        at_line = f"line {line}" if line else ""
        place = f"row {row} ({at_line})" if row and line else at_line
        place = ", ".join(part for part in (place, f"column {column}" if column else "") if part)
        return KaggleFileError(": ".join(part for part in (self.name, place, reason) if part))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        # zlib.error and EOFError are gzip's and zipfile's; BadGzipFile is an OSError, BadZipFile an Exception.
        try:
            yield
        except KaggleFileError:
            raise
        except EOFError:
            raise self.error("the file is cut off: its compressed data has no end") from None
        except OSError as error:
            raise self.error(os_reason(error)) from error
        except (zlib.error, RuntimeError, NotImplementedError) as error:
            raise self.error(f"can't be unpacked: {error}") from error
        except Exception as error:
            if type(error).__name__ != "BadZipFile":
                raise
            raise self.error(f"damaged or cut-off zip: {error}") from error

    def _unpack(self, role: Role) -> Any:
        """A stream of what is in the file if it is a gzip or a zip, else None."""
        magic = self._file.peek(4)[:4]
        if magic[:2] == b"\x1f\x8b":
            import gzip

            return gzip.GzipFile(fileobj=self._file)
        if magic in (b"PK\x03\x04", b"PK\x05\x06"):
            import zipfile

            if self.size is None:
                raise self.error("a zip can't be read from a pipe")
            archive = zipfile.ZipFile(self._file)
            member = self._choose(archive, role)
            self.name += f" ({member})"
            return archive.open(member)
        return None

    def _choose(self, archive: ZipFile, role: Role) -> str:
        # macOS adds a __MACOSX/ folder of resource forks.
        names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
        tables = [name for name in names if name.lower().endswith(".csv")]
        wanted = tables if len(tables) == 1 else [name for name in tables if name.split("/")[-1] == f"{role}.csv"]
        if len(wanted) != 1:
            found = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "nothing"
            raise self.error(f"this zip must hold one CSV file or one {role}.csv; it holds {found}")
        return wanted[0]


def os_reason(error: OSError) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a folder, not a file"
    return error.strerror or f"damaged file: {error}"
