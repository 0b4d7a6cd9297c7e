"""Loss, back-propagation and descent in plain float64 NumPy.

Images are (n, 784) in 0..255, labels (n,), and the kernels have to agree with what is written here.
Method: Rumelhart, Hinton, Williams 1986, with ReLU units, softmax and cross-entropy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from digitnn_fast.reference.inference import forward
from digitnn_fast.sizes import CLASSES, PIXEL_SCALE
from digitnn_fast.utils import Parameters, one_hot_encode, relu_derivative

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike


def cross_entropy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean of -ln(probability of the label) over probabilities (n, 10) and labels (n,), in nats; NaN of none.

    A probability that underflowed to 0 counts as 2.2e-308, the smallest normal float64: its loss is 708.
    ValueError for labels that are no integers 0..9.

    >>> round(cross_entropy(np.full((3, 10), 0.1), [7, 0, 4]), 3)  # ln 10
    2.303
    """
    p = np.maximum(np.asarray(probabilities, np.float64), np.finfo(np.float64).tiny)
    losses = -np.sum(one_hot_encode(labels) * np.log(p), axis=1)
    return float(losses.mean()) if losses.size else float("nan")


def backward(parameters: Parameters, images: ArrayLike, labels: ArrayLike, smoothing: float = 0.0) -> Parameters:
    """Gradients of the cross-entropy, shaped as the parameters, of images (n, 784) and labels (n,).

    `smoothing` is the share of each label that is spread evenly over all ten digits (Szegedy et al. 2016).

    >>> from digitnn_fast.utils import initialize_parameters
    >>> gradients = backward(initialize_parameters(hidden=8), np.zeros((2, 784)), [3, 3])
    >>> gradients.W1.shape, gradients.b2.round(1).tolist()
    ((784, 8), [0.1, 0.1, 0.1, -0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    """
    hidden, _, probabilities = forward(parameters, images)
    x = np.asarray(images, np.float64) * PIXEL_SCALE
    targets = (1 - smoothing) * one_hot_encode(labels) + smoothing / CLASSES
    d_logits = (probabilities - targets) / len(x)
    d_hidden = (d_logits @ parameters.W2.T) * relu_derivative(hidden)  # hidden > 0 where its input is
    return Parameters(x.T @ d_hidden, d_hidden.sum(axis=0), hidden.T @ d_logits, d_logits.sum(axis=0))


def gradient_descent_step(parameters: Parameters, gradients: Parameters, learning_rate: float) -> Parameters:
    """New parameters: each array minus learning_rate times its gradient; the old ones are not changed.

    >>> ones = Parameters(*[np.ones(2)] * 4)
    >>> gradient_descent_step(ones, ones, learning_rate=0.25).b1.tolist()
    [0.75, 0.75]
    """
    pairs = zip(parameters, gradients, strict=True)
    return Parameters(*(array - learning_rate * gradient for array, gradient in pairs))


def momentum_step(
    parameters: Parameters, gradients: Parameters, velocity: Parameters, learning_rate: float, decay: float
) -> tuple[Parameters, Parameters]:
    """New parameters and velocity: velocity = decay * velocity + gradient, then a step against it; start at 0.

    >>> ones = Parameters(*[np.ones(2)] * 4)
    >>> parameters, velocity = momentum_step(ones, ones, velocity=ones, learning_rate=0.25, decay=0.5)
    >>> parameters.b1.tolist(), velocity.b1.tolist()
    ([0.625, 0.625], [1.5, 1.5])
    """
    pairs = zip(velocity, gradients, strict=True)
    velocity = Parameters(*(decay * old + gradient for old, gradient in pairs))
    return gradient_descent_step(parameters, velocity, learning_rate), velocity


class Moments(NamedTuple):
    """Adam's running means of the gradients and of their squares, each shaped as the parameters; both start at 0."""

    means: Parameters
    squares: Parameters


def adam_step(
    parameters: Parameters,
    gradients: Parameters,
    moments: Moments,
    step: int,
    learning_rate: float,
    decays: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
) -> tuple[Parameters, Moments]:
    """New parameters and moments after step 1, 2, ...: Kingma and Ba 2015, algorithm 1, with epsilon 1e-8.

    Before a step each parameter shrinks by learning_rate * weight_decay of itself (Loshchilov and Hutter 2019).

    >>> ones, none = (Parameters(*[np.full(2, value)] * 4) for value in (1.0, 0.0))
    >>> parameters, moments = adam_step(ones, ones, Moments(none, none), step=1, learning_rate=0.25)
    >>> parameters.b1.round(6).tolist()
    [0.75, 0.75]
    """
    decay, slow = decays
    after = []
    for array, g, m, v in zip(parameters, gradients, moments.means, moments.squares, strict=True):
        mean = decay * m + (1 - decay) * g
        square = slow * v + (1 - slow) * g * g
        direction = (mean / (1 - decay**step)) / (np.sqrt(square / (1 - slow**step)) + 1e-8)
        kept = array * (1 - learning_rate * weight_decay)
        after.append((kept - learning_rate * direction, mean, square))
    parameters, means, squares = (Parameters(*arrays) for arrays in zip(*after, strict=True))
    return parameters, Moments(means, squares)


def cosine_rate(step: int, steps: int, highest: float, warmup: float = 0.02) -> float:
    """Learning rate of step 1 to `steps`: up to `highest` during the share `warmup`, then half a cosine down to 0.

    >>> [round(cosine_rate(step, 100, highest=0.1), 3) for step in (1, 2, 51, 100)]
    [0.05, 0.1, 0.05, 0.0]
    """
    return float(highest * min(1, step / (warmup * steps)) * (1 + np.cos(np.pi * (step - 1) / steps)) / 2)


def train(
    parameters: Parameters,
    images: ArrayLike,
    labels: ArrayLike,
    epochs: int,
    learning_rate: float,
    on_epoch: Callable[[int, Parameters], None] | None = None,
) -> Parameters:
    """Parameters after full-batch gradient descent on images (n, 784), labels (n,): the recipe `seed`.

    `on_epoch(epoch, parameters)` is called after each step, with epoch 1, 2, ... Images are levels 0..255 that the
    network sees. ValueError for labels that are no integers 0..9.

    >>> from digitnn_fast.sample import load_sample
    >>> from digitnn_fast.utils import initialize_parameters
    >>> digits = load_sample()
    >>> images, labels = digits.train_images[:100], digits.train_labels[:100]
    >>> trained = train(initialize_parameters(hidden=8), images, labels, epochs=20, learning_rate=0.5)
    >>> cross_entropy(forward(trained, images).probabilities, labels) < 2.3
    True
    """
    for epoch in range(1, epochs + 1):
        gradients = backward(parameters, images, labels)
        parameters = gradient_descent_step(parameters, gradients, learning_rate)
        if on_epoch is not None:
            on_epoch(epoch, parameters)
    return parameters
