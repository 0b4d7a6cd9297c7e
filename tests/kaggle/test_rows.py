"""Tables as spreadsheets and other programs write them, and files that are no tables at all."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from kaggle_cells import NO_HEADER, PIXELS, TEST, TRAIN, check_message, numbers, table, text, zipped

from digitnn_fast import kaggle

SEMICOLONS = text(TEST).replace(b",", b";")
EMPTY = b"," * 783 + b"\r\n"
GOOD = {
    "semicolons": SEMICOLONS,
    "semicolons, quoted": text([[f'"{cell}"' for cell in row] for row in TEST]).replace(b",", b";"),
    "tabs": text(TEST).replace(b",", b"\t"),
    "sep=;": b"sep=;\r\n" + SEMICOLONS,
    "sep=, by a spreadsheet": b"sep=,,,,\r\n" + text(TEST),
    "rows without values at the end": text(TEST) + 3 * EMPTY,
    "the same with semicolons": SEMICOLONS + 3 * EMPTY.replace(b",", b";"),
    "UTF-16": text(TEST).decode().encode("utf-16"),
    "UTF-16, the other order": b"\xfe\xff" + text(TEST).decode().encode("utf-16-be"),
    "UTF-16 with semicolons": SEMICOLONS.decode().encode("utf-16"),
    "UTF-16, plain at first": (text(table(0)) + 400 * text(TEST[1:]) + b"\n").decode().encode("utf-16"),
    "UTF-16, gzip": gzip.compress(text(TEST).decode().encode("utf-16")),
    "UTF-8 with BOM, gzip": gzip.compress(b"\xef\xbb\xbf" + text(TEST)),
}
TRAINING = {
    "Label": text([["Label", *PIXELS], *TRAIN[1:]]),
    "class behind, as OpenML's": text([[*row[1:], row[0]] for row in [["class", *PIXELS], *TRAIN[1:]]]),
    "savetxt's": text([["# label", *PIXELS], *TRAIN[1:]]),
    "semicolons": text(TRAIN).replace(b",", b";"),
    "rows without values at the end": text(TRAIN) + b"," + EMPTY,
}


@pytest.mark.parametrize("name", GOOD)
def test_reads_what_other_programs_write(name: str, save: Callable[[bytes], Path]) -> None:
    path = save(GOOD[name])
    images = kaggle.read_test(path)
    assert images[-5:].tolist() == numbers(TEST).tolist()
    assert len(images) == (2000 if "at first" in name else 5)
    assert kaggle.read_images(path).tolist() == images.tolist()
    assert sum(len(block) for block, _ in kaggle.iter_images(path)) == len(images)


@pytest.mark.parametrize("name", TRAINING)
def test_reads_training_files_of_other_programs(name: str, save: Callable[[bytes], Path]) -> None:
    path = save(TRAINING[name])
    images, labels = kaggle.read_train(path)
    assert labels.tolist() == numbers(TRAIN)[:, 0].tolist()
    assert images.tolist() == kaggle.read_images(path).tolist() == numbers(TRAIN)[:, 1:].tolist()
    with pytest.raises(kaggle.KaggleFileError, match="this is a training file"):
        kaggle.read_test(path)


BAD = {
    "a row without values between": (
        text([*table(2), [""] * 784, table(1)[1]]),
        "row 3 (line 4), column pixel0: empty",
    ),
    "a decimal comma": (
        b";".join(name.encode() for name in PIXELS) + b"\n" + b"0,5;" * 783 + b"0\n",
        "row 1 (line 2), column pixel0: '0,5' is not a number",
    ),
    "a Git LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 51118296\n",
        NO_HEADER + "'version https://git-lfs.github.com/spec/v1'; it is the pointer that Git LFS keeps in the place "
        "of a file: run `git lfs pull`",
    ),
    "a web page": (
        b"<!DOCTYPE html>\n<html>\n",
        NO_HEADER + "'<!DOCTYPE html>'; it is a web page, perhaps one to log in on: download the file itself",
    ),
    "JSON": (b'[{"a": 1}]', NO_HEADER + "'[{\"a\": 1}]'; it is JSON: save it as CSV"),
    "numbers": (b"1 2 3\n", NO_HEADER + "'1 2 3'; these are numbers: put a header above them"),
    "a long line": (b"x" * 99, NO_HEADER + f"'{'x' * 30}…{'x' * 29}'"),
    "a workbook": (zipped({"[Content_Types].xml": b"", "xl/a.xml": b""}), "an Excel workbook; save it as CSV"),
}
BAD_TRAIN = {
    "one-hot labels": (
        text([[*(f"label_{digit}" for digit in range(10)), *PIXELS], [0] * 794]),
        "line 1: no column label, but label_0 to label_9: make one of them, with the digit that they stand for",
    ),
    "another name": (
        text([["figure", *PIXELS], [0] * 785]),
        "line 1: no column label, but 'figure': if that holds the digits, call it label",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_says_what_a_file_looks_like(name: str, save: Callable[[bytes], Path]) -> None:
    check_message(kaggle.read_test, save(BAD[name][0]), BAD[name][1])


@pytest.mark.parametrize("name", BAD_TRAIN)
def test_says_what_labels_look_like(name: str, save: Callable[[bytes], Path]) -> None:
    check_message(kaggle.read_train, save(BAD_TRAIN[name][0]), BAD_TRAIN[name][1])


def test_a_submission_must_be_as_kaggle_wants_it(save: Callable[[bytes], Path]) -> None:
    for content, reason in (
        (b"ImageId;Label\n1;2\n", "line 1: the header must be ImageId,Label"),
        (b"ImageId,Label\n1,2\n,\n", "row 2 (line 3), column ImageId: empty"),
        ("ImageId,Label\n1,2\n".encode("utf-16"), "line 1: UTF-16 text; save it as UTF-8"),
    ):
        check_message(kaggle.validate_submission, save(content), reason)
