"""Edges of an image by place and direction; the specification is `directions.describe`.

The 16 directions are the 16 lanes of a vector: a pixel with an edge adds to four cells, and the others cost nothing.
"""

import numpy as np

from digitnn_fast.directions import CELLS, DIRECTIONS, FAINT, SHIFT, UNIT_X, UNIT_Y
from digitnn_fast.kernels import PIXELS
from digitnn_fast.kernels._dot import (
    add_int,
    least_or_zero,
    load_bytes_int,
    load_int,
    multiply_add_int,
    splat_int,
    store_int,
    store_roots,
)
from digitnn_fast.kernels._jit import helper
from digitnn_fast.kernels._sample import SIDE

STRIDE = 32  # of a row in `padded`: one pixel of paper on the left, three on the right
ROW = (CELLS + 2) * DIRECTIONS  # of cells in `sums`, with one more at each end that nobody reads
BEFORE_X, BEFORE_Y, BEHIND_X, BEHIND_Y = (
    np.roll(unit, shift).astype(np.int32) for shift in (1, -1) for unit in (UNIT_X, UNIT_Y)
)
ZERO = np.int32(0)


@helper
def add_three(padded, at, step):
    """16 times a + 2 b + c, the first a at `at`."""
    ends = add_int(load_int(padded, at), load_int(padded, at + 2 * step))
    return multiply_add_int(load_int(padded, at + step), 2, ends)


@helper
def find_slopes(images, image, padded, slopes):
    """Sobel's gradient of images[image] at each pixel: x in slopes[0:784], y behind them."""
    for row in range(SIDE):
        for column in range(0, 24, 12):  # two runs of 16, which overlap in columns 12 to 15
            levels = load_bytes_int(images, image * PIXELS + row * SIDE + column)
            store_int(padded, (row + 1) * STRIDE + 1 + column, levels)
    for row in range(SIDE):
        for column in range(0, 24, 12):
            at, pixel = row * STRIDE + column, row * SIDE + column
            left, right = add_three(padded, at, STRIDE), add_three(padded, at + 2, STRIDE)
            above, below = add_three(padded, at, 1), add_three(padded, at + 2 * STRIDE, 1)
            store_int(slopes, pixel, multiply_add_int(left, -1, right))
            store_int(slopes, PIXELS + pixel, multiply_add_int(above, -1, below))


@helper
def add_edge(x, y, row, column, sums):
    """Split the gradient (x, y) of a pixel between two directions, and add them to the four cells around it."""
    before = multiply_add_int(load_int(BEFORE_X, 0), y, multiply_add_int(load_int(BEFORE_Y, 0), -x, splat_int(ZERO)))
    behind = multiply_add_int(load_int(BEHIND_Y, 0), x, multiply_add_int(load_int(BEHIND_X, 0), -y, splat_int(ZERO)))
    part = least_or_zero(before, behind)
    lower, right = 2 * (row + 2 & 3) + 1, 2 * (column + 2 & 3) + 1  # eighths: the share of the cells there
    cell = (row + 2 >> 2) * ROW + (column + 2 >> 2) * DIRECTIONS
    store_int(sums, cell, multiply_add_int(part, (8 - lower) * (8 - right), load_int(sums, cell)))
    cell += DIRECTIONS
    store_int(sums, cell, multiply_add_int(part, (8 - lower) * right, load_int(sums, cell)))
    cell += ROW - DIRECTIONS
    store_int(sums, cell, multiply_add_int(part, lower * (8 - right), load_int(sums, cell)))
    cell += DIRECTIONS
    store_int(sums, cell, multiply_add_int(part, lower * right, load_int(sums, cell)))


def describe(padded, slopes, sums, images, out):
    """Fill out (n, 784) with the edges of images (n, 784).

    padded (960,), slopes (1568,) and sums (1296,) are scratch.
    """
    for k in range(padded.size):
        padded[k] = 0
    for image in range(images.shape[0]):
        find_slopes(images, image, padded, slopes)
        for k in range(sums.size):
            sums[k] = 0
        for row in range(SIDE):
            for column in range(SIDE):
                x, y = slopes[row * SIDE + column], slopes[PIXELS + row * SIDE + column]
                if x != 0 or y != 0:
                    add_edge(x, y, row, column, sums)
        for row in range(CELLS):
            for column in range(CELLS):
                cell = image * PIXELS + (row * CELLS + column) * DIRECTIONS
                store_roots(out, cell, load_int(sums, (row + 1) * ROW + (column + 1) * DIRECTIONS), SHIFT, FAINT)
