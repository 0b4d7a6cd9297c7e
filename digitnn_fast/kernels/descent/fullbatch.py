"""One epoch of full-batch descent; its specification is `reference.backward`.

The images are the same in every epoch, so their pixels are listed once for a whole training: see listing.py. Hidden
units are taken in tiles of 64, images in blocks of 128: a block's hidden units, which become their errors in place, and
its lists are read forward and backward while the nearest caches hold them.

Blocks are shared out in a number of parts that depends on the images alone. Whichever thread takes a part adds up its
gradient, and at the end the parts are added in their order: the result has the same bits for any number of threads.

A tile is one array of 795 rows of 64, as in minibatch.py; so is its gradient.
"""

import numpy as np

from digitnn_fast.kernels.descent.backward import ROWS, backward_tile
from digitnn_fast.kernels.descent.learning import descend, output_errors, wait_for_all
from digitnn_fast.kernels.inference import add_hidden, add_pixels
from digitnn_fast.kernels.layout import BANDS, TILE
from digitnn_fast.kernels.layout import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.floats import add, atomic_add, load, relu, splat, store
from digitnn_fast.sizes import CLASSES, PIXELS

ZERO = np.float32(0)


@helper
def forward_tile(weights, tile, outgoing, size, places, values, spans, hidden, logits):
    """ReLU(image @ W1 + b1) of one tile for each image of the block; its share is added to the logits."""
    base = tile * ROWS * TILE
    for i in range(size):
        h = (tile * BLOCK + i) * TILE
        for unit in range(0, TILE, 16):
            store(hidden, h + unit, load(weights, base + PIXELS * TILE + unit))
    for band in range(BANDS):
        for i in range(size):
            at = BANDS * i + band
            add_pixels(weights, base, places, values, spans[at], spans[at + 1], hidden, tile * BLOCK + i)
    for unit in range(tile * BLOCK * TILE, (tile * BLOCK + size) * TILE, 16):
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
def descend_all(thread, threads, optimizer, state, gradients, rates):
    """Add up the parts' gradients and step: this thread's share of the weights."""
    vectors = gradients.shape[1] // 16
    for vector in range(vectors * thread // threads, vectors * (thread + 1) // threads):
        g = load(gradients, vector * 16)
        for part in range(1, gradients.shape[0]):
            g = add(g, load(gradients, (part * vectors + vector) * 16))
        descend(optimizer, state, vector * 16, g, rates, rates.scale.size - 1)


@helper
def learn_block(thread, block, examples, rates, lists, state, bias, gradient, scratch, loss):
    """Add a block's gradient to its part's; how many images of it are right."""
    hidden, logits, errors = scratch.hidden[thread], scratch.logits[thread], scratch.errors[thread]
    outgoing, weights, last = scratch.outgoing[thread], state.weights, rates.scale.size - 1
    tiles, first = weights.size // (ROWS * TILE), block * BLOCK
    size = min(BLOCK, examples.labels.size - first)
    at, end = lists.offsets[block], lists.offsets[block + 1]
    places, values, spans = lists.places[at:end], lists.values[at:end], lists.spans[block]
    rows, levels, pair_spans = lists.rows[at:end], lists.levels[at:end], lists.pair_spans[block]
    for i in range(size):
        store(logits, i * 16, splat(ZERO))
    for tile in range(tiles):
        forward_tile(weights, tile, outgoing, size, places, values, spans, hidden, logits)
    right = output_errors(
        0, first, size, 1, bias.weights, logits, examples, rates.scale[last], rates.smooth[last], errors, loss
    )
    for tile in range(tiles):
        backward_tile(weights, tile, size, rows, levels, pair_spans, hidden, errors, gradient)
    return right


def epoch(worker, examples, rates, lists, state, bias, parts, meeting, scratch, loss):
    """Learn once from the images that `list_blocks` listed, by the last of the rates; how many this thread found right.

    See `arguments`: Worker, Examples, Rates, Lists, State, Parts, Meeting, FullBatchScratch and Loss. `bias` is the
    `State` of the outputs. examples.order is 0, 1, ...: the labels' own. `loss` is filled.
    """
    thread, threads, optimizer = worker
    blocks, count = lists.spans.shape[0], parts.gradients.shape[0]
    errors = scratch.errors[thread]
    right = 0
    spread_outgoing(state.weights, state.weights.size // (ROWS * TILE), scratch.outgoing[thread])
    part = atomic_add(meeting.taken, 0, 1)
    while part < count:
        gradient = parts.gradients[part]
        for k in range(0, gradient.size, 16):
            store(gradient, k, splat(ZERO))
        g = splat(ZERO)
        for block in range(blocks * part // count, blocks * (part + 1) // count):
            right += learn_block(thread, block, examples, rates, lists, state, bias, gradient, scratch, loss)
            for i in range(min(BLOCK, examples.labels.size - block * BLOCK)):
                g = add(g, load(errors, i * 16))
        store(parts.bias_gradients, part * 16, g)
        part = atomic_add(meeting.taken, 0, 1)
    if not wait_for_all(meeting, threads):
        return -1
    descend_all(thread, threads, optimizer, state, parts.gradients, rates)
    if thread == 0:
        descend_all(0, 1, optimizer, bias, parts.bias_gradients, rates)
    return right
