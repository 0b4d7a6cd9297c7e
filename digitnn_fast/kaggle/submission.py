"""submission.csv: written without a loop over its rows, checked before it is uploaded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digitnn_fast.checks import counted, shortened
from digitnn_fast.files import STANDARD, Path, is_device, is_pipe
from digitnn_fast.kaggle.table import KaggleFileError, Opener, Table, open_file
from digitnn_fast.sizes import CLASSES
from digitnn_fast.utils import check_labels
from digitnn_fast.writing import replacing

if TYPE_CHECKING:
    from digitnn_fast.kaggle.rows import Rows

FORMS = {"ImageId": "Label", "id": "label"}  # how a competition calls the column of ids, and that of labels
CHUNK = 1 << 16  # lines that are made at once: 0.5 MB, which stays in the cache
MAX_ROWS = 10_000_000
LONGEST_ID = 200


class Form(NamedTuple):
    """How a competition wants its submission: the names of its two columns, and the ids of the rows.

    Without ids they are 1, 2, 3, ...; this is how it is for Digit Recognizer.
    """

    id_name: str = "ImageId"
    label_name: str = "Label"
    ids: Sequence[str] | None = None

    @property
    def header(self) -> str:
        """The first line."""
        return f"{self.id_name},{self.label_name}"


USUAL = Form()
HEADER = f"{USUAL.header}\n".encode()


def write_submission(path: Path, labels: ArrayLike, form: Form = USUAL, rows: int | None = None) -> None:
    """Write the header and a line for each of labels (n,), ImageId from 1; an older file stays until it is done.

    With `rows` it is read again before it takes the older one's place, which no device does, and must have so many.
    ValueError for labels that are not 0..9, none at all or not as many as ids; KaggleFileError if the file can't be
    written or is not valid.

    >>> write_submission("submission.csv", [7, 2])
    >>> validate_submission("submission.csv")
    2
    """
    digits = check_labels(labels).astype(np.uint8)
    if not digits.size:
        raise ValueError("there are no labels to submit")
    check_ids(form, digits.size)
    with _writing(path) as file:
        file.write(f"{form.header}\n".encode())
        if form.ids is None:
            for lines in number_lines(1, digits):
                file.write(lines)
        else:
            pairs = zip(form.ids, digits.tolist(), strict=True)
            file.write("".join(f"{quoted(text)},{digit}\n" for text, digit in pairs).encode())
        if rows is not None and not is_device(path):
            file.flush()
            check_submission(path, rows, form, lambda _: open_file(file.name))


def write_checked(path: Path, labels: ArrayLike, rows: int | None = None, form: Form = USUAL) -> None:
    """As `write_submission`, which reads it again; it must have `rows` rows, by default as many as there are labels.

    >>> write_checked("checked.csv", [7, 2], rows=3)
    Traceback (most recent call last):
    digitnn_fast.kaggle.table.KaggleFileError: checked.csv: 2 rows instead of 3
    """
    write_submission(path, labels, form, np.size(labels) if rows is None else rows)


def check_ids(form: Form, rows: int) -> None:
    """ValueError unless there is one id for each of so many rows, all of them different.

    >>> check_ids(Form("id", "label", ["a", "a"]), 2)
    Traceback (most recent call last):
    ValueError: the id 'a' occurs twice
    """
    if form.ids is None:
        return
    if len(form.ids) != rows:
        raise ValueError(f"{counted(len(form.ids), 'id')}, but {counted(rows, 'row')}")
    if len(set(form.ids)) != rows:
        seen: set[str] = set()
        twice = next(text for text in form.ids if text in seen or seen.add(text))  # type: ignore[func-returns-value]
        raise ValueError(f"the id {shortened(twice)!r} occurs twice")


def quoted(text: str) -> str:
    """As a value in a line of CSV.

    >>> print(quoted("a"), quoted("a,b"))
    a "a,b"
    """
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def number_lines(first: int, labels: NDArray[np.uint8]) -> Iterator[memoryview]:
    """The lines `number,label` of labels (n,) 0..9, numbered from `first` on, as parts of a file.

    >>> b"".join(number_lines(9, np.array([7, 2], np.uint8)))
    b'9,7\\n10,2\\n'
    """
    for start, stop in _chunks(first, first + labels.size - 1):
        yield _lines(start, labels[start - first : stop - first + 1]).data


def write_probabilities(path: Path, probabilities: ArrayLike, form: Form = USUAL) -> None:
    """Write `ImageId,Probability0,…,Probability9` and a line for each row of (n, 10), with 6 significant digits.

    ValueError for another shape, NaN, or not as many ids; KaggleFileError if the file can't be written.

    >>> write_probabilities("probabilities.csv", np.eye(10)[:2])
    >>> np.loadtxt("probabilities.csv", delimiter=",", skiprows=1).shape
    (2, 11)
    """
    table = np.asarray(probabilities)
    if table.ndim != 2 or table.shape[1] != CLASSES or not np.isfinite(table).all():
        raise ValueError(f"probabilities must be finite and of shape (n, {CLASSES}), got {table.shape}")
    check_ids(form, len(table))
    line = "%s" + ",%.6g" * CLASSES + "\n"
    with _writing(path) as file:
        file.write((f"{form.id_name}," + ",".join(f"Probability{digit}" for digit in range(CLASSES)) + "\n").encode())
        for first in range(0, len(table), CHUNK):
            some = table[first : first + CHUNK].tolist()
            ids = form.ids and map(quoted, form.ids[first : first + CHUNK])
            rows = zip(ids or range(first + 1, first + 1 + len(some)), some, strict=True)
            file.write("".join(line % (row, *values) for row, values in rows).encode())


def validate_submission(path: Path, rows: int | None = None, form: Form | None = USUAL) -> int:
    """Number of rows of a file that Kaggle will accept; KaggleFileError with the row and line otherwise.

    The header of its form, each id once in any order, by default 1..n, labels 0..9, and `rows` rows if that is given.

    >>> write_submission("mine.csv", [7, 2, 1])
    >>> validate_submission("mine.csv", rows=3)
    3
    """
    return check_submission(path, rows, form)[0]


def check_submission(path: Path, rows: int | None, form: Form | None, opener: Opener = open_file) -> tuple[int, str]:
    """The same, and the name of the column of ids: without a form any of FORMS, with ids that nobody knows.

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


