"""One way to read every kind of shard: its images a block at a time, what identifies them, its stamp and digest."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import kaggle
from digitnn_fast.formats.contents import Block, Wanted, checked, read_contents
from digitnn_fast.formats.kinds import Kind, identify
from digitnn_fast.formats.parquet import TEXT
from digitnn_fast.shards import pictures, store
from digitnn_fast.shards.digest import Hashed
from digitnn_fast.shards.store import ShardError, Stamp

ROW = "row"  # what identifies an image that has no id: its number in the shard, from 1


class Rows(NamedTuple):
    """Images (m, 784), or readings (m, 2, 784) of pictures, and their ids, or None.

    And why some can't be read, else ""; None if that can't be.
    """

    images: NDArray[np.uint8]
    ids: Any
    reasons: list[str] | None = None


class Contents(NamedTuple):
    """The rows block by block; what the ids are called, their type in Parquet, and whether there are reasons."""

    id_name: str
    id_type: Any
    blocks: Iterator[Rows]
    pictures: bool = False


class Shard:
    """An input, open for one pass; a context manager. ShardError for any fault of the input."""

    def __init__(self, source: str) -> None:
        self.name = source
        self._read = False
        self._pictures = pictures.Pictures(source) if pictures.is_pictures(source) else None
        self._file = None if self._pictures else Hashed(store.open_raw(source))
        self.stamp = self._pictures.stamp() if self._pictures else store.stamp(source) or Stamp(0, "")

    def __enter__(self) -> Shard:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.shut()

    def digest(self) -> str:
        """SHA-256 of the whole input."""
        if self._pictures is not None:
            return self._pictures.digest(self._read)
        assert self._file is not None
        with store.reached(self.name):
            return self._file.digest()

    def contents(self, id_column: str | None) -> Contents:
        """Its images from the beginning; `id_column` names the column of ids of a table."""
        if self._pictures is not None:
            if id_column:
                raise ShardError(f"{self.name}: pictures have no column {id_column}")
            return Contents("file", TEXT, self._all_pictures(), pictures=True)
        assert self._file is not None
        self._file.seek(0)
        with store.reached(self.name):
            kind, stream = identify(self._file, self.name)
            if kind is Kind.TABLE:
                return self._table(id_column)
            wanted = Wanted(id_column=id_column)
            found = read_contents(kind, stream, self._file, self._file.size, self.name, wanted)
        return Contents(found.id_name or ROW, found.id_type, self._reached(found.blocks))

    def _all_pictures(self) -> Iterator[Rows]:
        assert self._pictures is not None
        for block in self._pictures.blocks():
            yield Rows(*block)
        self._read = True

    def _table(self, id_column: str | None) -> Contents:
        file = self._file
        assert file is not None

        def opened(_: object) -> io.BufferedReader:
            file.seek(0)
            return io.BufferedReader(file, 1 << 16)

        with store.reached(self.name):
            id_column = kaggle.find_id(self.name, id_column, opened)
        kind = TEXT if id_column else None
        blocks = (Block(*block) for block in kaggle.iter_images(self.name, id_column, opened))
        return Contents(id_column or ROW, kind, self._reached(checked(blocks, self.name, file.size)))

    def _reached(self, blocks: Iterator[Block]) -> Iterator[Rows]:
        """The blocks; ShardError for any fault."""
        while True:
            with store.reached(self.name):
                block = next(blocks, None)
            if block is None:
                return
            yield Rows(block.images, block.ids)
