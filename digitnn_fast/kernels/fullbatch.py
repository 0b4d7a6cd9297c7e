"""One epoch of full-batch descent; its specification is `reference.backward`.

The images are the same in every epoch, so `list_blocks` lists their pixels once for a whole training. Hidden units are
taken in tiles of 64, images in blocks of 128: a block's hidden units, which become their errors in place, and its lists
are read forward and backward while the nearest caches hold them.

Blocks are shared out in a number of parts that depends on the images alone. Whichever thread takes a part adds up its
gradient, and at the end the parts are added in their order: the result has the same bits for any number of threads.

A tile is one array of 795 rows of 64, as in training.py; so is its gradient.
"""

import numpy as np

from digitnn_fast.kernels import CLASSES, FULL_BATCH_TILE, PIXELS
from digitnn_fast.kernels import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels._jit import helper
from digitnn_fast.kernels._learning import descend, output_errors, wait_for_all
from digitnn_fast.kernels._lists import copy_image, list_bands, list_pixels
from digitnn_fast.kernels._simd import (
    add,
    atomic_add,
    fma,
    load,
    place_at,
    relu,
    splat,
    splat_at,
    store,
    where_positive,
)

ROWS = PIXELS + 1 + CLASSES
TILE = FULL_BATCH_TILE
ZERO = np.float32(0)


def list_blocks(taken, images, offsets, seen, turned, bytes_, places, values, spans, rows, levels, pixel_spans):
    """List all blocks of images (n, 784): block k from offsets[k] on. taken (1,), 0 at first, counts those begun.

    places, values: the non-zero pixels of each image, in bands between spans (blocks, 257); rows, levels: the images in
    which each pixel is not zero, between pixel_spans (blocks, 786). seen, turned, bytes_ are the thread's scratch.
    """
    n = images.shape[0]
    block = atomic_add(taken, 0, 1)
    while block < spans.shape[0]:
        size = min(BLOCK, n - block * BLOCK)
        for i in range(size):
            copy_image(images, block * BLOCK + i, seen, i)
        for i in range(size, BLOCK):
            for pixel in range(PIXELS):
                seen[i, pixel] = 0
        at, end = offsets[block], offsets[block + 1]
        list_bands(size, seen, places[at:end], values[at:end], bytes_, spans[block])
        list_pixels(size, seen, 0, turned, rows[at:end], levels[at:end], bytes_, pixel_spans[block])
        block = atomic_add(taken, 0, 1)


@helper
def add_rows(table, base, places, values, k, end, out, at):
    """out[at : at + 64] += value * row for the listed rows of 64, two at a time: 8 chains of sums hide the latency."""
    a0 = load(out, at)
    a1 = load(out, at + 16)
    a2 = load(out, at + 32)
    a3 = load(out, at + 48)
    c0 = c1 = c2 = c3 = splat(ZERO)
    while k + 1 < end:
        row = base + place_at(places, k) * TILE
        x = splat_at(values, k)
        a0 = fma(x, load(table, row), a0)
        a1 = fma(x, load(table, row + 16), a1)
        a2 = fma(x, load(table, row + 32), a2)
        a3 = fma(x, load(table, row + 48), a3)
        row = base + place_at(places, k + 1) * TILE
        x = splat_at(values, k + 1)
        c0 = fma(x, load(table, row), c0)
        c1 = fma(x, load(table, row + 16), c1)
        c2 = fma(x, load(table, row + 32), c2)
        c3 = fma(x, load(table, row + 48), c3)
        k += 2
    if k < end:
        row = base + place_at(places, k) * TILE
        x = splat_at(values, k)
        a0 = fma(x, load(table, row), a0)
        a1 = fma(x, load(table, row + 16), a1)
        a2 = fma(x, load(table, row + 32), a2)
        a3 = fma(x, load(table, row + 48), a3)
    store(out, at, add(a0, c0))
    store(out, at + 16, add(a1, c1))
    store(out, at + 32, add(a2, c2))
    store(out, at + 48, add(a3, c3))


