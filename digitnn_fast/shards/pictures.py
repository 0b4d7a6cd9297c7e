"""Pictures as a shard: a folder of them, or a text file with a path in each line."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images import PictureError, is_picture, preprocess
from digitnn_fast.kaggle.table import UTF16
from digitnn_fast.shards import store
from digitnn_fast.shards.store import ShardError

MAX_PICTURE_BYTES = 1 << 28
MAX_LIST_BYTES = 1 << 30
BLOCK = 256


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

    def blocks(self) -> Iterator[tuple[NDArray[np.uint8], list[str]]]:
        """Images (m, 784) and their names; ShardError for the first picture that can't be used.

        Results are UTF-8: of a name that is not, each byte that does not fit is written as `\\udcff`.
        """
        for first in range(0, len(self.names), BLOCK):
            names = self.names[first : first + BLOCK]
            yield (
                np.stack([self._pixels(name) for name in names]),
                [name.encode(errors="backslashreplace").decode() for name in names],
            )

    def _pixels(self, name: str) -> NDArray[np.uint8]:
        try:
            return preprocess(io.BytesIO(self._content(name)))
        except PictureError as error:
            raise ShardError(f"{self.path(name)}: {error}") from error

    def _content(self, name: str) -> bytes:
        content = store.read_whole(self.path(name), MAX_PICTURE_BYTES)
        self._hash.update(f"{len(name)} {name} {len(content)} ".encode(errors="surrogateescape"))
        self._hash.update(content)
        return content

    def digest(self, read: bool) -> str:
        """SHA-256 of all names and pictures; `read` tells that `blocks` has been through all of them."""
        if not read:
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
        names = [name for name in store.files_in(source) if "/" not in name and is_picture(name)]
        folder = source
    if not names:
        raise ShardError(f"{source}: no pictures")
    return folder, names
