"""Every legitimate way to write the table, read through pandas; all error messages about a table come from here.

pandas alone would fill a short row with NaN, keep a quoted value without end in memory, read True as 1 and `"1"2`
as 12. So `Rows` looks at the lines first, and what pandas does not turn into whole numbers is read again cell by cell.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.columns import PIXEL_NAMES
from digitnn_fast.kaggle.not_a_table import no_header, no_label
from digitnn_fast.kaggle.plain import Rest
from digitnn_fast.kaggle.rows import Row, Rows
from digitnn_fast.kaggle.table import KaggleFileError, Table

Bytes = NDArray[np.uint8]

PIXEL = 255  # the highest level
BLOCK_ROWS = 1000  # with 500, pandas takes a fifth longer
BLOCK_SIZE = 4 << 20  # characters, after which a block ends early


def read_blocks(table: Table, labelled: bool, rest: Rest) -> Iterator[tuple[Bytes, Bytes]]:
    """images (m, 784) and labels (m,), which is empty for a test file, some rows at a time from `rest` on."""
    rows = Rows(table)
    wanted = ["label"] * labelled + PIXEL_NAMES
    names = rows.header
    if not labelled and "label" in names and set(PIXEL_NAMES).intersection(names):
        raise rows.error("there is a column label: this is a training file, and a test file is needed")
    for _, numbers in _numbers(table, rows, names, wanted, rest):
        yield numbers[:, labelled:], numbers[:, :labelled].ravel()


def read_images(table: Table, id_column: str | None, rest: Rest) -> Iterator[tuple[Bytes, list[str] | None]]:
    """images (m, 784) and their texts in the column `id_column`, some rows at a time from `rest` on."""
    rows = Rows(table)
    names = rows.header
    times = rows.names.count(id_column or "")
    if id_column is not None and times != 1:
        raise rows.error(f"occurs {times} times" if times else "missing", id_column)
    at = None if id_column is None else rows.names.index(id_column)
    for block, numbers in _numbers(table, rows, names, PIXEL_NAMES, rest):
        yield numbers, None if at is None else [row.cell(at) for row in block]


def _numbers(
    table: Table, rows: Rows, names: list[str], wanted: list[str], rest: Rest
) -> Iterator[tuple[list[Row], Bytes]]:
    """Some rows at a time from `rest` on, and their numbers (m, k) in the columns `wanted`."""
    _check_names(rows, names, wanted)
    most = {at: 9 if name == "label" else PIXEL for at, name in enumerate(names) if name in wanted}
    order = np.argsort(np.argsort([names.index(name) for name in wanted]))
    if rest.offset:
        rows.skip_to(*rest)
    whole = rest.row > 1  # levels 0 to 255 have been there, so floats 0 to 1 are a fault
    for block in _blocks(rows):
        numbers = _read_with_pandas(block, most)
        if numbers is None and not whole:
            numbers = _read_floats(block, most)
        else:
            whole = True
        if numbers is None:
            numbers = _read_exactly(block, most, table, names)
        yield block, numbers.take(order, axis=1)


def _check_names(rows: Rows, names: list[str], wanted: list[str]) -> None:
    """KaggleFileError unless `names` has each of `wanted` once."""
    labelled = "label" in wanted
    missing = [name for name in wanted if name not in names]
    if set(PIXEL_NAMES).issubset(missing):
        raise rows.error(no_header(rows.first, labelled))
    if missing == ["label"]:
        raise rows.error(no_label(rows.names))
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise rows.error(f"missing{more}", missing[0])
    for name in wanted:
        if names.count(name) > 1:
            raise rows.error(f"occurs {names.count(name)} times", name)


def _blocks(rows: Rows) -> Iterator[list[Row]]:
    """All rows in lists that are short enough to be in memory; an error comes only behind the rows before it."""
    block: list[Row] = []
    size = 0
    try:
        for row in rows:
            block.append(row)
            size += len(row.text)
            if len(block) == BLOCK_ROWS or size > BLOCK_SIZE:
                yield block
                block, size = [], 0
    except KaggleFileError:
        if block:
            yield block
        raise
    if block:
        yield block


def _read_with_pandas(block: list[Row], most: dict[int, int]) -> Bytes | None:
    """The numbers (m, k) in the columns `most`, if each is whole and within 0..most; None if not, or without pandas."""
    try:
        import pandas
    except ImportError:  # it has no wheels for PyPy
        return None

    text = "\n".join(["", *(row.text for row in block), ""])  # without the first "", pandas skips a byte order mark
    if _misleads_pandas(text):
        return None
    try:
        file, sep = io.StringIO(text), block[0].separator
        table = pandas.read_csv(file, sep=sep, header=None, usecols=list(most), na_filter=False, low_memory=False)
    except ValueError:
        return None
    values = table.to_numpy()
    if values.dtype.kind not in "iuf" or len(values) != len(block):  # texts and booleans make it an array of objects
        return None
    with np.errstate(invalid="ignore"):  # infinity
        numbers = values.astype(np.uint8, order="C")
    fine = (numbers == values).all() and (numbers <= np.array(list(most.values()), np.uint8)).all()
    return numbers if fine else None


def _read_floats(block: list[Row], most: dict[int, int]) -> Bytes | None:
    """The same of levels 0 to 1, of which some are no whole numbers."""
    if not all(row.text.isascii() and "_" not in row.text for row in block):  # float() takes 1_0 and other digits
        return None
    try:
        values = np.array([[float(cells[at]) for at in most] for cells in (row.cells() for row in block)])
    except ValueError:
        return None
    is_pixel = np.array(list(most.values())) == PIXEL
    pixels, others = values[:, is_pixel], values[:, ~is_pixel]
    if not ((pixels >= 0) & (pixels <= 1)).all() or (pixels == np.rint(pixels)).all():
        return None
    if not ((others >= 0) & (others <= 9) & (others == np.rint(others))).all():
        return None
    return np.rint(np.where(is_pixel, PIXEL * values, values)).astype(np.uint8)


def _misleads_pandas(text: str) -> bool:
    """Whether there may be numbers that pandas 2 reads wrong: 1e4294967296 as 1, 00000000000000099.0 as 90."""
    if ("e" in text or "E" in text) and re.search(r"[eE][+-]?\d{4}", text):
        return True
    others = np.flatnonzero(np.frombuffer(text.encode(), np.uint8) - np.uint8(ord(".")) > 11)  # not one of ./0123456789
    return bool(np.diff(others).max() > 16)


def _read_exactly(block: list[Row], most: dict[int, int], table: Table, names: list[str]) -> Bytes:
    """The same, cell by cell, and KaggleFileError for the first that is not such a number."""
    numbers = bytearray()
    for row in block:
        cells = row.cells()
        for at, limit in most.items():
            try:
                numbers.append(parse_number(cells[at], limit))
            except ValueError as error:
                raise table.error(str(error), row.number, row.line, names[at]) from None
    return np.frombuffer(numbers, np.uint8).reshape(-1, len(most))


@lru_cache(512)  # a table knows few texts: 0.15 instead of 0.7 us each
def parse_number(text: str, most: int) -> int:
    """The whole number 0..`most` that `text` stands for, also as `7.0` or `7e0`; ValueError with the reason."""
    shown = text.strip() if len(text) <= 20 else text[:17] + "..."
    if not shown:
        raise ValueError("empty")
    try:
        value = float(text if text.isascii() and "_" not in text else "")  # float() takes 1_0 and other digits
    except ValueError:
        raise ValueError(f"{shown!r} is not a number") from None
    if not 0 <= value <= most:  # NaN too
        raise ValueError(f"{shown} is outside 0-{most}")
    if value != int(value):
        raise ValueError(f"{shown} is not a whole number")
    return int(value)
