"""What comes through a pipe, kept so that it can be read as a file: more than once, and from any place."""

from __future__ import annotations

import io
import os
from typing import Any

from digitnn_fast.checks import require
from digitnn_fast.files import Path
from digitnn_fast.formats.kinds import ZIP, FormatError, Kind, Shared, identify
from digitnn_fast.kaggle import KaggleFileError, read_names
from digitnn_fast.kaggle.table import open_file, os_reason

FIRST = 1 << 20  # bytes after which it is asked whether this is anything at all
IN_MEMORY = 1 << 26  # bytes; what is longer goes into a temporary file
MOST = 1 << 33


class Spool:
    """The content of a pipe; calling it is an opener for `kaggle`'s functions."""

    def __init__(self, path: Path, name: str) -> None:
        self._content, self._file = b"", None
        with open_file(path) as pipe:
            try:
                self._content = pipe.read(FIRST)
                if len(self._content) == FIRST and self._is_digits(name):
                    self._content += pipe.read(IN_MEMORY - FIRST)
                    if len(self._content) == IN_MEMORY:
                        self._file = self._on_disk(pipe, name)
            except OSError as error:
                raise FormatError(f"{name}: {os_reason(error)}") from error

    def __call__(self, _path: Path = "") -> io.BufferedReader:
        """A file of it, at its beginning."""
        if self._file is None:
            memory: Any = io.BytesIO(self._content)
            return io.BufferedReader(memory)
        file = open(os.dup(self._file.fileno()), "rb")  # noqa: SIM115
        file.seek(0)
        return file

    def _is_digits(self, name: str) -> bool:
        """Whether it is worth reading on: else what has come is enough to say what is wrong with it."""
        if self._content.startswith(ZIP):  # whose list of members, at its end, says what it is
            return True
        try:
            with self() as file:
                kind, _ = identify(Shared(file), name)
            return kind is not Kind.TABLE or "pixel0" in read_names(name, self)[1]
        except (FormatError, KaggleFileError):
            return False

    def _on_disk(self, pipe: io.BufferedReader, name: str) -> Any:
        import tempfile  # 2 ms, for what is rare

        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115  # it goes with this object
            part = self._content
            while part:
                file.write(part)
                require(file.tell() <= MOST, f"{name}: more than {MOST:,} bytes")
                part = pipe.read(FIRST)
            file.flush()
        except OSError as error:
            raise FormatError(f"{name}, kept in {tempfile.tempdir}: {os_reason(error)}") from error
        self._content = b""
        return file
