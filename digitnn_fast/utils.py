"""The small functions of the network by their classic names, in plain NumPy; rows are images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from digitnn_fast.sizes import CLASSES, MAX_HIDDEN, PIXELS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.floating[Any]]

# Weights start with variance GAIN / fan_in. 2, because ReLU silences half of what passes (He et al. 2015).
GAIN = 2.0


class Parameters(NamedTuple):
    """The network: W1 (784, H), b1 (H,), W2 (H, 10), b2 (10,); also the shape of its gradients."""

    W1: FloatArray
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray


def initialize_parameters(seed: int = 0, hidden: int = 64, deviation: float | None = None) -> Parameters:
    """Random W1 (784, H) and W2 (H, 10), zero b1 (H,) and b2 (10,); float32.

    Normal, with standard deviation `deviation`, or with variance GAIN / 784 and GAIN / H; drawn in this order
    from PCG64: the same seed gives the same bits. ValueError if `hidden` is not 1..65,536 or `seed` is negative.
    """
    if not 1 <= hidden <= MAX_HIDDEN:
        raise ValueError(f"hidden must be 1 to {MAX_HIDDEN:,}, got {hidden:,}")
    random = np.random.Generator(np.random.PCG64(seed))
    W1 = random.normal(0.0, deviation or np.sqrt(GAIN / PIXELS), (PIXELS, hidden))
    W2 = random.normal(0.0, deviation or np.sqrt(GAIN / hidden), (hidden, CLASSES))
    arrays = W1, np.zeros(hidden), W2, np.zeros(CLASSES)
    return Parameters(*(array.astype(np.float32) for array in arrays))


def check_labels(labels: ArrayLike, classes: int = CLASSES) -> NDArray[np.integer[Any]]:
    """`labels` as an integer array (n,); ValueError unless they are integers of 0..classes-1."""
    array = np.asarray(labels)
    if array.size == 0:  # an empty list becomes float64
        array = array.astype(np.uint8)
    if array.dtype == object and all(type(label) is int for label in array.flat):  # of pandas' nullable integers
        array = array.astype(np.int64)
    if array.ndim != 1:
        raise ValueError(f"labels must be one-dimensional, got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"labels must be integers, got {array.dtype}")
    wrong = (array < 0) | (array >= classes)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"labels must be 0 to {classes - 1}, got {array[row]} at index {row}")
    return array


def one_hot_encode(labels: ArrayLike, classes: int = CLASSES) -> NDArray[np.float64]:
    """Matrix (n, classes) with a 1 in the column of each label, for labels (n,).

    The width is `classes` whatever labels occur. ValueError for labels outside 0..classes-1 or not integers.
    """
    return np.asarray(np.eye(classes)[check_labels(labels, classes)])


def relu(z: ArrayLike) -> NDArray[Any]:
    """max(0, z), any shape, dtype kept; NaN stays NaN."""
    return np.maximum(z, 0)


def relu_derivative(z: ArrayLike) -> NDArray[Any]:
    """Slope of `relu` at z, any shape: 0 or 1, and 0 at z = 0 by convention; NaN stays NaN."""
    return np.heaviside(z, 0)


def softmax(logits: ArrayLike) -> NDArray[Any]:
    """Probabilities (..., K) of logits (..., K): exp(z_k) / sum over the last axis.

    Each row is shifted by its own maximum, which cancels out: exp cannot overflow and each sum is at least 1.
    """
    array = np.asarray(logits)
    array = array.astype(np.result_type(array, np.float32), copy=False)  # uint8 logits would wrap around
    powers = np.exp(array - array.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def get_predictions(probabilities: ArrayLike) -> NDArray[np.intp]:
    """Digits (n,) with the highest probability (n, 10), or logit; the lowest digit of a tie."""
    return np.asarray(np.argmax(probabilities, axis=-1))


def get_accuracy(predictions: ArrayLike, labels: ArrayLike) -> float:
    """Share 0..1 of predictions (n,) that equal labels (n,); NaN of none, ValueError if shapes differ."""
    predicted, true = np.asarray(predictions), np.asarray(labels)
    if predicted.shape != true.shape:
        raise ValueError(f"predictions and labels differ in shape: {predicted.shape} and {true.shape}")
    return float(np.mean(predicted == true)) if true.size else float("nan")
