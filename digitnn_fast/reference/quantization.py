"""The network in integers: uint8 pixels, int8 weights, int32 sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from digitnn_fast.sizes import PIXEL_SCALE, SIDE
from digitnn_fast.utils import Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXEL, MAX_INT16, MAX_INT32 = 255, 2**15 - 1, 2**31 - 1
LARGEST = {8: 127, 4: 7, 2: 3}  # weight in W1, by its bits


class QuantizedParameters(NamedTuple):
    """W1 int8 (784, H), b1 int32 (H,), W2 int16 (H, 10), b2 int32 (10,).

    hidden = max(0, pixels @ W1 + b1) >> shift fits in 16 bits; logits = hidden @ W2 + b2 are in units of `scale`.
    """

    W1: NDArray[np.int8]
    b1: NDArray[np.int32]
    W2: NDArray[np.int16]
    b2: NDArray[np.int32]
    shift: int
    scale: float


def quantize(parameters: Parameters, bits: int = 8) -> QuantizedParameters:
    """The parameters in integers that no image can make overflow, W1 in so many bits: 8, 4 or 2.

    Each hidden unit has a scale of its own, at which its largest weight is 127, 7 or 3 (as in gemmlowp and QNNPACK);
    W2 takes it up again, so that all logits share one. Biases beyond a billion times such a weight are cut off.
    With 2 bits a weight is -3, -1, 1 or 3, for four values say more than three, but 0 outside `rectangle`.
    """
    W1, b1, W2, b2 = (np.asarray(array, np.float64) for array in parameters)
    unit = np.maximum(np.abs(W1).max(axis=0), np.finfo(np.float32).tiny) / LARGEST[bits]
    first = np.rint(W1 / unit).astype(np.int8) if bits > 2 else _odd(W1 / unit)
    # A sum is at most 255 * 784 * 127 = 2**24.6, and its bias takes what int32 leaves.
    bias = np.clip(np.rint(b1 / (unit * PIXEL_SCALE)), -(2**30), 2**30).astype(np.int32)
    highest = np.maximum(0, MAX_PIXEL * np.maximum(first, 0).sum(axis=0, dtype=np.int64) + bias)
    shift = max(0, int(highest.max()).bit_length() - 15)

    second = W2 * (unit * PIXEL_SCALE * 2.0**shift)[:, None]
    reach = ((highest >> shift)[:, None] * np.abs(second)).sum(axis=0) + np.abs(b2)
    # 2 spare: rounding may add half a unit to each of the weights.
    spare = MAX_INT32 - int((highest >> shift).sum()) - 2
    scale = max(float(np.abs(second).max()) / MAX_INT16, float(reach.max()) / spare, float(np.finfo(np.float32).tiny))
    return QuantizedParameters(
        first, bias, np.rint(second / scale).astype(np.int16), np.rint(b2 / scale).astype(np.int32), shift, scale
    )


def _odd(weights: NDArray[np.float64]) -> NDArray[np.int8]:
    """-3, -1, 1 or 3, whichever is nearest to weights (784, H) of at most 3; 0 where no pixel has any."""
    top, bottom, left, right = rectangle(np.asarray(weights.any(axis=1)))
    inside = np.zeros((SIDE, SIDE, 1), bool)
    inside[top:bottom, left:right] = True
    return np.where(inside.reshape(-1, 1), np.clip(2 * np.floor(weights / 2) + 1, -3, 3), 0).astype(np.int8)


def rectangle(pixels: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the smallest rectangle around those of (784,) that are true, or of one pixel."""
    grid = pixels.reshape(SIDE, SIDE)
    (top, bottom), (left, right) = (
        (int(edge[0]), int(edge[-1]) + 1) if len(edge) else (0, 1)
        for edge in (np.flatnonzero(grid.any(axis=axis)) for axis in (1, 0))
    )
    return top, bottom, left, right


OCTAVE = 64  # parts of a power of two in `softmax_uint8`


def octave_factor(scale: float) -> tuple[int, int]:
    """Factor and shift that turn a difference of logits into powers of two, each in OCTAVE parts."""
    parts = scale * OCTAVE / np.log(2)
    shift = int(np.clip(32 - np.frexp(parts)[1], 0, 63))
    return min(round(parts * 2.0**shift), 2**32 - 1), shift


def octave_powers() -> NDArray[np.uint32]:
    """(64,): 32768 * 2**(-k / 64)."""
    return np.rint(2.0 ** (15 - np.arange(OCTAVE) / OCTAVE)).astype(np.uint32)
