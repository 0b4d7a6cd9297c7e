"""One epoch of full-batch descent; its specification is `reference.backward`.

The images are the same in every epoch, so their pixels are listed once for a whole training: see listing.py. Hidden
units are taken in tiles of 64, images in blocks of 128: a block's hidden units, which become their errors in place, and
its lists are read forward and backward while the nearest caches hold them.

Blocks are shared out in a number of parts that depends on the images alone. Whichever thread takes a part adds up its
gradient, and at the end the parts are added in their order: the result has the same bits for any number of threads.

A tile is one array of 795 rows of 64, as in training.py; so is its gradient.
"""

import numpy as np

from digitnn_fast.kernels import CLASSES, PIXELS, TILE
from digitnn_fast.kernels import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels._backward import ROWS, backward_tile
from digitnn_fast.kernels._jit import helper
from digitnn_fast.kernels._learning import descend, output_errors, wait_for_all
from digitnn_fast.kernels._simd import add, atomic_add, load, relu, splat, store
from digitnn_fast.kernels.inference import add_hidden, add_pixels

ZERO = np.float32(0)


@helper
def forward_tile(weights, tile, outgoing, size, places, values, spans, hidden, logits):
    """ReLU(image @ W1 + b1) of one tile for each image of the block; its share is added to the logits."""
    base = tile * ROWS * TILE
    for i in range(size):
        h = (tile * BLOCK + i) * TILE
        for unit in range(0, TILE, 16):
            store(hidden, h + unit, load(weights, base + PIXELS * TILE + unit))
        add_pixels(weights, base, places, values, spans[2 * i], spans[2 * i + 1], hidden, tile * BLOCK + i)
    for i in range(size):
        h = (tile * BLOCK + i) * TILE
        add_pixels(weights, base, places, values, spans[2 * i + 1], spans[2 * i + 2], hidden, tile * BLOCK + i)
        for unit in range(h, h + TILE, 16):
            store(hidden, unit, relu(load(hidden, unit)))
    for i in range(0, size, 4):
        add_hidden(hidden[tile * BLOCK * TILE :], i, outgoing, tile, logits)


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
    pair_spans,
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
                    pair_spans[block],
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
