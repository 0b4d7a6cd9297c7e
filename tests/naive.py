"""The independent oracle: the network in `for` loops and `math`, importing nothing of the package.

One image at a time, as nested lists: W1[pixel][unit], b1[unit], W2[unit][digit], b2[digit], pixels 0..255.
"""

import math


def relu(z):
    return z if z > 0 else 0.0


def softmax(logits):
    largest = max(logits)
    powers = [math.exp(logit - largest) for logit in logits]
    return [power / math.fsum(powers) for power in powers]


def affine(inputs, weights, biases):
    return [
        math.fsum([bias, *(value * row[unit] for value, row in zip(inputs, weights, strict=True))])
        for unit, bias in enumerate(biases)
    ]


def forward(W1, b1, W2, b2, pixels):
    """Hidden values (H), logits (10) and probabilities (10) of one image (784)."""
    hidden = [relu(z) for z in affine([pixel / 255 for pixel in pixels], W1, b1)]
    logits = affine(hidden, W2, b2)
    return hidden, logits, softmax(logits)


def predict(probabilities):
    """The most probable digit, the lowest of a tie."""
    return max(range(len(probabilities)), key=lambda digit: (probabilities[digit], -digit))


def loss(W1, b1, W2, b2, images, labels):
    """Mean cross-entropy in nats."""
    losses = [
        -math.log(forward(W1, b1, W2, b2, pixels)[2][label]) for pixels, label in zip(images, labels, strict=True)
    ]
    return math.fsum(losses) / len(losses)


def slope(function, values, index, step=1e-5):
    """Central difference of `function()` in values[index], which is put back."""
    middle = values[index]
    values[index] = middle + step
    above = function()
    values[index] = middle - step
    below = function()
    values[index] = middle
    return (above - below) / (2 * step)
