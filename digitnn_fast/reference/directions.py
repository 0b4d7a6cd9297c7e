"""The specification of the preprocessing "directions", in plain NumPy: the strength of edges by place and direction.

In integers throughout, but for a square root that is exact, so that every language makes the same bytes of an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.reference.deskewing import deskew
from digitnn_fast.sizes import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS, DIRECTIONS = 7, 16  # 7 * 7 cells of 16 directions are as many values as an image has pixels
UNIT_X = np.array([16, 15, 11, 6, 0, -6, -11, -15, -16, -15, -11, -6, 0, 6, 11, 15])  # 16 * cosine
UNIT_Y = np.roll(UNIT_X, DIRECTIONS // 4)  # 16 * sine
# (7, 28): what a pixel's place along an axis weighs in a cell, 1 3 5 5 3 1; a cell is the 3 pixels in the middle.
WINDOW = np.maximum(0, 6 - np.abs(2 * np.arange(SIDE) - 6 * np.arange(CELLS)[:, None] - 9))
SHIFT, FAINT = 1, 8  # by this shift, values of digits use all of 0 to 255: a fiftieth of them is 255


def describe(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Edges (n, 784) of images (n, 784): value 16 * cell + direction, for 7 by 7 cells, row by row.

    The gradient g = (x, y) at each pixel is a quarter of Sobel's; outside the image there is paper. It is split between
    the two of 16 directions u_k that enclose it, as in Liu, Nakashima, Sako and Fujisawa 2003: the part of u_k is
    max(0, min(u_{k-1} x g, g x u_{k+1})), with the cross product u x v = u_x v_y - u_y v_x. Parts are summed over
    the 6 by 6 pixels around a cell, those in the middle counting more. The value is the square root of the sum / 2,
    rounded down and at most 255, because roots keep faint edges visible; below 8 it is 0, which costs no accuracy
    and leaves a network less to do.

    A component of the gradient is at most 255, so a cross product is at most 255 * (11 + 11) = 5,610, within 16 bits;
    a part is at most 2,295, and a sum at most 18 * 18 * 2,295, below 2**20: exact in float32, too, in which NumPy's
    matrix product takes a tenth of the time.
    """
    levels = np.pad(images.reshape(-1, SIDE, SIDE).astype(np.int16), ((0, 0), (1, 1), (1, 1)))
    tall = levels[:, :-2] + 2 * levels[:, 1:-1] + levels[:, 2:]
    wide = levels[:, :, :-2] + 2 * levels[:, :, 1:-1] + levels[:, :, 2:]
    x, y = tall[:, :, 2:] - tall[:, :, :-2] + 2 >> 2, wide[:, 2:] - wide[:, :-2] + 2 >> 2
    sums = np.empty((len(images), CELLS, CELLS, DIRECTIONS), np.int32)
    window, u_x, u_y = WINDOW.astype(np.float32), UNIT_X.tolist(), UNIT_Y.tolist()
    for k in range(DIRECTIONS):
        before, behind = k - 1, (k + 1) % DIRECTIONS
        part = np.minimum(u_x[before] * y - u_y[before] * x, u_y[behind] * x - u_x[behind] * y)
        sums[..., k] = window @ np.maximum(part, 0).astype(np.float32) @ window.T
    roots = np.sqrt(sums >> SHIFT).astype(np.int64)  # of so small integers, never rounded up to the next one
    return np.asarray(np.where(roots < FAINT, 0, np.minimum(roots, 255)).astype(np.uint8).reshape(-1, SIDE * SIDE))


def describe_upright(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a network of the preprocessing "directions" sees of images (n, 784): they are deskewed first."""
    return describe(deskew(images))