def read_form(path: Path) -> Form:
    """The form that a sample_submission.csv has; KaggleFileError if it has not two columns.

    >>> write_submission("sample_submission.csv", [0, 0], Form("id", "label", ["a", "b"]))
    >>> read_form("sample_submission.csv")
    Form(id_name='id', label_name='label', ids=['a', 'b'])
    """
    with Table(path, "sample_submission") as table:
        from digitnn_fast.kaggle.rows import Rows

        rows = Rows(table)
        if len(rows.names) != 2:
            raise rows.error(f"a sample submission has two columns, but this has {len(rows.names):,}")
        ids = []
        for row in rows:
            ids.append(row.cells()[0].strip())
            if len(ids) > MAX_ROWS or len(ids[-1]) > LONGEST_ID:
                raise rows.error("this can't be a sample submission")
    form = Form(rows.names[0], rows.names[1], ids)
    try:
        check_ids(form, len(ids))
    except ValueError as error:
        raise KaggleFileError(f"{os.fspath(path)}: {error}") from error
    return form


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with replacing(path, lasting=True) as file:
            yield file
    except OSError as error:
        raise KaggleFileError(f"{os.fspath(path)}: {error.strerror or error}") from error


def _count_canonical(path: Path, opener: Opener) -> tuple[int, str] | None:
    """Number of rows if the file is what `write_submission` writes, found by writing it again; None if not."""
    with Table(path, "submission", opener) as table:
        if table.read_line(len(HEADER)) != HEADER:
            return None
        for first, last in _chunks(1, MAX_ROWS):
            width = len(str(first)) + 3
            buffer = bytearray((last - first + 1) * width)
            size = table.read_into(memoryview(buffer))
            if size % width:
                return None
            text = np.frombuffer(buffer, np.uint8)[:size].reshape(-1, width)
            labels = text[:, -2] - np.uint8(ord("0"))
            if (labels > 9).any() or not np.array_equal(text, _lines(first, labels)):
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


def _chunks(first: int, end: int) -> Iterator[tuple[int, int]]:
    """First and last number of parts of first..end whose numbers have the same number of digits."""
    while first <= end:
        last = min(end, first + CHUNK - 1, 10 ** len(str(first)) - 1)
        yield first, last
        first = last + 1


def _lines(first: int, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The text (m, width) of m lines `id,label\\n` whose ids, from `first` on, have the same number of digits."""
    digits = len(str(first))
    text = np.empty((labels.size, digits + 3), np.uint8)
    end = first + labels.size
    ids: NDArray[np.unsignedinteger] = np.arange(first, end, dtype=np.uint32 if end < 2**32 else np.uint64)
    for column in range(digits - 1, -1, -1):
        tenth = ids // 10
        text[:, column] = ids - tenth * 10
        ids = tenth
    text[:, digits + 1] = labels
    text += ord("0")
    text[:, digits], text[:, digits + 2] = b",\n"
    return text
