"""The names of the columns of pixels: Kaggle's, and others that go round."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from digitnn_fast.sizes import PIXELS, SIDE

PIXEL_NAMES = [f"pixel{number}" for number in range(PIXELS)]
LABEL_NAMES = "label", "labels", "class", "digit", "y"  # of the column of digits, in any case; OpenML's is `class`
NUMBER = re.compile(r"\d{1,4}")
ACROSS = re.compile(r"(?:x|c|col|column)[\W_]*", re.IGNORECASE)  # before the first of two numbers: not the row's


def kaggle_names(names: Sequence[str]) -> list[str]:
    """The same names, with those of all pixels as Kaggle has them: pixel0 to pixel783.

    They may differ in one number, from 0 or 1, as `7`, `V8` and `12.0` do, or in row and column, as `1x1` and `r0c27`.
    """
    if set(PIXEL_NAMES) <= set(names):
        return list(names)
    forms = [tuple(NUMBER.split(name)) for name in names]
    for form, count in Counter(forms).items():
        at = [column for column, other in enumerate(forms) if other == form]
        if count == PIXELS and (numbers := _pixel_numbers([names[column] for column in at], form[0])):
            found = dict(zip(at, numbers, strict=True))
            return [PIXEL_NAMES[found[at]] if at in found else name for at, name in enumerate(names)]
    return list(names)


def _pixel_numbers(names: list[str], before: str) -> list[int] | None:
    """Which pixel each of 784 names of one form, `before` their first number, stands for; None if not those of all."""
    every = zip(*(map(int, NUMBER.findall(name)) for name in names), strict=True)
    varying = [column for column in every if len(set(column)) > 1]
    lowest = [min(column) for column in varying]
    if len(varying) not in (1, 2) or not set(lowest) <= {0, 1}:
        return None
    counted = [[number - least for number in column] for column, least in zip(varying, lowest, strict=True)]
    if ACROSS.fullmatch(before):
        counted.reverse()
    if len(counted) == 2 and max(counted[-1]) >= SIDE:
        return None
    pixels = [SIDE * row + column for row, column in zip(*counted, strict=True)] if len(counted) == 2 else counted[0]
    return pixels if sorted(pixels) == list(range(PIXELS)) else None


def label_name(names: Sequence[str]) -> str | None:
    """The name of the column of digits: `label`, else the only one that is so called; None if there is none."""
    found = [name for name in names if name == "label"] or [name for name in names if name.lower() in LABEL_NAMES]
    return found[0] if len(found) == 1 else None


def names_of_numbers(cells: Sequence[str]) -> list[str] | None:
    """The names of the columns of a table that begins with a row of numbers: 784 pixels, or a label before them."""
    if len(cells) not in (PIXELS, PIXELS + 1) or not all(re.fullmatch(r"\s*\d{1,3}\s*", cell) for cell in cells):
        return None
    return ["label"] * (len(cells) - PIXELS) + PIXEL_NAMES


def are_counted(cells: Sequence[str]) -> bool:
    """Whether the numbers are the columns' own, 0, 1, 2, ..., as pandas writes them, and no row of pixels."""
    return [cell.strip() for cell in cells] == [str(number) for number in range(len(cells))]
