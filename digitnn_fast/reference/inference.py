"""The forward pass in plain float64 NumPy.

Images are (n, 784) in 0..255, and the kernels have to agree with what is written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from digitnn_fast.sizes import PIXEL_SCALE
from digitnn_fast.utils import Parameters, relu, softmax

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]


class Activations(NamedTuple):
    """What a forward pass computes: hidden (n, H), logits (n, 10), probabilities (n, 10); float64."""

    hidden: FloatArray
    logits: FloatArray
    probabilities: FloatArray


def forward(parameters: Parameters, images: ArrayLike) -> Activations:
    """Activations (n, H), (n, 10), (n, 10) of images (n, 784); float64 whatever the parameters are.

    Images are what the network sees, levels 0..255 of its own preprocessing: `digitnn_fast.preprocessing.prepare`
    makes them. ValueError of NumPy for other shapes.

    >>> from digitnn_fast.utils import initialize_parameters
    >>> hidden, logits, probabilities = forward(initialize_parameters(hidden=8), np.zeros((2, 784)))
    >>> hidden.shape, probabilities[0].tolist()
    ((2, 8), [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    """
    W1, b1, W2, b2 = (np.asarray(array, np.float64) for array in parameters)
    x = np.asarray(images, np.float64) * PIXEL_SCALE
    hidden = relu(x @ W1 + b1)
    logits = hidden @ W2 + b2
    return Activations(hidden, logits, softmax(logits))
