"""Random affine distortion of an image; its specification is `reference.distort`.

Integers throughout, so that the twin in NumPy gives the same bytes: coordinates in 1/65536 pixel,
bilinear weights in 1/256. Every image of every epoch has its own random numbers, hashed from the key (seed and epoch) and
the image's index: they do not depend on the number of threads or on the order of the images.
"""

import numpy as np

from digitnn_fast.kernels import PIXELS
from digitnn_fast.kernels._jit import helper
from digitnn_fast.kernels._sample import SIDE, sample_row

CENTRE = 27 << 15  # 13.5, the middle between pixel 0 and pixel 27


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
def distort(images, source, key, limits, padded, out, target):
    """Write a distorted copy of uint8 images[source] (784,) to out[target].

    limits (4,): the largest rotation (tangent), relative scale, shear and shift (pixels), in 1/65536.
    padded is scratch for one image and 16 bytes more.
    """
    key = hash64(key + np.uint64(source)) << np.uint64(3)
    rotation = random_between(key, 0, limits[0])
    xx = 65536 + random_between(key, 1, limits[1])
    yy = 65536 + random_between(key, 2, limits[1])
    xy = random_between(key, 3, limits[2]) - rotation
    yx = rotation
    x0 = CENTRE + random_between(key, 4, limits[3]) - ((xx + xy) * 27 >> 1)
    y0 = CENTRE + random_between(key, 5, limits[3]) - ((yx + yy) * 27 >> 1)
    for pixel in range(PIXELS):
        padded[pixel] = images[source, pixel]
    for row in range(SIDE):  # two runs of 16 columns, which overlap in columns 12 to 15
        for column in range(0, 24, 12):
            x = x0 + row * xy + column * xx
            y = y0 + row * yy + column * yx
            sample_row(padded, x, y, xx, yx, out, target * PIXELS + row * SIDE + column)


def distort_all(images, key, limits, padded, out):
    """A distorted copy (n, 784) of each image (n, 784): what an epoch with this key learns from."""
    for i in range(images.shape[0]):
        distort(images, i, np.uint64(key), limits, padded, out, i)
