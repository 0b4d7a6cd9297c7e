"""The specification of the preprocessing "pooled", in plain NumPy: the upright digit in 16 by 16 pixels.

In integers throughout, so that every language makes the same bytes of an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.sizes import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID, FRAME, CROP = 16, 6, 2  # pixels along an axis; black ones around them; those of the digit that are left out
# (28, 28): thirds of a pixel that each pixel along an axis (columns) gives to each one that is made of them (rows).
THIRDS = np.zeros((SIDE, SIDE), np.int64)
for _pixel in range(GRID):
    _first = CROP + 3 * (_pixel // 2) + _pixel % 2  # three pixels become two: a a b, b c c
    THIRDS[FRAME + _pixel, _first : _first + 2] = (1, 2) if _pixel % 2 else (2, 1)
_used = np.asarray(THIRDS.any(axis=1))
INSIDE = np.outer(_used, _used).ravel()  # (784,): the pixels that may hold ink
NINTH = 7282, 2**15, 16  # sum // 9 to the nearest integer is sum * 7282 + 2**15 >> 16, for all sums up to 9 * 255


def pool(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copies (n, 784) of images (n, 784): the middle 24 by 24 pixels as 16 by 16 in the middle, the rest is black.

    Each new pixel is 1.5 by 1.5 old ones: the mean of their grey levels, rounded to the nearest.
    """
    levels = images.reshape(-1, SIDE, SIDE).astype(np.int64)
    means = (THIRDS @ levels @ THIRDS.T + 4) // 9
    return np.asarray(means.astype(np.uint8).reshape(-1, SIDE * SIDE))
