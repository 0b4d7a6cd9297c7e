"""Random affine and elastic distortion of an image; its specification is `distortion.distort`.

Integers throughout, so that the twin in NumPy gives the same bytes: coordinates in 1/65536 pixel, bilinear and
spline weights in 1/256. Every image of every epoch has its own random numbers, hashed from the key (seed and epoch) and
the image's index: they do not depend on the number of threads or on the order of the images.
"""

import numpy as np

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.integers import load_int, multiply_add_int, shift_right_int, splat_int, store_int
from digitnn_fast.kernels.vectors.rows import PAIRED, sample_row
from digitnn_fast.sizes import PIXELS, SIDE

CENTRE = 27 << 15  # 13.5, the middle between pixel 0 and pixel 27
DRAWS = 6  # bits of a draw's number: 6 for the affine map, from 8 on those of the lattice
POINTS = 7  # of the lattice along each axis: one every 7 pixels, and one more before and two behind
NEAR = 4  # points along an axis that reach a pixel
AXIS = POINTS * POINTS  # random numbers for one axis
FIELD = 2 * AXIS + 2  # where the displaced rows begin in the scratch

# Weight (7, 28) in 1/256 of each point for each pixel along an axis: the uniform cubic B-spline, t sevenths from a knot.
SPLINE = np.zeros((POINTS, SIDE), np.int32)
for _pixel in range(SIDE):
    _knot, _t = _pixel // 7, _pixel % 7 / 7
    SPLINE[_knot : _knot + NEAR, _pixel] = np.rint(
        256 / 6 * np.array([(1 - _t) ** 3, 3 * _t**3 - 6 * _t**2 + 4, 1 + 3 * _t * (1 + _t - _t**2), _t**3])
    )
ZERO = np.int32(0)


@helper
def hash64(x):
    """splitmix64 (Steele, Lea and Flood, 2014): 64 random bits of a counter."""
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@helper
def random_between(key, draw, limit):
    """A uniform integer from -limit to limit."""
    bits = np.int64(hash64(key + np.uint64(draw)) >> np.uint64(48)) - 32768
    return (bits * limit) >> 15


@helper
def draw_field(key, limit, field):
    """Draw the lattice of an elastic distortion, and spread it along the rows.

    field: from FIELD on, 7 rows of 28 displacements in x, then 7 in y; before that, the random lattice.
    """
    for draw in range(0, 2 * AXIS, 4):
        bits = hash64(key + np.uint64(8 + draw // 4))
        for part in range(4):
            number = np.int64((bits >> np.uint64(16 * part)) & np.uint64(65535)) - 32768
            field[draw + part] = (number * limit) >> 15
    for row in range(2 * POINTS):
        for column in range(0, 24, 12):
            sums = splat_int(ZERO)
            for point in range(column // 7, column // 7 + NEAR + 2):
                weights = load_int(SPLINE, point * SIDE + column)
                sums = multiply_add_int(weights, field[row * POINTS + point], sums)
            store_int(field, FIELD + row * SIDE + column, shift_right_int(sums, 8))


@helper
def displacement(field, axis, row, column):
    """How far to displace 16 pixels of a row along an axis, in 1/65536 pixel."""
    first = row // 7
    start = FIELD + (axis * POINTS + first) * SIDE + column
    sums = splat_int(ZERO)
    for point in range(NEAR):
        sums = multiply_add_int(load_int(field, start + point * SIDE), SPLINE[first + point, row], sums)
    return shift_right_int(sums, 8)


@helper
def copy_padded(images, source, padded):
    """Copy images[source] as `sample_row` reads it."""
    if PAIRED:
        for pixel in range(PIXELS - SIDE):
            padded[2 * pixel] = images[source, pixel]
            padded[2 * pixel + 1] = images[source, pixel + SIDE]
    else:
        for pixel in range(PIXELS):
            padded[pixel] = images[source, pixel]


@helper
def distort(images, source, key, limits, padded, field, out, target):
    """Write a distorted copy of uint8 images[source] (784,) to out[target].

    limits (5,): the largest rotation (tangent), relative scale, shear, shift (pixels), and displacement of a point of
    the lattice (pixels), in 1/65536. padded is scratch for 1,600 bytes, field for 512 int32.
    """
    key = hash64(key + np.uint64(source)) << np.uint64(DRAWS)
    rotation = random_between(key, 0, limits[0])
    xx = 65536 + random_between(key, 1, limits[1])
    yy = 65536 + random_between(key, 2, limits[1])
    xy = random_between(key, 3, limits[2]) - rotation
    yx = rotation
    x0 = CENTRE + random_between(key, 4, limits[3]) - ((xx + xy) * 27 >> 1)
    y0 = CENTRE + random_between(key, 5, limits[3]) - ((yx + yy) * 27 >> 1)
    elastic = limits[4] > 0
    if elastic:
        draw_field(key, limits[4], field)
    copy_padded(images, source, padded)
    dx = dy = splat_int(ZERO)
    for row in range(SIDE):  # two runs of 16 columns, which overlap in columns 12 to 15
        for column in range(0, 24, 12):
            if elastic:
                dx = displacement(field, 0, row, column)
                dy = displacement(field, 1, row, column)
            x = x0 + row * xy + column * xx
            y = y0 + row * yy + column * yx
            sample_row(padded, x, y, xx, yx, dx, dy, out, target * PIXELS + row * SIDE + column)


def distort_all(distortion, scratch, mapped):
    """A distorted copy (n, 784) of each image (n, 784): what an epoch with this key learns from.

    See `arguments.Distortion`, `arguments.DistortScratch` and `arguments.Mapped`.
    """
    key, padded, field = np.uint64(distortion.key), scratch.padded, scratch.field
    for i in range(mapped.images.shape[0]):
        distort(mapped.images, i, key, distortion.limits, padded, field, mapped.out, i)
