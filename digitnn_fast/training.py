"""Recipes, and the loop that turns labelled images into a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast._threads import thread_count
from digitnn_fast.descent import Descent, Schedule
from digitnn_fast.engines import prepare
from digitnn_fast.kernels import ADAM, MOMENTUM
from digitnn_fast.network import Network, Preprocessing, TrainingRecord, data_digest
from digitnn_fast.predictor import Predictor
from digitnn_fast.reference import cross_entropy
from digitnn_fast.utils import check_labels, get_accuracy, get_predictions, initialize_parameters

BETA1, BETA2 = 0.9, 0.999  # Adam's own
WARMUP = 0.02  # share of the steps


@dataclass(frozen=True)
class Distortion:
    """The largest random rotation (tangent), relative change of scale, shear, shift and elastic displacement in pixels.

    `elastic` is how far a point of the lattice may move along each axis: the root mean square displacement of a
    pixel is 0.28 of it. See `distortion.elastic_field`.
    """

    rotation: float
    scale: float
    shear: float
    shift: float
    elastic: float = 0.0

    def limits(self) -> NDArray[np.int64]:
        """(5,): in 1/65536, as `distortion.distort` takes them."""
        limits = np.array([self.rotation, self.scale, self.shear, self.shift, self.elastic])
        return np.asarray(np.rint(limits * 65536), np.int64)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    name: str
    summary: str
    hidden: int
    epochs: int
    learning_rate: float
    batch: int | None = None  # images per step; None: all of them
    adam: bool = False  # Adam (Kingma and Ba 2015) with cosine decay; else plain gradient descent
    deviation: float | None = None  # of the first weights; None: He et al.
    distortion: Distortion | None = None
    preprocessing: Preprocessing = "raw"


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("seed", "the original: full-batch gradient descent, 500 epochs at 0.1", 64, 500, 0.1, deviation=0.01),
        Recipe(
            "fast",
            "Adam on distorted images, about 10 seconds on two cores",
            *(64, 120, 0.008),
            batch=128,
            adam=True,
            distortion=Distortion(rotation=0.2, scale=0.12, shear=0.12, shift=1.5),
        ),
    )
}


class EpochReport(NamedTuple):
    """One line of the history. Training values are those met while learning: on distorted images, weights in motion."""

    epoch: int
    epochs: int
    training_loss: float
    training_accuracy: float
    heldout_loss: float
    heldout_accuracy: float


def train(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    recipe: str | Recipe = "fast",
    *,
    seed: int = 0,
    heldout: float = 0.1,
    threads: int | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> Network:
    """A network trained on uint8 images (n, 784) with labels (n,), but for a random share `heldout` of the rows.

    Its accuracy is measured on the rows held out. The same images, labels, recipe and seed give the same
    network for any number of threads. ValueError for labels outside 0..9, an unknown recipe, or too few rows.
    """
    chosen = _recipe(recipe)
    threads = thread_count(threads)
    labels = check_labels(labels).astype(np.uint8)
    if images.dtype != np.uint8 or images.shape != (len(labels), 784):
        raise ValueError(f"images must be uint8 ({len(labels)}, 784), got {images.dtype} {images.shape}")
    learned, tested = _split(len(labels), heldout, seed)
    start = initialize_parameters(seed, chosen.hidden, chosen.deviation)
    descent = Descent(start, prepare(images[learned], chosen.preprocessing), labels[learned], threads)
    history = []
    for epoch, (loss, accuracy) in enumerate(_epochs(chosen, descent, seed), 1):
        network = Network(*descent.parameters(), chosen.preprocessing)
        measured = _measure(network, images[tested], labels[tested], threads)
        history.append((loss, accuracy, *measured))
        if on_epoch is not None:
            on_epoch(EpochReport(epoch, chosen.epochs, *history[-1]))
    record = TrainingRecord(
        recipe=chosen.name,
        seed=seed,
        data_digest=data_digest(images, labels),
        training_rows=len(learned),
        heldout_rows=len(tested),
        heldout_accuracy=history[-1][3],
        history=np.array(history),
        settings=_settings(chosen),
    )
    return Network(*descent.parameters(), chosen.preprocessing, record)


def _recipe(recipe: str | Recipe) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise ValueError(f"no recipe {recipe!r}: there are {', '.join(RECIPES)}")
    return RECIPES[recipe]


def _split(rows: int, heldout: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the rows to learn from and of those held out, each in the order of the file."""
    if not 0 <= heldout < 1:
        raise ValueError(f"the share held out must be from 0 to less than 1, got {heldout}")
    tested = round(rows * heldout)
    if rows - tested < 1:
        raise ValueError(f"{rows} rows are too few to learn from with {tested} held out")
    order = np.random.default_rng((seed, 1)).permutation(rows)
    return np.sort(order[tested:]), np.sort(order[:tested])


def _epochs(recipe: Recipe, descent: Descent, seed: int) -> Iterator[tuple[float, float]]:
    """Train, one epoch at a time; loss and accuracy of each."""
    rows = len(descent.labels)
    schedule = Schedule.of_batches(rows, recipe.batch or rows)
    random = np.random.default_rng((seed, 2))
    limits = recipe.distortion.limits() if recipe.distortion else None
    for epoch in range(recipe.epochs):
        _set_rates(schedule, recipe, epoch)
        order = np.arange(rows) if recipe.batch is None else random.permutation(rows)
        key = int(random.integers(2**62))
        yield descent.epoch(ADAM if recipe.adam else MOMENTUM, order, schedule, key, limits)


def _set_rates(schedule: Schedule, recipe: Recipe, epoch: int) -> None:
    if not recipe.adam:
        schedule.rates[:, 0] = recipe.learning_rate
        return
    total = recipe.epochs * schedule.batches
    step = epoch * schedule.batches + schedule.batch_of_block() + 1.0
    warm = np.minimum(1, step / (WARMUP * total))  # Adam's first steps are blind: its averages hold few gradients
    rate = recipe.learning_rate * warm * (1 + np.cos(np.pi * (step - 1) / total)) / 2
    schedule.rates[:, 0] = rate / (1 - BETA1**step)
    schedule.rates[:, 1] = BETA1
    schedule.rates[:, 2] = BETA2
    schedule.rates[:, 3] = 1 / np.sqrt(1 - BETA2**step)


def _measure(
    network: Network, images: NDArray[np.uint8], labels: NDArray[np.uint8], threads: int
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy; NaN of no rows."""
    probabilities = Predictor(network, threads=threads).predict_proba(images)
    return cross_entropy(probabilities, labels), get_accuracy(get_predictions(probabilities), labels)


def _settings(recipe: Recipe) -> dict[str, int | float | str]:
    settings: dict[str, int | float | str] = {}
    for name, value in asdict(recipe).items():
        if isinstance(value, dict):
            settings |= {f"{name}_{key}": limit for key, limit in value.items()}
        elif value is not None and name not in ("name", "summary"):
            settings[name] = value
    return settings
