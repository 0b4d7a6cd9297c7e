"""Measures of the answers: accuracy with its standard error, loss, confusion matrix, calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from digitnn_fast import reference
from digitnn_fast.record import standard_error
from digitnn_fast.sizes import CLASSES
from digitnn_fast.utils import check_labels, get_predictions, softmax

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


THRESHOLDS = (0.5, 0.9, 0.99, 0.999)
BINS = 15


class Rejection(NamedTuple):
    """Answers whose probability is below the threshold are refused; `answered` is the share 0..1 of the others."""

    threshold: float
    answered: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """`confusion` (10, 10): how many images of digit `row` were taken for digit `column`; mean loss in nats.

    `calibration_error`: see the function of that name. `rejections`: what is left if doubtful answers are refused.
    A share of nothing is NaN, not 0: the recall of a digit that does not occur is not known.
    """

    confusion: NDArray[np.int64]
    cross_entropy: float
    calibration_error: float
    rejections: tuple[Rejection, ...]

    @property
    def rows(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share 0..1 of the images that got their own digit."""
        return float(self.confusion.trace()) / self.rows if self.rows else math.nan

    @property
    def standard_error(self) -> float:
        """Standard error of the accuracy."""
        return standard_error(self.accuracy, self.rows)

    @property
    def support(self) -> NDArray[np.int64]:
        """Images (10,) of each digit."""
        return np.asarray(self.confusion.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share (10,) of the images taken for a digit that are one; NaN if none was taken for it."""
        return _shares(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share (10,) of a digit's images that were taken for it; NaN if it has none."""
        return _shares(self.confusion.diagonal(), self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean (10,) of precision and recall, 2 hits / (images + answers); NaN if there are neither."""
        return _shares(2 * self.confusion.diagonal(), self.support + self.confusion.sum(axis=0))


def evaluate(labels: ArrayLike, probabilities: ArrayLike) -> Evaluation:
    """The evaluation of probabilities (n, 10) for images whose true digits are labels (n,).

    The answer is the most probable digit, the lowest of a tie. ValueError for other shapes, labels or NaN.

    >>> from digitnn_fast import Predictor
    >>> from digitnn_fast.sample import load_sample
    >>> digits = load_sample()
    >>> result = evaluate(digits.test_labels, Predictor.load().predict_proba(digits.test_images))
    >>> result.rows, result.accuracy > 0.99, result.recall.shape
    (2000, True, (10,))
    """
    true, table = check_labels(labels).astype(np.int64), np.asarray(probabilities, np.float64)
    if table.shape != (len(true), CLASSES):
        raise ValueError(f"probabilities must have shape ({len(true)}, {CLASSES}), got {table.shape}")
    if not (table >= 0).all() or not np.isfinite(table).all():
        raise ValueError("probabilities must be finite and not negative")
    cells = np.bincount(CLASSES * true + get_predictions(table), minlength=CLASSES**2)
    confusion = cells.astype(np.int64).reshape(CLASSES, CLASSES)
    error, rejections = calibration_error(true, table), tuple(_rejection(true, table, t) for t in THRESHOLDS)
    return Evaluation(confusion, reference.cross_entropy(table, true), error, rejections)


class Reliability(NamedTuple):
    """Of the answers in each bin of probability (k,): their number, mean probability and share that is right."""

    counts: NDArray[np.int64]
    sure: NDArray[np.float64]
    right: NDArray[np.float64]

    @property
    def error(self) -> float:
        """The expected calibration error; NaN of no answers."""
        return float(np.abs(self.right - self.sure) @ self.counts / self.counts.sum()) if len(self.counts) else math.nan


def reliability(labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]]) -> Reliability:
    """How often answers (n, 10) are right against how sure they are, in those of BINS equal bins that have some.

    Labels (n,) are the true digits.

    >>> sure = np.array([[0.7, 0.3], [0.7, 0.3]])
    >>> reliability(np.array([0, 1]), sure).right.tolist()
    [0.5]
    """
    sure, right = probabilities.max(axis=1, initial=0), get_predictions(probabilities) == labels
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    there = np.flatnonzero(counts)
    return Reliability(counts[there], *(np.bincount(bins, part, BINS)[there] / counts[there] for part in (sure, right)))


def calibration_error(labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]]) -> float:
    """How far the answers' probabilities (n, 10) are from the share of right answers, 0..1; NaN of none.

    The expected calibration error (Naeini, Cooper and Hauskrecht 2015): |share right - mean probability| of the
    answers in each of BINS equally wide bins of probability, weighted by their number.

    >>> round(calibration_error(np.array([0, 1]), np.array([[0.7, 0.3], [0.7, 0.3]])), 3)
    0.2
    """
    return reliability(labels, probabilities).error


def fit_temperature(labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]]) -> float:
    """The temperature by which logits should be divided for the least cross-entropy on these answers (n, 10).

    From 0.05 to 20, 1 of no answers. Method: Guo, Pleiss, Sun and Weinberger 2017; the loss is convex in
    1 / temperature, so its slope is bisected.

    >>> sure = np.array([[0.9, 0.1], [0.9, 0.1]])  # and wrong one time in two
    >>> round(fit_temperature(np.array([0, 1]), sure), 1)
    20.0
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    own = logits[np.arange(len(labels)), labels]
    low, high = 1 / 20, 20.0
    for _ in range(50 if len(labels) else 0):
        middle = (low + high) / 2
        slope = np.mean(np.sum(softmax(middle * logits) * logits, axis=1) - own)
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 2 / (low + high) if len(labels) else 1.0


def _rejection(labels: NDArray[np.int64], probabilities: NDArray[np.float64], threshold: float) -> Rejection:
    kept = probabilities.max(axis=1, initial=0) >= threshold
    right = get_predictions(probabilities) == labels
    share = float(kept.mean()) if len(labels) else math.nan
    return Rejection(threshold, share, float(right[kept].mean()) if kept.any() else math.nan)


def _shares(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.divide(parts, wholes, out=np.full(len(parts), np.nan), where=wholes > 0)
    return shares
