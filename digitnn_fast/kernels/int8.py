"""The forward pass in integers; its exact specification is `reference.forward_int8`.

As in `inference.py`, but four pixels at a time: a group of four that is not all zero (56 of 196) adds four products
in each lane. Blocks, tiles and bands are the same, and for the same reasons.
"""

from digitnn_fast.kernels.inference import softmax_lanes
from digitnn_fast.kernels.layout import BLOCK, MIDDLE, NO_CLASS, SHARE, TILE
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.nonzero import prefetch_image
from digitnn_fast.kernels.vectors.floats import atomic_add, keep_first, multiply, splat, store_first
from digitnn_fast.kernels.vectors.fours import load_four_int, store_four_int
from digitnn_fast.kernels.vectors.integers import (
    dot_bytes,
    dot_pair,
    find_highest,
    group_at,
    list_quads,
    load_int,
    splat_int_at,
    store_hidden,
    store_int,
    to_float,
)
from digitnn_fast.sizes import CLASSES, PIXELS

GROUPS = PIXELS // 4


@helper
def list_groups(images, image, groups, quads, at):
    """List an image's groups that are not zero from `at` on; where its second band begins, and where it ends."""
    row = image * PIXELS
    end = at
    for pixel in range(0, MIDDLE, 64):
        end = list_quads(images, row + pixel, pixel // 4, 0, groups, quads, end)
    middle = end
    for pixel in range(MIDDLE, PIXELS - 64, 64):
        end = list_quads(images, row + pixel, pixel // 4, 0, groups, quads, end)
    end = list_quads(images, row + PIXELS - 64, GROUPS - 16, 12, groups, quads, end)
    return middle, end


@helper
def add_groups(W1, tile, groups, quads, first, last, sums, image):
    """sums[image] += pixels @ W1 for one tile of 64 units and the listed groups."""
    base = tile * GROUPS * TILE * 4
    unit = image * TILE
    s0, s1, s2, s3 = load_four_int(sums, unit)
    for k in range(first, last):
        row = base + group_at(groups, k) * TILE * 4
        x = splat_int_at(quads, k)
        s0 = dot_bytes(s0, x, W1, row)
        s1 = dot_bytes(s1, x, W1, row + 64)
        s2 = dot_bytes(s2, x, W1, row + 128)
        s3 = dot_bytes(s3, x, W1, row + 192)
    store_four_int(sums, unit, (s0, s1, s2, s3))


@helper
def add_logits(hidden, image, W2, tile, logits):
    """logits += hidden @ W2 for one tile and four images."""
    z0, z1, z2, z3 = load_four_int(logits, image * 16)
    for unit in range(0, TILE, 2):
        row = (tile * TILE + unit) * 16
        h = image * TILE + unit
        z0 = dot_pair(z0, hidden, h, W2, row)
        z1 = dot_pair(z1, hidden, h + TILE, W2, row)
        z2 = dot_pair(z2, hidden, h + 2 * TILE, W2, row)
        z3 = dot_pair(z3, hidden, h + 3 * TILE, W2, row)
    store_four_int(logits, image * 16, (z0, z1, z2, z3))


@helper
def forward_block(images, first, size, weights, scratch):
    """The logits of images[first : first + size], which are at most BLOCK."""
    W1, b1, W2, b2, shift, _ = weights
    groups, quads, starts, sums, hidden, logits = scratch
    starts[0] = 0
    for i in range(size):
        starts[2 * i + 1], starts[2 * i + 2] = list_groups(images, first + i, groups, quads, starts[2 * i])
        store_int(logits, i * 16, load_int(b2, 0))
    for tile in range(b1.size // TILE):
        for i in range(size):
            prefetch_image(images, first + BLOCK + i)
            for unit in range(0, TILE, 16):
                store_int(sums, i * TILE + unit, load_int(b1, tile * TILE + unit))
            add_groups(W1, tile, groups, quads, starts[2 * i], starts[2 * i + 1], sums, i)
        for i in range(size):
            add_groups(W1, tile, groups, quads, starts[2 * i + 1], starts[2 * i + 2], sums, i)
            for unit in range(0, TILE, 16):
                store_hidden(hidden, i * TILE + unit, load_int(sums, i * TILE + unit), shift)
        for i in range(0, size, 4):
            add_logits(hidden, i, W2, tile, logits)


def forward(weights, scratch, result, batch):
    """Labels (n,) of batch.images (n, 784); int32 logits (n, 10) and probabilities (n, 10) unless they have no rows.

    As `inference.forward`; see `arguments.Int8Weights`, `arguments.Int8Scratch`, `arguments.Logits`, `arguments.Batch`.
    """
    n, out, logits, probabilities = batch.images.shape[0], result.out, scratch.logits, batch.probabilities
    share = atomic_add(batch.taken, 0, SHARE)
    while share < n:
        for first in range(share, min(share + SHARE, n), BLOCK):
            size = min(BLOCK, n - first)
            forward_block(batch.images, first, size, weights, scratch)
            for i in range(size):
                z = load_int(logits, i * 16)
                batch.labels[first + i] = find_highest(z)
                if out.shape[0] > 0:
                    for c in range(CLASSES):
                        out[first + i, c] = logits[i * 16 + c]
                if probabilities.shape[0] > 0:
                    scores = keep_first(multiply(to_float(z), splat(weights.scale)), CLASSES, NO_CLASS)
                    store_first(probabilities, (first + i) * CLASSES, softmax_lanes(scores), CLASSES)
        share = atomic_add(batch.taken, 0, SHARE)
