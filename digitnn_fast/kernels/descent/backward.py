"""The gradient of one tile of 64 hidden units from one block of images, whose pixels listing.py has listed.

The nearest cache delivers one vector of 16 in the time of one multiply-add. So what is loaded should serve twice:
neighbouring pixels are learned in pairs, since most images that have one of them have the other one too.
"""

from digitnn_fast.kernels.layout import TILE
from digitnn_fast.kernels.layout import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.floats import add, fma, load, multiply, place_at, splat_at, store, where_positive
from digitnn_fast.sizes import CLASSES, PIXELS

PAIRS = PIXELS // 2
ROWS = PIXELS + 1 + CLASSES


@helper
def learn_outputs(hidden, base, errors, c, size, gradient, at):
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
        h = base + i * TILE
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
        a0 = load(gradient, row)
        a1 = load(gradient, row + 16)
        a2 = load(gradient, row + 32)
        a3 = load(gradient, row + 48)
        c0 = load(gradient, row + 64)
        c1 = load(gradient, row + 80)
        c2 = load(gradient, row + 96)
        c3 = load(gradient, row + 112)
        while k < spans[3 * pair + 1]:
            h = base + place_at(rows, k) * TILE
            h0 = load(hidden, h)
            h1 = load(hidden, h + 16)
            h2 = load(hidden, h + 32)
            h3 = load(hidden, h + 48)
            x = splat_at(levels, v)
            a0 = fma(x, h0, a0)
            a1 = fma(x, h1, a1)
            a2 = fma(x, h2, a2)
            a3 = fma(x, h3, a3)
            x = splat_at(levels, v + 1)
            c0 = fma(x, h0, c0)
            c1 = fma(x, h1, c1)
            c2 = fma(x, h2, c2)
            c3 = fma(x, h3, c3)
            k += 1
            v += 2
        while k < spans[3 * pair + 2]:
            h = base + place_at(rows, k) * TILE
            x = splat_at(levels, v)
            a0 = fma(x, load(hidden, h), a0)
            a1 = fma(x, load(hidden, h + 16), a1)
            a2 = fma(x, load(hidden, h + 32), a2)
            a3 = fma(x, load(hidden, h + 48), a3)
            k += 1
            v += 1
        while k < spans[3 * pair + 3]:
            h = base + place_at(rows, k) * TILE
            x = splat_at(levels, v)
            c0 = fma(x, load(hidden, h), c0)
            c1 = fma(x, load(hidden, h + 16), c1)
            c2 = fma(x, load(hidden, h + 32), c2)
            c3 = fma(x, load(hidden, h + 48), c3)
            k += 1
            v += 1
        store(gradient, row, a0)
        store(gradient, row + 16, a1)
        store(gradient, row + 32, a2)
        store(gradient, row + 48, a3)
        store(gradient, row + 64, c0)
        store(gradient, row + 80, c1)
        store(gradient, row + 96, c2)
        store(gradient, row + 112, c3)


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
