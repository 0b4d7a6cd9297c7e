"""Images and networks that try every corner: widths, sparse and dense images, weights far apart."""

import numpy as np

from digitnn_fast import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import Parameters, initialize_parameters

WIDTHS = 1, 10, 16, 63, 64, 65, 100, 200, 1024
DIGITS = load_sample().train_images
RANDOM = np.random.default_rng(0)
SPARSE = (RANDOM.integers(0, 256, (301, 784)) * (RANDOM.random((301, 784)) < 0.2)).astype(np.uint8)
SINGLE = np.diag(RANDOM.integers(1, 256, 784)).astype(np.uint8)  # one pixel at each of the 784 places
SPECIAL = np.concatenate([SPARSE[:50], SINGLE, np.zeros((1, 784), np.uint8), np.full((3, 784), 255, np.uint8)])

IMAGES = {
    "sparse": SPARSE,
    "dense": RANDOM.integers(1, 256, (70, 784)).astype(np.uint8),
    "digits": DIGITS[:500],
    "empty": DIGITS[:0],
    "one": DIGITS[:1],
    "zero": np.zeros((5, 784), np.uint8),
    "255": np.full((5, 784), 255, np.uint8),
    "single pixels": SINGLE,
    "large": np.concatenate([DIGITS, SPARSE]),
}


def make(hidden=64, gain=1.0):
    """A random network; with gain 1 its logits are some units apart."""
    W1, b1, W2, b2 = initialize_parameters(hidden, hidden)
    random = np.random.default_rng(hidden)
    b1, b2 = (random.normal(0, 0.3, array.shape).astype(np.float32) for array in (b1, b2))
    return Network(W1, b1, W2 * np.float32(gain), b2)


EXTREMES = {
    "one unit far above the others": Parameters(
        np.where(np.arange(8) == 3, 1e6, 1e-3) * np.ones((784, 8)), np.zeros(8), np.eye(8, 10), np.zeros(10)
    ),
    "all positive": Parameters(np.ones((784, 4)), np.full(4, 1e3), np.ones((4, 10)), np.arange(10.0)),
    "biases that dwarf the weights": Parameters(
        np.full((784, 4), 1e-6), np.float64([-1e6, 1e6, 1, 0]), np.eye(4, 10), np.full(10, -1e6)
    ),
    "zeros": Parameters(np.zeros((784, 4)), np.zeros(4), np.zeros((4, 10)), np.zeros(10)),
}


def pictures(density):
    """Random pixels, some images with few of them, some with many, anywhere up to the border."""
    random = np.random.default_rng(5)
    levels = random.integers(0, 256, (200, 784))
    return np.where(random.random((200, 784)) < density ** random.integers(1, 5, (200, 1)), levels, 0).astype(np.uint8)


HOSTILE = {
    "black": np.zeros((1, 784), np.uint8),
    "white": np.full((1, 784), 255, np.uint8),
    "one pixel": np.eye(784, dtype=np.uint8) * 255,
    "one dark pixel": np.eye(784, dtype=np.uint8),
    "one row": np.eye(28, dtype=np.uint8).repeat(28, axis=1) * 9,
    "two pixels": (np.eye(784) + np.eye(784)[::-1]).astype(np.uint8) * 255,
    "sparse": pictures(0.1),
    "dense": pictures(0.9),
    "digits": load_sample().test_images[:200],
}
