"""Kaggle's files in, submission.csv out, with pandas and NumPy: the usual script, written with care.

Mini-batches of 128, Adam with a rate that falls along a cosine, float32, and the same distortions as ours:
without them it does not come near our accuracy.
It stops as soon as the rows held out are predicted with the accuracy that is asked for.

Usage: submit_pandas_numpy.py TRAIN TEST OUT ACCURACY EPOCHS THREADS
"""

from __future__ import annotations

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = sys.argv[6]  # both are read at import

import numpy as np
import pandas as pd

HIDDEN, BATCH, RATE, BETA1, BETA2, HELDOUT = 64, 128, 0.008, 0.9, 0.999, 0.1


def distorted(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The images, each turned, scaled, sheared and moved at random, as digitnn-fast does it; bilinear."""
    n = len(images)
    turn, grow, shear = (random.uniform(-limit, limit, n).astype("f4") for limit in (0.2, 0.12, 0.12))
    across, down = random.uniform(-1.5, 1.5, (2, n, 1)).astype("f4") + np.float32(13.5)
    x, y = (
        axis.ravel() - np.float32(13.5) for axis in np.meshgrid(np.arange(28, dtype="f4"), np.arange(28, dtype="f4"))
    )
    size = (1 + grow)[:, None]
    u = np.clip(size * x + (shear - turn)[:, None] * y + across, -1, 27.999)
    v = np.clip(turn[:, None] * x + size * y + down, -1, 27.999)
    left, top = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    u -= left
    v -= top
    padded = np.pad(images.reshape(n, 28, 28), ((0, 0), (1, 1), (1, 1))).ravel()
    at = (top + 1) * 30 + left + 1 + np.arange(n, dtype=np.int32)[:, None] * 900
    above = padded[at] * (1 - u) + padded[at + 1] * u
    below = padded[at + 30] * (1 - u) + padded[at + 31] * u
    return above * (1 - v) + below * v


def forward(weights: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    W1, b1, W2, b2 = weights
    hidden = x @ W1
    hidden += b1
    np.maximum(hidden, 0, out=hidden)
    logits = hidden @ W2
    logits += b2
    return hidden, logits


def gradients(weights: list[np.ndarray], x: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    hidden, logits = forward(weights, x)
    errors = np.exp(logits - logits.max(axis=1, keepdims=True))
    errors /= errors.sum(axis=1, keepdims=True)
    errors[np.arange(len(labels)), labels] -= 1
    errors /= np.float32(len(labels))
    deltas = errors @ weights[2].T
    deltas *= hidden > 0
    return [x.T @ deltas, deltas.sum(axis=0), hidden.T @ errors, errors.sum(axis=0)]


def main(train: str, test: str, out: str, accuracy: float, epochs: int) -> None:
    random = np.random.default_rng(0)
    table = pd.read_csv(train, dtype=np.uint8).to_numpy()
    order = np.random.default_rng((0, 1)).permutation(len(table))  # the rows that digitnn-fast holds out with seed 0
    cut = round(len(table) * HELDOUT)
    heldout, learned = table[order[:cut]], table[order[cut:]]
    heldout_x = heldout[:, 1:] * np.float32(1 / 255)
    images, labels = learned[:, 1:] * np.float32(1 / 255), learned[:, 0].astype(np.int64)

    shapes = [(784, HIDDEN), (HIDDEN,), (HIDDEN, 10), (10,)]
    weights = [
        random.normal(0, np.sqrt(2 / shape[0]), shape).astype(np.float32) if len(shape) == 2 else np.zeros(shape, "f4")
        for shape in shapes
    ]
    means, squares = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    steps, step, reached, epoch = epochs * -(-len(images) // BATCH), 0, 0.0, 0
    while epoch < epochs and reached < accuracy:
        epoch += 1
        order = random.permutation(len(images))
        for start in range(0, len(images), BATCH):
            rows = order[start : start + BATCH]
            step += 1
            rate = RATE * (1 + np.cos(np.pi * (step - 1) / steps)) / 2
            rate = np.float32(rate * np.sqrt(1 - BETA2**step) / (1 - BETA1**step))
            for w, m, v, g in zip(
                weights, means, squares, gradients(weights, distorted(images[rows], random), labels[rows]), strict=True
            ):
                m *= BETA1
                m += (1 - BETA1) * g
                v *= BETA2
                g *= g
                g *= 1 - BETA2
                v += g
                w -= rate * m / (np.sqrt(v) + 1e-8)
        reached = float((forward(weights, heldout_x)[1].argmax(axis=1) == heldout[:, 0]).mean())

    pixels = pd.read_csv(test, dtype=np.uint8).to_numpy() * np.float32(1 / 255)
    digits = forward(weights, pixels)[1].argmax(axis=1)
    pd.DataFrame({"ImageId": np.arange(1, len(digits) + 1), "Label": digits}).to_csv(out, index=False)
    print(f"{reached:.6f} {epoch}")


if __name__ == "__main__":
    main(*sys.argv[1:4], float(sys.argv[4]), int(sys.argv[5]))
