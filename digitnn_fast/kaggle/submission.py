"""submission.csv: written without a loop over its rows, checked before it takes an older one's place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from digitnn_fast.files import Path, is_device
from digitnn_fast.kaggle.form import CHUNK, USUAL, Form, check_ids, number_lines, quoted
from digitnn_fast.kaggle.table import KaggleFileError, open_file
from digitnn_fast.kaggle.validation import check_submission
from digitnn_fast.sizes import CLASSES
from digitnn_fast.utils import check_labels
from digitnn_fast.writing import replacing


def write_submission(path: Path, labels: ArrayLike, form: Form = USUAL, rows: int | None = None) -> None:
    """Write the header and a line for each of labels (n,), ImageId from 1; an older file stays until it is done.

    With `rows` it is read again before it takes the older one's place, which no device does, and must have so many.
    ValueError for labels that are not 0..9, none at all or not as many as ids; KaggleFileError if the file can't be
    written or is not valid.

    >>> write_submission("submission.csv", [7, 2])
    >>> from digitnn_fast.kaggle import validate_submission
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


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with replacing(path, lasting=True) as file:
            yield file
    except OSError as error:
        raise KaggleFileError(f"{os.fspath(path)}: {error.strerror or error}") from error
