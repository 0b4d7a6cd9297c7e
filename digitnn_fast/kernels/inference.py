"""The forward pass, fused and without a matrix product; its specification is `reference.forward`.

It takes weights of any kind; those that training has rounded to 16 bits are for `fixed.py`.

Only values that are not zero (150 of 784 pixels, 326 of directions) are visited: each adds value * W1[value's row] to the
hidden units. These are taken in tiles of 64, which live in registers while an image's values go by.

What is read decides the time. So images are taken in blocks of 128, and their values in bands: the rows of a band that
are visited (about 30 kB) stay in the nearest cache while the block goes by. Two images at a time, in which the rows are
visited that either needs, read less and multiply more: with AVX-512 they took 1.04 to 1.09 times as long. With AVX2,
1,024 units take 1.2 times as long by four bands as by six; with AVX-512 pixels take 1.1 times as long by six.
"""

import numpy as np

from digitnn_fast.kernels.layout import BLOCK, NO_CLASS, SHARE, TILE
from digitnn_fast.kernels.machine.jit import has_feature, helper
from digitnn_fast.kernels.nonzero import list_nonzero, prefetch_image
from digitnn_fast.kernels.vectors.floats import (
    add,
    atomic_add,
    divide,
    exp,
    find_lane,
    fma,
    keep_first,
    load,
    load_first,
    max_lane,
    place_at,
    splat,
    splat_at,
    store,
    store_first,
    sum_lanes,
)
from digitnn_fast.kernels.vectors.floats import relu as relu_lanes
from digitnn_fast.kernels.vectors.fours import fma_four, load_four, store_four
from digitnn_fast.sizes import CLASSES, PIXELS

BANDS = 4 if has_feature("avx512f") else 6
ZERO = np.float32(0)


@helper
def add_pixels(W1, base, places, values, first, last, hidden, image):
    """hidden[image] += value * W1[place] for the listed pixels and the tile of 64 units that begins at `base`."""
    unit = image * TILE
    sums = load_four(hidden, unit)
    for k in range(first, last):
        sums = fma_four(splat_at(values, k), load_four(W1, base + place_at(places, k) * TILE), sums)
    store_four(hidden, unit, sums)


@helper
def add_hidden(hidden, image, W2, tile, logits):
    """logits += ReLU(hidden) @ W2 for one tile and four images, whose four chains hide the latency."""
    z0, z1, z2, z3 = load_four(logits, image * 16)
    for unit in range(TILE):
        w = load(W2, (tile * TILE + unit) * 16)
        h = image * TILE + unit
        z0 = fma(splat_at(hidden, h), w, z0)
        z1 = fma(splat_at(hidden, h + TILE), w, z1)
        z2 = fma(splat_at(hidden, h + 2 * TILE), w, z2)
        z3 = fma(splat_at(hidden, h + 3 * TILE), w, z3)
    store_four(logits, image * 16, (z0, z1, z2, z3))


@helper
def softmax_lanes(logits):
    """Softmax over the first lanes, of the classes; the others hold NO_CLASS.

    Their powers become 0: the least that `exp` makes, divided, is a number that most processors need 150 cycles for.
    """
    powers = keep_first(exp(add(logits, splat(-max_lane(logits)))), CLASSES, ZERO)
    return divide(powers, splat(sum_lanes(powers)))


@helper
def answer(logits, first, size, batch):
    """Fill the labels of batch.images[first : first + size] and, if they are wanted, the probabilities."""
    for i in range(size):
        z = load(logits, i * 16)
        batch.labels[first + i] = find_lane(z, max_lane(z))
        if batch.probabilities.shape[0] > 0:
            store_first(batch.probabilities, (first + i) * CLASSES, softmax_lanes(z), CLASSES)


@helper
def forward_block(first, size, weights, scratch, batch):
    """`forward` for batch.images[first : first + size], which are at most BLOCK."""
    W1, b1, W2, b2 = weights
    places, values, bytes_, starts, hidden, logits = scratch
    images = batch.images
    starts[0] = 0
    for i in range(size):
        list_nonzero(images, first + i, BANDS, places, values, bytes_, starts, i * BANDS)
    for i in range(size):
        store(logits, i * 16, load(b2, 0))
    for tile in range(b1.size // TILE):
        base = tile * PIXELS * TILE
        for unit in range(0, size * TILE, 16):
            store(hidden, unit, load(b1, tile * TILE + unit % TILE))
        for band in range(BANDS):
            for i in range(size):
                start = i * BANDS + band
                add_pixels(W1, base, places, values, starts[start], starts[start + 1], hidden, i)
                if band == 0:
                    prefetch_image(images, first + BLOCK + i)
        for unit in range(0, size * TILE, 16):
            store(hidden, unit, relu_lanes(load(hidden, unit)))
        for i in range(0, size, 4):
            add_hidden(hidden, i, W2, tile, logits)
    answer(logits, first, size, batch)


def forward(weights, scratch, batch):
    """Labels (n,) of batch.images (n, 784), and their probabilities (n, 10) unless that array has no rows.

    Any number of threads may do it together, each with scratch of its own.
    See `arguments.Weights`, `arguments.ForwardScratch` and `arguments.Batch`.
    """
    n = batch.images.shape[0]
    share = atomic_add(batch.taken, 0, SHARE)
    while share < n:
        for first in range(share, min(share + SHARE, n), BLOCK):
            forward_block(first, min(BLOCK, n - first), weights, scratch, batch)
        share = atomic_add(batch.taken, 0, SHARE)


def relu(vector):
    """vector.out = max(values, 0) of its float32 values (n,): see `arguments.Vector`."""
    values, out = vector
    for i in range(values.size):
        out[i] = values[i] if not values[i] < 0 else ZERO


def softmax(scores):
    """scores.out = softmax of each row of its float32 logits (n, 10): see `arguments.Scores`."""
    for i in range(scores.logits.shape[0]):
        z = load_first(scores.logits, i * CLASSES, CLASSES, NO_CLASS)
        store_first(scores.out, i * CLASSES, softmax_lanes(z), CLASSES)
