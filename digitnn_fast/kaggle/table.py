"""A CSV file open for reading: plain, `.gz` or `.zip`, recognised by its first bytes and unpacked on the way."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from digitnn_fast.checks import reason_of, shortened
from digitnn_fast.files import Path

if TYPE_CHECKING:
    from zipfile import ZipFile

Role = Literal["train", "test", "submission", "sample_submission"]
Opener = Callable[[Path], io.BufferedReader]

UTF16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
MAX_DIRECTORY = 1 << 18  # bytes of a zip's list of members, which zipfile turns into 20 times as many
WAKE = 0.2  # seconds, after which the reader of a pipe that stalls looks whether it should stop


class KaggleFileError(ValueError):
    """A file that can't be used; the text is one line with file, row, line, column (as far as known) and reason."""


def open_file(path: Path) -> io.BufferedReader:
    """The file of that name, to be read, or standard input; other stores than this machine's have their own opener."""
    return open(0, "rb", closefd=False) if path == "-" else open(path, "rb")


def _size(file: io.BufferedReader) -> int | None:
    """Bytes in the file, None for a pipe."""
    try:
        status = os.fstat(file.fileno())
    except io.UnsupportedOperation:  # not a file of this machine
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return size
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class Directory(io.BufferedIOBase):
    """A file from whose end zipfile reads the list of members, if that is not too long."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def read(self, size: int | None = -1) -> bytes:
        """As a file; NotImplementedError for more than the list may have."""
        if size is not None and size > MAX_DIRECTORY:
            raise NotImplementedError(f"its list of members has {size:,} bytes, more than {MAX_DIRECTORY:,}")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Always."""
        return True


class _Utf8(io.RawIOBase):
    """Text in UTF-16 as UTF-8, without a mark of its order."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._start()

    def _start(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16")()
        self._at, self._rest = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to this byte of the UTF-8, by all that is before it."""
        self._stream.seek(0)
        self._start()
        while self._at < offset and self.read(min(offset - self._at, 1 << 16)):
            pass
        return self._at

    def readinto(self, view: Any) -> int:
        while not self._rest:
            content = self._stream.read(1 << 16)
            try:
                self._rest = self._decoder.decode(content, final=not content).encode()
            except UnicodeError:
                raise OSError("begins as UTF-16 text does, but is none") from None
            if not content:
                break
        part, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)


class _Pipe(io.RawIOBase):
    """A pipe whose reader can be stopped by another thread: no signal ends a `read` that waits in a helper thread."""

    def __init__(self, pipe: io.RawIOBase) -> None:
        self._pipe, self.stopped = pipe, False
        self._waiting = select.poll()
        self._waiting.register(pipe.fileno(), select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int | None:
        while not self._waiting.poll(1000 * WAKE):
            if self.stopped:
                raise OSError(errno.ECANCELED, "reading was stopped")
        return self._pipe.readinto(view)

    def close(self) -> None:
        self._pipe.close()
        super().close()


class Table:
    """One pass over the bytes of a CSV file; a context manager. KaggleFileError for any fault of the file.

    `role` picks the member of a zip that holds several. `name` is the file as messages call it.
    `size` is None for a pipe, `packed` tells whether it is the size of something compressed.
    """

    def __init__(self, path: Path, role: Role, opener: Opener = open_file) -> None:
        self.name = "standard input" if path == "-" else os.fsdecode(path)
        self._pipe: _Pipe | None = None
        with self._errors():
            self._file = opener(path)
        try:
            with self._errors():
                self.size = _size(self._file)
                if self.size is None and hasattr(select, "poll"):
                    self._pipe = _Pipe(self._file.detach())
                    self._file = io.BufferedReader(self._pipe, 1 << 16)
                unpacked = self._unpack(role)
            self.packed = unpacked is not None
            # Large reads go past the buffer; it is there for readline, which GzipFile and ZipFile make slow.
            self._stream: Any = io.BufferedReader(unpacked, 1 << 16) if unpacked is not None else self._file
            with self._errors():
                # A submission is for Kaggle to read.
                if "submission" not in role and self._stream.peek(2)[:2] in UTF16:
                    self._stream, self.packed = io.BufferedReader(_Utf8(self._stream), 1 << 16), True
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

    def stop(self) -> None:
        """Let a thread that waits for a pipe wait no longer: it gets a KaggleFileError."""
        if self._pipe is not None:
            self._pipe.stopped = True

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
        except MemoryError:
            raise
        except Exception as error:  # on hostile bytes zipfile raises half a dozen types besides its own
            raise self.error(f"damaged or cut-off zip: {reason_of(error)}") from error

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
            directory: Any = Directory(self._file)
            archive = zipfile.ZipFile(directory)
            archive.fp = self._file  # the bound was for the list, not for the members
            member = archive.getinfo(self._choose(archive, role))
            self.name += f" ({shortened(member.filename)})"
            # What bzip2 and LZMA unpack to has no bound: 1 kB may become 2 GB before the first byte can be looked at.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise self.error("compressed by another method than deflate, which alone is read; unpack it first")
            return archive.open(member)
        return None

    def _choose(self, archive: ZipFile, role: Role) -> str:
        # macOS adds a __MACOSX/ folder of resource forks.
        names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
        if "[Content_Types].xml" in names:
            raise self.error("an Excel workbook; save it as CSV")
        if "mimetype" in names:
            raise self.error("an office document; save its table as CSV")
        if any(name.endswith("/data.pkl") for name in names):
            raise self.error("a file of PyTorch, a pickle, which could run any code; save its arrays as .npz")
        tables = [name for name in names if name.lower().endswith(".csv")]
        wanted = tables if len(tables) == 1 else [name for name in tables if name.split("/")[-1] == f"{role}.csv"]
        if len(wanted) != 1:
            found = ", ".join(map(shortened, names[:5])) or "nothing"
            found += f" and {len(names) - 5:,} more" if len(names) > 5 else ""
            raise self.error(f"this zip must hold one CSV file or one {role}.csv; it holds {found}")
        return wanted[0]


def os_reason(error: OSError) -> str:
    """What went wrong, in a few words."""
    if error.filename == "":
        return "an empty name is not a file"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a folder, not a file"
    return error.strerror or f"damaged file: {error}"
