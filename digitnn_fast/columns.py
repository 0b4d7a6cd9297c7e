"""The names of the columns of pixels: Kaggle's, and others that go round."""

from __future__ import annotations

import re
from collections.abc import Sequence

from digitnn_fast.sizes import PIXELS, SIDE

PIXEL_NAMES = [f"pixel{number}" for number in range(PIXELS)]
# What MNIST's CSV files have instead: rows and columns from 1, or numbers from 1.
OTHERS = (
    {f"{row + 1}x{column + 1}": PIXEL_NAMES[SIDE * row + column] for row in range(SIDE) for column in range(SIDE)},
    {f"pixel{number + 1}": name for number, name in enumerate(PIXEL_NAMES)},
)


def kaggle_names(names: Sequence[str]) -> list[str]:
    """The same names, with those of all pixels as Kaggle has them: pixel0 to pixel783."""
    for others in OTHERS:
        if others.keys() <= set(names) and "pixel0" not in names:
            return [others.get(name, name) for name in names]
    return list(names)


def names_of_numbers(cells: Sequence[str]) -> list[str] | None:
    """The names of the columns of a table that begins with a row of numbers: 784 pixels, or a label before them."""
    if len(cells) not in (PIXELS, PIXELS + 1) or not all(re.fullmatch(r"\s*\d{1,3}\s*", cell) for cell in cells):
        return None
    return ["label"] * (len(cells) - PIXELS) + PIXEL_NAMES
