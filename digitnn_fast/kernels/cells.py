"""Edges of an image in any cells, such as few for microcontrollers; the specification is `directions.describe`.

Slower than `directions`, since the shares of a pixel are looked up: four multiplications for each one with an edge.
"""

import numpy as np

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.bytes import lowest_bit
from digitnn_fast.kernels.vectors.floats import LANES
from digitnn_fast.kernels.vectors.integers import (
    dot_halves,
    least_or_zero,
    load_int,
    multiply_add_int,
    roots,
    splat_int,
    splat_int_at,
    store_bytes_int,
    store_int,
)
from digitnn_fast.kernels.vectors.rows import add_levels, copy_row, load_levels, store_quarters, subtract_levels
from digitnn_fast.reference.directions import FAINT
from digitnn_fast.sizes import PIXELS, SIDE

STRIDE = 32  # of a row in `padded` and in `slopes`
COLUMNS = (1 << SIDE) - 1
MOST, ZERO = np.int32(255), np.int32(0)


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
def add_share(sums, cell, values, share):
    """sums[cell : cell + 16] += values * share."""
    store_int(sums, cell, multiply_add_int(values, share, load_int(sums, cell)))


@helper
def add_line(slopes, edges, row, layout, line):
    """Add a row of pixels to `line`, a row of cells with one more at each end that nobody reads."""
    before, behind = load_int(layout.before, 0), load_int(layout.behind, 0)
    lit = np.uint64(edges[row])
    while lit != 0:
        column = lowest_bit(lit)
        lit &= lit - np.uint64(1)
        cell, right = layout.column_cells[column], layout.column_shares[column]
        if cell < 0:
            continue
        gradient = splat_int_at(slopes, row * STRIDE + column)
        part = least_or_zero(dot_halves(gradient, before), dot_halves(gradient, behind))
        add_share(line, LANES * cell, part, layout.pitch - right)
        add_share(line, LANES * (cell + 1), part, right)


def describe(scratch, layout, mapped):
    """Fill mapped.out (n, 784) with the edges of its images (n, 784).

    See `arguments.CellsScratch`, `arguments.CellsLayout` and `arguments.Mapped`.
    """
    padded, slopes, edges, line, sums, values = scratch
    images, out = mapped
    wide = LANES * (layout.columns + 2)
    for k in range(padded.size):
        padded[k] = 0
    for k in range(line.size):
        line[k] = 0
    for k in range(sums.size):
        sums[k] = 0
    for image in range(images.shape[0]):
        find_slopes(images, image, padded, slopes, edges)
        for row in range(SIDE):
            upper, low = layout.row_cells[row], layout.row_shares[row]
            if upper < 0 or edges[row] == 0:
                continue
            add_line(slopes, edges, row, layout, line)
            for column in range(LANES, wide - LANES, LANES):
                found = load_int(line, column)
                add_share(sums, upper * wide + column, found, layout.pitch - low)
                add_share(sums, (upper + 1) * wide + column, found, low)
            for column in range(0, wide, LANES):
                store_int(line, column, splat_int(ZERO))
        at = 0
        for row in range(1, layout.rows + 1):
            for column in range(LANES, wide - LANES, LANES):
                found = roots(load_int(sums, row * wide + column), layout.shift)
                store_bytes_int(values, at, least_or_zero(found, splat_int(MOST)))
                at += layout.directions
        for k in range(sums.size):
            sums[k] = 0
        for k in range(PIXELS):
            out[image, k] = 0
        for row in range(at // layout.across):
            for column in range(layout.across):
                value = values[layout.across * row + column]
                out[image, SIDE * row + column] = value if value >= FAINT else 0
