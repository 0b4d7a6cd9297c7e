"""How a network is laid out for a kernel, one class for each precision; `ENGINES` is their table.

Also how images are prepared for it: a network's preprocessing belongs to it, and nobody else has to know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import pooling
from digitnn_fast._threads import run_together
from digitnn_fast.kernels import BLOCK, CLASSES, KERNELS, NO_CLASS, PIXELS, TILE, Call, aligned
from digitnn_fast.network import Network, Preprocessing
from digitnn_fast.quantization import quantize
from digitnn_fast.utils import PIXEL_SCALE, Parameters

Bytes = NDArray[np.uint8]

# taken, pixels, labels, probabilities
NO_IMAGES = (
    np.zeros(1, np.int64),
    np.zeros((0, PIXELS), np.uint8),
    np.zeros(0, np.uint8),
    np.zeros((0, CLASSES), np.float32),
)
NO_LOGITS = np.zeros((0, CLASSES), np.int32)

AT_ONCE = 256  # images that are prepared together: 200 kB, which the L2 cache holds until the network reads them


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
        rows[...] = _tiles(W1 * np.float64(PIXEL_SCALE), tiles)
        bias, outgoing, last = aligned(tiles * TILE), aligned((tiles * TILE, 16)), aligned(16)
        bias[: len(b1)] = b1
        outgoing[: len(b1), :CLASSES] = W2
        last[:] = NO_CLASS
        last[:CLASSES] = b2
        self._weights = rows.ravel(), bias, outgoing.ravel(), last

    def call(self, most: int = BLOCK) -> Call:
        block = _block(most)
        room = block * PIXELS + 64
        lists = aligned(room, np.uint16), aligned(room), aligned(room, np.uint8), np.zeros(2 * block + 1, np.int64)
        return KERNELS["inference.forward"].bind(
            *self._weights, *lists, aligned(block * TILE), aligned(block * 16), *NO_IMAGES
        )


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
        self._weights = groups.ravel(), bias, pairs.ravel(), last, shift, scale

    def call(self, most: int = BLOCK, out: NDArray[np.int32] = NO_LOGITS) -> Call:
        """As `Engine` says, and it also fills the logits `out` (n, 10) unless that has no rows."""
        block = _block(most)
        room = block * PIXELS // 4 + 16
        lists = aligned(room, np.int32), aligned(room, np.int32), np.zeros(2 * block + 1, np.int64)
        sums, hidden = aligned(block * TILE, np.int32), aligned(block * TILE, np.int16)
        return KERNELS["int8.forward"].bind(
            *self._weights, *lists, sums, hidden, aligned(block * 16, np.int32), out, *NO_IMAGES
        )


class Prepared:
    """Another engine, behind a preprocessing."""

    def __init__(self, engine: Engine, preprocessing: Preprocessing) -> None:
        self._engine, self._preprocessing = engine, preprocessing

    def call(self, most: int = BLOCK) -> PreparedCall:
        return PreparedCall(self._engine.call(most), self._preprocessing)


class PreparedCall:
    """A call that first prepares as many images as the CPU's cache can hold; see BEYOND."""

    def __init__(self, forward: Callable[..., object], preprocessing: Preprocessing) -> None:
        self._forward = forward
        self._upright = self._seen = NO_IMAGES[1]
        self._own = np.zeros(1, np.int64)
        self._deskew = _bind_deskew()
        bind = BEYOND[preprocessing]
        self._view = bind() if bind else None

    def __call__(self, *last: Any) -> None:
        """As `Engine.call` says; without arguments the same again, for up to AT_ONCE images."""
        if not last:  # 20 us less for one image
            self._deskew()
            if self._view:
                self._view()
            self._own[0] = 0
            self._forward()
            return
        taken, pixels, labels, probabilities = last
        self._make_room(min(len(pixels), AT_ONCE))
        while (first := self._deskew(taken, pixels, self._upright) or 0) < len(pixels):
            part = slice(first, first + len(self._upright))
            count = len(labels[part])
            if self._view:
                self._view(self._upright[:count], self._seen)
            self._own[0] = 0
            self._forward(self._own, self._seen[:count], labels[part], probabilities[part])

    def _make_room(self, images: int) -> None:
        if len(self._upright) < images:
            self._upright = self._seen = aligned((images, PIXELS), np.uint8)
            if self._view:
                self._seen = aligned((images, PIXELS), np.uint8)


