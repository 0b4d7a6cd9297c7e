"""What is wrong with a table, in one line with row and column; Python's csv module and float are the oracle."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kaggle_cells import NO_HEADER, PIXELS, TEST, TRAIN, changed, check_message, table, text, zipped

from digitnn_fast import kaggle
from digitnn_fast.kaggle import KaggleFileError

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
