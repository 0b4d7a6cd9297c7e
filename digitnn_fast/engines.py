"""How a network is laid out for a kernel, one class for each precision; `ENGINES` is their table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.kernels import BLOCK, CLASSES, KERNELS, NO_CLASS, PIXELS, TILE, aligned
from digitnn_fast.quantization import quantize
from digitnn_fast.utils import PIXEL_SCALE, Parameters

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Counter = NDArray[np.int64]
Scratch = tuple[NDArray[Any], ...]


class Engine(Protocol):
    """A network ready for its kernel."""

    def __init__(self, parameters: Parameters) -> None: ...

    def scratch(self) -> Scratch:
        """Memory for one call at a time."""

    def call(
        self, scratch: Scratch, taken: Counter, pixels: Bytes, labels: Bytes, probabilities: Floats
    ) -> Callable[[], object]:
        """The call that fills labels (n,) and, unless it has no rows, probabilities (n, 10) of pixels (n, 784).

        Threads may make such calls together, with one `taken` (1,) of 0: then each takes what the others have not.
        """


class Float32:
    """W1 in tiles of 64 units with 1/255 folded in, W2 in rows of 16: see kernels/inference.py."""

    def __init__(self, parameters: Parameters) -> None:
        W1, b1, W2, b2 = parameters
        tiles = -(-len(b1) // TILE)
        rows = aligned((tiles, PIXELS, TILE))
        rows[...] = _tiles(W1 * np.float64(PIXEL_SCALE), tiles)
        bias, outgoing, last = aligned(tiles * TILE), aligned((tiles * TILE, 16)), aligned(16)
        bias[: len(b1)] = b1
        outgoing[: len(b1), :CLASSES] = W2
        last[:] = NO_CLASS
        last[:CLASSES] = b2
        self.weights = rows.ravel(), bias, outgoing.ravel(), last

    def scratch(self) -> Scratch:
        room = BLOCK * PIXELS + 64
        lists = aligned(room, np.uint16), aligned(room), aligned(room, np.uint8)
        return *lists, np.zeros(2 * BLOCK + 1, np.int64), aligned(BLOCK * TILE), aligned(BLOCK * 16)

    def call(
        self, scratch: Scratch, taken: Counter, pixels: Bytes, labels: Bytes, probabilities: Floats
    ) -> Callable[[], object]:
        return KERNELS["inference.forward"].bind(pixels, *self.weights, *scratch, taken, labels, probabilities)


class Int8:
    """The quantised network in groups of four pixels: see kernels/int8.py."""

    def __init__(self, parameters: Parameters) -> None:
        W1, b1, W2, b2, shift, scale = quantize(parameters)
        tiles = -(-len(b1) // TILE)
        groups = aligned((tiles, PIXELS // 4, TILE, 4), np.int8)
        groups[...] = _tiles(W1, tiles).reshape(tiles, PIXELS // 4, 4, TILE).transpose(0, 1, 3, 2)
        bias, last = aligned(tiles * TILE, np.int32), aligned(16, np.int32)
        bias[: len(b1)] = b1
        last[:] = np.iinfo(np.int32).min
        last[:CLASSES] = b2
        outgoing = np.zeros((tiles * TILE, 16), np.int16)
        outgoing[: len(b1), :CLASSES] = W2
        pairs = aligned((tiles * TILE // 2, 16, 2), np.int16)
        pairs[...] = outgoing.reshape(-1, 2, 16).transpose(0, 2, 1)
        self.weights = groups.ravel(), bias, pairs.ravel(), last, shift, scale

    def scratch(self) -> Scratch:
        room = BLOCK * PIXELS // 4 + 16
        lists = aligned(room, np.int32), aligned(room, np.int32), np.zeros(2 * BLOCK + 1, np.int64)
        return *lists, aligned(BLOCK * TILE, np.int32), aligned(BLOCK * TILE, np.int16), aligned(BLOCK * 16, np.int32)

    def call(
        self, scratch: Scratch, taken: Counter, pixels: Bytes, labels: Bytes, probabilities: Floats
    ) -> Callable[[], object]:
        return KERNELS["int8.forward"].bind(
            pixels, *self.weights, *scratch, taken, labels, np.empty((0, CLASSES), np.int32), probabilities
        )


ENGINES: dict[str, type[Engine]] = {"float32": Float32, "int8": Int8}


def _tiles(W1: NDArray[Any], tiles: int) -> NDArray[Any]:
    """(tiles, 784, 64) of W1 (784, H), padded with zeros."""
    padded = np.zeros((PIXELS, tiles * TILE), W1.dtype)
    padded[:, : W1.shape[1]] = W1
    return padded.reshape(PIXELS, tiles, TILE).transpose(1, 0, 2)
