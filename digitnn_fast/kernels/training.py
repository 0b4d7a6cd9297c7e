"""One epoch of mini-batch or full-batch descent; its specification is `reference.backward`.

All threads run `epoch` at the same time. Hidden units are divided in tiles of 32: a tile's weights, their
moments and their gradient are read and written by one thread alone, and each sum is taken in
the order of the images, so the result has the same bits for any number of threads. The threads meet
once per block of 128 images, when the tiles' shares of the logits are added up.

A tile is one array of 795 rows of 32: rows 0 to 783 belong to the pixels (W1), row 784 to b1, which is the
weight of a pixel that is always 1, and rows 785 to 794 to the ten outputs (W2 transposed).

Each thread lists all images of a block for itself, although it could share that work: to read
what another core has just written takes longer than to list it.
"""

import numpy as np

from digitnn_fast.kernels import CLASSES, PIXELS
from digitnn_fast.kernels import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels import TRAINING_TILE as TILE
from digitnn_fast.kernels._jit import helper
from digitnn_fast.kernels._learning import learn, output_errors, wait_for_all
from digitnn_fast.kernels._lists import copy_image, list_images, list_pixels, prefetch_image
from digitnn_fast.kernels._simd import (
    add,
    fma,
    load,
    place_at,
    relu,
    splat,
    splat_at,
    store,
    where_positive,
)
from digitnn_fast.kernels.augment import distort

ROWS = PIXELS + 1 + CLASSES
AHEAD = 6  # images to fetch early: their order is random, and memory 100 ns away
ZERO = np.float32(0)


