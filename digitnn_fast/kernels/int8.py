"""The forward pass in integers; its exact specification is `reference.forward_int8`.

As in `inference.py`, but four pixels at a time: a group of four that is not all zero (56 of 196) adds four products
in each lane. Blocks, tiles and bands are the same, and for the same reasons.

Only VNNI multiplies bytes so. Other processors multiply two int16 at a time, as in `pairs.py`, for which the first call
widens the weights.
"""

from digitnn_fast.kernels.inference import softmax_lanes
from digitnn_fast.kernels.layout import BLOCK, NO_CLASS, SHARE, TILE
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.nonzero import prefetch_image
from digitnn_fast.kernels.pairs import BAND, BANDS, add_pairs, list_images
from digitnn_fast.kernels.vectors.floats import atomic_add, atomic_load, keep_first, multiply, splat, store_first
from digitnn_fast.kernels.vectors.fours import load_four_int, store_four_int
from digitnn_fast.kernels.vectors.integers import (
    dot_pair,
    find_highest,
    load_int,
    splat_int_at,
    store_hidden,
    store_int,
    to_float,
)
from digitnn_fast.kernels.vectors.quads import VNNI, dot_bytes, group_at, list_quads
from digitnn_fast.sizes import CLASSES, PIXELS

GROUPS = PIXELS // 4
TOGETHER = 2 if VNNI else 1  # images whose tiles the registers hold


@helper
def list_groups(images, image, other, groups, quads, starts, first):
    """List the groups that are not zero in either of two images from starts[first] on; the next starts: the bands' ends.

    The two may be the same. The second one's pixels go to the second half of quads.
    """
    row, second, last, half = image * PIXELS, other * PIXELS, PIXELS - 64, quads.size // 2
    at = starts[first]
    for band in range(BANDS):
        for pixel in range(band * BAND, (band + 1) * BAND, 64):
            at = list_quads(images, row + pixel, second + pixel, pixel // 4, 0, groups, quads, at, half)
        if band == BANDS - 1:
            at = list_quads(images, row + last, second + last, GROUPS - 16, 12, groups, quads, at, half)
        starts[first + band + 1] = at


@helper
def widen(W1, wide):
    """wide = W1 as int16: of each group and tile the weights of two pixels for 64 units, then those of the other two."""
    for group in range(W1.size // (TILE * 4)):
        for unit in range(TILE):
            for pixel in range(4):
                half = (2 * group + pixel // 2) * TILE * 2
                wide[half + 2 * unit + pixel % 2] = W1[(group * TILE + unit) * 4 + pixel]


@helper
def add_groups(W1, tile, groups, quads, first, last, sums, image):
    """sums += pixels @ W1 of an image and the next one, by VNNI, for one tile of 64 units and the listed groups.

    What is read from W1 serves both.
    """
    base = tile * GROUPS * TILE * 4
    unit, half = image * TILE, quads.size // 2
    s0, s1, s2, s3 = load_four_int(sums, unit)
    t0, t1, t2, t3 = load_four_int(sums, unit + TILE)
    for k in range(first, last):
        row = base + group_at(groups, k) * TILE * 4
        x = splat_int_at(quads, k)
        y = splat_int_at(quads, half + k)
        s0 = dot_bytes(s0, x, W1, row)
        t0 = dot_bytes(t0, y, W1, row)
        s1 = dot_bytes(s1, x, W1, row + 64)
        t1 = dot_bytes(t1, y, W1, row + 64)
        s2 = dot_bytes(s2, x, W1, row + 128)
        t2 = dot_bytes(t2, y, W1, row + 128)
        s3 = dot_bytes(s3, x, W1, row + 192)
        t3 = dot_bytes(t3, y, W1, row + 192)
    store_four_int(sums, unit, (s0, s1, s2, s3))
    store_four_int(sums, unit + TILE, (t0, t1, t2, t3))


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
    W1, b1, W2, b2, shift, _, wide, _ = weights
    places, pairs, levels, groups, quads, starts, sums, hidden, logits = scratch
    if VNNI:
        starts[0] = 0
        for i in range(0, size, TOGETHER):
            other = first + min(i + TOGETHER - 1, size - 1)
            list_groups(images, first + i, other, groups, quads, starts, i // TOGETHER * BANDS)
    else:
        list_images(images, first, size, (places, pairs, levels), starts)
    for i in range(size):
        store_int(logits, i * 16, load_int(b2, 0))
    for tile in range(b1.size // TILE):
        for unit in range(0, size * TILE, 16):
            store_int(sums, unit, load_int(b1, tile * TILE + unit % TILE))
        for band in range(BANDS):
            for i in range(0, size, TOGETHER):
                start = i // TOGETHER * BANDS + band
                if VNNI:
                    add_groups(W1, tile, groups, quads, starts[start], starts[start + 1], sums, i)
                else:
                    add_pairs(wide, tile, places, levels, starts[start], starts[start + 1], sums, i)
                if band < TOGETHER:
                    prefetch_image(images, first + BLOCK + i + band)
        for unit in range(0, size * TILE, 16):
            store_hidden(hidden, unit, load_int(sums, unit), shift)
        for i in range(0, size, 4):
            add_logits(hidden, i, W2, tile, logits)


def forward(weights, scratch, result, batch):
    """Labels (n,) of batch.images (n, 784); int32 logits (n, 10) and probabilities (n, 10) unless they have no rows.

    As `inference.forward`; see `arguments.Int8Weights`, `arguments.Int8Scratch`, `arguments.Logits`, `arguments.Batch`.
    """
    n, out, logits, probabilities = batch.images.shape[0], result.out, scratch.logits, batch.probabilities
    if not VNNI and atomic_load(weights.widened, 0) == 0:
        widen(weights.W1, weights.wide)  # two threads may do it at once: then both write the same
        atomic_add(weights.widened, 0, 1)
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
