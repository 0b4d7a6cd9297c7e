"""Upright, centred copies of images; the specification is `deskewing.deskew`."""

import numpy as np

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.floats import atomic_add
from digitnn_fast.kernels.vectors.integers import (
    add_int,
    load_bytes_int,
    shift_right_int,
    splat_int,
    store_int,
)
from digitnn_fast.kernels.vectors.rows import copy_row, slide_row
from digitnn_fast.sizes import PIXELS, SIDE

MARGIN, STRIDE = 32, 96  # of a row in `padded`: no row slides further than 30 pixels
ZERO = np.int32(0)


@helper
def divide(numerator, denominator):
    """Rounded to the nearest integer, halves up; 0 where the denominator is 0, and none is negative."""
    if denominator == 0:
        return np.int64(0)
    return (2 * numerator + denominator) // (2 * denominator)


@helper
def add_up(images, image, sums):
    """Per column, the sum a of the grey levels >> 3, the sum b of its running sums, and the sum of those of b.

    They go to sums[0:28], [32:60], [64:92]. Additions alone: so b weights a row by 28 - row, c by (28 - row) (29 - row) / 2.
    """
    for column in range(0, 24, 12):  # two runs of 16, which overlap in columns 12 to 15
        a = b = c = splat_int(ZERO)
        for row in range(SIDE):
            a = add_int(a, shift_right_int(load_bytes_int(images, image * PIXELS + row * SIDE + column), 3))
            b = add_int(b, a)
            c = add_int(c, b)
        store_int(sums, column, a)
        store_int(sums, column + 32, b)
        store_int(sums, column + 64, c)


@helper
def deskew(images, image, sums, padded, out, target):
    """Write a deskewed copy of images[image] to out[target]."""
    for row in range(SIDE):
        copy_row(images, image * PIXELS + row * SIDE, padded, row * STRIDE + MARGIN)
    add_up(images, image, sums)
    m00 = m10 = b = bx = c = np.int32(0)
    for column in range(SIDE):
        x = np.int32(column - 14)
        m00 += sums[column]
        m10 += sums[column] * x
        b += sums[column + 32]
        bx += sums[column + 32] * x
        c += sums[column + 64]
    m01, m11, m02 = 14 * m00 - b, 14 * m10 - bx, 196 * m00 - 29 * b + 2 * c
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
            slide_row(padded, start + 12, slide & 255, out, at + 12)
        else:
            for column in range(SIDE):
                out[target, row * SIDE + column] = 0


def deskew_next(scratch, deskewing):
    """Take as many of the images (n, 784) as `out` has rows, or those that are left; the first one's index.

    Any number of threads may do it together: see `arguments.Deskewing` and `arguments.DeskewScratch`.
    """
    sums, padded = scratch
    taken, images, out = deskewing
    for k in range(padded.size):
        padded[k] = 0
    first = atomic_add(taken, 0, out.shape[0])
    for image in range(first, min(first + out.shape[0], images.shape[0])):
        deskew(images, image, sums, padded, out, image - first)
    return first
