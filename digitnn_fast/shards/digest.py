"""A file that is read once and hashed on the way."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any

from digitnn_fast.formats.kinds import Shared

CHUNK = 1 << 20


class Hashed(Shared):
    """A file open for reading, in any order, and the SHA-256 of all of it; each byte is hashed when it first comes by.

    Readers wrap it in buffers of their own and close these; only `shut` closes the file itself.
    """

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._hash = hashlib.sha256()
        self._at = self._known = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go there."""
        self._at = int(self._file.seek(offset, whence))
        return self._at

    def tell(self) -> int:
        """Where we are."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill as much of the buffer as comes at once."""
        count = int(self._file.readinto(buffer) or 0)
        end = self._at + count
        if self._at <= self._known < end:
            with memoryview(buffer).cast("B") as view:
                self._hash.update(view[self._known - self._at : count])
            self._known = end
        self._at = end
        return count

    def shut(self) -> None:
        """Close it."""
        self._file.close()

    def digest(self) -> str:
        """The SHA-256, for which what nobody asked for is read now; 64 hexadecimal digits."""
        self.seek(self._known)
        chunk = bytearray(CHUNK)
        while self.readinto(chunk):
            pass
        return self._hash.hexdigest()


class HashedWriter(io.RawIOBase):
    """A file open for writing, and the size and SHA-256 of what was written."""

    def __init__(self, file: Any) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0
        self._given_up = False

    def writable(self) -> bool:
        """Whether it can be written: always."""
        return True

    def write(self, content: Any) -> int:
        """Write all of it."""
        if self._given_up:
            return memoryview(content).nbytes
        self._file.write(content)
        self._hash.update(content)
        self.size += memoryview(content).nbytes
        return memoryview(content).nbytes

    def give_up(self) -> None:
        """The file is of no use any more; pyarrow wants to write its end all the same."""
        self._given_up = True

    def digest(self) -> str:
        """The SHA-256 so far, 64 hexadecimal digits."""
        return self._hash.hexdigest()
