"""How images and weights are divided for the kernels, and the memory that they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from digitnn_fast.kernels.arguments import CellsLayout
from digitnn_fast.sizes import SIDE

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from digitnn_fast.reference.directions import Cells

TILE = 64  # hidden units that one pass over an image's pixels serves: four AVX-512 registers
BANDS = 4  # of an image's pixels in training, whose weights the first-level cache holds
BLOCK = 128  # images that share one reading of a tile's weights
SHARE = 256  # images that a thread takes at a time: 0.1 ms of work, in order of memory
NO_CLASS = np.float32(-1e30)  # the logit of lanes 10 to 15: too low to be the maximum or to count in a sum

TRAINING_TILE, TRAINING_BLOCK = 32, 128
MOMENTUM, ADAM = 0, 1


def aligned(shape: int | tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Zeros that begin at a cache line: NumPy promises 16 bytes, and a vector that lies in two lines is read twice."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.zeros(size + 64, np.uint8)
    start = -buffer.__array_interface__["data"][0] % 64
    return buffer[start : start + size].view(dtype).reshape(shape)


def cells_layout(cells: Cells) -> CellsLayout:
    """The cells, and between which two of them each row and column of pixels lies, and how far down or to the right."""

    def between(first: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        steps = 2 * np.arange(SIDE, dtype=np.int32) - first
        inside = (steps > 0) & (steps < cells.pitch * (count + 1))
        return np.where(inside, steps // cells.pitch, -1).astype(np.int32), steps % cells.pitch

    return CellsLayout(*cells, *between(cells.top, cells.rows), *between(cells.left, cells.columns), *products(cells))


def products(cells: Cells) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Two (16,), whose dot products with gradients g `dot_halves` makes: u_{k-1} x g and g x u_{k+1}; 0 behind the last k.

    x is in the low half of a word, y in the high one.
    """
    x, y = cells.units()
    both = [(-np.roll(y, 1), np.roll(x, 1)), (np.roll(y, -1), -np.roll(x, -1))]
    spare = ((0, 16 - cells.directions), (0, 0))
    before, behind = (np.pad(np.stack(pair, 1), spare).astype(np.int16).view(np.int32).ravel() for pair in both)
    return before, behind
