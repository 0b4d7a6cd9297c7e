"""Training by the reference alone, in NumPy and float64."""

import numpy as np

from digitnn_fast import reference
from digitnn_fast.kernels.layout import ADAM, MOMENTUM
from digitnn_fast.sample import load_sample
from digitnn_fast.training.recipes import Distortion, Recipe
from digitnn_fast.utils import Parameters, get_accuracy, get_predictions

SAMPLE = load_sample()
IMAGES, LABELS = SAMPLE.train_images[:300], SAMPLE.train_labels[:300]
# Distorted Adam in ragged batches of two blocks: whatever the recipe `fast` does, in little.
SMALL = Recipe("small", "", 40, 3, 0.008, batch=150, adam=True, distortion=Distortion(0.1, 0.07, 0.07, 1.0, 2.0))


def zeros_like(parameters):
    return Parameters(*(np.zeros(array.shape) for array in parameters))


class GradientDescent:
    """The reference's optimizers behind one door: step(parameters, gradients), with a state of their own."""

    kernel, decay = MOMENTUM, 0.0

    def __init__(self, parameters, recipe, steps):
        self.recipe, self.steps, self.taken = recipe, steps, 0
        self.velocity = zeros_like(parameters)

    def step(self, parameters, gradients):
        rate = self.recipe.learning_rate
        parameters, self.velocity = reference.momentum_step(parameters, gradients, self.velocity, rate, self.decay)
        return parameters


class Adam(GradientDescent):
    kernel = ADAM

    def __init__(self, parameters, recipe, steps):
        super().__init__(parameters, recipe, steps)
        self.moments = reference.Moments(zeros_like(parameters), zeros_like(parameters))

    def step(self, parameters, gradients):
        self.taken += 1
        rate = reference.cosine_rate(self.taken, self.steps, self.recipe.learning_rate)
        parameters, self.moments = reference.adam_step(
            parameters, gradients, self.moments, self.taken, rate, weight_decay=self.recipe.weight_decay
        )
        return parameters


def reference_epoch(optimizer, parameters, images, labels, order):
    """Parameters after one epoch, and the loss and accuracy that were met on the way."""
    loss = right = 0.0
    batch, smoothing = optimizer.recipe.batch or len(order), optimizer.recipe.smoothing
    for rows in np.split(order, range(batch, len(order), batch)):
        probabilities = reference.forward(parameters, images[rows]).probabilities
        loss += reference.cross_entropy(probabilities, labels[rows]) * len(rows)
        right += get_accuracy(get_predictions(probabilities), labels[rows]) * len(rows)
        gradients = reference.backward(parameters, images[rows], labels[rows], smoothing)
        parameters = optimizer.step(parameters, gradients)
    return parameters, loss / len(order), right / len(order)


def differences(got, wanted):
    assert all(np.isfinite(array).all() for array in got)
    return np.concatenate([np.abs(a - b).ravel() for a, b in zip(got, wanted, strict=True)])
