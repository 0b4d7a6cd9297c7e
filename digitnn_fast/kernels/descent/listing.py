"""The pixels of a training's images that are not zero, listed once for all its epochs."""

import numpy as np

from digitnn_fast.kernels.layout import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.nonzero import list_bands
from digitnn_fast.kernels.vectors.floats import atomic_add
from digitnn_fast.sizes import PIXELS

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


def list_blocks(listing, lists):
    """List all blocks of listing.images (n, 784). See `arguments.Listing` and `arguments.Lists`."""
    images, spans, pair_spans = listing.images, lists.spans, lists.pair_spans
    n = images.shape[0]
    block = atomic_add(listing.taken, 0, 1)
    while block < spans.shape[0]:
        first = block * BLOCK
        size = min(BLOCK, n - first)
        at, end = lists.offsets[block], lists.offsets[block + 1]
        list_bands(size, images, first, lists.places[at:end], lists.values[at:end], listing.bytes_, spans[block])
        list_pairs(size, images, first, lists.rows[at:end], lists.levels[at:end], pair_spans[block])
        block = atomic_add(listing.taken, 0, 1)
