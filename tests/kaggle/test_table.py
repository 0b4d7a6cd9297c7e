"""Kaggle's tables as real files on disk: plain, packed, through a pipe, or not there."""

from __future__ import annotations

import csv
import gzip
import os
import re
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kaggle_cells import PIXELS, TEST, TRAIN, changed, check_message, numbers, text, zipped

from digitnn_fast import kaggle
from digitnn_fast.kaggle import KaggleFileError, gathering

GOOD = {
    "as Kaggle serves it": text(TEST),
    "LF": text(TEST, "\n"),
    "no last newline": text(TEST)[:-2],
    "no last newline, LF": text(TEST, "\n")[:-1],
    "CRLF, last LF missing": text(TEST)[:-1],
    "BOM": b"\xef\xbb\xbf" + text(TEST),
    "blank lines at the end": text(TEST) + b"\r\n\n  \n",
    "blank line between": text(TEST).replace(b"\r\n", b"\r\n\r\n"),
    "quoted header": text([[f'"{name}"' for name in PIXELS], *TEST[1:]]),
    "quoted values": text([PIXELS, *([f'"{value}"' for value in row] for row in TEST[1:])]),
    "spaces": text(TEST).replace(b",", b" , "),
    "0.0": text([PIXELS, *([f"{value}.0" for value in row] for row in TEST[1:])]),
    "7e0 and +7": text([PIXELS, *([f"+{value}e0" for value in row] for row in TEST[1:])]),
    "leading zeros": text([PIXELS, *([f"{value:04}" for value in row] for row in TEST[1:])]),
    "columns turned round": text([row[::-1] for row in TEST]),
    "an extra column": text([["id", *TEST[0]], *(["a,b".join('""'), *row] for row in TEST[1:])]),
    "a comma behind each line": text([[*row, ""] for row in TEST]),
    "no header": text(TEST[1:]),
    "rows and columns": text([[f"{at // 28 + 1}x{at % 28 + 1}" for at in range(784)], *TEST[1:]]),
    "pixels from 1": text([[f"pixel{at + 1}" for at in range(784)], *TEST[1:]]),
    "gzip": gzip.compress(text(TEST)),
    "gzip of two members": gzip.compress(text(TEST)[:5000]) + gzip.compress(text(TEST)[5000:]),
    "zip": zipped({"any.CSV": text(TEST)}),
    "zip of all": zipped({"sample_submission.csv": b"x", "a/train.csv": text(TRAIN), "a/test.csv": text(TEST)}),
    "zip from a Mac": zipped({"digits.csv": text(TEST), "__MACOSX/._digits.csv": b"x"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_reads_what_is_legitimate(name: str, save: Callable[[bytes], Path]) -> None:
    images = kaggle.read_test(save(GOOD[name]))
    assert images.dtype == np.uint8
    assert images.tolist() == numbers(TEST).tolist()
    assert kaggle.map_test(save(GOOD[name]), lambda images: images).tolist() == images.tolist()


TRAINING = {
    "Kaggle's": text(TRAIN),
    "spaces": text(TRAIN).replace(b",", b", "),
    "no header": text(TRAIN[1:]),
    "rows and columns": text([["label", *(f"{at // 28 + 1}x{at % 28 + 1}" for at in range(784))], *TRAIN[1:]]),
}


@pytest.mark.parametrize("name", TRAINING)
def test_reads_a_training_file(name: str, save: Callable[[bytes], Path]) -> None:
    images, labels = kaggle.read_train(save(TRAINING[name]))
    assert labels.dtype == np.uint8
    assert labels.tolist() == numbers(TRAIN)[:, 0].tolist()
    assert images.tolist() == numbers(TRAIN)[:, 1:].tolist()


def test_zip_member_by_role(save: Callable[[bytes], Path]) -> None:
    assert len(kaggle.read_train(save(GOOD["zip of all"]))[1]) == 5


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    for content, rows in ((text(TEST), 5), (gzip.compress(text(TEST)), 5), (GOOD["spaces"], None)):
        path = tmp_path / f"pipe{rows}{len(content)}"
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=[content], daemon=True).start()
        if rows:
            assert kaggle.count_rows(path) == rows
        else:
            with pytest.raises(KaggleFileError, match="a pipe can't be read twice"):
                kaggle.count_rows(path)


@pytest.mark.once
def test_the_real_files(kaggle_files: tuple[Path, Path]) -> None:
    train, test = kaggle_files
    images, labels = kaggle.read_train(train)
    assert (images.shape, labels.shape) == ((42_000, 784), (42_000,))
    with open(train, newline="") as file:
        for row, cells in enumerate(csv.reader(file), -1):
            if row >= 0 and row % 97 == 0:
                assert [labels[row], *images[row].tolist()] == list(map(int, cells))
    sums = kaggle.map_test(test, lambda images: images.sum(axis=1, dtype=np.int64))
    assert len(sums) == kaggle.count_rows(test) == 28_000
    assert sums.sum() == kaggle.read_test(test, threads=1).sum(dtype=np.int64)


def test_says_what_is_wrong_inside_a_zip(save: Callable[[bytes], Path]) -> None:
    path = save(zipped({"digits.csv": changed(2, 5, 256)}))
    with pytest.raises(KaggleFileError, match=re.escape(f"{path} (digits.csv): row 2 (line 3), column pixel5: 256")):
        kaggle.read_test(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_without_a_bound_is_not_unpacked(method: int, save: Callable[[bytes], Path]) -> None:
    path, reason = save(zipped({"digits.csv": text(TEST)}, method)), "compressed by another method than deflate"
    for call in (kaggle.read_test, kaggle.validate_submission):
        with pytest.raises(KaggleFileError, match=re.escape(f"{path} (digits.csv): {reason}")):
            call(path)
    assert len(kaggle.read_test(save(zipped({"digits.csv": text(TEST)}, zipfile.ZIP_STORED)))) == 5


def test_no_file(tmp_path: Path) -> None:
    check_message(kaggle.read_test, tmp_path / "none.csv", "no such file")
    check_message(kaggle.read_test, tmp_path, "this is a folder, not a file")
    (tmp_path / "secret.csv").touch(mode=0)
    if not os.access(tmp_path / "secret.csv", os.R_OK):  # root may read it
        check_message(kaggle.read_test, tmp_path / "secret.csv", "Permission denied")


def test_more_rows_than_memory(monkeypatch: pytest.MonkeyPatch, save: Callable[[bytes], Path]) -> None:
    monkeypatch.setattr(gathering, "MAX_ROWS", 4)
    check_message(kaggle.read_test, save(text(TEST)), "more than 4 rows, which is too many for one array")


def test_finds_kaggles_input(tmp_path: Path) -> None:
    digits = tmp_path / "competitions" / "digit-recognizer"
    expected = (str(digits / "train.csv"), str(digits / "test.csv"))
    for folder, train in ((tmp_path / "a-titanic", b"PassengerId\n"), (digits, text(TRAIN))):
        assert kaggle.find_kaggle_input(tmp_path) is None
        folder.mkdir(parents=True)
        (folder / "train.csv").write_bytes(train)
        assert kaggle.find_kaggle_input(tmp_path) is None
        (folder / "test.csv").write_bytes(text(TEST))
    assert kaggle.find_kaggle_input(tmp_path) == expected
    (digits / "test.csv").write_bytes(b"id," + text(TEST))
    assert kaggle.find_kaggle_input(tmp_path) == expected
    (digits / "test.csv").write_bytes(b"name," + text(TEST))
    assert kaggle.find_kaggle_input(tmp_path) is None
