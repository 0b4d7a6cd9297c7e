"""Every legitimate way to write the table, read through pandas; all error messages about a table come from here.

pandas alone would fill a short row with NaN, keep a quoted value without end in memory, read True as 1 and `"1"2`
as 12. So `Rows` looks at the lines first, and what pandas does not turn into whole numbers is read again cell by cell.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.columns import PIXEL_NAMES, kaggle_names, names_of_numbers
from digitnn_fast.kaggle.plain import Rest
from digitnn_fast.kaggle.table import KaggleFileError, Table

Bytes = NDArray[np.uint8]

BLOCK_ROWS = 1000  # with 500, pandas takes a fifth longer
BLOCK_SIZE = 4 << 20  # characters, after which a block ends early
MAX_LINE = 1 << 20  # bytes: 30 times a table of pixels written as 0.00000000000000e+00
MAX_BLANK_LINES = 1000


class Row(NamedTuple):
    """A row as text without its line end, its number from 1, and the line where it ends."""

    number: int
    line: int
    text: str

    def cells(self) -> list[str]:
        """Its values as texts."""
        return next(csv.reader([self.text], strict=True)) if '"' in self.text else self.text.split(",")

    def cell(self, at: int) -> str:
        """The value in column `at`, from 0."""
        return self.text.split(",", at + 1)[at] if '"' not in self.text else self.cells()[at]


class Rows:
    """The rows of a CSV file, each with as many values as the header, and the position in the file for messages."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.row = self.line = 0
        self._lines = self._read_lines()
        text, count = self._next()
        if not count:
            raise table.error("the file is empty")
        cells = Row(0, self.line, text).cells()
        numbers = names_of_numbers(cells)
        self.header = numbers or kaggle_names([name.strip() for name in cells])
        self._first = (text, count) if numbers else None  # a row that was taken for the header

    def __iter__(self) -> Iterator[Row]:
        while True:
            self.row += 1
            text, count = self._first or self._next()
            self._first = None
            if not count:
                break
            if count != len(self.header):
                raise self.error(f"{count} values instead of {len(self.header)}")
            yield Row(self.row, self.line, text)
        if self.row == 1:
            raise self._table.error("no rows, only a header")

    def skip_to(self, row: int, offset: int) -> None:
        """Go on with this row, which begins at byte `offset`; before it, each line is a row."""
        self._table.seek(offset)
        self._first = None
        self.row, self.line = row - 1, row

    def error(self, reason: str, column: str | None = None) -> KaggleFileError:
        """The exception that names the current row and line."""
        return self._table.error(reason, self.row, self.line, column)

    def _next(self) -> tuple[str, int]:
        """The text of the next row and the number of its values; 0 at the end of the file."""
        line = next(self._lines, "")
        if '"' not in line:
            return line.rstrip("\r\n"), line.count(",") + bool(line)
        lines: list[str] = []
        try:
            count = len(next(csv.reader(self._collect(line, lines), strict=True)))
        except csv.Error as error:
            raise self.error(str(error)) from None
        return "".join(lines).rstrip("\r\n"), count

    def _collect(self, line: str, lines: list[str]) -> Iterator[str]:
        """This line and those behind it, as far as the row goes on in them; also put into `lines`."""
        size = 0
        for part in chain([line], self._lines):
            size += len(part)
            if size > MAX_LINE:
                raise self.error(f"a row of more than {MAX_LINE:,} characters; is there a quote without end?")
            lines.append(part)
            yield part

    def _read_lines(self) -> Iterator[str]:
        blank = 0
        while content := self._table.read_line(MAX_LINE + 1):
            self.line += 1
            if self.line == 1 and content[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise self.error("UTF-16 text; save it as UTF-8")
            if len(content) > MAX_LINE:
                raise self.error(f"a line of more than {MAX_LINE:,} bytes")
            if b"\0" in content:
                raise self.error("a NUL byte: this is not a text file")
            try:
                text = content.decode("utf-8-sig" if self.line == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self.error(f"byte 0x{content[error.start]:02x} is not UTF-8 text") from None
            if "\r" in text.rstrip("\r\n"):
                raise self.error("a carriage return inside a line: line ends must be LF or CRLF")
            if text.strip():
                yield text
                continue
            blank += 1
            if blank > MAX_BLANK_LINES:
                raise self.error(f"more than {MAX_BLANK_LINES:,} blank lines")


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
    if id_column is not None and names.count(id_column) != 1:
        raise rows.error(f"occurs {names.count(id_column)} times" if id_column in names else "missing", id_column)
    at = None if id_column is None else names.index(id_column)
    for block, numbers in _numbers(table, rows, names, PIXEL_NAMES, rest):
        yield numbers, None if at is None else [row.cell(at) for row in block]


def _numbers(
    table: Table, rows: Rows, names: list[str], wanted: list[str], rest: Rest
) -> Iterator[tuple[list[Row], Bytes]]:
    """Some rows at a time from `rest` on, and their numbers (m, k) in the columns `wanted`."""
    _check_names(rows, names, wanted)
    most = {at: 9 if name == "label" else 255 for at, name in enumerate(names) if name in wanted}
    order = np.argsort(np.argsort([names.index(name) for name in wanted]))
    if rest.offset:
        rows.skip_to(*rest)
    for block in _blocks(rows):
        numbers = _read_with_pandas(block, most)
        if numbers is None:
            numbers = _read_exactly(block, most, table, names)
        yield block, numbers.take(order, axis=1)


def _check_names(rows: Rows, names: list[str], wanted: list[str]) -> None:
    """KaggleFileError unless `names` has each of `wanted` once."""
    labelled = "label" in wanted
    missing = [name for name in wanted if name not in names]
    if set(PIXEL_NAMES).issubset(missing):
        raise rows.error("the first line must be a header with " + "label, " * labelled + "pixel0 to pixel783")
    if missing == ["label"]:
        raise rows.error("no column label: this is a test file, and a training file is needed")
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
    """The numbers (m, k) in the columns `most`, if each is whole and within 0..most; None if not."""
    import pandas

    text = "\n".join(["", *(row.text for row in block), ""])  # without the first "", pandas skips a byte order mark
    if _misleads_pandas(text):
        return None
    try:
        table = pandas.read_csv(io.StringIO(text), header=None, usecols=list(most), na_filter=False, low_memory=False)
    except ValueError:
        return None
    values = table.to_numpy()
    if values.dtype.kind not in "iuf" or len(values) != len(block):  # texts and booleans make it an array of objects
        return None
    with np.errstate(invalid="ignore"):  # infinity
        numbers = values.astype(np.uint8, order="C")
    fine = (numbers == values).all() and (numbers <= np.array(list(most.values()), np.uint8)).all()
    return numbers if fine else None


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
