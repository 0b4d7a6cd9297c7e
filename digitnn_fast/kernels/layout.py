"""How images and weights are divided for the kernels, and the memory that they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

TILE = 64  # hidden units that one pass over an image's pixels serves: four AVX-512 registers
BANDS, BAND = 4, 192  # of an image's pixels, whose weights the first-level cache holds; the last has 16 pixels more
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
