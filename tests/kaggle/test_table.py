"""Kaggle's tables, good and bad: real files on disk, and Python's csv module and int as the oracle."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kaggle_cells import NO_HEADER, PIXELS, TEST, TRAIN, changed, check_message, numbers, table, text, zipped

from digitnn_fast import kaggle
from digitnn_fast.kaggle import KaggleFileError, plain

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


def half_plain(content: bytes) -> bytes:
    """The lenient reader has to take over in the middle."""
    lines = content.split(b"\r\n")
    lines[40] = lines[40].replace(b",", b", ", 1)
    return b"\r\n".join(lines)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, half_plain])
@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("block_bytes", [1, 3500, 10_000, 1_000_000])
def test_blocks_and_threads_change_nothing(
    pack: Callable[[bytes], bytes], threads: int, block_bytes: int, save: Callable[[bytes], Path]
) -> None:
    cells = table(60)
    path = save(pack(text(cells)))
    result = kaggle.map_test(path, lambda images: images[:, ::-1], threads, block_bytes=block_bytes)
    assert result.tolist() == numbers(cells)[:, ::-1].tolist()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_first_error_of_several(threads: int, save: Callable[[bytes], Path]) -> None:
    cells = table(90)
    for row in (35, 36, 50, 90):
        cells[row][5] = "x"
    path = save(text(cells))
    expected = "row 35 (line 36), column pixel5: 'x' is not a number"
    check_message(lambda path: kaggle.map_test(path, np.copy, threads, block_bytes=9000), path, expected)


def test_lines_cut_anywhere(save: Callable[[bytes], Path]) -> None:
    cells = table(9)
    path = save(text(cells)[:-2])
    for block_bytes in range(plain.LONGEST_LINE, plain.LONGEST_LINE + 1900, 61):
        assert (kaggle.map_test(path, lambda images: images, 1, block_bytes=block_bytes) == numbers(cells)).all()


@pytest.mark.filterwarnings("ignore:.*most pixels are ink")
@pytest.mark.filterwarnings("ignore:.*no level is above 7")
def test_longest_and_shortest_lines(save: Callable[[bytes], Path]) -> None:
    for value in (7, 255):
        path = save(text([["label", *PIXELS], *([9, *[value] * 784] for _ in range(800))]))
        assert (kaggle.read_train(path)[0] == value).all()


def test_progress_ends_with_the_file(save: Callable[[bytes], Path]) -> None:
    for content in (text(table(60)), gzip.compress(text(table(60))), GOOD["spaces"]):
        calls: list[tuple[int, int | None]] = []
        path = save(content)
        kaggle.map_test(path, lambda images: images, 2, lambda *call: calls.append(call), block_bytes=9000)  # noqa: B023
        assert calls == sorted(calls)
        assert calls[-1] == (path.stat().st_size,) * 2


def test_the_functions_exception_comes_out(save: Callable[[bytes], Path]) -> None:
    running = []

    def fail(images: np.ndarray) -> np.ndarray:
        running.append(images)
        try:
            raise OSError("mine")
        finally:
            running.pop()

    with pytest.raises(OSError, match=r"^mine$"):
        kaggle.map_test(save(text(table(60))), fail, 2, block_bytes=5000)
    assert not running, "it comes out when no thread is at work any more"
    with pytest.raises(ValueError, match="must return 60 rows"):
        kaggle.map_test(save(text(table(60))), lambda images: images[:3], 1)


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


@pytest.mark.slow
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


BAD_TEST = {
    "above 255": (changed(2, 5, 256), "row 2 (line 3), column pixel5: 256 is outside 0-255"),
    "below 0": (changed(1, 0, -1), "row 1 (line 2), column pixel0: -1 is outside 0-255"),
    "huge": (changed(1, 0, "9" * 4000), f"row 1 (line 2), column pixel0: {'9' * 17}... is outside 0-255"),
    "fraction": (changed(3, 783, 0.5), "row 3 (line 4), column pixel783: 0.5 is not a whole number"),
    "text": (changed(3, 7, "abc"), "row 3 (line 4), column pixel7: 'abc' is not a number"),
    "python number": (changed(3, 7, "1_0"), "row 3 (line 4), column pixel7: '1_0' is not a number"),
    "nan": (changed(3, 7, "nan"), "row 3 (line 4), column pixel7: nan is outside 0-255"),
    "empty value": (changed(3, 7, ""), "row 3 (line 4), column pixel7: empty"),
    "short row": (text([*table(3), [0] * 783]), "row 4 (line 5): 783 values instead of 784"),
    "long row": (text([*table(3), [0] * 785]), "row 4 (line 5): 785 values instead of 784"),
    "short last row": (text(table())[:-100], "row 3 (line 4): 741 values instead of 784"),
    "after blank lines": (b"\n\n" + changed(2, 5, 256), "row 2 (line 5), column pixel5: 256 is outside 0-255"),
    "open quote": (changed(3, 7, '"1'), "row 3 (line 4): unexpected end of data"),
    "missing column": (text([row[:9] + row[10:] for row in table()]), "line 1, column pixel9: missing"),
    "missing columns": (text([row[:700] for row in table()]), "line 1, column pixel700: missing (and 83 more)"),
    "duplicate column": (text([[*row, row[3]] for row in table()]), "line 1, column pixel3: occurs 2 times"),
    "empty": (b"", "the file is empty"),
    "blank": (b"\n\n", "the file is empty"),
    "header only": (text(table(0)), "no rows, only a header"),
    "train as test": (
        text(TRAIN),
        "line 1: there is a column label: this is a training file, and a test file is needed",
    ),
    "submission as test": (
        b"ImageId,Label\n1,2\n",
        NO_HEADER + "'ImageId,Label'; it is a submission: give the file that was predicted",
    ),
    "NUL": (text(table())[:-4] + b"\0\r\n", "row 3 (line 4): a NUL byte: this is not a text file"),
    "invalid UTF-8": (text(table())[:-2] + b"\xe9\r\n", "row 3 (line 4): byte 0xe9 is not UTF-8 text"),
    "half a UTF-16": (
        text(table()).decode().encode("utf-16")[:-1],
        "damaged file: begins as UTF-16 text does, but is none",
    ),
    "old Mac": (text(table(), "\r"), "line 1: a carriage return inside a line: line ends must be LF or CRLF"),
    "endless line": (b"0," * 600_000, "line 1: a line of more than 1,048,576 bytes"),
    "endless blank lines": (text(table()) + b"\n" * 1001, "row 4 (line 1005): more than 1,000 blank lines"),
    "cut gzip": (gzip.compress(text(table()))[:-9], "the file is cut off: its compressed data has no end"),
    "damaged gzip": (gzip.compress(text(table()))[:-8] + bytes(8), "damaged file: CRC check failed*"),
    "damaged deflate": (gzip.compress(text(table()))[:10] + b"\xff" * 99, "can't be unpacked: Error -3 *"),
    "half a zip": (zipped({"a.csv": text(table())})[:500], "damaged or cut-off zip: File is not a zip file"),
    "many members": (zipped({f"{at}": b"" for at in range(6000)}), "can't be unpacked: its list of members has *"),
    "long name": (
        zipped({"x" * 60_000: b""}),
        f"this zip must hold one CSV file or one test.csv; it holds {'x' * 40}…{'x' * 39}",
    ),
    "empty zip": (zipped({}), "this zip must hold one CSV file or one test.csv; it holds nothing"),
    "zip of others": (
        zipped({"a.csv": b"", "b.csv": b"", "c": b""}),
        "this zip must hold one CSV file or one test.csv; it holds a.csv, b.csv, c",
    ),
}
BAD_TRAIN = {
    "label above 9": (changed(2, 0, 10, labelled=True), "row 2 (line 3), column label: 10 is outside 0-9"),
    "label missing": (changed(2, 0, "", labelled=True), "row 2 (line 3), column label: empty"),
    "label fraction": (changed(2, 0, 1.5, labelled=True), "row 2 (line 3), column label: 1.5 is not a whole number"),
    "pixel": (changed(2, 1, 256, labelled=True), "row 2 (line 3), column pixel0: 256 is outside 0-255"),
    "short row": (text([*table(1, True), [0] * 784]), "row 2 (line 3): 784 values instead of 785"),
    "test as train": (text(TEST), "line 1: no column label: this is a test file, and a training file is needed"),
    "no label, few pixels": (text([row[:9] for row in TEST]), "line 1, column label: missing (and 775 more)"),
    "two labels": (
        text([["label", *table(0, True)[0]], [1] * 786]),
        "line 1, column label: occurs 2 times",
    ),
}


@pytest.mark.parametrize("name", BAD_TEST)
def test_says_what_is_wrong_with_a_test_file(name: str, save: Callable[[bytes], Path]) -> None:
    content, expected = BAD_TEST[name]
    path = save(content)
    check_message(kaggle.read_test, path, expected)
    check_message(lambda path: kaggle.map_test(path, lambda images: images, 2, block_bytes=1), path, expected)


@pytest.mark.parametrize("name", BAD_TRAIN)
def test_says_what_is_wrong_with_a_training_file(name: str, save: Callable[[bytes], Path]) -> None:
    check_message(kaggle.read_train, save(BAD_TRAIN[name][0]), BAD_TRAIN[name][1])


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
    monkeypatch.setattr(kaggle, "MAX_ROWS", 4)
    check_message(kaggle.read_test, save(text(TEST)), "more than 4 rows, which is too many for one array")


def oracle(content: bytes) -> list[list[float]] | None:
    """What a test file says by Python's csv module and float, if that is a table of pixels at all."""
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(content.decode(), newline=""), strict=True) if row]
        header = [name.strip() for name in header]
        at = [header.index(name) for name in PIXELS]
        values = [[float(row[column]) for column in at] for row in rows]
    except (ValueError, IndexError, csv.Error):
        return None
    if "label" in header or any(header.count(name) > 1 for name in PIXELS) or any(len(r) != len(header) for r in rows):
        return None
    return values if values and all(v == v // 1 and 0 <= v <= 255 for row in values for v in row) else None


@settings(max_examples=150)
@given(st.data())
def test_any_change_is_read_as_the_oracle_does_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(text(table(2), data.draw(st.sampled_from(["\n", "\r\n"]))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        change = st.text('0123456789,,,\r\n ."-+e\0', max_size=4).map(str.encode) | st.binary(max_size=3)
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(change)
    path = tmp_path_factory.mktemp("fuzz") / "test.csv"
    path.write_bytes(content)
    expected = oracle(bytes(content))
    try:
        assert kaggle.read_test(path).tolist() == expected
    except KaggleFileError as error:
        # Stricter than csv: NUL bytes, stray carriage returns, 1_0, digits of other scripts, lines of blanks only.
        assert expected is None or re.search("NUL|carriage return|not a number", str(error)), str(error)


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
