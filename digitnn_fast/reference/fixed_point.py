"""Weights in fixed point: int16, in steps of a power of two, one for each hidden unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.reference.quantization import MAX_INT16, MAX_INT32, MAX_PIXEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BITS = 15  # of a weight, without its sign
LEAST = -100  # exponent of a unit's largest weight; below, what is 2**-LEAST times a weight could become infinite
AT_ONCE = 1024  # units: a wide network needs no second copy of its weights


def fixed_point(W1: Floats) -> Floats:
    """W1 (784, H), rounded to the nearest multiples of each unit's step."""
    rounded = np.empty_like(W1)
    for first in range(0, W1.shape[1], AT_ONCE):
        own = slice(first, first + AT_ONCE)
        exponents, steps = _in_finest_steps(W1[:, own])
        rounded[:, own] = steps * _power(exponents - BITS)
    return rounded


def exponents_of(W1: Floats) -> NDArray[np.int32] | None:
    """(H,): the weights of W1 (784, H) are int16 multiples of 2**(exponent - 15); None if they are no such multiples.

    They are those for which no sum over an image's levels, 0 to 255, leaves int32.
    """
    found = []
    for first in range(0, W1.shape[1], AT_ONCE):
        own = W1[:, first : first + AT_ONCE]
        exponents, steps = _in_finest_steps(own)
        if not np.array_equal(steps * _power(exponents - BITS), own):
            return None
        found.append(exponents)
    return np.concatenate(found)


def in_steps(W1: Floats, exponents: NDArray[np.int32]) -> Floats:
    """W1 (784, H) in steps of 2**(exponent - 15), rounded to whole ones."""
    return np.asarray(np.rint(W1 * _power(BITS - exponents)))


def _power(exponents: NDArray[np.int32]) -> Floats:
    return np.asarray(np.ldexp(np.float32(1), exponents))


def _in_finest_steps(W1: Floats) -> tuple[NDArray[np.int32], Floats]:
    """The least exponents (H,), and W1 in these steps: 15 bits for the largest weight, less if all of them are much."""
    exponents: NDArray[np.int32] = np.maximum(np.frexp(np.abs(W1).max(axis=0))[1], LEAST)
    while True:
        steps = in_steps(W1, exponents)
        size = np.abs(steps)
        over = (size.max(axis=0) > MAX_INT16) | (MAX_PIXEL * size.sum(axis=0, dtype=np.float64) > MAX_INT32)
        if not over.any():
            return exponents, steps
        exponents += over
