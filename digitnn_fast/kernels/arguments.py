"""The arguments of kernels, but for those that learn: each field with its type, its shape, and what it holds.

n are images, `block` the images that a kernel holds at once, `tiles` of `tile` hidden units each make up the network.
Nothing but these declarations decides what a kernel is compiled for, what a caller may pass, and how large scratch
memory is: see `machine/arguments.py`.
"""

from typing import Annotated, Any, NamedTuple

import numpy as np

# Not NDArray: numpy.typing costs every start 5 ms.
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
SignedBytes = np.ndarray[Any, np.dtype[np.int8]]
Words = np.ndarray[Any, np.dtype[np.uint16]]
Shorts = np.ndarray[Any, np.dtype[np.int16]]
Integers = np.ndarray[Any, np.dtype[np.int32]]
Counts = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float32]]
Number = Annotated[int, "int64"]


class Text(NamedTuple):
    """Lines of a CSV."""

    buffer: Annotated[Bytes, "bytes"]  # with 3 bytes before the lines and 64 behind them
    position: Number  # where the first line begins, in bytes
    end: Number  # behind the last line feed


class Rows(NamedTuple):
    """What is read from the lines."""

    images: Annotated[Bytes, "n, 784"]
    labels: Annotated[Bytes, "n"]  # or empty: the lines have none


class Batch(NamedTuple):
    """Images, and what a network says to them. Any number of threads may share one."""

    taken: Annotated[Counts, "1"]  # 0 at first: the images that a thread has taken
    images: Annotated[Bytes, "n, 784"]  # grey levels
    labels: Annotated[Bytes, "n"]  # filled: the most probable digit
    probabilities: Annotated[Floats, "n, 10"]  # filled, unless it has no rows


class Weights(NamedTuple):
    """A float32 network, packed by `engines.Float32`; H is padded to whole tiles with zeros."""

    W1: Annotated[Floats, "tiles*784*64"]  # tile by tile, with the 1/255 of a grey level folded in
    b1: Annotated[Floats, "tiles*64"]
    W2: Annotated[Floats, "tiles*64*16"]  # in rows of 16, the last six of them 0
    b2: Annotated[Floats, "16"]  # the last six NO_CLASS


class ForwardScratch(NamedTuple):
    """One thread's memory for `inference.forward`; room is for 784 pixels of each image and 128 more."""

    places: Annotated[Words, "room"]  # of the pixels that are not zero
    values: Annotated[Floats, "room"]  # their grey levels
    bytes_: Annotated[Bytes, "room"]  # the same as bytes
    starts: Annotated[Counts, "6*block + 1"]  # where each band begins in the lists
    hidden: Annotated[Floats, "block*64"]  # one tile
    logits: Annotated[Floats, "block*16"]


class FixedWeights(NamedTuple):
    """A network with 16-bit weights in its first layer, packed by `engines.Fixed`; H is padded to whole tiles with zeros."""

    W1: Annotated[Shorts, "tiles*392*64*2"]  # tile by tile; two pixels' weights of a unit lie together
    scale: Annotated[Floats, "tiles*64"]  # times it a unit's sums are those of the float32 network
    b1: Annotated[Floats, "tiles*64"]
    W2: Annotated[Floats, "tiles*64*16"]  # in rows of 16, the last six of them 0
    b2: Annotated[Floats, "16"]  # the last six NO_CLASS


class FixedScratch(NamedTuple):
    """One thread's memory for `fixed.forward`; room is for 392 pairs of each image and 32 more."""

    places: Annotated[Words, "room"]  # of the pairs of pixels that are not both zero
    pairs: Annotated[Words, "room"]  # their two grey levels
    levels: Annotated[Integers, "room"]  # the same as int16
    starts: Annotated[Counts, "4*block + 1"]  # where each band begins in the lists
    sums: Annotated[Integers, "block*64"]  # hidden units of one tile, before scale and bias
    hidden: Annotated[Floats, "block*64"]
    logits: Annotated[Floats, "block*16"]


class Int8Weights(NamedTuple):
    """A quantised network, packed by `engines.Int8`; H is padded to whole tiles with zeros."""

    W1: Annotated[SignedBytes, "tiles*196*64*4"]  # four pixels' weights of a unit lie together
    b1: Annotated[Integers, "tiles*64"]
    W2: Annotated[Shorts, "tiles*32*16*2"]  # two units' weights of a digit lie together
    b2: Annotated[Integers, "16"]  # the last six the least int32
    shift: Number  # bits by which the hidden units are shifted to the right
    scale: Annotated[float, "float32"]  # of the logits: times it they are those of the float32 network
    wide: Annotated[Shorts, "tiles*392*64*2"]  # W1 for where two int16 are multiplied at a time; filled at first use
    widened: Annotated[Counts, "1"]  # how often `wide` has been filled; 0 at first