@helper
def forward_tile(weights, tile, outgoing, size, places, values, spans, hidden, logits):
    """ReLU(image @ W1 + b1) of one tile for each image of the block; its share is added to the logits."""
    base = tile * ROWS * TILE
    for i in range(size):
        h = (tile * BLOCK + i) * TILE
        for unit in range(0, TILE, 16):
            store(hidden, h + unit, load(weights, base + PIXELS * TILE + unit))
        add_rows(weights, base, places, values, spans[2 * i], spans[2 * i + 1], hidden, h)
    for i in range(size):
        h = (tile * BLOCK + i) * TILE
        add_rows(weights, base, places, values, spans[2 * i + 1], spans[2 * i + 2], hidden, h)
        for unit in range(h, h + TILE, 16):
            store(hidden, unit, relu(load(hidden, unit)))
    for i in range(0, size, 4):
        add_logits(hidden, tile, i, outgoing, logits)


@helper
def add_logits(hidden, tile, i, outgoing, logits):
    """logits += hidden @ W2 for one tile and four images, whose four chains hide the latency."""
    h = (tile * BLOCK + i) * TILE
    z0 = load(logits, i * 16)
    z1 = load(logits, i * 16 + 16)
    z2 = load(logits, i * 16 + 32)
    z3 = load(logits, i * 16 + 48)
    for unit in range(TILE):
        w = load(outgoing, (tile * TILE + unit) * 16)
        z0 = fma(splat_at(hidden, h + unit), w, z0)
        z1 = fma(splat_at(hidden, h + TILE + unit), w, z1)
        z2 = fma(splat_at(hidden, h + 2 * TILE + unit), w, z2)
        z3 = fma(splat_at(hidden, h + 3 * TILE + unit), w, z3)
    store(logits, i * 16, z0)
    store(logits, i * 16 + 16, z1)
    store(logits, i * 16 + 32, z2)
    store(logits, i * 16 + 48, z3)


@helper
def learn_outputs(hidden, tile, errors, c, size, gradient, at):
    """gradient += hidden.T @ errors for one tile and two digits: eight chains."""
    a0 = load(gradient, at)
    a1 = load(gradient, at + 16)
    a2 = load(gradient, at + 32)
    a3 = load(gradient, at + 48)
    c0 = load(gradient, at + 64)
    c1 = load(gradient, at + 80)
    c2 = load(gradient, at + 96)
    c3 = load(gradient, at + 112)
    for i in range(size):
        h = (tile * BLOCK + i) * TILE
        h0 = load(hidden, h)
        h1 = load(hidden, h + 16)
        h2 = load(hidden, h + 32)
        h3 = load(hidden, h + 48)
        x = splat_at(errors, i * 16 + c)
        a0 = fma(x, h0, a0)
        a1 = fma(x, h1, a1)
        a2 = fma(x, h2, a2)
        a3 = fma(x, h3, a3)
        x = splat_at(errors, i * 16 + c + 1)
        c0 = fma(x, h0, c0)
        c1 = fma(x, h1, c1)
        c2 = fma(x, h2, c2)
        c3 = fma(x, h3, c3)
    store(gradient, at, a0)
    store(gradient, at + 16, a1)
    store(gradient, at + 32, a2)
    store(gradient, at + 48, a3)
    store(gradient, at + 64, c0)
    store(gradient, at + 80, c1)
    store(gradient, at + 96, c2)
    store(gradient, at + 112, c3)


@helper
def backward_tile(weights, tile, size, rows, levels, spans, hidden, errors, gradient):
    """Add the block's share of one tile's gradient; its hidden units become their errors."""
    base = tile * ROWS * TILE
    output = base + (PIXELS + 1) * TILE
    for c in range(0, CLASSES, 2):
        learn_outputs(hidden, tile, errors, c, size, gradient, output + c * TILE)
    for i in range(size):
        for unit in range(0, TILE, 16):
            d = splat(ZERO)
            for c in range(CLASSES):
                d = fma(splat_at(errors, i * 16 + c), load(weights, output + c * TILE + unit), d)
            at = (tile * BLOCK + i) * TILE + unit
            store(hidden, at, where_positive(load(hidden, at), d))
    for pixel in range(PIXELS + 1):
        first, last = spans[pixel], spans[pixel + 1]
        if first < last:
            add_rows(hidden, tile * BLOCK * TILE, rows, levels, first, last, gradient, base + pixel * TILE)


