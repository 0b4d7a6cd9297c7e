"""Any picture -> the 28x28 grey levels that MNIST would have made of it.

`_read` (file to colours), `_ink` (colours to ink), `_lines` and `_parts` (which ink is the digit), `_fit` (28x28).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images._fit import fit
from digitnn_fast.images._ink import find_ink
from digitnn_fast.images._lines import without_lines
from digitnn_fast.images._parts import EDGE, Box, Part, choose, find_parts, label
from digitnn_fast.images._read import BlankPictureError, PictureError, read_colours

if TYPE_CHECKING:
    from digitnn_fast.images._read import Source

__all__ = ["BlankPictureError", "Box", "PictureError", "cut_out", "preprocess", "read_colours"]


class Cut(NamedTuple):
    """A digit cut out of a picture: its box in the colours that were worked on, its ink, and its pixels (784,)."""

    box: Box
    ink: NDArray[np.float64]
    pixels: NDArray[np.uint8]


def preprocess(picture: Source) -> NDArray[np.uint8]:
    """Grey levels (784,), 0 paper to 255 ink, of a Pillow image, an open file, or a picture file.

    Photos and drawings, dark on light or light on dark, are cut out and fitted as MNIST's digits were: the longer
    side 20 pixels, strokes of their weight, the centre of mass in the middle of 28x28. BlankPictureError if nothing
    is written on it, PictureError if it can't be read (both are ValueErrors), OSError if there is no such file.
    """
    return cut_out(read_colours(picture)).pixels


def cut_out(colours: NDArray[np.uint8]) -> Cut:
    """The digit in colours (h, w, 3)."""
    ink, labels, parts = _written(colours)
    return _cut(ink, labels, choose(parts))


def _written(colours: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64], list[Part]]:
    ink = find_ink(colours)
    if ink is None:
        raise BlankPictureError("nothing is written on it")
    mask = ink >= EDGE
    kept = without_lines(mask)
    ink = np.where(mask & ~kept, 0, ink)
    labels, count = label(kept)
    if not count:
        raise BlankPictureError("nothing is written on it")
    return ink, labels, find_parts(labels, count, ink)


def _cut(ink: NDArray[np.float64], labels: NDArray[np.int64], parts: list[Part]) -> Cut:
    box = parts[0].box
    for part in parts[1:]:
        box = box.with_(part.box)
    place = slice(box.top, box.bottom), slice(box.left, box.right)
    numbers = labels[place]
    own = np.isin(numbers, [part.number for part in parts])
    digit = np.where(own | (numbers == 0), ink[place], 0)
    return Cut(box, digit, fit(digit).reshape(-1))
