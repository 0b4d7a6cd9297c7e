"""The compiled pixel parser, and its twin in NumPy, against str.split and int."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitnn_fast.kernels import KERNELS
from digitnn_fast.reference import rows as reference
from digitnn_fast.sizes import PIXELS

PAD = 64
parse_rows = KERNELS["csv.parse_rows"]


def twin(buffer: np.ndarray, position: int, end: int, images: np.ndarray, labels: np.ndarray) -> int:
    return reference.parse_rows(buffer[position:end], images, labels)


def parse(
    text: bytes, labelled: bool = False, capacity: int = 8, parse_rows: Callable[..., int | None] = parse_rows
) -> tuple[int | None, np.ndarray, np.ndarray]:
    """What the kernel returns and fills, with guards around everything that it may write."""
    buffer = np.frombuffer(b"9" * (PAD - 1) + b"\0" + text + b"7," * (PAD // 2), np.uint8)
    images = np.full((capacity + 2, PIXELS), 77, np.uint8)
    labels = np.full(capacity, 77, np.uint8)
    rows = parse_rows(buffer, PAD, PAD + len(text), images[1:-1], labels if labelled else labels[:0])
    assert (images[[0, -1]] == 77).all(), "wrote outside its images"
    return rows, images[1:-1], labels


def oracle(text: bytes, labelled: bool) -> list[list[int]] | None:
    """The rows, or None if the text is not plain."""
    rows = []
    for line in text.decode("latin-1").removesuffix("\n").split("\n"):
        cells = line.removesuffix("\r").split(",")
        if len(cells) != PIXELS + labelled:
            return None
        if not all(cell.isascii() and cell.isdigit() and len(cell) <= 3 and int(cell) <= 255 for cell in cells):
            return None
        if labelled and len(cells[0]) > 1:
            return None
        rows.append([int(cell) for cell in cells])
    return rows


def check(text: bytes, labelled: bool = False) -> None:
    expected = oracle(text, labelled)
    for rows, images, labels in (parse(text, labelled), parse(text, labelled, parse_rows=twin)):
        if expected is None:
            assert rows == -1
            continue
        assert rows == len(expected)
        for row, numbers in enumerate(expected):
            assert images[row].tolist() == numbers[labelled:]
            assert not labelled or labels[row] == numbers[0]


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (5, PIXELS)) * (random.random((5, PIXELS)) < [[0.2], [0.5], [1], [0], [0.8]])


def write(table: np.ndarray, end: str = "\n") -> bytes:
    return "".join(",".join(map(str, row)) + end for row in table.tolist()).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_rows(table: np.ndarray, end: str) -> None:
    check(write(table, end))
    check(write(np.column_stack([[3, 0, 9, 5, 1], table]), end), labelled=True)


@pytest.mark.parametrize("value", [*range(0, 256, 17), 9, 10, 99, 100, 199, 200, 249, 250, 255])
def test_value_at_every_place_of_a_vector(value: int) -> None:
    for before in range(64):
        row = [0] * PIXELS
        row[before // 2 : before // 2 + 2] = [10, value] if before % 2 else [1, value]  # one character further
        row[-1] = value
        check(write(np.array([row])))


@pytest.mark.parametrize(
    "bad", ["256", "299", "300", "999", "1000", "0255", "25500", "", "-1", "1.0", " 1", '"1"', "a"]
)
def test_bad_value_at_every_place_of_a_vector(bad: str) -> None:
    for before in range(64):
        cells = ["0"] * PIXELS
        cells[0] = "10" if before % 2 else "1"
        cells[before // 2 + 1] = bad
        check((",".join(cells) + "\n").encode())


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, PIXELS - 64, PIXELS - 1, PIXELS + 1, PIXELS + 64, 3 * PIXELS])
@pytest.mark.parametrize("value", ["7", "255"])
def test_short_and_long_rows(count: int, value: str) -> None:
    check((",".join([value] * count) + "\n").encode())


@pytest.mark.parametrize("change", [(b"\r\n", b"\r"), (b"\r\n", b"\n\r"), (b"\r\n", b"\r\r\n"), (b"\r\n", b",\r\n")])
def test_line_ends(table: np.ndarray, change: tuple[bytes, bytes]) -> None:
    check(write(table, "\r\n").replace(*change)[:-1] + b"\n")


@pytest.mark.parametrize("label", ["", "a", "10", "-1", " 1", "/", ":"])
def test_bad_label(table: np.ndarray, label: str) -> None:
    check(b"5," + write(table[:1]) + label.encode() + b"," + write(table[1:2]), labelled=True)


def test_more_rows_than_there_is_room_for(table: np.ndarray) -> None:
    rows, images, _ = parse(write(table), capacity=4)
    assert rows == -1 == parse(write(table), capacity=4, parse_rows=twin)[0]
    assert images.tolist() == table[:4].tolist()


def test_nothing_to_parse() -> None:
    assert parse(b"")[0] == 0 == parse(b"", parse_rows=twin)[0]


@settings(max_examples=300)
@given(st.data())
def test_any_change_is_parsed_as_before_or_refused(table: np.ndarray, data: st.DataObject) -> None:
    text = bytearray(write(table[:3], data.draw(st.sampled_from(["\n", "\r\n"])))[:-1])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 4))] = data.draw(
            st.text('0123456789,,,\r\n ."-\0', max_size=4).map(str.encode) | st.binary(max_size=2)
        )
    check(bytes(text) + b"\n")
