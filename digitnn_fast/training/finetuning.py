"""Fine-tuning of a network whose W1 has to live in 4 or 2 bits, with the same kernels as all training.

Rounding a trained network to so few bits ruins it. So it goes on learning: each step runs on weights on the grid, and
what the step changes is added to float weights behind them (straight-through estimator: Bengio, Léonard, Courville
2013; for such weights Courbariaux, Bengio, David 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digitnn_fast.inputs import as_digits
from digitnn_fast.kernels.layout import ADAM
from digitnn_fast.network import Network, TrainingRecord, data_digest
from digitnn_fast.preprocessing import PREPROCESSINGS, picture_of, prepare, view_distorted
from digitnn_fast.reference.quantization import LARGEST
from digitnn_fast.sizes import PIXELS, SIDE
from digitnn_fast.threads import thread_count
from digitnn_fast.training.descent import Descent, Schedule
from digitnn_fast.training.loop import BETA1, BETA2, EpochReport
from digitnn_fast.training.recipes import RECIPES

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FineTuning:
    """How a network learns to live in so many bits."""

    bits: int
    steps: int
    learning_rate: float
    spared: float  # share of the training images' ink at the border whose weights become 0 and take no flash


BATCH = 256
WARMUP = 0.05  # share of the steps
CLIP = {4: 2.6, 2: 1.5}  # the largest weight, in root mean squares of its unit: what rounds normal weights best
FINE_TUNINGS = {
    tuning.bits: tuning for tuning in (FineTuning(4, 8_000, 0.002, 0.001), FineTuning(2, 20_000, 0.002, 0.001))
}


def fine_tune(
    network: Network,
    images: Any,
    labels: ArrayLike,
    bits: int,
    *,
    seed: int = 0,
    threads: int | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    tuning: FineTuning | None = None,
) -> Network:
    """A network whose W1 `quantize(parameters, bits)` keeps as it is; it learns from images (n, 784), labels (n,).

    Weights of the values at the border, which are hardly ever other than 0, are 0. The same network, images, labels and
    seed give the same result for any number of threads.
    """
    images, labels = as_digits(images, labels)
    chosen = tuning or FINE_TUNINGS[bits]
    pictures, seen = picture_of(images, network.preprocessing), prepare(images, network.preprocessing)
    grid = Grid(Descent(network.parameters, seen, labels, thread_count(threads)), seen, chosen)
    epochs = -(-chosen.steps // max(1, len(labels) // BATCH))
    history = []
    for epoch, losses in enumerate(_epochs(grid, pictures, network.preprocessing, seed), 1):
        history.append((*np.mean(losses, axis=0), np.nan, np.nan))
        if on_epoch is not None:
            on_epoch(EpochReport(epoch, epochs, *history[-1]))
    origin = network.training.recipe if network.training else "unknown"
    record = TrainingRecord(
        recipe=f"{origin}, fine-tuned to {bits} bits",
        seed=seed,
        data_digest=data_digest(images, labels),
        training_rows=len(labels),
        heldout_rows=0,
        heldout_accuracy=np.nan,
        history=np.array(history),
        settings={"bits": bits, "steps": chosen.steps, "learning_rate": chosen.learning_rate, "batch": BATCH},
    )
    return Network(*grid.descent.parameters(), network.preprocessing, record)


class Grid:
    """A network in training whose W1 lives on a grid, and the float weights behind it."""

    def __init__(self, descent: Descent, seen: NDArray[np.uint8], tuning: FineTuning) -> None:
        self.descent, self.tuning, self.steps = descent, tuning, 0
        self._inside = window(seen, tuning.spared)[:, None]
        self._W1 = descent.weights[:, :PIXELS]  # (tiles, 784, 32)
        self._behind = self._W1 * self._inside
        self._W1[...] = on_grid(self._behind, self._inside, tuning.bits)
        batch = min(BATCH, len(descent.labels))
        self._schedule = Schedule.of_batches(batch, batch)

    def batches(self, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """The rows of an epoch, in this order, a step at a time, until there have been enough steps."""
        batch = int(self._schedule.starts[-1])
        for first in range(0, len(order) - batch + 1, batch):
            if self.steps < self.tuning.steps:
                yield order[first : first + batch]

    def learn(
        self, rows: NDArray[np.int64], key: int = 0, within: NDArray[np.int64] | None = None
    ) -> tuple[float, float]:
        """One step; loss and accuracy as `Descent.epoch` has them."""
        self.steps += 1
        self._set_rates()
        before = self._W1.copy()
        figures = self.descent.epoch(ADAM, rows, self._schedule, key, within)
        self._behind += (self._W1 - before) * self._inside
        self._W1[...] = on_grid(self._behind, self._inside, self.tuning.bits)
        return figures

    def _set_rates(self) -> None:
        """Adam with a cosine, as `training` sets it, but without weight decay: weights on a grid can't shrink."""
        warm = min(1, self.steps / (WARMUP * self.tuning.steps))
        rate = self.tuning.learning_rate * warm * (1 + np.cos(np.pi * (self.steps - 1) / self.tuning.steps)) / 2
        rates = self._schedule.rates
        rates.step_size[:] = rate / (1 - BETA1**self.steps)
        rates.decay[:], rates.second_decay[:] = BETA1, BETA2
        rates.correction[:] = 1 / np.sqrt(1 - BETA2**self.steps)


