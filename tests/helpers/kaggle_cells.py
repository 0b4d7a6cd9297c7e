"""Tables as Kaggle writes them, cell by cell."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitnn_fast.kaggle import KaggleFileError

PIXELS = [f"pixel{pixel}" for pixel in range(784)]
Cells = list[list[Any]]


def table(rows: int = 3, labelled: bool = False, seed: int = 0) -> Cells:
    """Header and rows with zeros in most places, as lists of cells."""
    choose = random.Random(seed)
    body = [[choose.choice([0, 0, 0, 0, choose.randrange(256)]) for _ in PIXELS] for _ in range(rows)]
    labels = [[choose.randrange(10)] if labelled else [] for _ in body]
    return [["label"] * labelled + PIXELS, *([*label, *row] for label, row in zip(labels, body, strict=True))]


def text(cells: Cells, end: str = "\r\n") -> bytes:
    return "".join(",".join(map(str, row)) + end for row in cells).encode()


def numbers(cells: Cells) -> np.ndarray:
    return np.array(cells[1:], np.uint8)


def changed(row: int, column: int, value: Any, **options: Any) -> bytes:
    cells = table(**options)
    cells[row][column] = value
    return text(cells)


TEST, TRAIN = table(5), table(5, labelled=True)
NO_HEADER = "line 1: the first line must be a header with pixel0 to pixel783, but is "


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def check_message(call: Callable[[Path], object], path: Path, expected: str) -> None:
    """One line, which begins with the file; a * at the end of `expected` stands for what zlib says."""
    with pytest.raises(KaggleFileError) as caught:
        call(path)
    message = str(caught.value)
    assert "\n" not in message
    if expected.endswith("*"):
        message = message[: len(f"{path}: {expected}") - 1] + "*"
    assert message == f"{path}: {expected}"
