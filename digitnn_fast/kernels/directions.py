"""Edges of an image by place and direction; the specification is `directions.describe`.

The 16 directions are the 16 lanes of a vector. Blocks of 3 by 3 pixels belong to the same four cells: their parts are
weighted by running sums in registers, and each block adds to its cells once. Blocks without an edge cost next to nothing.
"""

import numpy as np

from digitnn_fast.kernels.layout import products
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.bytes import lowest_bit
from digitnn_fast.kernels.vectors.integers import (
    add_int,
    dot_halves,
    least_or_zero,
    load_int,
    splat_int,
    splat_int_at,
    store_int,
    store_roots,
    subtract_int,
)
from digitnn_fast.kernels.vectors.rows import add_levels, copy_row, load_levels, store_quarters, subtract_levels
from digitnn_fast.reference.directions import FAINT, FINE
from digitnn_fast.sizes import PIXELS, SIDE

CELLS, DIRECTIONS, SHIFT = FINE.rows, FINE.directions, FINE.shift
BEFORE, BEHIND = products(FINE)
STRIDE = 32  # of a row in `padded` and in `slopes`
ROW = (CELLS + 2) * DIRECTIONS  # of cells in `sums`, with one more at each end that nobody reads
COLUMNS = (1 << SIDE) - 1
ZERO = np.int32(0)


@helper
def find_slopes(images, image, padded, slopes, edges):
    """A quarter of Sobel's gradient of images[image] at each pixel, x and y in one word; bit c of edges[row]: not zero."""
    for row in range(SIDE):
        copy_row(images, image * PIXELS + row * SIDE, padded, (row + 1) * STRIDE + 1)
    steep_above, wide_above = slope_of_row(padded, 0)
    steep, wide = slope_of_row(padded, STRIDE)
    for row in range(SIDE):
        steep_below, wide_below = slope_of_row(padded, (row + 2) * STRIDE)
        x = add_levels(add_levels(steep_above, steep_below), add_levels(steep, steep))
        y = subtract_levels(wide_below, wide_above)
        edges[row] = store_quarters(x, y, slopes, row * STRIDE) & COLUMNS
        steep_above, wide_above, steep, wide = steep, wide, steep_below, wide_below


@helper
def slope_of_row(padded, at):
    """right - left and left + 2 middle + right of a row's pixels, the first one's left neighbour at `at`."""
    left, middle, right = load_levels(padded, at), load_levels(padded, at + 1), load_levels(padded, at + 2)
    return subtract_levels(right, left), add_levels(add_levels(left, right), add_levels(middle, middle))


@helper
def falling(total, running):
    """5 a + 3 b + c, of the total a + b + c and the sum 3 a + 2 b + c of its running sums."""
    return subtract_int(add_int(running, running), total)


@helper
def rising(total, fall):
    """a + 3 b + 5 c, of the total and the falling sum."""
    double = add_int(total, total)
    return subtract_int(add_int(add_int(double, double), double), fall)


@helper
def add_to(sums, cell, values):
    """sums[cell : cell + 16] += values."""
    store_int(sums, cell, add_int(values, load_int(sums, cell)))


@helper
def add_block(slopes, at, sums, cell):
    """Add the edges of the 3 by 3 pixels that begin at `at` to the four cells around them, the first one at `cell`."""
    before, behind = load_int(BEFORE, 0), load_int(BEHIND, 0)
    left = left_running = both = both_running = splat_int(ZERO)
    for row in range(3):
        total = running = splat_int(ZERO)
        for column in range(3):
            gradient = splat_int_at(slopes, at + row * STRIDE + column)
            total = add_int(total, least_or_zero(dot_halves(gradient, before), dot_halves(gradient, behind)))
            running = add_int(running, total)
        left = add_int(left, falling(total, running))
        left_running = add_int(left_running, left)
        both = add_int(both, total)
        both_running = add_int(both_running, both)
    upper_left, upper = falling(left, left_running), falling(both, both_running)
    lower_left, lower = rising(left, upper_left), rising(both, upper)
    add_to(sums, cell, upper_left)
    add_to(sums, cell + DIRECTIONS, rising(upper, upper_left))
    add_to(sums, cell + ROW, lower_left)
    add_to(sums, cell + ROW + DIRECTIONS, rising(lower, lower_left))


@helper
def add_blocks(slopes, edges, row, sums):
    """Add a row of eight blocks to the cells around them. Bit c of the result: whether block c has an edge."""
    top = 2 + 3 * row  # no cell sees the two pixels along the border
    lit = edges[top] | edges[top + 1] | edges[top + 2]
    blocks = np.uint64(0)
    for column in range(CELLS + 1):
        if lit >> (2 + 3 * column) & 7:
            blocks |= np.uint64(1) << np.uint64(column)
            add_block(slopes, top * STRIDE + 2 + 3 * column, sums, row * ROW + column * DIRECTIONS)
    return blocks


@helper
def store_cells(sums, row, blocks, out, at):
    """Write a row of cells, of which those beside the given blocks have edges, and make their sums zero again."""
    cells = (blocks | blocks >> np.uint64(1)) & np.uint64((1 << CELLS) - 1)
    while cells != 0:
        column = lowest_bit(cells)
        cell = row * ROW + (column + 1) * DIRECTIONS
        store_roots(out, at + column * DIRECTIONS, load_int(sums, cell), SHIFT, FAINT)
        store_int(sums, cell, splat_int(ZERO))
        cells &= cells - np.uint64(1)


def describe(scratch, mapped):
    """Fill mapped.out (n, 784) with the edges of its images (n, 784).

    See `arguments.DescribeScratch` and `arguments.Mapped`.
    """
    padded, slopes, edges, sums = scratch
    images, out = mapped
    for k in range(padded.size):
        padded[k] = 0
    for k in range(sums.size):
        sums[k] = 0
    for image in range(images.shape[0]):
        find_slopes(images, image, padded, slopes, edges)
        for k in range(PIXELS):
            out[image, k] = 0
        above = np.uint64(0)
        for row in range(CELLS + 1):
            blocks = add_blocks(slopes, edges, row, sums)
            if row > 0:
                store_cells(sums, row, above | blocks, out, image * PIXELS + (row - 1) * CELLS * DIRECTIONS)
            above = blocks
