"""Lines of a plain table to pixels: what `kernels/csv.py` does."""

from __future__ import annotations

from typing import Any

import numpy as np

from digitnn_fast.sizes import PIXELS

ZERO, COMMA, RETURN, NEWLINE = b"0,\r\n"


def parse_rows(text: Any, images: Any, labels: Any) -> int:
    """Fill images (n, 784) and, unless it is empty, labels (n,), by the lines of `text`, bytes of any number.

    Returns the number of lines, or -1 if they are more than n or one is not plain: `[digit,]` 784 numbers 0..255 of
    one to three digits, commas between them, LF or CRLF.
    """
    if not len(text):
        return 0
    text = text[np.append(text[:-1] != RETURN, True) | np.append(text[1:] != NEWLINE, True)]
    digits = text - np.uint8(ZERO)  # what is none is above 9
    ends = np.flatnonzero(digits > 9)
    if not len(ends):
        return -1
    lengths = np.diff(ends, prepend=-1) - 1
    columns = PIXELS + bool(len(labels))
    if ends[-1] != len(text) - 1 or len(ends) % columns or lengths.min() < 1 or lengths.max() > 3:
        return -1
    values = np.zeros(len(ends), np.int32)
    for place in range(3):
        values += (lengths > place) * digits[ends - 1 - place].astype(np.int32) * 10**place
    wanted = np.full(columns, COMMA)
    wanted[-1] = NEWLINE
    rows = values.reshape(-1, columns)
    if len(rows) > len(images) or values.max() > 255 or (text[ends].reshape(rows.shape) != wanted).any():
        return -1
    if len(labels):
        if lengths[::columns].max() > 1:
            return -1
        labels[: len(rows)] = rows[:, 0]
    images[: len(rows)] = rows[:, -PIXELS:]
    return len(rows)
