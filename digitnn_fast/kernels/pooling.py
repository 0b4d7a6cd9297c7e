"""Images in 16 by 16 pixels; the specification is `pooling.pool`."""

import numpy as np

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.reference.pooling import CROP, FRAME, GRID, NINTH
from digitnn_fast.sizes import PIXELS, SIDE

FACTOR, HALF, SHIFT = NINTH


@helper
def mix(images, image, at, low):
    """The pixel at flat index `at` and the one below it, in thirds: 3 - low and low of them."""
    return (3 - low) * np.int64(images[image, at]) + low * np.int64(images[image, at + SIDE])


def pool(mapped):
    """Fill mapped.out (n, 784) with its images (n, 784) in 16 by 16 pixels: see `arguments.Mapped`."""
    images, out = mapped
    for image in range(images.shape[0]):
        for k in range(PIXELS):
            out[image, k] = 0
        for row in range(GRID):
            low = 1 + (row & 1)
            start = SIDE * (CROP + 3 * (row >> 1) + (row & 1)) + CROP
            target = SIDE * (FRAME + row) + FRAME
            for pair in range(GRID // 2):  # three columns become two
                at = start + 3 * pair
                middle = mix(images, image, at + 1, low)
                left = 2 * mix(images, image, at, low) + middle
                right = middle + 2 * mix(images, image, at + 2, low)
                out[image, target + 2 * pair] = left * FACTOR + HALF >> SHIFT
                out[image, target + 2 * pair + 1] = right * FACTOR + HALF >> SHIFT
