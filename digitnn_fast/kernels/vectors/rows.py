"""Two vector operations on 16 neighbouring pixels: sampled between those of an image, and slid along their row."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from digitnn_fast.kernels.vectors.floats import LANES, I32x16, call, operation, splat_scalar, vector_at
from digitnn_fast.sizes import SIDE

WORD = I32x16.ir_type


def _sample_twin(pixels: Any, x: Any, y: Any, xx: int, yx: int, dx: Any, dy: Any, out: Any, index: int) -> None:
    x, y = x + xx * np.arange(LANES) + dx, y + yx * np.arange(LANES) + dy
    left, top, fx, fy = x >> 16, y >> 16, x >> 8 & 255, y >> 8 & 255
    inside = (left >= 0) & (left < SIDE - 1) & (top >= 0) & (top < SIDE - 1)
    at = np.where(inside, top * SIDE + left, 0)
    upper, lower = (
        pixels[place].astype(np.int64) * (256 - fx) + pixels[place + 1].astype(np.int64) * fx
        for place in (at, at + SIDE)
    )
    value = (upper * (256 - fy) + lower * fy + 2**15) >> 16
    out.reshape(-1)[index : index + LANES] = np.where(inside, value, 0)


@operation(types.void, _sample_twin)
def sample_row(
    builder: Any, pixels: Any, x: Any, y: Any, xx: Any, yx: Any, dx: Any, dy: Any, out: Any, index: Any
) -> Any:
    """Write to `out` the values at (x, y), (x + xx, y + yx), ... of an image, displaced by the lanes of (dx, dy).

    All in 1/65536 pixel.

    pixels: uint8 (784,) with 3 more bytes behind, because it is gathered in words of 4: a pixel and its right neighbour.
    """

    def each(value: int) -> Any:
        return ir.Constant(WORD, [value] * LANES)

    def along(start: Any, step: Any, displaced: Any) -> Any:
        lanes = ir.Constant(WORD, list(range(LANES)))
        start, step = (splat_scalar(builder, builder.trunc(word, ir.IntType(32))) for word in (start, step))
        return builder.add(builder.add(start, builder.mul(step, lanes)), displaced)

    def between(first: Any, second: Any, share: Any) -> Any:
        return builder.add(builder.mul(first, builder.sub(each(256), share)), builder.mul(second, share))

    def byte(word: Any, shift: int) -> Any:
        return builder.and_(builder.lshr(word, each(shift)), each(255))

    def gather(place: Any) -> Any:
        wide = ir.VectorType(ir.IntType(64), LANES)
        start = splat_scalar(builder, builder.ptrtoint(pixels, ir.IntType(64)))
        words = builder.inttoptr(
            builder.add(start, builder.zext(place, wide)), ir.VectorType(ir.IntType(32).as_pointer(), LANES)
        )
        alignment, nothing = ir.Constant(ir.IntType(32), 1), ir.Constant(WORD, None)
        return call(builder, "llvm.masked.gather.v16i32.v16p0", WORD, words, alignment, inside, nothing)

    x, y = along(x, xx, dx), along(y, yx, dy)
    left, top, fx, fy = builder.ashr(x, each(16)), builder.ashr(y, each(16)), byte(x, 8), byte(y, 8)
    inside = builder.and_(*(builder.icmp_unsigned("<", at, each(SIDE - 1)) for at in (left, top)))
    place = builder.add(builder.mul(top, each(SIDE)), left)
    upper, lower = (
        between(byte(word, 0), byte(word, 8), fx) for word in (gather(place), gather(builder.add(place, each(SIDE))))
    )
    value = builder.lshr(builder.add(between(upper, lower, fy), each(2**15)), each(16))
    narrow = ir.VectorType(ir.IntType(8), LANES)
    builder.store(builder.trunc(value, narrow), vector_at(builder, out, index, narrow), align=1)


def _slide_twin(pixels: Any, start: int, share: int, out: Any, index: int) -> None:
    here, there = (pixels[at : at + LANES].astype(np.int64) for at in (start, start + 1))
    out.reshape(-1)[index : index + LANES] = here * (256 - share) + there * share + 128 >> 8


@operation(types.void, _slide_twin)
def slide_row(builder: Any, pixels: Any, start: Any, share: Any, out: Any, index: Any) -> Any:
    """Write what lies share / 256 of the way from 16 pixels, from flat index `start` on, to their right neighbours."""
    half, narrow = (ir.VectorType(ir.IntType(bits), LANES) for bits in (16, 8))

    def each(value: int) -> Any:
        return ir.Constant(half, [value] * LANES)

    def row(at: Any) -> Any:
        return builder.zext(builder.load(vector_at(builder, pixels, at, narrow), align=1), half)

    right = splat_scalar(builder, builder.trunc(share, ir.IntType(16)))
    here, there = row(start), row(builder.add(start, ir.Constant(start.type, 1)))
    mixed = builder.add(builder.mul(here, builder.sub(each(256), right)), builder.mul(there, right))  # at most 65280
    rounded = builder.lshr(builder.add(mixed, each(128)), each(8))
    builder.store(builder.trunc(rounded, narrow), vector_at(builder, out, index, narrow), align=1)