class Int8Scratch(NamedTuple):
    """One thread's memory for `int8.forward`; room is for 392 pairs of each image and 32 more."""

    places: Annotated[Words, "room"]  # as in `FixedScratch`: where two int16 are multiplied at a time
    pairs: Annotated[Words, "room"]
    levels: Annotated[Integers, "room"]
    groups: Annotated[Integers, "room"]  # elsewhere: places of the groups of four pixels that are not all zero
    quads: Annotated[Integers, "room"]  # their four grey levels; from the middle on those of the next image
    starts: Annotated[Counts, "4*block + 1"]  # where each band begins in the lists
    sums: Annotated[Integers, "block*64"]  # hidden units of one tile before their ReLU
    hidden: Annotated[Shorts, "block*64"]
    logits: Annotated[Integers, "block*16"]


class Logits(NamedTuple):
    """What `int8.forward` computes besides the answers."""

    out: Annotated[Integers, "n, 10"]  # filled, unless it has no rows


class Mapped(NamedTuple):
    """Images, and what is made of each."""

    images: Annotated[Bytes, "n, 784"]
    out: Annotated[Bytes, "n, 784"]  # filled


class Vector(NamedTuple):
    """Values, and what is made of each."""

    values: Annotated[Floats, "n"]
    out: Annotated[Floats, "n"]  # filled


class Scores(NamedTuple):
    """Logits, and what is made of each row."""

    logits: Annotated[Floats, "n, 10"]
    out: Annotated[Floats, "n, 10"]  # filled: probabilities


class Distortion(NamedTuple):
    """How images are distorted."""

    key: Number  # of the random numbers; an image's own is key + its index
    limits: Annotated[Counts, "5"]  # see `distortion.distort`; in training empty: not at all


class DistortScratch(NamedTuple):
    """One thread's memory for `distortion.distort_all`."""

    padded: Annotated[Bytes, "1600"]  # an image as `sample_row` reads it
    field: Annotated[Integers, "512"]  # the displacements of the lattice, and their splines


class DeskewScratch(NamedTuple):
    """One thread's memory for `deskewing.deskew_next`."""

    padded: Annotated[Bytes, "28*96"]  # an image with paper on both sides


class Deskewing(NamedTuple):
    """Images, of which each call takes as many as `out` has rows. Any number of threads may share `taken`."""

    taken: Annotated[Counts, "1"]  # 0 at first: the images that a thread has taken
    images: Annotated[Bytes, "n, 784"]
    out: Annotated[Bytes, "rows, 784"]  # filled


class DescribeScratch(NamedTuple):
    """One thread's memory for `directions.describe`."""

    # Of rows of cells, the first one above the image, 16 directions in 32 lanes each, weighted down but not across.
    sums: Annotated[Shorts, "9*16*32 + 4"]


class CellsScratch(NamedTuple):
    """One thread's memory for `cells.describe`."""

    padded: Annotated[Bytes, "992"]  # an image with a pixel of paper around it, and what is read beside it
    slopes: Annotated[Integers, "896"]  # the gradient of each pixel, x and y in 16 bits each
    edges: Annotated[Integers, "28"]  # of each row: bit c tells whether the gradient of column c is not zero
    line: Annotated[Integers, "144"]  # up to 9 cells of 16 directions: of a row of pixels
    sums: Annotated[Integers, "1296"]  # up to 9 by 9 of them
    values: Annotated[Bytes, "800"]  # cell by cell, and 16 more


class CellsLayout(NamedTuple):
    """The fields of `directions.Cells`, and what the kernel need not work out for each pixel."""

    rows: Number
    columns: Number
    directions: Number
    pitch: Number
    top: Number
    left: Number
    shift: Number
    across: Number
    row_cells: Annotated[
        Integers, "28"
    ]  # the row of cells above each row of pixels, counted from 1; -1: no cell sees it
    row_shares: Annotated[Integers, "28"]  # how far below it, in half pixels
    column_cells: Annotated[Integers, "28"]
    column_shares: Annotated[Integers, "28"]
    before: Annotated[Integers, "16"]  # see `layout.products`
    behind: Annotated[Integers, "16"]
