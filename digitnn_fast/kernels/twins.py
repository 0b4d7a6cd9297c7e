"""What kernels do, in NumPy, for where they can't be compiled: each takes the named tuples that its kernel takes.

Kernels that only training needs have none.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from digitnn_fast.kernels import arguments as things
from digitnn_fast.kernels.layout import TILE
from digitnn_fast.reference import deskewing, directions, distortion, pooling
from digitnn_fast.reference.int8 import forward_int8
from digitnn_fast.reference.quantization import QuantizedParameters
from digitnn_fast.reference.rows import parse_rows
from digitnn_fast.sizes import CLASSES, PIXELS
from digitnn_fast.utils import relu, softmax

AT_ONCE = 256  # images: what is made of them stays in the CPU's cache


def forward(weights: things.Weights, _: things.ForwardScratch, batch: things.Batch) -> None:
    """`inference.forward`."""
    W1, b1 = weights.W1.reshape(-1, PIXELS, TILE), weights.b1.reshape(-1, TILE)
    W2 = weights.W2.reshape(-1, TILE, 16)[:, :, :CLASSES]
    for part in _taken(batch):
        pixels = batch.images[part].astype(np.float32)
        logits = weights.b2[:CLASSES]
        for tile in range(len(W1)):
            logits = logits + relu(pixels @ W1[tile] + b1[tile]) @ W2[tile]
        _answer(batch, part, logits)


def forward_fixed(weights: things.FixedWeights, _: things.FixedScratch, batch: things.Batch) -> None:
    """`fixed.forward`."""
    W1, W2 = _kept(weights.W1, _pairs), weights.W2.reshape(-1, 16)[:, :CLASSES]
    for part in _taken(batch):
        sums = batch.images[part].astype(np.float32) @ W1
        _answer(batch, part, relu(sums * weights.scale + weights.b1) @ W2 + weights.b2[:CLASSES])


def forward_integers(
    weights: things.Int8Weights, _: things.Int8Scratch, result: things.Logits, batch: things.Batch
) -> None:
    """`int8.forward`."""
    W1, b1, W2, b2, shift, scale = weights[:6]
    quantized = QuantizedParameters(_kept(W1, _rows), b1, _kept(W2, _outgoing), b2[:CLASSES], shift, scale)
    for part in _taken(batch):
        logits = forward_int8(quantized, batch.images[part])
        if len(result.out):
            result.out[part] = logits
        _answer(batch, part, logits, np.float32(scale))


KEPT: dict[int, tuple[weakref.ref[Any], Any]] = {}  # by the identity of an array: it, and what was made of it


def _kept(array: Any, make: Callable[[Any], Any]) -> Any:
    """`make(array)`, made once while the array lives: for weights, which their engine owns and nobody changes."""
    found = KEPT.get(key := id(array))
    if not found or found[0]() is not array:
        found = KEPT[key] = weakref.ref(array, lambda _: KEPT.pop(key, None)), make(array)
    return found[1]


def _pairs(W1: Any) -> Any:
    """(784, H) of `FixedWeights.W1`, in float32, in which matrices are multiplied fast."""
    return W1.reshape(-1, PIXELS // 2, TILE, 2).transpose(1, 3, 0, 2).reshape(PIXELS, -1).astype(np.float32)


def _rows(W1: Any) -> Any:
    """(784, H) of `Int8Weights.W1`; in float64, in which the specification multiplies."""
    return W1.reshape(-1, PIXELS // 4, TILE, 4).transpose(1, 3, 0, 2).reshape(PIXELS, -1).astype(np.float64)


def _outgoing(W2: Any) -> Any:
    """(H, 10) of `Int8Weights.W2`, in float64."""
    return W2.reshape(-1, 16, 2).transpose(0, 2, 1).reshape(-1, 16)[:, :CLASSES].astype(np.float64)


def _taken(batch: things.Batch) -> Iterator[slice]:
    """Images, until there are none. Two threads may take the same ones, and then both do the same."""
    while (first := int(batch.taken[0])) < len(batch.images):
        batch.taken[0] = first + AT_ONCE
        yield slice(first, first + AT_ONCE)


def _answer(batch: things.Batch, part: slice, logits: Any, scale: Any = None) -> None:
    batch.labels[part] = logits.argmax(axis=1)
    if len(batch.probabilities):
        batch.probabilities[part] = softmax(logits if scale is None else logits.astype(np.float32) * scale)


def deskew_next(_: things.DeskewScratch, deskewing_: things.Deskewing) -> int:
    """`deskewing.deskew_next`."""
    taken, images, out = deskewing_
    first = int(taken[0])
    taken[0] = first + len(out)
    _map(deskewing.deskew, images[first : first + len(out)], out)
    return first


def _map(function: Callable[[Any], Any], images: Any, out: Any) -> None:
    for first in range(0, len(images), AT_ONCE):
        some = images[first : first + AT_ONCE]
        out[first : first + len(some)] = function(some)


def distort_all(how: things.Distortion, _: things.DistortScratch, mapped: things.Mapped) -> None:
    """`distortion.distort_all`."""
    for first in range(0, len(mapped.images), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        mapped.out[part] = distortion.distort(mapped.images[part], how.key + first, how.limits)


def _fill_relu(vector: things.Vector) -> None:
    vector.out[:] = relu(vector.values)


def _fill_softmax(scores: things.Scores) -> None:
    scores.out[:] = softmax(scores.logits)


def _describer(layout: things.CellsLayout) -> Callable[..., Any]:
    cells = directions.Cells(*(getattr(layout, name) for name in directions.Cells._fields))
    return partial(directions.describe, cells=cells)


TWINS: dict[str, Callable[..., int | None]] = {
    "csv.parse_rows": lambda text, rows: parse_rows(text.buffer[text.position : text.end], *rows),
    "inference.forward": forward,
    "fixed.forward": forward_fixed,
    "distortion.distort_all": distort_all,
    "deskewing.deskew_next": deskew_next,
    "directions.describe": lambda _, mapped: _map(directions.describe, *mapped),
    "cells.describe": lambda _, layout, mapped: _map(_describer(layout), *mapped),
    "pooling.pool": lambda mapped: _map(pooling.pool, *mapped),
    "int8.forward": forward_integers,
    "inference.relu": _fill_relu,
    "inference.softmax": _fill_softmax,
}
