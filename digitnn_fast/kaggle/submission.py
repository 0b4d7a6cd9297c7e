"""submission.csv: written without a loop over its rows, checked before it is uploaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digitnn_fast.files import Path, is_device, is_pipe
from digitnn_fast.kaggle.table import KaggleFileError, Table
from digitnn_fast.sizes import CLASSES
from digitnn_fast.utils import check_labels
from digitnn_fast.writing import replacing

if TYPE_CHECKING:
    from digitnn_fast.kaggle.rows import Rows

HEADER = b"ImageId,Label\n"
CHUNK = 1 << 16  # lines that are made at once: 0.5 MB, which stays in the cache
MAX_ROWS = 10_000_000


def write_submission(path: Path, labels: ArrayLike) -> None:
    """Write `ImageId,Label` and a line for each of labels (n,), ImageId from 1; an older file stays until it is done.

    ValueError for labels that are not 0..9 or none at all; KaggleFileError if the file can't be written.
    """
    digits = check_labels(labels).astype(np.uint8)
    if not digits.size:
        raise ValueError("there are no labels to submit")
    with _writing(path) as file:
        file.write(HEADER)
        for lines in number_lines(1, digits):
            file.write(lines)


def write_checked(path: Path, labels: ArrayLike, rows: int | None = None) -> None:
    """As `write_submission`, and read it again unless it went into a device; it must have `rows` rows, if given."""
    write_submission(path, labels)
    if not is_device(path):
        validate_submission(path, np.size(labels) if rows is None else rows)


def number_lines(first: int, labels: NDArray[np.uint8]) -> Iterator[memoryview]:
    """The lines `number,label` of labels (n,) 0..9, numbered from `first` on, as parts of a file."""
    for start, stop in _chunks(first, first + labels.size - 1):
        yield _lines(start, labels[start - first : stop - first + 1]).data


def write_probabilities(path: Path, probabilities: ArrayLike) -> None:
    """Write `ImageId,Probability0,…,Probability9` and a line for each row of (n, 10), with 6 significant digits."""
    table = np.asarray(probabilities)
    if table.ndim != 2 or table.shape[1] != CLASSES or not np.isfinite(table).all():
        raise ValueError(f"probabilities must be finite and of shape (n, {CLASSES}), got {table.shape}")
    line = "%d" + ",%.6g" * CLASSES + "\n"
    with _writing(path) as file:
        file.write(("ImageId," + ",".join(f"Probability{digit}" for digit in range(CLASSES)) + "\n").encode())
        for first in range(0, len(table), CHUNK):
            rows = enumerate(table[first : first + CHUNK].tolist(), first + 1)
            file.write("".join(line % (row, *values) for row, values in rows).encode())


def validate_submission(path: Path, rows: int | None = None) -> int:
    """Number of rows of a file that Kaggle will accept; KaggleFileError with the row and line otherwise.

    Header `ImageId,Label`, each ImageId 1..n once in any order, labels 0..9, and `rows` rows if that is given.
    """
    found = (None if is_pipe(path) else _count_canonical(path)) or _count_any(path)
    if rows is not None and found != rows:
        raise KaggleFileError(f"{os.fspath(path)}: {found:,} rows instead of {rows:,}")
    return found


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with replacing(path, lasting=True) as file:
            yield file
    except OSError as error:
        raise KaggleFileError(f"{os.fspath(path)}: {error.strerror or error}") from error


def _count_canonical(path: Path) -> int | None:
    """Number of rows if the file is what `write_submission` writes, found by writing it again; None if not."""
    with Table(path, "submission") as table:
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
                return first - 1 + len(text)
    return None


def _count_any(path: Path) -> int:
    from digitnn_fast.kaggle.rows import Rows  # with csv 2 ms, which a good file does not need

    with Table(path, "submission") as table:
        rows = Rows(table, strict=True)
        if rows.header != ["ImageId", "Label"]:
            raise rows.error("the header must be ImageId,Label")
        seen = bytearray()
        for row in rows:
            image_text, label_text = row.cells()
            image = _whole_number(rows, "ImageId", image_text, MAX_ROWS)
            _whole_number(rows, "Label", label_text, 9)
            if image == 0:
                raise rows.error("0, but the first image is 1", "ImageId")
            seen.extend(bytes(max(0, 2 * image - len(seen))))
            if seen[image]:
                raise rows.error(f"{image} occurs twice", "ImageId")
            seen[image] = 1
        count = rows.row - 1
        if (missing := seen.find(0, 1, count + 1)) > 0:
            raise table.error(f"{count:,} rows, but no ImageId {missing}")
        return count


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
