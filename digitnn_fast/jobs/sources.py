"""The digits for `submit`: Kaggle's files or the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from digitnn_fast import kaggle
from digitnn_fast.checks import counted, shortened
from digitnn_fast.files import STANDARD
from digitnn_fast.formats import Answers, DigitFile, Ids
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

    @property
    def is_table(self) -> bool:
        """Whether it takes a kernel to read it."""

    def check_test(self, threads: int | None) -> Answers:
        """The rows to predict, as `DigitFile.check` has them: all checked before minutes of training."""

    def read_train(self, threads: int | None, progress: Progress) -> tuple[Bytes, Bytes]:
        """images (n, 784) and labels (n,)."""

    def predict(self, network: Network, threads: int | None, progress: Progress) -> Answers:
        """Predicted digits (m,) of the test images, and their ids."""


class Sample:
    """The embedded digits."""

    text = "the embedded sample of real digits (10,000 to train on, 2,000 to predict), as no files were given"

    is_table = False

    def __init__(self) -> None:
        self._sample = load_sample()
        self.test_labels: Bytes | None = self._sample.test_labels

    def check_test(self, threads: int | None) -> Answers:
        """There is nothing to check."""
        return Answers(self._sample.test_images)

    def read_train(self, threads: int | None, progress: Progress) -> tuple[Bytes, Bytes]:
        """images (10000, 784) and labels (10000,)."""
        return self._sample.train_images, self._sample.train_labels

    def predict(self, network: Network, threads: int | None, progress: Progress) -> Answers:
        """Digits (2000,)."""
        return Answers(Predictor.from_network(network, threads=threads).predict_many(self._sample.test_images))


class Files:
    """A file to train on, unless nothing is trained, and one to predict: what `formats` reads."""

    test_labels: Bytes | None = None

    def __init__(self, train: str | None, test: str, labels: str | None = None, found: str = "") -> None:
        if train == test == STANDARD:
            raise ValueError("standard input can't be both --train and --test")
        self._train, self._test = DigitFile(train, labels) if train is not None else None, DigitFile(test)
        self.text = f"{found}{self._train.name} and {self._test.name}" if self._train else self._test.name

    @property
    def is_table(self) -> bool:
        """Whether it takes a kernel to read one of them."""
        return any(file.is_table for file in (self._train, self._test) if file)

    def check_test(self, threads: int | None) -> Answers:
        """Reads the file once more than predicting needs, 0.05 s."""
        return self._test.check(threads)

    def read_train(self, threads: int | None, progress: Progress) -> tuple[Bytes, Bytes]:
        """images (n, 784) and labels (n,)."""
        assert self._train
        return self._train.read_labelled(threads, progress, train=True)

    def predict(self, network: Network, threads: int | None, progress: Progress) -> Answers:
        """Digits (m,), in memory for a few blocks of the file."""
        predictor = predictor_for(self._test, network, threads)
        return self._test.map(predictor.predict_many, threads, progress)


def predictor_for(file: DigitFile, network: Network, threads: int | None) -> Predictor:
    """The predictor for what is read of a file: of one thread if that is a table, as its readers are threads."""
    return Predictor(network, threads=1 if file.is_table else threads)


def form_of(ids: Ids | None, rows: int, sample: kaggle.Form | None) -> kaggle.Form:
    """How a submission must be for a test file with these ids, or for what a sample submission says.

    The ids are the file's own, else the sample's, else 1, 2, 3, ...; ValueError if those of the two differ, or if the
    sample has not as many as `rows`.
    """
    if sample is None:
        return kaggle.Form(ids.name, kaggle.FORMS[ids.name], ids.texts) if ids else kaggle.USUAL
    known = set(sample.ids or ())
    if len(known) != rows:
        raise ValueError(f"the sample submission has {counted(len(known), 'row')}, but the test file {rows:,}")
    if ids is None:
        return sample
    wrong = next((text for text in ids.texts if text not in known), None)
    if wrong is not None:
        raise ValueError(f"the test file's {ids.name} {shortened(wrong)} is not in the sample submission")
    return sample._replace(ids=ids.texts)


def find_source(
    train: str | None,
    test: str | None,
    kaggle_root: str = "/kaggle/input",
    *,
    trains: bool = True,
    labels: str | None = None,
) -> Source:
    """The given files, else those in Kaggle's input folder, else the sample; ValueError if only one is given.

    Who `trains` nothing needs no train.csv; `labels` are those of the given one.
    """
    if test is not None and not trains:
        return Files(None, test)
    if train is not None and test is not None:
        return Files(train, test, labels)
    if train is not None or test is not None:
        given, missing = ("--train", "--test") if test is None else ("--test", "--train")
        raise ValueError(f"{given} needs {missing} too (the commands train and predict need only one)")
    if labels:
        raise ValueError("--labels needs --train and --test")
    if paths := kaggle.find_kaggle_input(kaggle_root):
        return Files(*paths, found="Kaggle's input folder: ")
    return Sample()
