"""Upright, centred copies of images; the specification is `deskewing.deskew`."""

import numpy as np

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.nonzero import prefetch_image
from digitnn_fast.kernels.vectors.floats import atomic_add
from digitnn_fast.kernels.vectors.integers import splat_int, sum_int
from digitnn_fast.kernels.vectors.rows import (
    add_levels,
    add_products,
    copy_row,
    no_levels,
    shift_levels,
    slide_row,
)
from digitnn_fast.sizes import PIXELS, SIDE

MARGIN, STRIDE = 32, 96  # of a row in `padded`: no row slides further than 30 pixels
AHEAD = 4  # images: what memory takes to bring one
LAST = sum(1 << row for row in (9, 15, 19, 22, 25, 27))  # with b at most 31 (row + 1) (row + 2) / 2: 30,256 at most
ONES = np.ones(32, np.int16)
PLACES = np.arange(-14, 18, dtype=np.int16)  # of columns; levels behind the 28th are 0
ZERO = np.int32(0)


@helper
def divide(numerator, denominator):
    """Rounded to the nearest integer, halves up; 0 where the denominator is 0, and none is negative."""
    if denominator == 0:
        return np.int64(0)
    return (2 * numerator + denominator) // (2 * denominator)


@helper
def copy_image(images, image, padded):
    """Copy images[image] to the middle of `padded`; its moments m00, m10, m01, m11 and m02 around pixel (14, 14).

    Moments of the grey levels >> 3. Of each column a is the sum, b the sum of its running sums, which weight a row by
    28 - row; of all columns c is the sum of those of b, which weight it by (28 - row) (29 - row) / 2: of a few rows
    after the other, as many as 16 bits hold.
    """
    a, b, few, c, zero = no_levels(), no_levels(), no_levels(), splat_int(ZERO), splat_int(ZERO)
    for row in range(SIDE):
        levels = copy_row(images, image * PIXELS + row * SIDE, padded, row * STRIDE + MARGIN)
        a = add_levels(a, shift_levels(levels, 3))
        b = add_levels(b, a)
        few = add_levels(few, b)
        if LAST >> row & 1:
            c = add_products(c, few, ONES)
            few = no_levels()
    m00, m10 = sum_int(add_products(zero, a, ONES)), sum_int(add_products(zero, a, PLACES))
    down, across = sum_int(add_products(zero, b, ONES)), sum_int(add_products(zero, b, PLACES))
    return m00, m10, 14 * m00 - down, 14 * m10 - across, 196 * m00 - 29 * down + 2 * sum_int(c)


@helper
def deskew(images, image, padded, out, target):
    """Write a deskewed copy of images[image] to out[target]."""
    m00, m10, m01, m11, m02 = copy_image(images, image, padded)
    mean_x = divide(256 * m10, m00)
    mean_y = divide(256 * m01, m00)
    near_x, near_y = mean_x + 128 >> 8, mean_y + 128 >> 8
    rest_x, rest_y, low = m10 - near_x * m00, m01 - near_y * m00, mean_y - 256 * near_y
    across = m11 - near_y * m10 - near_x * rest_y
    down = m02 - near_y * (m01 + rest_y)
    slant = divide(256 * across - rest_x * low, 256 * down - rest_y * low >> 8)
    slant = max(-256, min(256, slant))
    for row in range(SIDE):
        source = row + (mean_y + 256 >> 8)
        at = target * PIXELS + row * SIDE
        if 0 <= source < SIDE:
            slide = mean_x + 128 + (slant * (256 * (source - 14) - mean_y) + 128 >> 8)
            start = source * STRIDE + MARGIN + (slide >> 8)
            slide_row(padded, start, slide & 255, out, at)
        else:
            for column in range(SIDE):
                out[target, row * SIDE + column] = 0


def deskew_next(scratch, deskewing):
    """Take as many of the images (n, 784) as `out` has rows, or those that are left; the first one's index.

    Any number of threads may do it together: see `arguments.Deskewing` and `arguments.DeskewScratch`.
    """
    (padded,) = scratch
    taken, images, out = deskewing
    for k in range(padded.size):
        padded[k] = 0
    first = atomic_add(taken, 0, out.shape[0])
    for image in range(first, min(first + out.shape[0], images.shape[0])):
        prefetch_image(images, image + AHEAD)
        deskew(images, image, padded, out, image - first)
    return first
