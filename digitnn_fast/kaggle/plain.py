"""The table exactly as Kaggle serves it, read by all threads through the compiled parser.

The threads take turns at reading the next block into a buffer of their own (and at unpacking it, if it is
compressed), and parse it and use it while another one reads. So memory does not grow with the file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.kaggle.table import Table
from digitnn_fast.kernels import KERNELS
from digitnn_fast.sizes import PIXELS
from digitnn_fast.threads import run_together

Bytes = NDArray[np.uint8]
Progress = Callable[[int, int | None], None]
Result = TypeVar("Result")

BLOCK_BYTES = 1 << 20  # with 256 kB the threads wait for each other twice as long
PAD = 64  # the parser looks at 3 bytes before and 64 bytes behind the lines
SHORTEST_LINE = 2 * PIXELS
LONGEST_LINE = 2 + 4 * PIXELS + 1

_parse_rows = KERNELS["csv.parse_rows"]
_PIXEL_NAMES = ",".join(f"pixel{pixel}" for pixel in range(PIXELS)).encode()
HEADERS = {True: b"label," + _PIXEL_NAMES, False: _PIXEL_NAMES}


class NotPlainError(Exception):
    """A block that is not plain: only the lenient reader can accept it or explain its error."""


class Rest(NamedTuple):
    """The part left to the lenient reader: from byte `offset` on, where row number `row` (from 1) begins."""

    row: int
    offset: int


class Block(NamedTuple):
    """Whole lines text[PAD:end] in a thread's buffer, which the thread's next block overwrites."""

    number: int
    text: Bytes
    end: int

    def parse(self, images: Bytes, labels: Bytes) -> int:
        """Fill the first m rows of images (capacity, 784) and, unless it is empty, labels (capacity,); m."""
        rows = _parse_rows(self.text, PAD, self.end, images, labels)
        if rows is None or rows < 0:
            raise NotPlainError
        return rows


class Blocks:
    """Cuts a table, behind its header, into blocks of whole lines for several threads at once."""

    def __init__(self, table: Table, offset: int, block_bytes: int, progress: Progress | None) -> None:
        self._table, self._progress = table, progress
        self.bytes = max(block_bytes, LONGEST_LINE + 1)  # so that each holds a line end
        self.capacity = (self.bytes + LONGEST_LINE) // SHORTEST_LINE + 1
        self.offsets = [offset]  # where each block begins in the table, then where the next one does
        self._rest = b""  # the beginning of a line that the last block cut
        self._stopped = False
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Number of blocks so far."""
        return len(self.offsets) - 1

    def stop(self) -> None:
        """Stop: `next` returns no more blocks, and whoever waits for a pipe in it is woken."""
        self._stopped = True
        self._table.stop()

    def new_buffer(self) -> bytearray:
        """A buffer for `next`."""
        return bytearray(PAD + LONGEST_LINE + self.bytes + PAD)

    def next(self, buffer: bytearray) -> Block | None:
        """The next block; None after the last. NotPlainError for a line that is too long."""
        with self._lock:
            if self._stopped:
                return None
            try:
                return self._next(buffer)
            except Exception:
                self.stop()  # before another thread comes in
                raise

    def _next(self, buffer: bytearray) -> Block | None:
        end = self._read(buffer)
        lines_end = buffer.rfind(b"\n", PAD, end) + 1 or PAD
        self._rest = bytes(memoryview(buffer)[lines_end:end])
        if len(self._rest) > LONGEST_LINE:
            raise NotPlainError
        if self._progress:
            self._progress(self._table.bytes_done(), self._table.size)
        if lines_end == PAD:
            return None
        self.offsets.append(self.offsets[-1] + lines_end - PAD)
        return Block(self.count - 1, np.frombuffer(buffer, np.uint8), lines_end)

    def _read(self, buffer: bytearray) -> int:
        """Put the cut line and what follows it at PAD; where that ends."""
        start = PAD + len(self._rest)
        buffer[PAD:start] = self._rest
        with memoryview(buffer) as view:
            end = start + self._table.read_into(view[start : start + self.bytes])
        if end < start + self.bytes:
            self.stop()
            if end > PAD and buffer[end - 1] != ord("\n"):
                buffer[end : end + 1] = b"\n"
                end += 1
        return end


def map_blocks(
    table: Table,
    labelled: bool,
    function: Callable[[Bytes, Bytes], Result],
    threads: int,
    progress: Progress | None,
    block_bytes: int,
) -> tuple[list[Result], Rest | None]:
    """The results of `function(images, labels)` in the order of the rows, and where the table stops being plain.

    The function's arguments are overwritten later. What it raises ends the work of all threads and is raised here.
    """
    header = table.read_line(2 * len(_PIXEL_NAMES))
    if header.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n") != HEADERS[labelled]:
        return [], Rest(1, 0)
    blocks = Blocks(table, len(header), block_bytes, progress)
    results: dict[int, tuple[int, Result]] = {}
    failures: dict[int, Exception] = {}

    def work() -> None:
        block = None
        try:
            buffer = blocks.new_buffer()
            images = np.empty((blocks.capacity, PIXELS), np.uint8)
            labels = np.empty(blocks.capacity * labelled, np.uint8)
            while (block := blocks.next(buffer)) is not None:
                rows = block.parse(images, labels)
                results[block.number] = rows, function(images[:rows], labels[:rows])
                block = None  # an error of next() is not this block's
        except Exception as error:
            blocks.stop()
            failures[block.number if block else blocks.count] = error

    if table.size is not None and not table.packed:
        threads = min(threads, table.size // blocks.bytes + 1)
    run_together([work] * threads, on_failure=blocks.stop)
    # The failure that comes first in the file, so that it does not depend on the threads; all before it is done.
    count, failure = min(failures.items(), default=(blocks.count, None), key=itemgetter(0))
    if failure is not None and not isinstance(failure, NotPlainError):
        raise failure
    done = [results[number] for number in range(count)]
    rest = Rest(1 + sum(rows for rows, _ in done), blocks.offsets[count])
    return [result for _, result in done], rest if failure or not done else None
