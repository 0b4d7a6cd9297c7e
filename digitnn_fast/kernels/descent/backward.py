"""The gradient of one tile of 64 hidden units from one block of images, whose pixels listing.py has listed.

The nearest cache delivers one vector of 16 in the time of one multiply-add. So what is loaded should serve twice:
neighbouring pixels are learned in pairs, since most images that have one of them have the other one too.
"""

from digitnn_fast.kernels.layout import TILE
from digitnn_fast.kernels.layout import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.floats import add, fma, load, multiply, place_at, splat_at, store, where_positive
from digitnn_fast.kernels.vectors.fours import fma_four, load_four, store_four
from digitnn_fast.sizes import CLASSES, PIXELS

PAIRS = PIXELS // 2
ROWS = PIXELS + 1 + CLASSES


@helper
def learn_outputs(hidden, base, errors, c, size, gradient, at):
    """gradient += hidden.T @ errors for one tile and two digits: eight chains."""
    left, right = load_four(gradient, at), load_four(gradient, at + TILE)
    for i in range(size):
        units = load_four(hidden, base + i * TILE)
        left = fma_four(splat_at(errors, i * 16 + c), units, left)
        right = fma_four(splat_at(errors, i * 16 + c + 1), units, right)
    store_four(gradient, at, left)
    store_four(gradient, at + TILE, right)


@helper
def hidden_errors(weights, output, size, errors, hidden, at, gradient, bias):
    """Replace 16 hidden units of each image by their errors, and add these up: the gradient of b1."""
    w0 = load(weights, output)
    w1 = load(weights, output + TILE)
    w2 = load(weights, output + 2 * TILE)
    w3 = load(weights, output + 3 * TILE)
    w4 = load(weights, output + 4 * TILE)
    w5 = load(weights, output + 5 * TILE)
    w6 = load(weights, output + 6 * TILE)
    w7 = load(weights, output + 7 * TILE)
    w8 = load(weights, output + 8 * TILE)
    w9 = load(weights, output + 9 * TILE)
    total = load(gradient, bias)
    for i in range(size):
        e = i * 16
        d = multiply(splat_at(errors, e), w0)
        d = fma(splat_at(errors, e + 1), w1, d)
        d = fma(splat_at(errors, e + 2), w2, d)
        d = fma(splat_at(errors, e + 3), w3, d)
        d = fma(splat_at(errors, e + 4), w4, d)
        d = fma(splat_at(errors, e + 5), w5, d)
        d = fma(splat_at(errors, e + 6), w6, d)
        d = fma(splat_at(errors, e + 7), w7, d)
        d = fma(splat_at(errors, e + 8), w8, d)
        d = fma(splat_at(errors, e + 9), w9, d)
        d = where_positive(load(hidden, at + i * TILE), d)
        store(hidden, at + i * TILE, d)
        total = add(total, d)
    store(gradient, bias, total)


@helper
def learn_pairs(hidden, base, rows, levels, spans, gradient, at):
    """gradient += images.T @ errors for one tile, two pixels at a time: what they share is loaded once."""
    k = v = 0
    for pair in range(PAIRS):
        if spans[3 * pair] == spans[3 * pair + 3]:
            continue
        row = at + 2 * pair * TILE
        left, right = load_four(gradient, row), load_four(gradient, row + TILE)
        while k < spans[3 * pair + 1]:
            units = load_four(hidden, base + place_at(rows, k) * TILE)
            left = fma_four(splat_at(levels, v), units, left)
            right = fma_four(splat_at(levels, v + 1), units, right)
            k += 1
            v += 2
        while k < spans[3 * pair + 2]:
            left = fma_four(splat_at(levels, v), load_four(hidden, base + place_at(rows, k) * TILE), left)
            k += 1
            v += 1
        while k < spans[3 * pair + 3]:
            right = fma_four(splat_at(levels, v), load_four(hidden, base + place_at(rows, k) * TILE), right)
            k += 1
            v += 1
        store_four(gradient, row, left)
        store_four(gradient, row + TILE, right)


@helper
def backward_tile(weights, tile, size, rows, levels, spans, hidden, errors, gradient):
    """Add the block's share of one tile's gradient; its hidden units become their errors."""
    base = tile * ROWS * TILE
    bias, output = base + PIXELS * TILE, base + (PIXELS + 1) * TILE
    at = tile * BLOCK * TILE
    for c in range(0, CLASSES, 2):
        learn_outputs(hidden, at, errors, c, size, gradient, output + c * TILE)
    for unit in range(0, TILE, 16):
        hidden_errors(weights, output + unit, size, errors, hidden, at + unit, gradient, bias + unit)
    learn_pairs(hidden, at, rows, levels, spans, gradient, base)