@helper
def spread_outgoing(weights, tiles, outgoing):
    """W2 in rows of 16, as the logits want it."""
    for tile in range(tiles):
        output = (tile * ROWS + PIXELS + 1) * TILE
        for unit in range(TILE):
            for c in range(CLASSES):
                outgoing[(tile * TILE + unit) * 16 + c] = weights[output + c * TILE + unit]


@helper
def descend_all(thread, threads, optimizer, weights, moments, squares, gradients, rates):
    """Add up the parts' gradients and step: this thread's share of the weights."""
    vectors = gradients.shape[1] // 16
    for vector in range(vectors * thread // threads, vectors * (thread + 1) // threads):
        g = load(gradients, vector * 16)
        for part in range(1, gradients.shape[0]):
            g = add(g, load(gradients, (part * vectors + vector) * 16))
        descend(optimizer, weights, moments, squares, vector * 16, g, rates, rates.shape[0] - 1)


def epoch(
    thread,
    threads,
    optimizer,
    labels,
    order,
    rates,
    offsets,
    places,
    values,
    spans,
    rows,
    levels,
    pixel_spans,
    weights,
    moments,
    squares,
    output_bias,
    gradients,
    bias_gradients,
    meetings,
    outgoing,
    hidden,
    logits,
    errors,
    margins,
    sums,
):
    """Learn once from the images that `list_blocks` listed; how many this thread found right.

    The last row of rates (blocks, 9), see `descent.Schedule`, says how to step. meetings (3,), 0 at first: threads that
    are done with their parts; whether to stop; parts that were taken. order (n,) is 0, 1, ...: the labels' own.
    """
    blocks, parts, tiles = spans.shape[0], gradients.shape[0], weights.size // (ROWS * TILE)
    last = rates.shape[0] - 1
    right = 0
    spread_outgoing(weights, tiles, outgoing[thread])
    part = atomic_add(meetings, 2, 1)
    while part < parts:
        gradient = gradients[part]
        for k in range(0, gradient.size, 16):
            store(gradient, k, splat(ZERO))
        g = splat(ZERO)
        for block in range(blocks * part // parts, blocks * (part + 1) // parts):
            first = block * BLOCK
            size = min(BLOCK, labels.size - first)
            at, end = offsets[block], offsets[block + 1]
            for i in range(size):
                store(logits[thread], i * 16, splat(ZERO))
            for tile in range(tiles):
                forward_tile(
                    weights,
                    tile,
                    outgoing[thread],
                    size,
                    places[at:end],
                    values[at:end],
                    spans[block],
                    hidden[thread],
                    logits[thread],
                )
            right += output_errors(
                0,
                first,
                size,
                1,
                output_bias[0],
                logits[thread],
                labels,
                order,
                rates[last, 6],
                rates[last, 8],
                errors[thread],
                margins,
                sums,
            )
            for tile in range(tiles):
                backward_tile(
                    weights,
                    tile,
                    size,
                    rows[at:end],
                    levels[at:end],
                    pixel_spans[block],
                    hidden[thread],
                    errors[thread],
                    gradient,
                )
            for i in range(size):
                g = add(g, load(errors[thread], i * 16))
        store(bias_gradients, part * 16, g)
        part = atomic_add(meetings, 2, 1)
    if not wait_for_all(meetings, threads):
        return -1
    descend_all(thread, threads, optimizer, weights, moments, squares, gradients, rates)
    if thread == 0:
        descend_all(0, 1, optimizer, output_bias[0], output_bias[1], output_bias[2], bias_gradients, rates)
    return right
