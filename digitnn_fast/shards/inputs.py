"""One way to read every kind of shard: its images a block at a time, what identifies them, its stamp and digest."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import kaggle
from digitnn_fast.inputs import as_pixels
from digitnn_fast.shards import arrays, parquet, pictures, store
from digitnn_fast.shards.digest import Hashed
from digitnn_fast.shards.store import ShardError, Stamp
from digitnn_fast.sizes import PIXELS

ROW = "row"  # what identifies an image that has no id: its number in the shard, from 1
MAX_UNPACKED, BOMB = 1 << 26, 200  # bytes of pixels from which on a file may not hold so many times its own size

Block = tuple[NDArray[np.uint8], Any]


class Contents(NamedTuple):
    """Images (m, 784) with their ids, or None, block by block; what the ids are called, and their type in Parquet."""

    id_name: str
    id_type: Any
    blocks: Iterator[Block]


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
            return Contents("file", parquet.TEXT, self._all_pictures())
        assert self._file is not None
        self._file.seek(0)
        with store.reached(self.name):
            magic, stream = arrays.magic_of(self._file, self.name)
        if magic.startswith(parquet.PARQUET):
            table = parquet.ParquetImages(self._file, self.name, id_column)
            return Contents(table.id_name or ROW, table.id_type, self._checked(table.blocks()))
        if magic.startswith((arrays.NPY, arrays.IDX)):
            if id_column:
                raise ShardError(f"{self.name}: arrays have no column {id_column}")
            size = self._file.size if stream.raw is self._file else None
            unpacked = arrays.blocks(stream, magic, self.name, size)
            return Contents(ROW, None, self._checked((block, None) for block in unpacked))
        return self._table(id_column)

    def _all_pictures(self) -> Iterator[Block]:
        assert self._pictures is not None
        yield from self._pictures.blocks()
        self._read = True

    def _table(self, id_column: str | None) -> Contents:
        file = self._file
        assert file is not None

        def opened(_: object) -> io.BufferedReader:
            file.seek(0)
            return io.BufferedReader(file, 1 << 16)

        with store.reached(self.name):
            id_column = kaggle.find_id(self.name, id_column, opened)
        kind = parquet.TEXT if id_column else None
        return Contents(id_column or ROW, kind, self._checked(kaggle.iter_images(self.name, id_column, opened)))

    def _checked(self, blocks: Iterator[tuple[NDArray[Any], Any]]) -> Iterator[Block]:
        """The blocks as grey levels; ShardError for the first pixel that is none, and for a bomb."""
        row = 1
        while True:
            with store.reached(self.name):
                images, ids = next(blocks, (None, None))
            if images is None:
                return
            try:
                pixels = as_pixels(images)
            except (ValueError, TypeError) as error:
                raise ShardError(f"{self.name}: {_place(images, row)}{error}") from error
            row += len(pixels)
            assert self._file is not None
            if row * PIXELS > max(MAX_UNPACKED, BOMB * self._file.size):
                raise ShardError(f"{self.name}: unpacks to more than {BOMB} times its size; are these digits?")
            yield pixels, ids


def _place(images: NDArray[Any], row: int) -> str:
    """Row and pixel of the first value that is no grey level."""
    flat = images.reshape(len(images), -1)
    wrong = ~((flat >= 0) & (flat <= (1 if flat.dtype.kind == "f" else 255)))
    if not wrong.any():
        return ""
    at, pixel = np.argwhere(wrong)[0]
    return f"row {row + at}, pixel{pixel}: "