@helper
def see_images(thread, threads, images, order, first, last, key, limits, padded, fields, seen, slot):
    """Stage 1: this thread's share of a block's images, distorted, to seen[slot]; zeros where there is no image."""
    for i in range(BLOCK * thread // threads, BLOCK * (thread + 1) // threads):
        if first + i + AHEAD < order.size:
            prefetch_image(images, order[first + i + AHEAD])
        row = slot * BLOCK + i
        if first + i >= last:
            for pixel in range(PIXELS):
                seen[row, pixel] = 0
        elif limits.size > 0:
            distort(images, order[first + i], np.uint64(key), limits, padded[thread], fields[thread], seen, row)
        else:
            copy_image(images, order[first + i], seen, row)


@helper
def forward_tile(weights, tile, outgoing, size, places, values, spans, hidden, logits):
    """ReLU(image @ W1 + b1) of one tile for each image of the block, and the tile's share of the logits."""
    base = tile * ROWS * TILE
    for i in range(size):
        a0 = a1 = c0 = c1 = splat(ZERO)
        k = spans[i]
        end = spans[i + 1]
        while k + 1 < end:  # two pixels at a time: one chain of sums would wait for itself
            row = base + place_at(places, k) * TILE
            x = splat_at(values, k)
            a0 = fma(x, load(weights, row), a0)
            a1 = fma(x, load(weights, row + 16), a1)
            row = base + place_at(places, k + 1) * TILE
            x = splat_at(values, k + 1)
            c0 = fma(x, load(weights, row), c0)
            c1 = fma(x, load(weights, row + 16), c1)
            k += 2
        if k < end:
            row = base + place_at(places, k) * TILE
            x = splat_at(values, k)
            a0 = fma(x, load(weights, row), a0)
            a1 = fma(x, load(weights, row + 16), a1)
        h = (tile * BLOCK + i) * TILE
        store(hidden, h, relu(add(a0, c0)))
        store(hidden, h + 16, relu(add(a1, c1)))
        z0 = z1 = splat(ZERO)
        for unit in range(0, TILE, 2):
            z0 = fma(splat_at(hidden, h + unit), load(outgoing, (tile * TILE + unit) * 16), z0)
            z1 = fma(splat_at(hidden, h + unit + 1), load(outgoing, (tile * TILE + unit + 1) * 16), z1)
        store(logits, (tile * BLOCK + i) * 16, add(z0, z1))


@helper
def backward_tile(
    optimizer,
    weights,
    moments,
    squares,
    gradients,
    tile,
    outgoing,
    size,
    rows,
    values,
    spans,
    hidden,
    errors,
    deltas,
    rates,
    block,
):
    """Learn from the block: one tile's gradient, and its step."""
    base = tile * ROWS * TILE
    output = base + (PIXELS + 1) * TILE
    for i in range(size):  # deltas: the errors of the hidden units
        for half in range(0, TILE, 16):
            d = splat(ZERO)
            for c in range(CLASSES):
                d = fma(splat_at(errors, i * 16 + c), load(weights, output + c * TILE + half), d)
            store(deltas, i * TILE + half, where_positive(load(hidden, (tile * BLOCK + i) * TILE + half), d))
    for pixel in range(PIXELS + 1):
        g0 = g1 = e0 = e1 = splat(ZERO)
        k = spans[pixel]
        end = spans[pixel + 1]
        while k + 1 < end:
            row = place_at(rows, k) * TILE
            x = splat_at(values, k)
            g0 = fma(x, load(deltas, row), g0)
            g1 = fma(x, load(deltas, row + 16), g1)
            row = place_at(rows, k + 1) * TILE
            x = splat_at(values, k + 1)
            e0 = fma(x, load(deltas, row), e0)
            e1 = fma(x, load(deltas, row + 16), e1)
            k += 2
        if k < end:
            row = place_at(rows, k) * TILE
            x = splat_at(values, k)
            g0 = fma(x, load(deltas, row), g0)
            g1 = fma(x, load(deltas, row + 16), g1)
        at = base + pixel * TILE
        learn(optimizer, weights, moments, squares, gradients, at, add(g0, e0), rates, block)
        learn(optimizer, weights, moments, squares, gradients, at + 16, add(g1, e1), rates, block)
    for c in range(0, CLASSES, 2):  # two outputs at a time, for four chains
        g0 = g1 = e0 = e1 = splat(ZERO)
        for i in range(size):
            h0 = load(hidden, (tile * BLOCK + i) * TILE)
            h1 = load(hidden, (tile * BLOCK + i) * TILE + 16)
            x = splat_at(errors, i * 16 + c)
            g0 = fma(x, h0, g0)
            g1 = fma(x, h1, g1)
            x = splat_at(errors, i * 16 + c + 1)
            e0 = fma(x, h0, e0)
            e1 = fma(x, h1, e1)
        at = output + c * TILE
        learn(optimizer, weights, moments, squares, gradients, at, g0, rates, block)
        learn(optimizer, weights, moments, squares, gradients, at + 16, g1, rates, block)
        learn(optimizer, weights, moments, squares, gradients, at + TILE, e0, rates, block)
        learn(optimizer, weights, moments, squares, gradients, at + TILE + 16, e1, rates, block)
    for unit in range(TILE):
        for c in range(CLASSES):
            outgoing[(tile * TILE + unit) * 16 + c] = weights[output + c * TILE + unit]


def epoch(
    thread,
    threads,
    optimizer,
    images,
    labels,
    order,
    starts,
    rates,
    key,
    limits,
    weights,
    moments,
    squares,
    gradients,
    outgoing,
    output_bias,
    meetings,
    padded,
    fields,
    seen,
    turned,
    bytes_,
    places,
    values,
    spans,
    rows,
    pixels,
    pixel_spans,
    hidden,
    logits,
    errors,
    deltas,
    margins,
    sums,
):
    """Learn from the images in this order, block k being order[starts[k]:starts[k + 1]]; how many were right.

    rates (blocks, 9), see `descent.Schedule`, says how to step after each block. margins and sums (n,) receive
    what each image's loss needs, log(sum) - margin; everything else is scratch or state.
    """
    blocks = starts.size - 1
    tiles = weights.size // (ROWS * TILE)
    right = 0
    for block in range(-1, blocks):
        if block + 1 < blocks:
            see_images(
                thread,
                threads,
                images,
                order,
                starts[block + 1],
                starts[block + 2],
                key,
                limits,
                padded,
                fields,
                seen,
                (block + 1) % 2,
            )
        if block >= 0:
            size = starts[block + 1] - starts[block]
            if thread < tiles:
                list_images(size, seen, block % 2, places[thread], values[thread], bytes_[thread], spans[thread])
                list_pixels(
                    size,
                    seen,
                    block % 2,
                    turned[thread],
                    rows[thread],
                    pixels[thread],
                    bytes_[thread],
                    pixel_spans[thread],
                )
            for tile in range(thread, tiles, threads):
                forward_tile(
                    weights,
                    tile,
                    outgoing,
                    size,
                    places[thread],
                    values[thread],
                    spans[thread],
                    hidden,
                    logits[block % 2],
                )
        if not wait_for_all(meetings, (block + 2) * threads):
            return -1
        if block >= 0:
            right += output_errors(
                thread,
                starts[block],
                size,
                tiles,
                output_bias[0],
                logits[block % 2],
                labels,
                order,
                rates[block, 6],
                rates[block, 8],
                errors[thread],
                margins,
                sums,
            )
            for tile in range(thread, tiles, threads):
                backward_tile(
                    optimizer,
                    weights,
                    moments,
                    squares,
                    gradients,
                    tile,
                    outgoing,
                    size,
                    rows[thread],
                    pixels[thread],
                    pixel_spans[thread],
                    hidden,
                    errors[thread],
                    deltas[thread],
                    rates,
                    block,
                )
            g = splat(ZERO)
            for i in range(size):
                g = add(g, load(errors[thread], i * 16))
            learn(
                optimizer, output_bias[0], output_bias[1], output_bias[2], output_bias[3], thread * 16, g, rates, block
            )
    return right
