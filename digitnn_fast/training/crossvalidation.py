"""An honest estimate of a recipe from the training data alone: k-fold cross-validation."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digitnn_fast.evaluation import Evaluation, evaluate, fit_temperature
from digitnn_fast.inputs import as_digits
from digitnn_fast.network import Network, data_digest
from digitnn_fast.predictor import Predictor
from digitnn_fast.sizes import CLASSES
from digitnn_fast.training import DEFAULT
from digitnn_fast.training.checkpoint import Folds, remove
from digitnn_fast.training.loop import EpochReport, forget, shown_as_part, train_on
from digitnn_fast.training.recipes import Recipe, find_recipe
from digitnn_fast.utils import get_accuracy, get_predictions, softmax

OnEpoch = Callable[[EpochReport], None]


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Probabilities (n, 10) of all rows with labels (n,), each by the network that had not seen fold `fold_of[row]`."""

    labels: NDArray[np.uint8]
    fold_of: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def folds(self) -> int:
        """Number of folds."""
        return int(self.fold_of.max()) + 1

    @property
    def accuracies(self) -> list[float]:
        """Accuracy 0..1 of each fold's network."""
        answers = get_predictions(self.probabilities)
        return [get_accuracy(answers[rows], self.labels[rows]) for rows in map(self._rows, range(self.folds))]

    @property
    def temperature(self) -> float:
        """See `evaluation.fit_temperature`."""
        return fit_temperature(self.labels, self.probabilities)

    @property
    def evaluation(self) -> Evaluation:
        """Of all rows. The probabilities of a fold have the temperature that the other folds ask for."""
        tempered = np.empty(self.probabilities.shape)
        for rows in map(self._rows, range(self.folds)):
            temperature = fit_temperature(self.labels[~rows], self.probabilities[~rows])
            logits = np.log(np.maximum(self.probabilities[rows].astype(np.float64), np.finfo(np.float32).tiny))
            tempered[rows] = softmax(logits / temperature)
        return evaluate(self.labels, tempered)

    def _rows(self, fold: int) -> NDArray[np.bool_]:
        return np.asarray(self.fold_of == fold)


def cross_validate(
    images: Any,
    labels: ArrayLike,
    recipe: str | Recipe = DEFAULT,
    *,
    folds: int = 5,
    seed: int = 0,
    threads: int | None = None,
    on_epoch: OnEpoch | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> CrossValidation:
    """The cross-validation of a recipe on images (n, 784) with labels (n,): a network is trained for each fold.

    ValueError for fewer than 2 folds or more than rows, and what `train` refuses. With a `checkpoint` as for
    `train`, the answers of the folds that are done are kept beside it, in `checkpoint`.folds, which stays.
    """
    images, labels = as_digits(images, labels)
    if not 2 <= folds <= len(labels):
        raise ValueError(f"folds must be 2 to {len(labels):,}, the number of rows, got {folds}")
    chosen = find_recipe(recipe)
    fold_of = np.random.default_rng((seed, 3)).permutation(len(labels)) % folds
    kept = _folds_file(checkpoint, images, labels, chosen, folds, seed) if checkpoint else None
    probabilities = kept.load(len(labels)) if kept else np.full((len(labels), CLASSES), np.nan, np.float32)
    for fold in range(folds):
        rows = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        if np.isfinite(probabilities[rows[1]]).all():
            if checkpoint:  # a kill may have come before it was removed
                forget(checkpoint, images, labels, chosen, rows, seed)
            continue
        shown = on_epoch and partial(shown_as_part, on_epoch, fold, folds)
        network = train_on(images, labels, chosen, rows, seed, threads, shown, checkpoint)
        probabilities[rows[1]] = Predictor(network, threads=threads).predict_proba(images[rows[1]])
        if kept and checkpoint:
            kept.save(probabilities)
            forget(checkpoint, images, labels, chosen, rows, seed)
    return CrossValidation(labels, fold_of, probabilities)


def train_validated(
    images: Any,
    labels: ArrayLike,
    recipe: str | Recipe = DEFAULT,
    *,
    folds: int = 5,
    seed: int = 0,
    threads: int | None = None,
    on_epoch: OnEpoch | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
) -> tuple[Network, CrossValidation]:
    """A network trained on all rows, calibrated, with the cross-validated accuracy of its recipe in its record.

    `checkpoint` and `out` as for `train`; there is also a file of the folds that are done beside the checkpoint.
    """
    images, labels = as_digits(images, labels)
    shown = on_epoch and partial(_show_more, on_epoch, folds)
    validation = cross_validate(
        images, labels, recipe, folds=folds, seed=seed, threads=threads, on_epoch=shown, checkpoint=checkpoint
    )
    everything = np.arange(len(labels)), np.arange(0)
    shown = on_epoch and partial(shown_as_part, on_epoch, folds, folds + 1)
    network = train_on(images, labels, recipe, everything, seed, threads, shown, checkpoint)
    assert network.training is not None
    record = replace(
        network.training,
        folds=folds,
        cross_validated_accuracy=validation.evaluation.accuracy,
        temperature=validation.temperature,
    )
    calibrated = network.tempered(validation.temperature)
    network = (calibrated.rounded() if find_recipe(recipe).half else calibrated).trained(record)
    if out is not None:
        network.save(out)
        for path in (checkpoint, _beside(checkpoint)) if checkpoint else ():
            remove(path)
    return network, validation


def _folds_file(
    checkpoint: str | os.PathLike[str],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    recipe: Recipe,
    folds: int,
    seed: int,
) -> Folds:
    identity = {"seed": seed, "folds": folds, "data_digest": data_digest(images, labels), **recipe.settings()}
    return Folds(_beside(checkpoint), identity)


def _beside(checkpoint: str | os.PathLike[str]) -> str:
    return f"{os.fspath(checkpoint)}.folds"


def _show_more(on_epoch: OnEpoch, folds: int, report: EpochReport) -> None:
    """Pass on an epoch of the folds as one of a training that goes on after them."""
    on_epoch(report._replace(epochs=report.epochs // folds * (folds + 1)))
