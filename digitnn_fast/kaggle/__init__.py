"""Kaggle's Digit Recognizer files: train.csv and test.csv in, submission.csv out.

Tables are read exactly as Kaggle serves them by the compiled parser (`plain`), and through pandas when they
are anything else that is legitimate (`lenient`), which also words the error messages.
Any of them may be a `.gz` or a `.zip`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.files import Path, is_pipe
from digitnn_fast.kaggle import plain
from digitnn_fast.kaggle.form import FORMS, USUAL, Form, number_lines, quoted, read_form
from digitnn_fast.kaggle.gathering import Gathering, joined
from digitnn_fast.kaggle.stream import find_id, iter_images, own_id, read_names
from digitnn_fast.kaggle.submission import write_checked, write_probabilities, write_submission
from digitnn_fast.kaggle.table import KaggleFileError, Opener, Role, Table, open_file
from digitnn_fast.kaggle.validation import check_submission, validate_submission
from digitnn_fast.levels import check_levels
from digitnn_fast.threads import thread_count

__all__ = [
    "FORMS",
    "USUAL",
    "Form",
    "KaggleFileError",
    "check_submission",
    "count_rows",
    "find_id",
    "find_kaggle_input",
    "iter_images",
    "map_test",
    "number_lines",
    "own_id",
    "quoted",
    "read_form",
    "read_images",
    "read_names",
    "read_test",
    "read_train",
    "validate_submission",
    "write_checked",
    "write_probabilities",
    "write_submission",
]

Bytes = NDArray[np.uint8]
Progress = plain.Progress
Result = TypeVar("Result")

TEST_ROWS = {"ImageId": 28_000, "id": 5_000}  # of Kaggle's own test.csv: of Digit Recognizer, of Kannada MNIST


def read_train(
    path: Path, threads: int | None = None, progress: Progress | None = None, opener: Opener = open_file
) -> tuple[Bytes, Bytes]:
    """images (n, 784) and labels (n,) of a train.csv, uint8; KaggleFileError in one line if it is not one.

    Images are grey levels 0 (paper) to 255 (ink), labels 0..9, of two million rows at most. `threads` are by default
    one per CPU. `progress(bytes_done, bytes_total)` is called after each block read, total None for a pipe. `opener`
    opens the files of other stores.

    >>> from digitnn_fast.sample import load_sample
    >>> digits = load_sample()
    >>> table = np.column_stack([digits.test_labels, digits.test_images])[:3]
    >>> header = "label," + ",".join(f"pixel{number}" for number in range(784))
    >>> np.savetxt("train.csv", table, "%d", ",", header=header, comments="")
    >>> images, labels = read_train("train.csv")
    >>> images.shape, labels.tolist()
    ((3, 784), [8, 1, 7])
    """
    return _read(path, True, threads, progress, opener)


def read_test(
    path: Path, threads: int | None = None, progress: Progress | None = None, opener: Opener = open_file
) -> Bytes:
    """images (n, 784) of a test.csv, uint8; KaggleFileError in one line if it is not one.

    The rest is as in `read_train`.

    >>> from digitnn_fast.sample import load_sample
    >>> np.savetxt("test.csv", load_sample().test_images[:3], "%d", ",")  # a header may be missing
    >>> read_test("test.csv").shape
    (3, 784)
    >>> read_test("gone.csv")
    Traceback (most recent call last):
    digitnn_fast.kaggle.table.KaggleFileError: gone.csv: no such file
    """
    return _read(path, False, threads, progress, opener)[0]


def read_images(
    path: Path, threads: int | None = None, progress: Progress | None = None, opener: Opener = open_file
) -> Bytes:
    """images (n, 784) of a train.csv or a test.csv, whichever its header says; a pipe must be a test.csv.

    The rest is as in `read_train`.

    >>> from digitnn_fast.sample import load_sample
    >>> np.savetxt("either.csv", load_sample().test_images[:3], "%d", ",")
    >>> read_images("either.csv").shape
    (3, 784)
    """
    labelled = not (opener is open_file and is_pipe(path)) and "label" in read_names(path, opener)[1]
    return _read(path, labelled, threads, progress, opener)[0]


def map_test(
    path: Path,
    function: Callable[[Bytes], NDArray[Any]],
    threads: int | None = None,
    progress: Progress | None = None,
    block_bytes: int = plain.BLOCK_BYTES,
    opener: Opener = open_file,
) -> NDArray[Any]:
    """The results (n, ...) of `function` for a test.csv of any size, in memory for one block per thread.

    `function` takes images (m, 784), uint8, and returns an array (m, ...) that must not depend on how the rows
    were cut into blocks. It is called from `threads` threads (by default one per CPU) at once, and the images are
    overwritten when it has returned; if the file turns out not to be plain, it may see some rows twice.
    `progress(bytes_done, bytes_total)` is called after each block read, total None for a pipe. KaggleFileError in one
    line if the file is no test.csv, ValueError if the function returns too few rows or too many.

    >>> from digitnn_fast import Predictor
    >>> from digitnn_fast.sample import load_sample
    >>> np.savetxt("mapped.csv", load_sample().test_images[:5], "%d", ",")
    >>> map_test("mapped.csv", Predictor.load(threads=1).predict).tolist()
    [8, 1, 7, 2, 2]
    """

    def checked(images: Bytes, _labels: Bytes) -> NDArray[Any]:
        result = np.array(function(images))  # a copy: it may be a view of the images
        if result.shape[:1] != images.shape[:1]:
            raise ValueError(f"the function must return {len(images)} rows, got shape {result.shape}")
        return result

    return np.concatenate(_map(path, False, checked, threads, progress, block_bytes, opener))


def count_rows(path: Path, threads: int | None = None, opener: Opener = open_file) -> int:
    """Number of rows of a test.csv, each of them checked; KaggleFileError in one line for the first that is wrong.

    >>> from digitnn_fast.sample import load_sample
    >>> np.savetxt("counted.csv", load_sample().test_images[:5], "%d", ",")
    >>> count_rows("counted.csv")
    5
    """
    return len(map_test(path, lambda images: np.empty(len(images), np.bool_), threads, opener=opener))


def find_kaggle_input(root: Path = "/kaggle/input") -> tuple[str, str] | None:
    """Paths of train.csv and test.csv, of Digit Recognizer or a twin, in Kaggle's input folder; None without them.

    >>> find_kaggle_input("/no/such/folder") is None
    True
    """
    for folder, folders, files in os.walk(root):
        folders.sort()
        if folder.count(os.sep) - os.fspath(root).count(os.sep) >= 3:
            folders.clear()  # other inputs may hold a million files
        train, test = (os.path.join(folder, name) for name in ("train.csv", "test.csv"))
        # Many competitions use these names. The second test file is Kannada MNIST's.
        there = {"train.csv", "test.csv"}.issubset(files) and _starts(train, b"label,pixel0")
        if there and any(_starts(test, start) for start in (b"pixel0", b"id,pixel0")):
            return train, test
    return None


def _starts(path: str, text: bytes) -> bool:
    try:
        with Table(path, "train") as table:
            return table.read_line(len(text)) == text
    except KaggleFileError:
        return False


def _read(
    path: Path, labelled: bool, threads: int | None, progress: Progress | None, opener: Opener
) -> tuple[Bytes, Bytes]:
    gathering = Gathering(os.fspath(path), KaggleFileError)

    def kept(images: Bytes, labels: Bytes) -> tuple[Bytes, Bytes]:
        return gathering.keep(images), labels.copy()

    pairs = _map(path, labelled, kept, threads, progress, plain.BLOCK_BYTES, opener)
    parts, labels = [part for part, _ in pairs], np.concatenate([own for _, own in pairs])
    del pairs  # which has the parts, too
    return joined(parts), labels


def _map(
    path: Path,
    labelled: bool,
    function: Callable[[Bytes, Bytes], Result],
    threads: int | None,
    progress: Progress | None,
    block_bytes: int,
    opener: Opener,
) -> list[Result]:
    """The results of `function(images, labels)` in the order of the rows; its arguments are overwritten later."""

    def work(images: Bytes, labels: Bytes) -> Result:
        try:
            check_levels(images, os.fspath(path))
        except ValueError as error:
            raise KaggleFileError(str(error)) from error
        return function(images, labels)

    role: Role = "train" if labelled else "test"
    with Table(path, role, opener) as table:
        results, rest = plain.map_blocks(table, labelled, work, thread_count(threads), progress, block_bytes)
        if rest is None:
            return results
        if table.size is None:
            raise table.error("not exactly what Kaggle serves, and a pipe can't be read twice; save it as a file")
    from digitnn_fast.kaggle import lenient

    with Table(path, role, opener) as table:
        for images, labels in lenient.read_blocks(table, labelled, rest):
            results.append(work(images, labels))
            if progress:
                progress(table.bytes_done(), table.size)
    return results
