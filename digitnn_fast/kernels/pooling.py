"""Images in 16 by 16 pixels; the specification is `pooling.pool`."""

import numpy as np

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.integers import multiply_add_int, shift_right_int, splat_int, store_bytes_int
from digitnn_fast.kernels.vectors.rows import add_levels, load_levels, mix_thirds
from digitnn_fast.reference.pooling import CROP, FRAME, GRID, NINTH
from digitnn_fast.sizes import PIXELS, SIDE

FACTOR, HALF, SHIFT = np.int32(NINTH[0]), np.int32(NINTH[1]), NINTH[2]


@helper
def pool_row(images, near, far, out, target):
    """Write 16 pixels to flat index `target`, of rows that begin at `near` and, with half its weight, at `far`."""
    whole = load_levels(images, near)
    sums = mix_thirds(add_levels(add_levels(whole, whole), load_levels(images, far)))
    store_bytes_int(out, target, shift_right_int(multiply_add_int(sums, FACTOR, splat_int(HALF)), SHIFT))


def pool(mapped):
    """Fill mapped.out (n, 784) with its images (n, 784) in 16 by 16 pixels: see `arguments.Mapped`."""
    images, out = mapped
    for image in range(images.shape[0]):
        for k in range(PIXELS):
            out[image, k] = 0
        for pair in range(GRID // 2):  # three rows become two
            upper = image * PIXELS + SIDE * (CROP + 3 * pair) + CROP
            target = image * PIXELS + SIDE * (FRAME + 2 * pair) + FRAME
            pool_row(images, upper, upper + SIDE, out, target)
            pool_row(images, upper + 2 * SIDE, upper + SIDE, out, target + SIDE)
