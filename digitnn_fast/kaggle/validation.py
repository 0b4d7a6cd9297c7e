"""Whether Kaggle would take a submission."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.checks import counted, shortened
from digitnn_fast.files import STANDARD, Path, is_pipe
from digitnn_fast.kaggle.form import FORMS, HEADER, MAX_ROWS, USUAL, Form, chunks, lines_of
from digitnn_fast.kaggle.table import KaggleFileError, Opener, Table, open_file

if TYPE_CHECKING:
    from digitnn_fast.kaggle.rows import Rows


def validate_submission(path: Path, rows: int | None = None, form: Form | None = USUAL) -> int:
    """Number of rows of a file that Kaggle will accept; KaggleFileError with the row and line otherwise.

    The header of its form, each id once in any order, by default 1..n, labels 0..9, and `rows` rows if that is given.

    >>> from digitnn_fast.kaggle import write_submission
    >>> write_submission("mine.csv", [7, 2, 1])
    >>> validate_submission("mine.csv", rows=3)
    3
    """
    return check_submission(path, rows, form)[0]


def check_submission(path: Path, rows: int | None, form: Form | None, opener: Opener = open_file) -> tuple[int, str]:
    """The same, and the name of the column of ids: without a form any of FORMS, with ids that nobody knows.

    >>> from digitnn_fast.kaggle import write_submission
    >>> write_submission("other.csv", [7, 2], Form("id", "label", ["a", "b"]))
    >>> check_submission("other.csv", rows=2, form=None)
    (2, 'id')
    """
    found = None
    # Standard input goes on where it was left, even if it is a file.
    if form in (None, USUAL) and not is_pipe(path) and path != STANDARD:
        found = _count_canonical(path, opener)
    found = found or _count_any(path, form, opener)
    if rows is not None and found[0] != rows:
        raise KaggleFileError(f"{os.fspath(path)}: {counted(found[0], 'row')} instead of {rows:,}")
    return found


def _count_canonical(path: Path, opener: Opener) -> tuple[int, str] | None:
    """Number of rows if the file is what `write_submission` writes, found by writing it again; None if not."""
    with Table(path, "submission", opener) as table:
        if table.read_line(len(HEADER)) != HEADER:
            return None
        for first, last in chunks(1, MAX_ROWS):
            width = len(str(first)) + 3
            buffer = bytearray((last - first + 1) * width)
            size = table.read_into(memoryview(buffer))
            if size % width:
                return None
            text = np.frombuffer(buffer, np.uint8)[:size].reshape(-1, width)
            labels = text[:, -2] - np.uint8(ord("0"))
            if (labels > 9).any() or not np.array_equal(text, lines_of(first, labels)):
                return None
            if size < len(buffer):
                rows = first - 1 + len(text)
                return (rows, USUAL.id_name) if rows else None
    return None


def _count_any(path: Path, form: Form | None, opener: Opener) -> tuple[int, str]:
    from digitnn_fast.kaggle.rows import Rows  # with csv 2 ms, which a good file does not need

    with Table(path, "submission", opener) as table:
        rows = Rows(table, strict=True)
        if form is None and (label_name := FORMS.get(rows.header[0])):
            form = Form(rows.header[0], label_name, None if rows.header[0] == USUAL.id_name else ())
        wanted = [form.header] if form else [f"{id_name},{label_name}" for id_name, label_name in FORMS.items()]
        if ",".join(rows.header) not in wanted:
            raise rows.error(f"the header must be {' or '.join(wanted)}")
        assert form
        if form.ids is None:
            _check_numbered(table, rows)
        else:
            _check_known(table, rows, form)
        return rows.row - 1, form.id_name


def _check_numbered(table: Table, rows: Rows) -> None:
    """KaggleFileError unless the ids are 1..n."""
    seen = bytearray()
    for row in rows:
        image_text, label_text = row.cells()
        image = _whole_number(rows, rows.header[0], image_text, MAX_ROWS)
        _whole_number(rows, rows.header[1], label_text, 9)
        if image == 0:
            raise rows.error("0, but the first image is 1", rows.header[0])
        seen.extend(bytes(max(0, 2 * image - len(seen))))
        if seen[image]:
            raise rows.error(f"{image} occurs twice", rows.header[0])
        seen[image] = 1
    count = rows.row - 1
    if (missing := seen.find(0, 1, count + 1)) > 0:
        raise table.error(f"{count:,} rows, but no {rows.header[0]} {missing}")


def _check_known(table: Table, rows: Rows, form: Form) -> None:
    """KaggleFileError unless the ids are those of the form, if that has some, and each is there once."""
    known, seen = set(form.ids or ()), set()
    for row in rows:
        text, label_text = (cell.strip() for cell in row.cells())
        _whole_number(rows, form.label_name, label_text, 9)
        if not text or (known and text not in known):
            raise rows.error(f"there is no {shortened(text)!r} in the test file" if text else "empty", form.id_name)
        if text in seen:
            raise rows.error(f"{shortened(text)} occurs twice", form.id_name)
        seen.add(text)
        if len(seen) > MAX_ROWS:
            raise rows.error(f"more than {MAX_ROWS:,} rows")
    if len(seen) < len(known):
        missing = next(text for text in form.ids or () if text not in seen)
        raise table.error(f"{len(seen):,} rows, but no {form.id_name} {shortened(missing)}")


def _whole_number(rows: Rows, column: str, text: str, most: int) -> int:
    from digitnn_fast.kaggle.lenient import parse_number

    try:
        number = parse_number(text, most)
        if not text.strip().isdigit():
            raise ValueError(f"{text.strip()!r} must be written with digits only")
    except ValueError as error:
        raise rows.error(str(error), column) from None
    return number
