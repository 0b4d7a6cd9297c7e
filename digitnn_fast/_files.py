"""The files around a command: where `submit` takes its digits from, and whether and how outputs are written."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol, TextIO

from digitnn_fast import kaggle
from digitnn_fast.predictor import Predictor
from digitnn_fast.sample import load_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from digitnn_fast.network import Network

    Bytes = NDArray[np.uint8]
    Progress = Callable[[int, int | None], None] | None


class Source(Protocol):
    """Digits to train on and digits to predict; `test_labels` are the true digits (m,) of these, if known."""

    text: str
    test_labels: Bytes | None

    def check_test(self, threads: int | None) -> int | None:
        """Number of rows to predict, each checked now and not after minutes of training; None if that can't be."""

    def read_train(self, threads: int | None, progress: Progress) -> tuple[Bytes, Bytes]:
        """images (n, 784) and labels (n,)."""

    def predict(self, network: Network, threads: int | None, progress: Progress) -> Bytes:
        """The digits (m,) that the network sees."""


class Sample:
    """The embedded digits."""

    text = "the embedded sample of real digits (10,000 to train on, 2,000 to predict), as no files were given"

    def __init__(self) -> None:
        self._sample = load_sample()
        self.test_labels: Bytes | None = self._sample.test_labels

    def check_test(self, threads: int | None) -> int | None:
        """There is nothing to check."""
        return len(self._sample.test_images)

    def read_train(self, threads: int | None, progress: Progress) -> tuple[Bytes, Bytes]:
        """images (10000, 784) and labels (10000,)."""
        return self._sample.train_images, self._sample.train_labels

    def predict(self, network: Network, threads: int | None, progress: Progress) -> Bytes:
        """Digits (2000,)."""
        digits: Bytes = Predictor.from_network(network, threads=threads).predict(self._sample.test_images)
        return digits


class Files:
    """A train.csv and a test.csv."""

    test_labels: Bytes | None = None

    def __init__(self, train: str, test: str, found: str = "") -> None:
        self._train, self._test = train, test
        self.text = f"{found}{train} and {test}"

    def check_test(self, threads: int | None) -> int | None:
        """Reads the file once more than predicting needs, 0.05 s; a pipe can be read only once."""
        pipe = os.path.exists(self._test) and not os.path.isfile(self._test) and not os.path.isdir(self._test)
        return None if pipe else kaggle.count_rows(self._test, threads)

    def read_train(self, threads: int | None, progress: Progress) -> tuple[Bytes, Bytes]:
        """images (n, 784) and labels (n,)."""
        return kaggle.read_train(self._train, threads, progress)

    def predict(self, network: Network, threads: int | None, progress: Progress) -> Bytes:
        """Digits (m,), in memory for a few blocks of the file."""
        predictor = Predictor.from_network(network, threads=1)  # map_test has threads of its own
        return kaggle.map_test(self._test, predictor.predict, threads, progress)


def find_source(train: str | None, test: str | None, kaggle_root: str = "/kaggle/input") -> Source:
    """The given files, else those in Kaggle's input folder, else the sample; ValueError if only one is given."""
    if train and test:
        return Files(train, test)
    if train or test:
        given, missing = ("--train", "--test") if train else ("--test", "--train")
        raise ValueError(f"{given} needs {missing} too (the commands train and predict need only one)")
    if paths := kaggle.find_kaggle_input(kaggle_root):
        return Files(*paths, found="Kaggle's input folder: ")
    return Sample()


def check_plots(paths: Sequence[str | None], others: Sequence[str | None]) -> None:
    """ValueError, before minutes of work, if a plot can't be drawn, or not there; `others` must not be replaced."""
    from digitnn_fast import plots

    wanted = [path for path in paths if path]
    for number, path in enumerate(wanted):
        plots.check_plot(path)
        check_output(path, [*others, *wanted[:number]], device=False)


def check_output(path: str, others: Sequence[str | None], device: bool = True) -> None:
    """ValueError, before minutes of work, if `path` can't be written or is one of the other files.

    `device` tells whether it may be /dev/stdout and its like.
    """
    target = os.path.realpath(path)
    if any(other and os.path.realpath(other) == target for other in others):
        raise ValueError(f"{path}: the same command uses this file for something else")
    if os.path.isdir(target) or (_is_device(path) and not device):
        raise ValueError(f"{path}: can't be written: not a file")
    if _is_device(path):
        return
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise ValueError(f"{path}: can't be written: there is no folder {folder}")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise ValueError(f"{path}: can't be written: permission denied")


def report_stream(out: str) -> TextIO:
    """Where the report goes: not to stdout if the answers may have gone there."""
    return sys.stderr if _is_device(out) else sys.stdout


def _is_device(path: str) -> bool:
    """Whether it is a pipe or such; or /dev/stdout, even if that is a file."""
    return os.path.abspath(path).startswith("/dev/") or (os.path.exists(path) and not os.path.isfile(path))


def write_submission(path: str, labels: NDArray[np.uint8], rows: int | None = None) -> None:
    """Write it, and read it again unless it went into a pipe; `rows` is how many there must be, if known."""
    kaggle.write_submission(path, labels)
    if not _is_device(path):
        kaggle.validate_submission(path, len(labels) if rows is None else rows)
