"""The digits for `submit`: Kaggle's files or the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from digitnn_fast import kaggle
from digitnn_fast.files import is_pipe
from digitnn_fast.predictor import Predictor
from digitnn_fast.sample import load_sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digitnn_fast.jobs.watch import ByteProgress
    from digitnn_fast.network import Network

    Bytes = NDArray[np.uint8]
    Progress = ByteProgress | None


class Source(Protocol):
    """Digits to train on and digits to predict; `test_labels` are the true digits (m,) of these, if known."""

    text: str
    test_labels: Bytes | None

    def check_test(self, threads: int | None) -> int | None:
        """Number of rows to predict, all checked before minutes of training; None if they can be read only once."""

    def read_train(self, threads: int | None, progress: Progress) -> tuple[Bytes, Bytes]:
        """images (n, 784) and labels (n,)."""

    def predict(self, network: Network, threads: int | None, progress: Progress) -> Bytes:
        """Predicted digits (m,) of the test images."""


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

    def __init__(self, train: str | None, test: str, found: str = "") -> None:
        self._train, self._test = train, test
        self.text = f"{found}{train} and {test}" if train else test

    def check_test(self, threads: int | None) -> int | None:
        """Reads the file once more than predicting needs, 0.05 s; a pipe can be read only once."""
        return None if is_pipe(self._test) else kaggle.count_rows(self._test, threads)

    def read_train(self, threads: int | None, progress: Progress) -> tuple[Bytes, Bytes]:
        """images (n, 784) and labels (n,)."""
        assert self._train
        return kaggle.read_train(self._train, threads, progress)

    def predict(self, network: Network, threads: int | None, progress: Progress) -> Bytes:
        """Digits (m,), in memory for a few blocks of the file."""
        predictor = Predictor.from_network(network, threads=1)  # map_test has threads of its own
        return kaggle.map_test(self._test, predictor.predict, threads, progress)


def find_source(
    train: str | None, test: str | None, kaggle_root: str = "/kaggle/input", *, trains: bool = True
) -> Source:
    """The given files, else those in Kaggle's input folder, else the sample; ValueError if only one is given.

    Who `trains` nothing needs no train.csv.
    """
    if test and not trains:
        return Files(None, test)
    if train and test:
        return Files(train, test)
    if train or test:
        given, missing = ("--train", "--test") if train else ("--test", "--train")
        raise ValueError(f"{given} needs {missing} too (the commands train and predict need only one)")
    if paths := kaggle.find_kaggle_input(kaggle_root):
        return Files(*paths, found="Kaggle's input folder: ")
    return Sample()
