"""The steps that preprocessings are made of, each in NumPy, as a kernel, in ONNX, C and JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from digitnn_fast.home import HOME
from digitnn_fast.kernels import KERNELS, Call
from digitnn_fast.kernels.arguments import CellsScratch, DescribeScratch, DeskewScratch
from digitnn_fast.kernels.layout import cells_layout
from digitnn_fast.kernels.machine.arguments import allocate
from digitnn_fast.preprocessing import graph
from digitnn_fast.reference import deskewing, directions, pooling
from digitnn_fast.reference.directions import COARSE, COARSER, FINE, Cells
from digitnn_fast.sizes import CLASSES, PIXELS, SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]


HERE = HOME / "preprocessing"
BOARD = HERE / "micropython"

# taken, pixels, labels, probabilities
NO_IMAGES = (
    np.zeros(1, np.int64),
    np.zeros((0, PIXELS), np.uint8),
    np.zeros(0, np.uint8),
    np.zeros((0, CLASSES), np.float32),
)


class Step(NamedTuple):
    """One step from images (n, 784) to images (n, 784), in every language.

    The C pieces are put into digits.c one after the other. Those of a view end in a type `view` and the functions
    `begin(view *, image)` and `values_of(view *, y)`, which gives row y; rows are asked for from above to below.
    The constants are macros there, in capitals, in JavaScript an object with the function's name in capitals, and in
    MicroPython further arguments.
    """

    reference: Callable[[Bytes], Bytes]  # the specification
    kernel: str  # its name in KERNELS
    bind: Callable[[], Call]  # with scratch of its own: call(images, out), of a picture call(taken, images, out)
    onnx: Callable[
        ..., str
    ]  # onnx(graph, name of levels in float32), of a picture (graph, name, edge): names the result
    javascript: Path  # the file's stem is the name of the function: pixels (784,) to pixels (784,)
    micropython: Path  # the same
    c: tuple[Path, ...] = ()
    wide: tuple[Path, ...] = ()  # the same for WebAssembly, in loops that become vectors; none: as `c`
    constants: Mapping[str, int] = {}
    stack: int = 0  # bytes of a view in C, where a pointer has 4
    edge: int = 0  # pixels at each side of the picture that a view does not get in ONNX, for it would not look at them


def _bind_deskew() -> Call:
    """deskew(taken, images, out), with scratch of its own."""
    return KERNELS["deskewing.deskew_next"].bind(*allocate(DeskewScratch), *NO_IMAGES[:2], NO_IMAGES[1])


def _bind_describe() -> Call:
    """describe(images, out), with scratch of its own."""
    return KERNELS["directions.describe"].bind(*allocate(DescribeScratch), NO_IMAGES[1], NO_IMAGES[1])


def _bind_cells(cells: Cells) -> Call:
    """describe(images, out, cells), with scratch of its own."""
    call = KERNELS["cells.describe"].bind
    return call(*allocate(CellsScratch), *cells_layout(cells), NO_IMAGES[1], NO_IMAGES[1])


def _bind_pool() -> Call:
    """pool(images, out)."""
    return KERNELS["pooling.pool"].bind(NO_IMAGES[1], NO_IMAGES[1])


CELLS = "rows", "columns", "turns", "pitch", "origin_y", "origin_x", "halvings", "across"  # as C and JavaScript say
STRAIGHTEN = HERE / "straighten.c"
DESKEW = Step(
    deskewing.deskew,
    "deskewing.deskew_next",
    _bind_deskew,
    graph.deskew,
    HERE / "deskewed.js",
    BOARD / "deskewed.py",
    (HERE / "look.c",),  # with which digits.c deskews by itself
)
POOL = Step(
    pooling.pool,
    "pooling.pool",
    _bind_pool,
    graph.pool,
    HERE / "pooled.js",
    BOARD / "pooled.py",
    (STRAIGHTEN, HERE / "pool.c"),
    stack=20 + 2 * 30 + SIDE,
)


def _describe(cells: Cells) -> Step:
    """The edges in these cells; the usual ones have a faster kernel of their own."""
    fine = cells == FINE
    return Step(
        partial(directions.describe, cells=cells),
        "directions.describe" if fine else "cells.describe",
        _bind_describe if fine else partial(_bind_cells, cells),
        partial(graph.describe, cells=cells),
        HERE / "described.js",
        BOARD / "described.py",
        (STRAIGHTEN, HERE / "describe.c"),
        (HERE / "describe_wide.c",),
        dict(zip(CELLS, cells, strict=True)),
        36 + 4 * 30 + cells.columns * cells.directions + 2 * 4 * (cells.columns + 2) * cells.directions,
        graph.EDGE,
    )


DESCRIBE, DESCRIBE_COARSE, DESCRIBE_COARSER = _describe(FINE), _describe(COARSE), _describe(COARSER)
