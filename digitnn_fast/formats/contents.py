"""The digits in a file that is no table of text, a block at a time: Parquet, `.npy`, `.npz`, IDX."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import counted
from digitnn_fast.formats import archives, arrays, parquet
from digitnn_fast.formats.kinds import FormatError, Kind, identify
from digitnn_fast.inputs import as_pixels
from digitnn_fast.kaggle.gathering import MAX_ROWS
from digitnn_fast.sizes import PIXELS

MAX_UNPACKED, BOMB = 1 << 26, 200  # bytes of pixels from which on a file may not hold so many times its own size


class Block(NamedTuple):
    """Images (m, 784), of any dtype until they are `checked`; their ids and labels (m,), or None."""

    images: NDArray[Any]
    ids: Any = None
    labels: NDArray[np.uint8] | None = None


class Contents(NamedTuple):
    """All blocks; the name of the column of ids, or None, and their type in Parquet; which part of an archive it is.

    `labelled` tells whether the blocks have their labels with them.
    """

    blocks: Iterator[Block]
    id_name: str | None = None
    id_type: Any = None
    part: str = ""
    labelled: bool = False


class Wanted(NamedTuple):
    """What is asked of a file: digits to `train` on or to test with, their labels, the column of their ids."""

    train: bool = False
    labelled: bool = False
    id_column: str | None = None


def read_contents(
    kind: Kind, stream: io.BufferedReader, file: Any, size: int, name: str, wanted: Wanted | None = None
) -> Contents:
    """The digits of a `file` of so many bytes that `identify` has found to be of this `kind`; FormatError."""
    wanted = wanted or Wanted()
    most = min(MAX_ROWS * PIXELS, _unpacked(size))
    if kind is Kind.PARQUET:
        file.seek(0)
        table = parquet.ParquetImages(file, name, wanted.id_column, wanted.labelled)
        found = Contents(_blocks(table), table.id_name, table.id_type, labelled=wanted.labelled)
    elif wanted.id_column:
        raise FormatError(f"{name}: arrays have no column {wanted.id_column}")
    elif kind is Kind.NPZ:
        images, labels = archives.choose(archives.names_of(file), wanted.train, wanted.labelled, name)
        digits = _labels(file, labels, name) if labels else None
        opened, part = archives.open_array(file, images, name), f"{name}: {images}"
        found = Contents(
            _with(arrays.blocks(opened, Kind.NPY, part, None, most), digits, name),
            part=f"{images}, {labels}" if labels else images,
            labelled=wanted.labelled,
        )
    else:
        whole = size if getattr(stream, "raw", None) is file else None
        found = Contents(_with(arrays.blocks(stream, kind, name, whole, most), None, name))
    return found._replace(blocks=checked(found.blocks, name, size))


def _unpacked(size: int) -> int:
    """How many bytes of pixels a file of so many bytes may hold."""
    return max(MAX_UNPACKED, BOMB * size)


def _labels(file: Any, array: str, name: str) -> NDArray[np.uint8]:
    return arrays.read_labels(archives.open_array(file, array, name), Kind.NPY, f"{name}: {array}")


def read_label_file(file: Any, name: str) -> NDArray[np.uint8]:
    """Labels (n,) of a file of nothing else: IDX, `.npy` or `.npz`."""
    kind, stream = identify(file, name)
    if kind is Kind.NPZ:
        names = archives.names_of(file)
        if len(names) != 1:
            raise FormatError(f"{name}: there must be one array of labels")
        return _labels(file, names[0], name)
    if kind not in (Kind.NPY, Kind.IDX):
        raise FormatError(f"{name}: labels must be IDX, .npy or .npz, not {kind.value}")
    return arrays.read_labels(stream, kind, name)


def _blocks(table: parquet.ParquetImages) -> Iterator[Block]:
    for images, ids, labels in table.blocks():
        yield Block(images, ids, labels)


def _with(blocks: Iterator[NDArray[Any]], labels: NDArray[np.uint8] | None, name: str) -> Iterator[Block]:
    done = 0
    for images in blocks:
        own = None if labels is None else labels[done : done + len(images)]
        done += len(images)
        if own is not None and len(own) != len(images):
            break
        yield Block(images, None, own)
    check_pairs(done, labels, name)


def check_pairs(images: int, labels: NDArray[np.uint8] | None, name: str) -> None:
    """FormatError unless there are as many labels as images."""
    if labels is not None and len(labels) != images:
        raise FormatError(f"{name}: {counted(len(labels), 'label')}, but not as many images")


def checked(blocks: Iterator[Block], name: str, size: int) -> Iterator[Block]:
    """The blocks as grey levels; FormatError for the first pixel that is none, and for a bomb."""
    row = 1
    for block in blocks:
        try:
            pixels = as_pixels(block.images)
        except (ValueError, TypeError) as error:
            raise FormatError(f"{name}: {_place(block.images, row)}{error}") from error
        row += len(pixels)
        if row * PIXELS > _unpacked(size):
            raise FormatError(f"{name}: unpacks to more than {BOMB} times its size; are these digits?")
        yield block._replace(images=pixels)


def _place(images: NDArray[Any], row: int) -> str:
    """Row and pixel of the first value that is no grey level."""
    flat = images.reshape(len(images), -1)
    wrong = ~((flat >= 0) & (flat <= (1 if flat.dtype.kind == "f" and flat.max(initial=0) <= 1 else 255)))
    if not wrong.any():
        return ""
    at, pixel = np.argwhere(wrong)[0]
    return f"row {row + at}, pixel{pixel}: "
