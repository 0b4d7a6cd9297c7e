"""What mini-batch and full-batch descent share: the errors of the outputs, the optimizers' step, and how threads meet."""

import numpy as np

from digitnn_fast.kernels.layout import ADAM
from digitnn_fast.kernels.layout import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.floats import (
    add,
    atomic_add,
    atomic_load,
    divide,
    drop_tiny,
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
def output_errors(thread, first, size, tiles, b2, logits, examples, scale, smooth, errors, loss):
    """(probabilities - targets) * scale of the block's images; what the loss needs; right ones counted.

    smooth: scale times what the target of each class is if it is not the label.
    """
    right = 0
    for i in range(size):
        z = load(b2, thread * 16)
        for tile in range(tiles):
            z = add(z, load(logits, (tile * BLOCK + i) * 16))
        label = np.int64(examples.labels[examples.order[first + i]])
        highest = max_lane(z)
        right += find_lane(z, highest) == label
        powers = exp(add(z, splat(-highest)))
        total = sum_lanes(powers)
        store(errors, i * 16, z)
        if thread == 0:
            loss.margins[first + i] = errors[i * 16 + label] - highest
            loss.sums[first + i] = total
        store(errors, i * 16, fma(divide(powers, splat(total)), splat(scale), splat(-smooth)))
        errors[i * 16 + label] -= scale - TEN * smooth
    return right


@helper
def descend(optimizer, state, at, gradient, rates, block):
    """Take the step for the 16 weights at a flat index of a `State`, by the `Rates` of a block."""
    decay = rates.decay[block]
    if optimizer == ADAM:
        second_decay = rates.second_decay[block]
        m = fma(splat(ONE - decay), gradient, multiply(splat(decay), load(state.moments, at)))
        grown = multiply(splat(ONE - second_decay), multiply(gradient, gradient))
        v = fma(splat(second_decay), load(state.squares, at), grown)
        store(state.squares, at, drop_tiny(v))
        step = divide(m, fma(square_root(v), splat(rates.correction[block]), splat(np.float32(1e-8))))
    else:
        m = fma(splat(decay), load(state.moments, at), gradient)
        step = m
    store(state.moments, at, drop_tiny(m))
    kept = multiply(splat(rates.kept[block]), load(state.weights, at))
    store(state.weights, at, fma(splat(-rates.step_size[block]), step, kept))


@helper
def learn(optimizer, state, gradients, at, gradient, rates, block):
    """Add up the gradients of the batch's blocks; with the last one, descend."""
    if rates.goes_on[block] > 0:
        gradient = add(gradient, load(gradients, at))
    if rates.ends[block] > 0:
        descend(optimizer, state, at, gradient, rates, block)
    else:
        store(gradients, at, gradient)


@helper
def wait_for_all(meeting, expected):
    """Until every thread has come here, `expected` times in all; whether they did: not if one of them says stop."""
    atomic_add(meeting.arrived, 0, 1)
    turns = 0
    while atomic_load(meeting.arrived, 0) < expected:
        if atomic_load(meeting.stop, 0) != 0:
            return False
        turns += 1
        if turns > 10_000:  # some 10 microseconds: the others may be waiting for this CPU
            give_way()
    return True
