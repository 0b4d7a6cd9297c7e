"""The specification, in plain NumPy. Every kernel has a twin here, in a file of the same name."""

from digitnn_fast.reference.inference import Activations, forward
from digitnn_fast.reference.int8 import forward_int8, softmax_uint8
from digitnn_fast.reference.learning import (
    Moments,
    adam_step,
    backward,
    cosine_rate,
    cross_entropy,
    gradient_descent_step,
    momentum_step,
    train,
)

CLOSE = 1e-5  # probabilities of the kernels, in float32, against these in float64

__all__ = [
    "CLOSE",
    "Activations",
    "Moments",
    "adam_step",
    "backward",
    "cosine_rate",
    "cross_entropy",
    "forward",
    "forward_int8",
    "gradient_descent_step",
    "momentum_step",
    "softmax_uint8",
    "train",
]
