"""The rows of a CSV file in any legitimate way to write one, as texts: separators, quotes, blank lines, line ends."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from digitnn_fast.columns import PIXEL_NAMES, are_counted, kaggle_names, label_name, names_of_numbers
from digitnn_fast.kaggle.not_a_table import JSON, no_header
from digitnn_fast.kaggle.table import KaggleFileError, Table

MAX_LINE = 1 << 20  # bytes: 30 times a table of pixels written as 0.00000000000000e+00
MAX_BLANK_LINES = 1000
SEPARATORS = ",;\t"
SAID = re.compile(r'"?sep=([^\w"])"?[,;\t]*')  # what Excel writes above the header


class Row(NamedTuple):
    """A row as text without its line end, its number from 1, and the line where it ends."""

    number: int
    line: int
    text: str
    separator: str = ","

    def cells(self) -> list[str]:
        """Its values as texts."""
        if '"' not in self.text:
            return self.text.split(self.separator)
        return next(csv.reader([self.text], delimiter=self.separator, strict=True))

    def cell(self, at: int) -> str:
        """The value in column `at`, from 0."""
        return self.text.split(self.separator, at + 1)[at] if '"' not in self.text else self.cells()[at]


class Rows:
    """The rows of a CSV file, each with as many values as the header, and the position in the file for messages.

    `names` are the columns' own, `header` those that Kaggle would give them. A `strict` file has commas and no blank
    rows, as Kaggle's own program wants a submission.
    """

    def __init__(self, table: Table, strict: bool = False) -> None:
        self._table, self._strict = table, strict
        self.row = self.line = 0
        self.separator = ","
        self._lines = self._read_lines()
        first = next(self._lines, "")
        if not strict:
            said = SAID.fullmatch(first.rstrip("\r\n"))
            self.separator = said[1] if said else max(SEPARATORS, key=first.count)
            first = next(self._lines, "") if said else first
        self._lines = chain([first], self._lines)
        self.first, count = self._next()
        if not count:
            raise table.error("the file is empty")
        cells = Row(0, self.line, self.first, self.separator).cells()
        numbers = names_of_numbers(cells)
        self.names = numbers or [name.strip() for name in cells]
        self.header = self.names if strict else _usual(self.names)
        # A row that was taken for the header.
        self._first = (self.first, count) if numbers and not are_counted(cells) else None

    def __iter__(self) -> Iterator[Row]:
        while True:
            self.row += 1
            text, count = self._first or self._next()
            self._first = None
            if not count:
                break
            if count != len(self.header):
                raise self.error(f"{count} values instead of {len(self.header)}")
            yield Row(self.row, self.line, text, self.separator)
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
            return line.rstrip("\r\n"), line.count(self.separator) + bool(line)
        lines: list[str] = []
        try:
            count = len(next(csv.reader(self._collect(line, lines), delimiter=self.separator, strict=True)))
        except csv.Error as error:
            json = self.line == 1 and re.match(JSON, line)
            raise self.error(no_header(line, False) if json else str(error)) from None
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
        gap: tuple[int, str] | None = None
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
            if text.strip(None if self._strict else SEPARATORS + " \r\n"):
                if gap:  # a row without values is wrong, unless it is behind the last, as of a spreadsheet
                    at, (self.line, between) = self.line, gap
                    yield between
                    self.line, gap = at, None
                yield text
                continue
            gap = gap or ((self.line, text) if text.strip() else None)
            blank += 1
            if blank > MAX_BLANK_LINES:
                raise self.error(f"more than {MAX_BLANK_LINES:,} blank lines")


def _usual(names: list[str]) -> list[str]:
    """The same names as Kaggle has them, where they are those of pixels and labels."""
    names = kaggle_names([names[0].lstrip("# "), *names[1:]])  # numpy.savetxt makes a comment of the header
    label = label_name(names)
    if label is not None and PIXEL_NAMES[0] in names:
        return ["label" if name == label else name for name in names]
    return names
