"""The pixels of a training's images that are not zero, listed once for all its epochs."""

import numpy as np

from digitnn_fast.kernels import PIXELS
from digitnn_fast.kernels import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels._jit import helper
from digitnn_fast.kernels._lists import list_bands
from digitnn_fast.kernels._simd import atomic_add

PAIRS = PIXELS // 2
BOTH, ONLY_RIGHT = 0, 2
KINDS = (3, 1, ONLY_RIGHT, BOTH)  # by which of the two pixels are not zero; 3: none
SCALE = np.float32(1 / 255)


@helper
def list_pairs(size, images, first, rows, levels, spans):
    """The images of a block in which two neighbouring pixels are not zero: both, only the left one, only the right one.

    For each pair the three lists end at the next three spans. levels: two for an entry of the first, one for the others.
    """
    at = end = 0
    spans[0] = 0
    for pair in range(PAIRS):
        for kind in range(3):
            for i in range(size):
                left, right = images[first + i, 2 * pair], images[first + i, 2 * pair + 1]
                rows[at] = i
                levels[end] = np.float32(right if kind == ONLY_RIGHT else left) * SCALE
                if kind == BOTH:
                    levels[end + 1] = np.float32(right) * SCALE
                here = kind == KINDS[(left > 0) + 2 * (right > 0)]
                at += here
                end += here + (here and kind == BOTH)
            spans[3 * pair + kind + 1] = at


def list_blocks(taken, images, offsets, bytes_, places, values, spans, rows, levels, pair_spans):
    """List all blocks of images (n, 784): block k from offsets[k] on. taken (1,), 0 at first, counts those begun.

    places, values: the non-zero pixels of each image, in bands between spans (blocks, 257); rows, levels: the images in
    which each pair of pixels is not zero, between pair_spans (blocks, 1177). bytes_ is the thread's scratch.
    """
    n = images.shape[0]
    block = atomic_add(taken, 0, 1)
    while block < spans.shape[0]:
        first = block * BLOCK
        size = min(BLOCK, n - first)
        at, end = offsets[block], offsets[block + 1]
        list_bands(size, images, first, places[at:end], values[at:end], bytes_, spans[block])
        list_pairs(size, images, first, rows[at:end], levels[at:end], pair_spans[block])
        block = atomic_add(taken, 0, 1)