def _epochs(
    grid: Grid, pictures: NDArray[np.uint8], preprocessing: str, seed: int
) -> Iterator[list[tuple[float, float]]]:
    """Loss and accuracy of each step, an epoch at a time; the last one may be short."""
    random, descent = np.random.default_rng((seed, 3)), grid.descent
    while grid.steps < grid.tuning.steps:
        order = random.permutation(len(descent.labels))
        within: NDArray[np.int64] | None = limits()
        if PREPROCESSINGS[preprocessing].view:
            key = int(random.integers(2**62))
            descent.images, within = view_distorted(pictures, preprocessing, key, limits(), descent.threads), None
        yield [grid.learn(rows, int(random.integers(2**62)), within) for rows in grid.batches(order)]


def limits() -> NDArray[np.int64]:
    """How far digits are distorted."""
    distortion = RECIPES["small"].distortion
    assert distortion is not None
    return distortion.limits()


def on_grid(weights: Floats, inside: NDArray[np.bool_], bits: int) -> Floats:
    """Weights (tiles, 784, units) on the grid of each unit: so many bits, and 0 outside.

    The largest weight of each unit is the largest of the grid, so that `quantize` finds that grid again. A unit of
    zeros stays one: those that fill the last tile must not learn, for the network ends without them.
    """
    spread = np.sqrt(np.square(weights).sum(axis=1, keepdims=True) / inside.sum())
    highest = np.minimum(np.abs(weights).max(axis=1, keepdims=True), CLIP[bits] * spread)
    step = highest / LARGEST[bits]
    in_steps = weights / np.where(step > 0, step, 1)
    whole = np.rint(in_steps) if bits > 2 else 2 * np.floor(in_steps / 2) + 1
    return np.asarray(np.clip(whole, -LARGEST[bits], LARGEST[bits]) * step * inside, np.float32)


def window(pixels: NDArray[np.uint8], spared: float) -> NDArray[np.bool_]:
    """(784,): the smallest rectangle, cut side by side, that leaves out at most this share of all ink."""
    ink = pixels.sum(axis=0, dtype=np.int64).reshape(SIDE, SIDE)
    top, bottom, left, right = 0, SIDE, 0, SIDE
    allowed = int(spared * ink.sum())
    while True:
        sides = {
            (1, 0, 0, 0): ink[top, left:right],
            (0, -1, 0, 0): ink[bottom - 1, left:right],
            (0, 0, 1, 0): ink[top:bottom, left],
            (0, 0, 0, -1): ink[top:bottom, right - 1],
        }
        cut, faintest = min(sides.items(), key=lambda side: float(side[1].mean()))
        allowed -= int(faintest.sum())
        if allowed < 0 or min(bottom - top, right - left) == 1:
            inside = np.zeros((SIDE, SIDE), bool)
            inside[top:bottom, left:right] = True
            return inside.ravel()
        top, bottom, left, right = (edge + by for edge, by in zip((top, bottom, left, right), cut, strict=True))
