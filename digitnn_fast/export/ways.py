"""The parts of an exporter, and the comparison of its output with the specification."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import reference
from digitnn_fast.network import Network
from digitnn_fast.preprocessing import prepare
from digitnn_fast.reference import CLOSE
from digitnn_fast.reference.quantization import QuantizedParameters, quantize
from digitnn_fast.sizes import CLASSES
from digitnn_fast.utils import get_predictions, softmax

if TYPE_CHECKING:
    from digitnn_fast.training.loop import EpochReport

Bytes = NDArray[np.uint8]
Fact = tuple[str, str]


class SelfTestError(RuntimeError):
    """The export differs from the network or costs more than allowed; nothing was written."""


class Answers(NamedTuple):
    """Labels (n,), and where available probabilities (n, 10), integer logits (n, 10)."""

    labels: NDArray[np.integer[Any]]
    probabilities: NDArray[np.floating[Any]] | None = None
    logits: NDArray[np.integer[Any]] | None = None

    def first(self, count: int | None) -> Answers:
        """Those for the first images; for all without a count."""
        return Answers(*(None if part is None else part[:count] for part in self))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Way:
    """One way to run a network: `run` gives the answers for raw images (n, 784), or `missing` says why it can't here.

    `wanted(network, images)` is what the specification answers: `float_answers`, or `integer_answers`, of which the
    integers must come out. (A function of the module rather than one made for the way: `verify` calls it only once.)
    It is asked for `at_most` so many images, if more would take minutes.
    """

    name: str
    wanted: Callable[[Network, Bytes], Answers]
    run: Callable[[Bytes], Answers] | None = None
    missing: str = ""
    at_most: int | None = None


@dataclass(frozen=True)
class Options:
    """The options of a target: a frozen dataclass of its own, a field for each option of the command line.

    `on_epoch` is called after each epoch by an exporter that `learns`.
    """

    on_epoch: Callable[[EpochReport], None] | None = None

    @property
    def learns(self) -> bool:
        """Whether the export trains."""
        return False

    @property
    def model(self) -> str:
        """The file of the network that it trained."""
        return "digits.npz"

    @property
    def usual_loss(self) -> float:
        """Percent of the sample's digits that may get another label than in float32 if the user does not say."""
        return 0.5


@dataclass(frozen=True)
class Exporter:
    """A target: `write(network, folder, options)` fills an empty folder and returns what to report beside the files.

    `ways(network, folder, options)` are the ways to run what was written, for the self-test and for `verify`.
    `costs(network, folder, options)`, for the export alone, reports what it costs to run it.
    `further_ways(network, folder, options)`, for `verify` alone, are those that take seconds to start.
    """

    name: str
    summary: str
    options: type[Options]
    write: Callable[[Network, Path, Any], Iterable[Fact]]
    ways: Callable[[Network, Path, Any], Iterable[Way]]
    costs: Callable[[Network, Path, Any], Iterable[Fact]] = lambda network, folder, options: ()
    further_ways: Callable[[Network, Path, Any], Iterable[Way]] = lambda network, folder, options: ()


class Difference(NamedTuple):
    """Rows with the same label, largest difference of probabilities, and whether all integers are equal, if known."""

    rows: int
    same_labels: int
    probabilities: float | None
    integers_equal: bool | None

    @property
    def agrees(self) -> bool:
        """Whether this is the same network: its integers, or its probabilities within 1e-5, and its labels."""
        if self.integers_equal is not None:
            return self.integers_equal and self.same_labels == self.rows
        close = self.probabilities is None or self.probabilities <= CLOSE
        return close and self.same_labels == self.rows

    @property
    def text(self) -> str:
        """In words, such as `2,000 of 2,000 labels, all integers equal`."""
        parts = [f"{self.same_labels:,} of {self.rows:,} labels"]
        if self.integers_equal is not None:
            parts.append("all integers equal" if self.integers_equal else "integers differ")
        if self.probabilities is not None:
            parts.append(f"probabilities within {self.probabilities:.1e}")
        return ", ".join(parts)


def compare(answers: Answers, wanted: Answers) -> Difference:
    """The difference between answers for n images and those wanted. Of a tie within 1e-5 any label is right."""
    rows, same = len(wanted.labels), np.asarray(answers.labels == wanted.labels)
    if wanted.logits is None and wanted.probabilities is not None and rows:
        digits = np.isin(answers.labels, range(CLASSES))  # a runtime may answer anything
        chosen = wanted.probabilities[np.arange(rows), np.where(digits, answers.labels, 0)]
        same = same | (digits & (chosen >= wanted.probabilities.max(axis=1) - CLOSE))
    largest, equal = None, None
    if answers.probabilities is not None and wanted.probabilities is not None:
        gaps = np.abs(answers.probabilities - wanted.probabilities)
        largest = float(gaps.max()) if rows else 0.0
    if answers.logits is not None and wanted.logits is not None:
        equal = bool(np.array_equal(answers.logits, wanted.logits))
    return Difference(rows, int(same.sum()), largest, equal)


def float_answers(network: Network, images: Bytes) -> Answers:
    """The answers of the specification in float64 for raw images (n, 784)."""

    def answer(images: Bytes) -> Answers:
        seen = prepare(images, network.preprocessing)
        probabilities = reference.forward(network.parameters, seen).probabilities
        return Answers(get_predictions(probabilities), probabilities)

    return in_blocks(answer, images)


def integer_answers(network: Network, images: Bytes, quantized: QuantizedParameters | None = None) -> Answers:
    """The answers of the integer specification for raw images (n, 784), with 8 bits or other quantised parameters."""
    parts = quantized or quantize(network.parameters)

    def answer(images: Bytes) -> Answers:
        logits = reference.forward_int8(parts, prepare(images, network.preprocessing))
        return Answers(get_predictions(logits), softmax(logits * parts.scale), logits)

    return in_blocks(answer, images)


def in_blocks(function: Callable[[Bytes], Answers], images: Bytes, rows: int = 1024) -> Answers:
    """The answers of `function`, which sees so many images at once: intermediate results stay small."""
    parts = [function(images[first : first + rows]) for first in range(0, max(1, len(images)), rows)]
    columns: list[Any] = [None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True)]
    return Answers(*columns)
