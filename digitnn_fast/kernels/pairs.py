"""The first layer from 16-bit weights: two pixels at a time, and exact.

A pair of pixels that is not all zero (87 of 392, 194 of directions) adds two products in each lane. So fewer weights are
read than by `inference.py`, where 150 pixels or 326 values of directions are visited.
"""

import numpy as np

from digitnn_fast.kernels.layout import TILE
from digitnn_fast.kernels.machine.jit import has_feature, helper
from digitnn_fast.kernels.vectors.bytes import HAS_COMPRESS, HAS_SHUFFLE, ORDERS, lowest_bit, place_eight
from digitnn_fast.kernels.vectors.couples import (
    PAIRS,
    append_pair,
    compress_pairs,
    dot_shorts,
    pack_pairs,
    pair_mask,
    widen_pairs,
)
from digitnn_fast.kernels.vectors.floats import place_at
from digitnn_fast.kernels.vectors.fours import load_four_int, store_four_int
from digitnn_fast.kernels.vectors.integers import add_int, splat_int, splat_int_at, splat_int_if
from digitnn_fast.kernels.vectors.quads import VNNI
from digitnn_fast.sizes import PIXELS

# An image's pixels are taken in bands, whose weights the first-level cache holds: the last has 16 pixels more. Each band
# costs time of its own, and Intel's processors with VNNI hold 48 kB: there two take 0.9 of the time of four, in int8,
# too. Those with SSE4a are AMD's, of which Zen 4 holds 32 kB.
BANDS, BAND = (2, 384) if VNNI and not has_feature("sse4a") else (4, 192)
ZERO = np.int32(0)
ROWS = PIXELS // 2  # pairs of an image, each of which has a row of weights


@helper
def list_chunk(data, index, place, skip, lists, at):
    """Append those of 32 pairs at a flat index that are not both zero; the first `skip` are passed over.

    Returns the lists' new length; there must be room for 32 more.
    """
    places, pairs, levels = lists
    if HAS_COMPRESS:
        return compress_pairs(data, index, place, skip, places, pairs, at)
    mask = pair_mask(data, index)
    if HAS_SHUFFLE:
        for lane in range(skip, PAIRS, 8):
            some = np.int64(mask >> np.uint64(lane) & np.uint64(255))
            pack_pairs(data, index + 2 * lane, some, ORDERS, levels, at)
            at = place_eight(some, place + lane, ORDERS, places, at)
        return at
    mask = mask >> np.uint64(skip) << np.uint64(skip)
    while mask != 0:
        lane = lowest_bit(mask)
        append_pair(data, index + 2 * lane, levels, at)
        places[at] = place + lane
        at += 1
        mask &= mask - np.uint64(1)
    return at


@helper
def list_images(images, first, size, lists, starts):
    """List the pairs that are not both zero of images[first : first + size]; starts: where each band begins.

    The lists are those of `arguments.FixedScratch`: places, pairs, levels.
    """
    _, pairs, levels = lists
    starts[0] = at = 0
    for i in range(size):
        row = (first + i) * PIXELS
        for band in range(BANDS):
            for pixel in range(band * BAND, (band + 1) * BAND, 64):
                at = list_chunk(images, row + pixel, pixel // 2, 0, lists, at)
            if band == BANDS - 1:
                at = list_chunk(images, row + PIXELS - 64, ROWS - PAIRS, PAIRS - 8, lists, at)
            starts[i * BANDS + band + 1] = at
    if HAS_COMPRESS:
        for k in range(0, at, 16):
            widen_pairs(pairs, k, levels)


@helper
def dot_four(W1, row, x, sums):
    """sums + x times the pairs of weights of 64 units from `row` on."""
    s0, s1, s2, s3 = sums
    s0 = dot_shorts(s0, x, W1, row)
    s1 = dot_shorts(s1, x, W1, row + 32)
    s2 = dot_shorts(s2, x, W1, row + 64)
    s3 = dot_shorts(s3, x, W1, row + 96)
    return s0, s1, s2, s3


@helper
def add_pairs(W1, tile, places, levels, first, last, sums, image):
    """sums[image] += pixels @ W1 for one tile of 64 units and the listed pairs.

    With VNNI every other pair has sums of its own: a product that waits for the one before it takes 5 cycles on Intel's
    processors. The last pair of an odd number is added in any case, with levels of 0 where the number is even: a branch
    would be guessed wrong half of the time.
    """
    base = tile * ROWS * TILE * 2
    unit = image * TILE
    own = load_four_int(sums, unit)
    if VNNI:
        zero = splat_int(ZERO)
        other = zero, zero, zero, zero
        odd = (last - first) % 2
        for k in range(first, last - 1, 2):
            own = dot_four(W1, base + place_at(places, k) * TILE * 2, splat_int_at(levels, k), own)
            other = dot_four(W1, base + place_at(places, k + 1) * TILE * 2, splat_int_at(levels, k + 1), other)
        k = last - odd
        own = dot_four(W1, base + place_at(places, k) * TILE * 2, splat_int_if(levels, k, odd), own)
        own = (
            add_int(own[0], other[0]),
            add_int(own[1], other[1]),
            add_int(own[2], other[2]),
            add_int(own[3], other[3]),
        )
    else:
        for k in range(first, last):
            own = dot_four(W1, base + place_at(places, k) * TILE * 2, splat_int_at(levels, k), own)
    store_four_int(sums, unit, own)
