"""The forward pass in integers: the same numbers on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.reference.quantization import OCTAVE, octave_factor, octave_powers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from digitnn_fast.reference.quantization import QuantizedParameters


def forward_int8(quantized: QuantizedParameters, images: ArrayLike) -> NDArray[np.int32]:
    """Logits (n, 10) of images (n, 784), uint8; exact integers on every machine: no sum leaves int32.

    In units of `quantized.scale`. Images are what the network sees, as in `forward`.

    >>> from digitnn_fast.reference.quantization import quantize
    >>> from digitnn_fast.utils import initialize_parameters
    >>> logits = forward_int8(quantize(initialize_parameters(hidden=8)), np.zeros((2, 784), np.uint8))
    >>> logits.dtype, logits.shape
    (dtype('int32'), (2, 10))
    """
    W1, b1, W2, b2, shift, _ = quantized
    hidden = np.maximum(_product(images, W1) + b1, 0) >> shift
    return _product(hidden, W2) + b2


def _product(a: ArrayLike, b: ArrayLike) -> NDArray[np.int32]:
    """The matrix product of integers, through float64: exact below 2**53; NumPy's own takes 36 times as long."""
    return np.asarray((np.asarray(a, np.float64) @ np.asarray(b, np.float64)).astype(np.int32))


def softmax_uint8(logits: NDArray[np.int32], scale: float) -> NDArray[np.uint8]:
    """Probabilities (n, 10) of logits (n, 10) in units of `scale`, 255 is certain; exact integers on every machine.

    Each is off by 2/255 at most: powers of two from a table, cut off after 15 bits.

    >>> softmax_uint8(np.array([[0, 0, *[-9000] * 8]], np.int32), scale=0.01).tolist()
    [[128, 128, 0, 0, 0, 0, 0, 0, 0, 0]]
    """
    factor, shift = octave_factor(scale)
    below = (logits.max(axis=1, keepdims=True).astype(np.int64) - logits).astype(np.uint64)
    parts = np.minimum(below * np.uint64(factor) >> np.uint64(shift), 16 * OCTAVE).astype(np.int64)
    shares = octave_powers()[parts % OCTAVE] >> (parts // OCTAVE)
    total = shares.sum(axis=1, keepdims=True)
    return np.asarray((shares * 255 + total // 2) // total).astype(np.uint8)
