"""Edges of an image by place and direction; the specification is `directions.describe`.

The 16 directions are the 16 lanes of a vector. Blocks of 3 by 3 pixels belong to the same four cells: their parts are
weighted by running sums in registers, and each block adds to its cells once. Blocks without an edge cost next to nothing.
"""

import numpy as np

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.integers import (
    add_int,
    least_or_zero,
    load_bytes_int,
    load_int,
    multiply_add_int,
    shift_right_int,
    splat_int,
    store_int,
    store_roots,
)
from digitnn_fast.reference.directions import CELLS, DIRECTIONS, FAINT, SHIFT, UNIT_X, UNIT_Y
from digitnn_fast.sizes import PIXELS, SIDE

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
    """A quarter of Sobel's gradient of images[image] at each pixel: x in slopes[0:784], y behind them."""
    half = splat_int(np.int32(2))  # of the quarter's unit
    for row in range(SIDE):
        for column in range(0, 24, 12):  # two runs of 16, which overlap in columns 12 to 15
            levels = load_bytes_int(images, image * PIXELS + row * SIDE + column)
            store_int(padded, (row + 1) * STRIDE + 1 + column, levels)
    for row in range(SIDE):
        for column in range(0, 24, 12):
            at, pixel = row * STRIDE + column, row * SIDE + column
            left, right = add_three(padded, at, STRIDE), add_three(padded, at + 2, STRIDE)
            above, below = add_three(padded, at, 1), add_three(padded, at + 2 * STRIDE, 1)
            store_int(slopes, pixel, shift_right_int(multiply_add_int(left, -1, add_int(right, half)), 2))
            store_int(slopes, PIXELS + pixel, shift_right_int(multiply_add_int(above, -1, add_int(below, half)), 2))


@helper
def split(x, y):
    """The parts of the gradient (x, y) in the two directions that enclose it, in their lanes; 0 in the others."""
    before = multiply_add_int(load_int(BEFORE_X, 0), y, multiply_add_int(load_int(BEFORE_Y, 0), -x, splat_int(ZERO)))
    behind = multiply_add_int(load_int(BEHIND_Y, 0), x, multiply_add_int(load_int(BEHIND_X, 0), -y, splat_int(ZERO)))
    return least_or_zero(before, behind)


@helper
def falling(total, running):
    """5 a + 3 b + c, of the total a + b + c and the sum 3 a + 2 b + c of its running sums."""
    return multiply_add_int(total, -1, multiply_add_int(running, 2, splat_int(ZERO)))


@helper
def rising(total, running):
    """a + 3 b + 5 c, likewise."""
    return multiply_add_int(running, -2, multiply_add_int(total, 7, splat_int(ZERO)))


@helper
def has_edge(slopes, at):
    """Whether any pixel of the block that begins at `at` has a gradient."""
    seen = ZERO
    for row in range(3):
        for column in range(3):
            pixel = at + row * SIDE + column
            seen |= slopes[pixel] | slopes[PIXELS + pixel]
    return seen != 0


@helper
def add_to(sums, cell, values):
    """sums[cell : cell + 16] += values."""
    store_int(sums, cell, add_int(values, load_int(sums, cell)))


@helper
def add_block(slopes, at, sums, cell):
    """Add the edges of the 3 by 3 pixels that begin at `at` to the four cells around them, the first one at `cell`."""
    left = left_running = right = right_running = splat_int(ZERO)
    for row in range(3):
        total = running = splat_int(ZERO)
        for column in range(3):
            pixel = at + row * SIDE + column
            x, y = slopes[pixel], slopes[PIXELS + pixel]
            if x | y != 0:
                total = add_int(total, split(x, y))
            running = add_int(running, total)
        left = add_int(left, falling(total, running))
        left_running = add_int(left_running, left)
        right = add_int(right, rising(total, running))
        right_running = add_int(right_running, right)
    add_to(sums, cell, falling(left, left_running))
    add_to(sums, cell + DIRECTIONS, falling(right, right_running))
    add_to(sums, cell + ROW, rising(left, left_running))
    add_to(sums, cell + ROW + DIRECTIONS, rising(right, right_running))


def describe(scratch, mapped):
    """Fill mapped.out (n, 784) with the edges of its images (n, 784).

    See `arguments.DescribeScratch` and `arguments.Mapped`.
    """
    padded, slopes, sums = scratch
    images, out = mapped
    for k in range(padded.size):
        padded[k] = 0
    for image in range(images.shape[0]):
        find_slopes(images, image, padded, slopes)
        for k in range(sums.size):
            sums[k] = 0
        for row in range(CELLS + 1):
            for column in range(CELLS + 1):  # no cell sees the two pixels along the border
                at = (2 + 3 * row) * SIDE + 2 + 3 * column
                if has_edge(slopes, at):
                    add_block(slopes, at, sums, row * ROW + column * DIRECTIONS)
        for row in range(CELLS):
            for column in range(CELLS):
                cell = image * PIXELS + (row * CELLS + column) * DIRECTIONS
                store_roots(out, cell, load_int(sums, (row + 1) * ROW + (column + 1) * DIRECTIONS), SHIFT, FAINT)
