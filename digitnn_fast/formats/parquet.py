"""Parquet, read a batch of rows at a time, through pyarrow (the extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import reason_of
from digitnn_fast.columns import PIXEL_NAMES, kaggle_names, label_name
from digitnn_fast.formats.arrays import BLOCK, as_labels
from digitnn_fast.formats.encoded import is_encoded, levels_of
from digitnn_fast.formats.kinds import FormatError
from digitnn_fast.kaggle import own_id
from digitnn_fast.sizes import PIXELS

WHOLE_IMAGES = "pixels", "image", "images"  # names of a column that holds 784 numbers or bytes
TEXT = "text"  # the type of ids that do not come from Parquet
READ_AHEAD = 1 << 16  # bytes of each of 784 columns
MAX_GROUP_BYTES = 1 << 30  # of a group that is read, unpacked


def pyarrow(name: str) -> Any:
    """The package with its Parquet; FormatError if it is not here."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise FormatError(f"{name}: Parquet needs pyarrow: install the extra `parquet`") from None
    return pyarrow


class ParquetImages:
    """An open Parquet file of 784 columns pixel0 to pixel783, or of one column: lists or bytes of 784, or pictures.

    Pictures are as Hugging Face keeps them: bytes of a PNG or another format, alone or as the field `bytes`.
    """

    def __init__(self, file: Any, name: str, id_column: str | None, labelled: bool = False) -> None:
        self._name, self._arrow = name, pyarrow(name)
        try:
            self._file = self._arrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=READ_AHEAD)
            schema = self._file.schema_arrow
        except Exception as error:  # on damaged files pyarrow raises a handful of types
            raise self._damaged(error) from error
        names = schema.names
        self._columns = _pixel_columns(names, name)
        self.id_name = id_column or own_id(names)
        if self.id_name is not None and names.count(self.id_name) != 1:
            raise FormatError(f"{name}: column {self.id_name}: missing or there more than once")
        self.id_type = schema.field(self.id_name).type if self.id_name else None
        self._label = label_name(names) if labelled else None
        if labelled and self._label is None:
            raise FormatError(f"{name}: there must be one column of digits, called label")

    def blocks(self) -> Iterator[tuple[NDArray[Any], Any, NDArray[np.uint8] | None]]:
        """Images (m, 784) of any dtype of numbers, their column of ids and their labels, or None."""
        wanted = [*self._columns, *(name for name in (self.id_name, self._label) if name)]
        for group in range(self._file.num_row_groups):
            if self._file.metadata.row_group(group).total_byte_size > MAX_GROUP_BYTES:
                raise FormatError(f"{self._name}: row group {group + 1} unpacks to more than {MAX_GROUP_BYTES:,} bytes")
        row = 1
        batches = self._file.iter_batches(BLOCK, columns=wanted, use_threads=False)
        while (batch := self._next(batches)) is not None:
            ids = batch.column(self.id_name) if self.id_name else None
            yield self._images(batch, row), ids, self._labels(batch, row)
            row += batch.num_rows

    def _next(self, batches: Iterator[Any]) -> Any:
        try:
            return next(batches, None)
        except Exception as error:
            raise self._damaged(error) from error

    def _images(self, batch: Any, row: int) -> NDArray[Any]:
        columns = [self._numbers(batch.column(name), name, row) for name in self._columns]
        if len(columns) == 1:
            return columns[0].reshape(-1, PIXELS)
        return np.ascontiguousarray(np.stack(columns).T)

    def _labels(self, batch: Any, row: int) -> NDArray[np.uint8] | None:
        if self._label is None:
            return None
        column = batch.column(self._label)
        if self._arrow.types.is_dictionary(column.type):  # as pandas' categories, and so OpenML's classes
            column = column.dictionary_decode()
        is_text = column.type in (self._arrow.string(), self._arrow.large_string())
        labels = column.to_numpy(zero_copy_only=False) if is_text else self._numbers(column, self._label, row)
        return as_labels(labels, f"{self._name}: column {self._label}", row)

    def _numbers(self, column: Any, name: str, row: int) -> NDArray[Any]:
        """All numbers in a column, one for each row, or 784; lists may hold lists."""
        types, rows, each = self._arrow.types, len(column), 1

        def refuse(reason: str, at: int | None = None) -> FormatError:
            place = "" if at is None else f"row {row + at // each}, "
            return FormatError(f"{self._name}: {place}column {name}: {reason}")

        if types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            column = column.field("bytes")  # `path` is only a name: nothing is opened
        while True:
            if column.null_count:
                raise refuse("null", int(np.argmin(column.is_valid())))
            if not any(kind(column.type) for kind in (types.is_list, types.is_large_list, types.is_fixed_size_list)):
                break
            lengths = np.asarray(self._arrow.compute.list_value_length(column))
            if len(lengths) and (odd := lengths != lengths[0]).any():
                raise refuse(f"{lengths[odd][0]} values instead of {lengths[0]}", int(odd.argmax()))
            column, each = column.flatten(), each * (int(lengths[0]) if len(lengths) else 1)
        if any(kind(column.type) for kind in (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)):
            parts = column.to_pylist()
            for at, part in enumerate(parts):
                if is_encoded(part):
                    try:
                        parts[at] = levels_of(part).tobytes()
                    except ValueError as error:
                        raise refuse(str(error), at) from error
                elif len(part) != PIXELS:
                    raise refuse(f"{len(part)} bytes instead of {PIXELS}", at)
            numbers = np.frombuffer(b"".join(parts), np.uint8)
        elif any(kind(column.type) for kind in (types.is_integer, types.is_floating, types.is_boolean)):
            numbers = column.to_numpy(zero_copy_only=False)
        else:
            raise refuse(f"must be numbers, not {column.type}")
        if len(numbers) != rows * (wanted := PIXELS if name in WHOLE_IMAGES else 1):
            raise refuse(f"{len(numbers) // max(1, rows)} values instead of {wanted}", 0)
        return np.asarray(numbers)

    def _damaged(self, error: Exception) -> FormatError:
        return FormatError(f"{self._name}: damaged Parquet: {reason_of(error)}")


def _pixel_columns(names: Sequence[str], name: str) -> list[str]:
    known = dict(zip(kaggle_names(names), names, strict=True))
    if known.keys() >= set(PIXEL_NAMES):
        return [known[pixel] for pixel in PIXEL_NAMES]
    whole = [one for one in WHOLE_IMAGES if one in names]
    if len(whole) == 1:
        return whole
    found = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise FormatError(f"{name}: there must be columns pixel0 to pixel783, or one column pixels; there are {found}")
