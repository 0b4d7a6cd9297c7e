"""What mini-batch and full-batch descent share: the errors of the outputs, the optimizers' step, and how threads meet."""

import numpy as np

from digitnn_fast.kernels import ADAM
from digitnn_fast.kernels import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels._jit import helper
from digitnn_fast.kernels._simd import (
    add,
    atomic_add,
    atomic_load,
    divide,
    exp,
    find_lane,
    fma,
    give_way,
    load,
    max_lane,
    multiply,
    splat,
    square_root,
    store,
    sum_lanes,
)

ZERO, ONE, TEN = np.float32(0), np.float32(1), np.float32(10)


@helper
def output_errors(thread, first, size, tiles, b2, logits, labels, order, scale, smooth, errors, margins, sums):
    """(probabilities - targets) * scale of the block's images; what the loss needs; right ones counted.

    smooth: scale times what the target of each class is if it is not the label.
    """
    right = 0
    for i in range(size):
        z = load(b2, thread * 16)
        for tile in range(tiles):
            z = add(z, load(logits, (tile * BLOCK + i) * 16))
        label = np.int64(labels[order[first + i]])
        highest = max_lane(z)
        right += find_lane(z, highest) == label
        powers = exp(add(z, splat(-highest)))
        total = sum_lanes(powers)
        store(errors, i * 16, z)
        if thread == 0:
            margins[first + i] = errors[i * 16 + label] - highest
            sums[first + i] = total
        store(errors, i * 16, fma(divide(powers, splat(total)), splat(scale), splat(-smooth)))
        errors[i * 16 + label] -= scale - TEN * smooth
    return right


@helper
def descend(optimizer, weights, moments, squares, at, gradient, rates, block):
    """Take the step for 16 weights. rates: step size, decay, second decay, correction of the squares, ..., kept share."""
    decay = rates[block, 1]
    if optimizer == ADAM:
        m = fma(splat(ONE - decay), gradient, multiply(splat(decay), load(moments, at)))
        grown = multiply(splat(ONE - rates[block, 2]), multiply(gradient, gradient))
        v = fma(splat(rates[block, 2]), load(squares, at), grown)
        store(squares, at, v)
        step = divide(m, fma(square_root(v), splat(rates[block, 3]), splat(np.float32(1e-8))))
    else:
        m = fma(splat(decay), load(moments, at), gradient)
        step = m
    store(moments, at, m)
    store(weights, at, fma(splat(-rates[block, 0]), step, multiply(splat(rates[block, 7]), load(weights, at))))


@helper
def learn(optimizer, weights, moments, squares, gradients, at, gradient, rates, block):
    """Add up the gradients of the batch's blocks; with the last one, descend."""
    if rates[block, 4] > 0:  # not the batch's first block
        gradient = add(gradient, load(gradients, at))
    if rates[block, 5] > 0:  # the last
        descend(optimizer, weights, moments, squares, at, gradient, rates, block)
    else:
        store(gradients, at, gradient)


@helper
def wait_for_all(meetings, expected):
    """Until every thread has come here, `expected` times in all; whether they did: not if meetings[1] says stop."""
    atomic_add(meetings, 0, 1)
    turns = 0
    while atomic_load(meetings, 0) < expected:
        if atomic_load(meetings, 1) != 0:
            return False
        turns += 1
        if turns > 10_000:  # some 10 microseconds: the others may be waiting for this CPU
            give_way()
    return True
