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

from digitnn_fast.kernels.descent.learning import learn, output_errors, wait_for_all
from digitnn_fast.kernels.distortion import distort
from digitnn_fast.kernels.layout import BANDS
from digitnn_fast.kernels.layout import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels.layout import TRAINING_TILE as TILE
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.nonzero import copy_image, list_images, list_pixels, prefetch_image
from digitnn_fast.kernels.vectors.floats import add, fma, load, place_at, relu, splat, splat_at, store, where_positive
from digitnn_fast.sizes import CLASSES, PIXELS

ROWS = PIXELS + 1 + CLASSES
AHEAD = 6  # images to fetch early: their order is random, and memory 100 ns away
ZERO = np.float32(0)


@helper
def see_images(worker, examples, block, distortion, scratch):
    """Stage 1: this thread's share of a block's images, distorted, to its half of `seen`; zeros where there is none."""
    thread, threads, _ = worker
    images, order, seen, limits = examples.images, examples.order, scratch.seen, distortion.limits
    first, last = examples.starts[block], examples.starts[block + 1]
    for i in range(BLOCK * thread // threads, BLOCK * (thread + 1) // threads):
        if first + i + AHEAD < order.size:
            prefetch_image(images, order[first + i + AHEAD])
        row = block % 2 * BLOCK + i
        if first + i >= last:
            for pixel in range(PIXELS):
                seen[row, pixel] = 0
        elif limits.size > 0:
            padded, field = scratch.padded[thread], scratch.fields[thread]
            distort(images, order[first + i], np.uint64(distortion.key), limits, padded, field, seen, row)
        else:
            copy_image(images, order[first + i], seen, row)


@helper
def forward_tile(weights, tile, size, scratch, thread, logits):
    """ReLU(image @ W1 + b1) of one tile for each image of the block, and the tile's share of the logits."""
    places, values, spans = scratch.places[thread], scratch.values[thread], scratch.spans[thread]
    hidden, others, outgoing = scratch.hidden, scratch.deltas[thread], scratch.outgoing
    base = tile * ROWS * TILE
    for band in range(BANDS):  # whose weights the first-level cache holds
        for i in range(size):
            h = (tile * BLOCK + i) * TILE
            a0 = a1 = c0 = c1 = splat(ZERO)
            if band > 0:
                a0, a1 = load(hidden, h), load(hidden, h + 16)
                c0, c1 = load(others, i * TILE), load(others, i * TILE + 16)
            k = spans[BANDS * i + band]
            end = spans[BANDS * i + band + 1]
            if k < end and (k - spans[BANDS * i]) % 2 == 1:  # every other pixel of an image belongs to c
                row = base + place_at(places, k) * TILE
                x = splat_at(values, k)
                c0 = fma(x, load(weights, row), c0)
                c1 = fma(x, load(weights, row + 16), c1)
                k += 1
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
            store(hidden, h, a0)
            store(hidden, h + 16, a1)
            store(others, i * TILE, c0)
            store(others, i * TILE + 16, c1)
    for i in range(size):
        h = (tile * BLOCK + i) * TILE
        store(hidden, h, relu(add(load(hidden, h), load(others, i * TILE))))
        store(hidden, h + 16, relu(add(load(hidden, h + 16), load(others, i * TILE + 16))))
        z0 = z1 = splat(ZERO)
        for unit in range(0, TILE, 2):
            z0 = fma(splat_at(hidden, h + unit), load(outgoing, (tile * TILE + unit) * 16), z0)
            z1 = fma(splat_at(hidden, h + unit + 1), load(outgoing, (tile * TILE + unit + 1) * 16), z1)
        store(logits, (tile * BLOCK + i) * 16, add(z0, z1))


@helper
def backward_tile(worker, state, tile, size, rates, block, scratch):
    """Learn from the block: one tile's gradient, and its step."""
    thread, _, optimizer = worker
    rows, values, spans = scratch.rows[thread], scratch.levels[thread], scratch.pixel_spans[thread]
    errors, deltas, hidden = scratch.errors[thread], scratch.deltas[thread], scratch.hidden
    weights, gradients, outgoing = state.weights, scratch.gradients, scratch.outgoing
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
        learn(optimizer, state, gradients, at, add(g0, e0), rates, block)
        learn(optimizer, state, gradients, at + 16, add(g1, e1), rates, block)
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
        learn(optimizer, state, gradients, at, g0, rates, block)
        learn(optimizer, state, gradients, at + 16, g1, rates, block)
        learn(optimizer, state, gradients, at + TILE, e0, rates, block)
        learn(optimizer, state, gradients, at + TILE + 16, e1, rates, block)
    for unit in range(TILE):
        for c in range(CLASSES):
            outgoing[(tile * TILE + unit) * 16 + c] = weights[output + c * TILE + unit]


@helper
def list_block(thread, size, block, scratch):
    """Stage 2: the block's pixels that are not zero, by image and by pixel."""
    seen, bytes_, slot = scratch.seen, scratch.bytes_[thread], block % 2
    list_images(size, seen, slot, scratch.places[thread], scratch.values[thread], bytes_, scratch.spans[thread])
    rows, levels, spans = scratch.rows[thread], scratch.levels[thread], scratch.pixel_spans[thread]
    list_pixels(size, seen, slot, scratch.turned[thread], rows, levels, bytes_, spans)


def epoch(worker, examples, rates, distortion, state, bias, meeting, scratch, loss):
    """Learn from the images in this order; how many were right. `bias` is the `State` of the outputs, one per thread.

    See `arguments`: Worker, Examples, Rates, Distortion, State, Meeting, EpochScratch and Loss. `loss` is filled; all
    threads share everything but their `worker`.
    """
    thread, threads, optimizer = worker
    starts = examples.starts
    blocks = starts.size - 1
    tiles = state.weights.size // (ROWS * TILE)
    errors = scratch.errors[thread]
    right = 0
    for block in range(-1, blocks):
        if block + 1 < blocks:
            see_images(worker, examples, block + 1, distortion, scratch)
        if block >= 0:
            size = starts[block + 1] - starts[block]
            logits = scratch.logits[block % 2]
            if thread < tiles:
                list_block(thread, size, block, scratch)
            for tile in range(thread, tiles, threads):
                forward_tile(state.weights, tile, size, scratch, thread, logits)
        if not wait_for_all(meeting, (block + 2) * threads):
            return -1
        if block >= 0:
            scale, smooth = rates.scale[block], rates.smooth[block]
            right += output_errors(
                thread, starts[block], size, tiles, bias.weights, logits, examples, scale, smooth, errors, loss
            )
            for tile in range(thread, tiles, threads):
                backward_tile(worker, state, tile, size, rates, block, scratch)
            g = splat(ZERO)
            for i in range(size):
                g = add(g, load(errors, i * 16))
            learn(optimizer, bias, scratch.bias_gradients, thread * 16, g, rates, block)
    return right
