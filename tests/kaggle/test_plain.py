"""Blocks and threads: the same rows, errors and progress however a table is cut."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kaggle_cells import PIXELS, TEST, check_message, numbers, table, text

from digitnn_fast import kaggle
from digitnn_fast.kaggle import plain


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
    for content in (text(table(60)), gzip.compress(text(table(60))), text(TEST).replace(b",", b" , ")):
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
