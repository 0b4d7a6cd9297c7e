"""What a submission is: its header, its ids, the text of its lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import counted, shortened
from digitnn_fast.files import Path
from digitnn_fast.kaggle.table import Table

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
    for start, stop in chunks(first, first + labels.size - 1):
        yield lines_of(start, labels[start - first : stop - first + 1]).data


def read_form(path: Path) -> Form:
    """The form that a sample_submission.csv has; KaggleFileError if it has not two columns.

    >>> from digitnn_fast.kaggle import write_submission
    >>> write_submission("sample_submission.csv", [0, 0], Form("id", "label", ["a", "b"]))
    >>> read_form("sample_submission.csv")
    Form(id_name='id', label_name='label', ids=['a', 'b'])
    """
    with Table(path, "sample_submission") as table:
        from digitnn_fast.kaggle.rows import Rows

        rows = Rows(table)
        if len(rows.names) != 2:
            raise rows.error(f"a sample submission has two columns, but this has {len(rows.names):,}")
        ids: dict[str, None] = {}
        for row in rows:
            text = row.cells()[0].strip()
            if len(ids) == MAX_ROWS or len(text) > LONGEST_ID:
                raise rows.error("this can't be a sample submission")
            if text in ids:
                raise rows.error(f"{shortened(text)} occurs twice", rows.names[0])
            ids[text] = None
    return Form(rows.names[0], rows.names[1], list(ids))


def chunks(first: int, end: int) -> Iterator[tuple[int, int]]:
    """First and last number of parts of first..end whose numbers have the same number of digits."""
    while first <= end:
        last = min(end, first + CHUNK - 1, 10 ** len(str(first)) - 1)
        yield first, last
        first = last + 1


def lines_of(first: int, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
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
