"""Submissions: written, and validated as Kaggle would."""

from __future__ import annotations

import csv
import os
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kaggle_cells import check_message, zipped

from digitnn_fast import kaggle
from digitnn_fast.kaggle import KaggleFileError


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 100, 12_345, 70_000])
def test_submission(rows: int, tmp_path: Path) -> None:
    labels = np.random.default_rng(rows).integers(0, 10, rows)
    path = tmp_path / "submission.csv"
    kaggle.write_submission(path, labels)
    expected = "ImageId,Label\n" + "".join(f"{row},{label}\n" for row, label in enumerate(labels.tolist(), 1))
    assert path.read_bytes() == expected.encode()
    assert kaggle.validate_submission(path) == kaggle.validate_submission(path, rows) == rows
    assert os.listdir(tmp_path) == ["submission.csv"]


def test_probabilities(tmp_path: Path) -> None:
    values = np.random.default_rng(0).dirichlet(np.full(10, 0.1), 30)
    path = tmp_path / "probabilities.csv"
    kaggle.write_probabilities(path, values)
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["ImageId", *(f"Probability{digit}" for digit in range(10))]
    assert [int(row[0]) for row in rows] == list(range(1, 31))
    np.testing.assert_allclose([list(map(float, row[1:])) for row in rows], values, rtol=5.1e-6)
    for bad in (values[0], values[:, :9], np.full((1, 10), np.nan)):
        with pytest.raises(ValueError, match="probabilities must be"):
            kaggle.write_probabilities(path, bad)


@pytest.mark.parametrize("labels", [[], [1, 10], [-1], [0.5], [[1]]])
def test_bad_labels_leave_the_old_file(labels: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="labels"):
        kaggle.write_submission(path, labels)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["submission.csv"]


@pytest.mark.parametrize(
    ("rows", "form", "reason"),
    [
        (3, kaggle.USUAL, "2 rows instead of 3"),
        (
            2,
            kaggle.Form("id", "label", ["a\rb", "c"]),
            "row 1 (line 2): a carriage return inside a line: line ends must be LF or CRLF",
        ),
    ],
)
def test_a_submission_that_is_not_valid_leaves_the_old_file(
    rows: int, form: kaggle.Form, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("old")
    check_message(lambda path: kaggle.write_checked(path, [1, 2], rows, form), path, reason)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["submission.csv"]


def test_unwritable_targets(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "none" / "s.csv", f"can't be written: there is no folder {tmp_path / 'none'}"),
        (tmp_path, "can't be written: this is a folder, not a file"),
        (Path("/dev/full"), "can't be written: No space left on device"),
    ):
        check_message(lambda path: kaggle.write_submission(path, [1]), path, reason)
    assert os.listdir(tmp_path) == []


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        kaggle.write_submission(tmp_path / "s.csv", [1])
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "s.csv").stat().st_mode) == 0o640


def test_writes_into_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    kaggle.write_submission(tmp_path / "pipe", [7])
    reader.join()
    assert received == [b"ImageId,Label\n1,7\n"]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    "content",
    [
        b"ImageId,Label\r\n1,5\r\n2,0\r\n",
        b"ImageId,Label\n2,5\n1,0\n",
        b'"ImageId","Label"\n1,"5"\n02,0',
        b"ImageId,Label\n1,5\n2,0",
    ],
)
def test_validates_any_order_and_line_end(content: bytes, save: Callable[[bytes], Path]) -> None:
    assert kaggle.validate_submission(save(content)) == 2
    assert kaggle.validate_submission(save(zipped({"submission.csv": content})), 2) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"ImageId,Label\n", "no rows, only a header"),
        (b"imageid,label\n1,2\n", "line 1: the header must be ImageId,Label"),
        (b"1,2\n2,3\n", "line 1: the header must be ImageId,Label"),
        (b"ImageId,Label\n1,2\n1,3\n", "row 2 (line 3), column ImageId: 1 occurs twice"),
        (b"ImageId,Label\n0,2\n1,3\n", "row 1 (line 2), column ImageId: 0, but the first image is 1"),
        (b"ImageId,Label\n1,2\n3,3\n", "2 rows, but no ImageId 2"),
        (b"ImageId,Label\n1,2\n99999999,3\n", "row 2 (line 3), column ImageId: 99999999 is outside 0-10000000"),
        (b"ImageId,Label\n1,10\n", "row 1 (line 2), column Label: 10 is outside 0-9"),
        (b"ImageId,Label\n1,7.0\n", "row 1 (line 2), column Label: '7.0' must be written with digits only"),
        (b"ImageId,Label\n1,x\n", "row 1 (line 2), column Label: 'x' is not a number"),
        (b"ImageId,Label\n1,\n", "row 1 (line 2), column Label: empty"),
        (b"ImageId,Label\n1\n", "row 1 (line 2): 1 values instead of 2"),
        (b"ImageId,Label\n1,2,3\n", "row 1 (line 2): 3 values instead of 2"),
        (b"ImageId,Label\n1,2\n2,3\n", "2 rows instead of 28,000"),
    ],
)
def test_says_what_is_wrong_with_a_submission(content: bytes, expected: str, save: Callable[[bytes], Path]) -> None:
    check_message(lambda path: kaggle.validate_submission(path, 28_000), save(content), expected)


@settings(max_examples=100)
@given(st.permutations(range(1, 13)), st.data())
def test_fast_and_slow_validation_agree(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], data: st.DataObject
) -> None:
    lines = [f"{row},{data.draw(st.integers(0, 9))}" for row in data.draw(st.sampled_from([ids, sorted(ids)]))]
    content = bytearray("\n".join(["ImageId,Label", *lines, ""]).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + 1] = data.draw(st.binary(max_size=1) | st.sampled_from([b"1", b",", b"\n"]))
    path = tmp_path_factory.mktemp("fuzz") / "submission.csv"
    path.write_bytes(content)
    cells = [line.split(",") for line in content.decode("latin-1").split("\n") if line.strip(" \t\r\n\x0b\x0c")]
    try:
        labels = {int(row): int(label) for row, label in cells[1:]}
        good = cells[0] == ["ImageId", "Label"] and sorted(labels) == list(range(1, len(cells)))
        good = good and all(0 <= label <= 9 for label in labels.values())
    except ValueError:
        good = False
    try:
        assert kaggle.validate_submission(path) == len(cells) - 1
        assert good
    except KaggleFileError as error:
        assert not good or re.search("UTF-8|NUL|carriage|digits only|not a number", str(error)), str(error)
