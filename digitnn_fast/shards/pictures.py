"""Pictures as a shard: a folder of them, or a text file with a path in each line."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.files import is_hidden
from digitnn_fast.images import READINGS, PictureError, is_picture, readings
from digitnn_fast.kaggle.table import UTF16
from digitnn_fast.shards import store
from digitnn_fast.shards.store import ShardError
from digitnn_fast.sizes import PIXELS

MAX_PICTURE_BYTES = 1 << 28
MAX_LIST_BYTES = 1 << 30
BLOCK = 256
NOTHING = np.zeros((READINGS, PIXELS), np.uint8)  # in the place of a picture that can't be read


class Pictures:
    """Pictures by the names that they have in the result."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._folder, self.names = _members(source)
        self._hash = hashlib.sha256()

    def path(self, name: str) -> str:
        """Where the picture is."""
        return name if store.is_url(name) or os.path.isabs(name) else store.join(self._folder, name)

    def stamp(self) -> store.Stamp:
        """Of all pictures together."""
        stamps = [store.stamp(self.path(name)) for name in self.names]
        versions = [one.version if one else "" for one in stamps]
        text = repr(list(zip(self.names, stamps, strict=True))) if all(versions) else ""
        total = sum(one.bytes for one in stamps if one)
        return store.Stamp(total, text and hashlib.sha256(text.encode()).hexdigest())

    def blocks(self) -> Iterator[tuple[NDArray[np.uint8], list[str], list[str]]]:
        """Readings (m, 2, 784), their names, and why those that are blank or damaged can't be read, else "".

        Results are UTF-8: of a name that is not, each byte that does not fit is written as `\\udcff`.
        """
        self._hash = hashlib.sha256()
        for first in range(0, len(self.names), BLOCK):
            names = self.names[first : first + BLOCK]
            images, reasons = zip(*(self._readings(name) for name in names), strict=True)
            texts = [name.encode(errors="backslashreplace").decode() for name in names]
            yield np.stack(images), texts, list(reasons)

    def _readings(self, name: str) -> tuple[NDArray[np.uint8], str]:
        content = self._content(name)
        if content is None:
            return NOTHING, "no such file"
        try:
            return readings(io.BytesIO(content)), ""
        except PictureError as error:
            return NOTHING, str(error)

    def _content(self, name: str) -> bytes | None:
        """All of the picture; None if it is not there."""
        try:
            content = store.read_whole(self.path(name), MAX_PICTURE_BYTES)
        except ShardError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            self._hash.update(f"{len(name)} {name} missing ".encode(errors="surrogateescape"))
            return None
        self._hash.update(f"{len(name)} {name} {len(content)} ".encode(errors="surrogateescape"))
        self._hash.update(content)
        return content

    def digest(self, read: bool) -> str:
        """SHA-256 of all names and pictures; `read` tells that `blocks` has been through all of them."""
        if not read:
            self._hash = hashlib.sha256()
            for name in self.names:
                self._content(name)
        return self._hash.hexdigest()


def is_pictures(source: str) -> bool:
    """Whether the input is a list or a folder of pictures, or one picture."""
    return is_picture(source) or source.lower().endswith(".txt") or store.is_folder(source)


def _members(source: str) -> tuple[str, list[str]]:
    """The folder that names count from, and the names in order."""
    if is_picture(source) and not store.is_folder(source):
        return source[: -len(store.name_of(source))], [store.name_of(source)]
    if source.lower().endswith(".txt") and not store.is_folder(source):
        try:
            content = store.read_whole(source, MAX_LIST_BYTES)
            lines = content.decode("utf-16" if content[:2] in UTF16 else "utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise ShardError(f"{source}: a list of pictures must be UTF-8 text, a path in each line") from None
        names, folder = [line.strip() for line in lines if line.strip()], source[: -len(store.name_of(source))]
    else:
        files = [name for name in store.files_in(source) if "/" not in name and not is_hidden(name)]
        names = [name for name in files if is_picture(name)]
        folder = source
    if not names:
        raise ShardError(f"{source}: no pictures")
    return folder, names
