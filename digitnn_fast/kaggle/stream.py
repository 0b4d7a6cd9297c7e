"""A table of digits of any length, some rows at a time in their order: the reader of shards."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import count

import numpy as np

from digitnn_fast.files import Path
from digitnn_fast.kaggle.plain import HEADERS, Blocks, Bytes, NotPlainError, Rest
from digitnn_fast.kaggle.table import Opener, Table, open_file
from digitnn_fast.sizes import PIXELS

BLOCK_BYTES = 1 << 22
LONGEST_HEADER = 1 << 16
ID_NAMES = "id", "ImageId"


def read_names(path: Path, opener: Opener = open_file) -> tuple[list[str], list[str]]:
    """The names of the columns: the file's own, and as Kaggle would call them; KaggleFileError if there are none.

    >>> with open("named.csv", "w") as file:
    ...     print("Class", *range(1, 785), sep=",", file=file)
    >>> own, usual = read_names("named.csv")
    >>> own[:3], usual[:3]
    (['Class', '1', '2'], ['label', 'pixel0', 'pixel1'])
    """
    with Table(path, "test", opener) as table:
        text = table.read_line(LONGEST_HEADER).removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    if text in HEADERS.values():
        names = text.decode().split(",")
        return names, names
    from digitnn_fast.kaggle.rows import Rows

    with Table(path, "test", opener) as table:
        rows = Rows(table)
        return rows.names, rows.header


def find_id(path: Path, id_column: str | None = None, opener: Opener = open_file) -> str | None:
    """The name of the column that identifies the rows: `id_column`, else one of ID_NAMES that is there, else None.

    >>> with open("known.csv", "w") as file:
    ...     print("id", *(f"pixel{number}" for number in range(784)), sep=",", file=file)
    >>> find_id("known.csv")
    'id'
    """
    return id_column or own_id(read_names(path, opener)[0])


def own_id(names: Sequence[str]) -> str | None:
    """The one of ID_NAMES that is among names; None if none is.

    >>> own_id(["pixel0", "ImageId"])
    'ImageId'
    """
    return next((name for name in ID_NAMES if name in names), None)


def iter_images(
    path: Path, id_column: str | None = None, opener: Opener = open_file
) -> Iterator[tuple[Bytes, list[str] | None]]:
    """images (m, 784) of a CSV file and their texts in `id_column`, or None without one, in memory for one block.

    A column `label` is passed over. The images are overwritten when the next ones are asked for. KaggleFileError in
    one line if the file is not such a table.

    >>> from digitnn_fast.sample import load_sample
    >>> np.savetxt("streamed.csv", load_sample().test_images[:5], "%d", ",")
    >>> [(images.shape, ids) for images, ids in iter_images("streamed.csv")]
    [((5, 784), None)]
    """
    rest: Rest | None = Rest(1, 0)
    if id_column is None:
        with Table(path, "test", opener) as table:
            rest = yield from _plain_rows(table)
    if rest is None:
        return
    from digitnn_fast.kaggle import lenient

    with Table(path, "test", opener) as table:
        yield from lenient.read_images(table, id_column, rest)


def _plain_rows(table: Table) -> Generator[tuple[Bytes, None], None, Rest | None]:
    """The rows as far as they are plain; returns what is left to do, or None."""
    header = table.read_line(LONGEST_HEADER)
    text = header.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    if text not in HEADERS.values():
        return Rest(1, 0)
    blocks = Blocks(table, len(header), BLOCK_BYTES, None)
    buffer, images = blocks.new_buffer(), np.empty((blocks.capacity, PIXELS), np.uint8)
    labels = np.empty(blocks.capacity * (text == HEADERS[True]), np.uint8)
    done = 0
    for number in count():
        try:
            if (block := blocks.next(buffer)) is None:
                return None if done else Rest(1, 0)
            rows = block.parse(images, labels)
        except NotPlainError:
            return Rest(1 + done, blocks.offsets[number])
        yield images[:rows], None
        done += rows
    return None
