"""How a network is laid out for a kernel, one class for each precision; `ENGINES` is their table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.kernels import FIXED, FORWARD, KERNELS, Call
from digitnn_fast.kernels.arguments import (
    FixedScratch,
    FixedWeights,
    ForwardScratch,
    Int8Scratch,
    Int8Weights,
    Weights,
)
from digitnn_fast.kernels.layout import BLOCK, NO_CLASS, TILE, aligned
from digitnn_fast.kernels.machine.arguments import allocate
from digitnn_fast.network import Network
from digitnn_fast.preprocessing import NO_IMAGES, PREPROCESSINGS, PreparedCall, predicting
from digitnn_fast.reference.fixed_point import BITS, in_steps
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.sizes import CLASSES, PIXEL_SCALE, PIXELS
from digitnn_fast.utils import Parameters

Bytes = NDArray[np.uint8]

NO_LOGITS = np.zeros((0, CLASSES), np.int32)


class Engine(Protocol):
    """A network ready for its kernel."""

    def call(self, most: int = BLOCK) -> Callable[..., object]:
        """A call with memory of its own: call(taken, pixels (n, 784), labels (n,), probabilities (n, 10) or (0, 10)).

        It fills labels and, unless it has no rows, probabilities. Threads may do that together, with a call each and
        one `taken` (1,) of 0: then each takes what the others have not. Less than BLOCK images need less memory.
        """


class Float32:
    """W1 in tiles of 64 units with 1/255 folded in, W2 in rows of 16: see kernels/inference.py."""

    def __init__(self, parameters: Parameters) -> None:
        W1, b1, W2, b2 = parameters
        tiles = -(-len(b1) // TILE)
        rows = aligned((tiles, PIXELS, TILE))
        for tile in range(tiles):  # one by one: the whole in float64 would take twice as much memory again
            own = W1[:, tile * TILE : (tile + 1) * TILE]
            rows[tile, :, : own.shape[1]] = own * np.float64(PIXEL_SCALE)
        self._weights = Weights(rows.ravel(), _padded(b1), *_outgoing(W2, b2))

    def call(self, most: int = BLOCK) -> Call:
        block = _block(most)
        scratch = allocate(ForwardScratch, block=block, room=block * PIXELS + 128)
        return KERNELS["inference.forward"].bind(self._weights, scratch, *NO_IMAGES)


class Fixed:
    """W1 in pairs of pixels, as int16 in each unit's steps of 2**(exponent - 15): see kernels/fixed.py."""

    def __init__(self, parameters: Parameters, exponents: NDArray[np.int32]) -> None:
        W1, b1, W2, b2 = parameters
        tiles = -(-len(b1) // TILE)
        pairs = aligned((tiles, PIXELS // 2, TILE, 2), np.int16)
        for tile in range(tiles):
            units = slice(tile * TILE, (tile + 1) * TILE)
            whole = in_steps(W1[:, units], exponents[units]).reshape(PIXELS // 2, 2, -1)
            pairs[tile, :, : whole.shape[2]] = whole.transpose(0, 2, 1)
        scale = _padded(np.ldexp(PIXEL_SCALE, exponents - BITS))
        self._weights = FixedWeights(pairs.ravel(), scale, _padded(b1), *_outgoing(W2, b2))

    def call(self, most: int = BLOCK) -> Call:
        block = _block(most)
        scratch = allocate(FixedScratch, block=block, room=block * PIXELS // 2 + 32)
        return KERNELS[FIXED].bind(self._weights, scratch, *NO_IMAGES)


class Int8:
    """The quantised network in groups of four pixels: see kernels/int8.py."""

    def __init__(self, parameters: Parameters, bits: int = 8) -> None:
        W1, b1, W2, b2, shift, scale = quantize(parameters, bits)
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
        widened = aligned(groups.size, np.int16), np.zeros(1, np.int64)
        self._weights = Int8Weights(groups.ravel(), bias, pairs.ravel(), last, shift, scale, *widened)

    def call(self, most: int = BLOCK, out: NDArray[np.int32] = NO_LOGITS) -> Call:
        """As `Engine` says, and it also fills the logits `out` (n, 10) unless that has no rows."""
        block = _block(most)
        scratch = allocate(Int8Scratch, block=block, room=block * PIXELS // 2 + 32)
        return KERNELS["int8.forward"].bind(self._weights, scratch, out, *NO_IMAGES)


class Prepared:
    """Another engine, behind a preprocessing."""

    def __init__(self, engine: Engine, preprocessing: str) -> None:
        self._engine, self._preprocessing = engine, preprocessing

    def call(self, most: int = BLOCK) -> PreparedCall:
        return PreparedCall(self._engine.call(most), self._preprocessing)


def _float32(network: Network) -> Engine:
    if network.exponents is None:
        return Float32(network.parameters)
    return Fixed(network.parameters, network.exponents)


ENGINES: dict[str, Callable[[Network], Engine]] = {
    "float32": _float32,
    "int8": lambda network: Int8(network.parameters),
}


def engine_for(network: Network, precision: str) -> Engine:
    """The engine for images as they are: it prepares them for the network first."""
    engine = ENGINES[precision](network)
    steps = PREPROCESSINGS[network.preprocessing].steps
    return Prepared(engine, network.preprocessing) if steps else engine


def kernels_for(network: Network, *precisions: str, table: bool = True) -> tuple[str, ...]:
    """The kernels that the network's answers need: see `preprocessing.predicting`."""
    chosen = FORWARD if network.exponents is None else {**FORWARD, "float32": FIXED}
    return predicting(network.preprocessing, *(chosen[precision] for precision in precisions), table=table)


def _padded(values: NDArray[Any]) -> NDArray[np.float32]:
    """Values (H,) of the hidden units, with zeros behind them to whole tiles."""
    padded = aligned(-(-len(values) // TILE) * TILE)
    padded[: len(values)] = values
    return padded


def _outgoing(W2: NDArray[np.float32], b2: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """W2 and b2 of `Weights`."""
    outgoing, last = aligned((-(-len(W2) // TILE) * TILE, 16)), aligned(16)
    outgoing[: len(W2), :CLASSES] = W2
    last[:] = NO_CLASS
    last[:CLASSES] = b2
    return outgoing.ravel(), last


def _block(most: int) -> int:
    """Images that a kernel holds at once if it never gets more than `most`; a multiple of four."""
    return min(BLOCK, -(-most // 4) * 4)


def _tiles(W1: NDArray[Any], tiles: int) -> NDArray[Any]:
    """(tiles, 784, 64) of W1 (784, H), padded with zeros."""
    padded = np.zeros((PIXELS, tiles * TILE), W1.dtype)
    padded[:, : W1.shape[1]] = W1
    return padded.reshape(PIXELS, tiles, TILE).transpose(1, 0, 2)
