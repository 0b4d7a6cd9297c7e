"""The forward pass of a network whose first layer has 16-bit weights; its specification is `reference.forward`.

As in `inference.py`, but the sums of the first layer are integers, and exact: see `pairs.py`. Each becomes a float32
when it is complete.
"""

import numpy as np

from digitnn_fast.kernels.inference import add_hidden, answer
from digitnn_fast.kernels.layout import BLOCK, SHARE, TILE
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.nonzero import prefetch_image
from digitnn_fast.kernels.pairs import BANDS, add_pairs, list_images
from digitnn_fast.kernels.vectors.floats import atomic_add, fma, load, relu, store
from digitnn_fast.kernels.vectors.integers import load_int, splat_int, store_int, to_float

ZERO = np.int32(0)


@helper
def forward_block(first, size, weights, scratch, batch):
    """`forward` for batch.images[first : first + size], which are at most BLOCK."""
    W1, scale, b1, W2, b2 = weights
    places, pairs, levels, starts, sums, hidden, logits = scratch
    list_images(batch.images, first, size, (places, pairs, levels), starts)
    for i in range(size):
        store(logits, i * 16, load(b2, 0))
    for tile in range(b1.size // TILE):
        for unit in range(0, size * TILE, 16):
            store_int(sums, unit, splat_int(ZERO))
        for band in range(BANDS):
            for i in range(size):
                start = i * BANDS + band
                add_pairs(W1, tile, places, levels, starts[start], starts[start + 1], sums, i)
                if band == 0:
                    prefetch_image(batch.images, first + BLOCK + i)
        for unit in range(0, size * TILE, 16):
            own = tile * TILE + unit % TILE
            store(hidden, unit, relu(fma(to_float(load_int(sums, unit)), load(scale, own), load(b1, own))))
        for i in range(0, size, 4):
            add_hidden(hidden, i, W2, tile, logits)
    answer(logits, first, size, batch)


def forward(weights, scratch, batch):
    """Labels (n,) of batch.images (n, 784), and their probabilities (n, 10) unless that array has no rows.

    As `inference.forward`; see `arguments.FixedWeights`, `arguments.FixedScratch` and `arguments.Batch`.
    """
    n = batch.images.shape[0]
    share = atomic_add(batch.taken, 0, SHARE)
    while share < n:
        for first in range(share, min(share + SHARE, n), BLOCK):
            forward_block(first, min(BLOCK, n - first), weights, scratch, batch)
        share = atomic_add(batch.taken, 0, SHARE)