ENGINES: dict[str, Callable[[Parameters], Engine]] = {"float32": Float32, "int8": Int8}


def engine_for(network: Network, precision: str) -> Engine:
    """The engine that takes images as they are and answers what the network says to the prepared ones."""
    engine = ENGINES[precision](network.parameters)
    return engine if network.preprocessing == "raw" else Prepared(engine, network.preprocessing)


# The part of a preprocessing that ends in a picture: it can be shown, and training distorts what it makes.
PICTURE: dict[Preprocessing, Preprocessing] = {
    "raw": "raw",
    "deskewed": "deskewed",
    "directions": "deskewed",
    "pooled": "deskewed",
}


def prepare(images: Bytes, preprocessing: Preprocessing) -> Bytes:
    """Images (n, 784) as a network of that preprocessing sees them."""
    if preprocessing == "raw":
        return images
    prepared = np.empty(images.shape, np.uint8)
    _bind_deskew()(np.zeros(1, np.int64), np.ascontiguousarray(images), prepared)
    if bind := BEYOND[preprocessing]:
        bind()(prepared.copy(), prepared)
    return prepared


def view_distorted(
    images: Bytes, preprocessing: Preprocessing, key: int, limits: NDArray[np.int64], threads: int
) -> Bytes:
    """What a network sees (n, 784) of `distortion.distort` (images (n, 784), key, limits): see BEYOND."""
    bind = BEYOND[preprocessing]
    assert bind
    seen = np.empty(images.shape, np.uint8)
    starts = iter(range(0, len(images), AT_ONCE))  # next() of it is atomic: a thread takes what the others have not

    def work() -> None:
        padded, field, distorted = (
            aligned(PIXELS + 16, np.uint8),
            aligned(512, np.int32),
            np.empty_like(seen[:AT_ONCE]),
        )
        view = bind()
        for start in starts:
            part = slice(start, start + AT_ONCE)
            some = distorted[: len(images[part])]
            # An image's random numbers come from key + index.
            KERNELS["augment.distort_all"](images[part], key + start, limits, padded, field, some)
            view(some, seen[part])

    run_together([work] * threads)
    return seen


def _bind_deskew() -> Call:
    """deskew(taken, images, out), with scratch of its own."""
    return KERNELS["deskew.deskew_next"].bind(
        aligned(96, np.int32), aligned(28 * 96, np.uint8), *NO_IMAGES[:2], NO_IMAGES[1]
    )


def _bind_describe() -> Call:
    """describe(images, out), with scratch of its own."""
    scratch = (aligned(size, np.int32) for size in (960, 1568, 1296))
    return KERNELS["directions.describe"].bind(*scratch, NO_IMAGES[1], NO_IMAGES[1])


def _bind_pool() -> Call:
    """pool(images, out)."""
    return KERNELS["pooling.pool"].bind(NO_IMAGES[1], NO_IMAGES[1])


# The kernel that makes of a PICTURE what the network sees, if that is not the picture itself.
BEYOND: dict[Preprocessing, Callable[[], Call] | None] = {
    "raw": None,
    "deskewed": None,
    "directions": _bind_describe,
    "pooled": _bind_pool,
}
# Where the values are always 0.
NEVER_INK: dict[Preprocessing, NDArray[np.intp]] = {"pooled": np.flatnonzero(~pooling.INSIDE)}


def _block(most: int) -> int:
    """Images that a kernel holds at once, if it is never given more than `most`; they are finished by fours."""
    return min(BLOCK, -(-most // 4) * 4)


def _tiles(W1: NDArray[Any], tiles: int) -> NDArray[Any]:
    """(tiles, 784, 64) of W1 (784, H), padded with zeros."""
    padded = np.zeros((PIXELS, tiles * TILE), W1.dtype)
    padded[:, : W1.shape[1]] = W1
    return padded.reshape(PIXELS, tiles, TILE).transpose(1, 0, 2)
