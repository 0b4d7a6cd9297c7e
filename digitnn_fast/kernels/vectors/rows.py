"""Vector operations on neighbouring pixels: a row copied; 16 sampled between those of an image, or slid along their row."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from digitnn_fast.kernels.machine.jit import has_feature
from digitnn_fast.kernels.vectors.floats import (
    LANES,
    I16x32,
    I32x16,
    call,
    operation,
    splat_scalar,
    vector_at,
)
from digitnn_fast.kernels.vectors.integers import dot_halves_of, each
from digitnn_fast.sizes import PIXELS, SIDE

HAS_PERMUTE, HAS_MASKS = has_feature("avx512vbmi"), has_feature("avx512bw")
ROOM, WINDOW = 16, 256  # bytes behind an image that may be read; those among which four registers are permuted
PAIRED = not HAS_PERMUTE  # whether `sample_row` reads each pixel with the one below it behind it
NEIGHBOURS = [0, 1, SIDE, SIDE + 1]  # how far on: a pixel, the one right of it, the one below, and right below
REACH = WINDOW - NEIGHBOURS[-1]  # bytes of a window whose neighbours lie within it, too
WORD, MASK = I32x16.ir_type, ir.IntType(LANES)
ROW, OWN = ir.VectorType(ir.IntType(8), 2 * LANES), ir.VectorType(ir.IntType(1), 2 * LANES)([1] * SIDE + [0] * 4)
BYTES, LANES_OF_BYTES = ir.VectorType(ir.IntType(8), 4 * LANES), ir.VectorType(ir.IntType(32), 4 * LANES)


def _row_of_halves(builder: Any, source: Any, index: Any) -> Any:
    """28 uint8, and 4 zeros behind them, of two loads that overlap."""
    half, words = (ir.VectorType(ir.IntType(bits), LANES) for bits in (8, 32))
    first, last = (
        builder.load(vector_at(builder, source, builder.add(index, index.type(start)), half), align=1)
        for start in (0, SIDE - LANES)
    )
    rest = ir.Constant(words, list(range(2 * LANES - SIDE, 2 * LANES - SIDE + LANES)))
    last = builder.shuffle_vector(last, ir.Constant(half, None), rest)
    both = ir.Constant(ir.VectorType(ir.IntType(32), 2 * LANES), list(range(2 * LANES)))
    return builder.shuffle_vector(first, last, both)


def _masked_row(builder: Any, source: Any, index: Any) -> Any:
    """The same, of one load."""
    one, none = ir.IntType(32)(1), ir.Constant(ROW, None)
    return call(builder, "llvm.masked.load.v32i8.p0", ROW, vector_at(builder, source, index, ROW), one, OWN, none)


def _row_twin(source: Any, index: int, target: Any, at: int) -> Any:
    row = np.pad(source.reshape(-1)[index : index + SIDE], (0, 2 * LANES - SIDE))
    target.reshape(-1)[at : at + 2 * LANES] = row
    return row.astype(np.int16)


@operation(I16x32, _row_twin)
def copy_row(builder: Any, source: Any, index: Any, target: Any, at: Any) -> Any:
    """Copy 28 uint8 from flat index `index` to flat index `at`, and 4 zeros behind them; they are returned as int16."""
    row = _masked_row(builder, source, index) if HAS_MASKS else _row_of_halves(builder, source, index)
    builder.store(row, vector_at(builder, target, at, row.type), align=1)
    return builder.zext(row, I16x32.ir_type)


def _levels_twin(pixels: Any, index: int) -> Any:
    return pixels.reshape(-1)[index : index + 2 * LANES].astype(np.int16)


@operation(I16x32, _levels_twin)
def load_levels(builder: Any, pixels: Any, index: Any) -> Any:
    """32 values of a uint8 array from flat index `index`, as int16."""
    levels = builder.load(vector_at(builder, pixels, index, ir.VectorType(ir.IntType(8), 2 * LANES)), align=1)
    return builder.zext(levels, I16x32.ir_type)


@operation(I16x32, lambda a, b: a + b)
def add_levels(builder: Any, a: Any, b: Any) -> Any:
    return builder.add(a, b)


@operation(I16x32, lambda a, b: a - b)
def subtract_levels(builder: Any, a: Any, b: Any) -> Any:
    return builder.sub(a, b)


@operation(I16x32, lambda: np.zeros(2 * LANES, np.int16))
def no_levels(builder: Any) -> Any:
    """0 in all lanes."""
    return ir.Constant(I16x32.ir_type, None)


@operation(I16x32, lambda a, bits: a >> bits)
def shift_levels(builder: Any, a: Any, bits: Any) -> Any:
    """Divided by 2**bits, rounded down; none is negative."""
    return builder.lshr(a, splat_scalar(builder, builder.trunc(bits, ir.IntType(16)), 2 * LANES))


def _products_twin(total: Any, levels: Any, weights: Any) -> Any:
    return total + (levels.astype(np.int32) * weights).reshape(LANES, 2).sum(1, dtype=np.int32)


@operation(I32x16, _products_twin)
def add_products(builder: Any, total: Any, levels: Any, weights: Any) -> Any:
    """total + levels * weights, which are 32 int16, for two neighbouring lanes each."""
    weights = builder.load(vector_at(builder, weights, ir.Constant(ir.IntType(64), 0), WORD), align=2)
    return builder.add(total, dot_halves_of(builder, builder.bitcast(levels, WORD), weights))


def _thirds_twin(levels: Any) -> Any:
    a, b, c = levels[: 3 * LANES // 2].reshape(-1, 3).astype(np.int32).T
    return np.stack([2 * a + b, b + 2 * c], 1).reshape(LANES)


@operation(I32x16, _thirds_twin)
def mix_thirds(builder: Any, levels: Any) -> Any:
    """Of the first 24 levels, 16 sums: three neighbours a, b, c become 2 a + b and b + 2 c."""

    def chosen(offsets: tuple[int, int]) -> Any:
        order = [3 * (lane // 2) + offsets[lane % 2] for lane in range(LANES)]
        return builder.shuffle_vector(levels, levels, ir.Constant(WORD, order))

    outer, middle = chosen((0, 2)), chosen((1, 1))
    return builder.zext(builder.add(builder.add(outer, outer), middle), WORD)


def _quarters_twin(x: Any, y: Any, words: Any, index: int) -> int:
    pairs = np.stack([x + 2 >> 2, y + 2 >> 2], 1).astype(np.int16).view(np.int32).reshape(2 * LANES)
    words.reshape(-1)[index : index + 2 * LANES] = pairs
    return int((1 << np.arange(2 * LANES))[pairs != 0].sum())


@operation(types.int64, _quarters_twin)
def store_quarters(builder: Any, x: Any, y: Any, words: Any, index: Any) -> Any:
    """Write 32 words of an int32 array: x / 4 in the low half, y / 4 in the high one. Bit k: whether word k is not zero.

    Rounded to the nearest, halves up.
    """
    lanes = 2 * LANES
    x, y = (
        builder.ashr(builder.add(a, ir.Constant(I16x32.ir_type, [2] * lanes)), ir.Constant(I16x32.ir_type, [2] * lanes))
        for a in (x, y)
    )
    bits = ir.Constant(ir.IntType(lanes), 0)
    for first in (0, LANES):
        order = [at for k in range(first, first + LANES) for at in (k, k + lanes)]
        pairs = builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), lanes), order))
        pairs = builder.bitcast(pairs, WORD)
        builder.store(
            pairs, vector_at(builder, words, builder.add(index, ir.Constant(index.type, first)), WORD), align=4
        )
        lit = builder.bitcast(builder.icmp_unsigned("!=", pairs, ir.Constant(WORD, None)), ir.IntType(LANES))
        bits = builder.or_(bits, builder.shl(builder.zext(lit, bits.type), ir.Constant(bits.type, first)))
    return builder.zext(bits, ir.IntType(64))


def _sample_twin(pixels: Any, x: Any, y: Any, xx: int, yx: int, dx: Any, dy: Any, out: Any, index: int) -> None:
    x, y = x + xx * np.arange(LANES) + dx, y + yx * np.arange(LANES) + dy
    left, top, fx, fy = x >> 16, y >> 16, x >> 8 & 255, y >> 8 & 255
    inside = (left >= 0) & (left < SIDE - 1) & (top >= 0) & (top < SIDE - 1)
    at = np.where(inside, top * SIDE + left, 0)
    here, below = (pixels[::2], pixels[1::2]) if PAIRED else (pixels, pixels[SIDE:])
    upper, lower = (row[at].astype(np.int64) * (256 - fx) + row[at + 1].astype(np.int64) * fx for row in (here, below))
    value = (upper * (256 - fy) + lower * fy + 2**15) >> 16
    out.reshape(-1)[index : index + LANES] = np.where(inside, value, 0)


def _paired(builder: Any, pixels: Any, place: Any, inside: Any) -> Any:
    """Lanes of four pixels, in one load each: one at a `place`, the one below, the one right of it, and right below."""
    place, four = builder.select(inside, place, each(0)), ir.Constant(WORD, ir.Undefined)
    for lane in map(ir.IntType(32), range(LANES)):
        pair = builder.zext(builder.extract_element(place, lane), ir.IntType(64))
        pair = builder.gep(pixels, [builder.shl(pair, pair.type(1))])
        word = builder.load(builder.bitcast(pair, WORD.element.as_pointer()), align=2)
        four = builder.insert_element(four, word, lane)
    return builder.select(inside, four, each(0))


def _gathered(builder: Any, pixels: Any, place: Any, inside: Any) -> Any:
    """Lanes of four pixels: one at a `place`, the one right of it, the one below, and the one right below."""
    start = splat_scalar(builder, builder.ptrtoint(pixels, ir.IntType(64)))
    alignment, nothing = ir.Constant(ir.IntType(32), 1), ir.Constant(WORD, None)
    place = builder.select(
        inside, place, nothing
    )  # all lanes read: on many processors each one that may not is a branch
    everywhere = ir.Constant(inside.type, [1] * LANES)

    def gather(place: Any) -> Any:
        far = builder.zext(place, ir.VectorType(ir.IntType(64), LANES))
        words = builder.inttoptr(builder.add(start, far), ir.VectorType(ir.IntType(32).as_pointer(), LANES))
        return call(builder, "llvm.masked.gather.v16i32.v16p0", WORD, words, alignment, everywhere, nothing)

    upper, lower = gather(place), gather(builder.add(place, each(SIDE)))
    four = builder.or_(builder.and_(upper, each(0xFFFF)), builder.shl(lower, each(16)))
    return builder.select(inside, four, nothing)


def _permuted(builder: Any, pixels: Any, place: Any, inside: Any) -> Any:
    """The same by permutations of 256 bytes around the middle lane's place, if all lie there: twice as fast as gathers."""
    middle = builder.extract_element(place, ir.IntType(32)(LANES // 2))
    first = builder.sub(middle, middle.type(REACH // 2))
    for limit, beyond in ((middle.type(0), "<"), (middle.type(PIXELS + ROOM - WINDOW), ">")):
        first = builder.select(builder.icmp_signed(beyond, first, limit), limit, first)
    offset = builder.sub(place, splat_scalar(builder, first))
    far = builder.and_(inside, builder.icmp_unsigned(">=", offset, each(REACH)))
    with builder.if_else(builder.icmp_unsigned("!=", builder.bitcast(far, MASK), MASK(0))) as (some_far, none_far):
        with some_far:
            slow, slow_block = _gathered(builder, pixels, place, inside), builder.block
        with none_far:
            own = builder.bitcast(offset, BYTES)
            index = builder.shuffle_vector(own, own, ir.Constant(LANES_OF_BYTES, [k // 4 * 4 for k in range(64)]))
            index = builder.add(index, ir.Constant(BYTES, NEIGHBOURS * LANES))
            chunks = [
                builder.load(vector_at(builder, pixels, builder.add(first, first.type(at)), BYTES), align=1)
                for at in range(0, WINDOW, 64)
            ]
            lower, upper = (
                call(builder, "llvm.x86.avx512.vpermi2var.qi.512", BYTES, one, index, two)
                for one, two in (chunks[:2], chunks[2:])
            )
            word = builder.select(builder.icmp_signed("<", index, ir.Constant(BYTES, None)), upper, lower)
            fast = builder.select(inside, builder.bitcast(word, WORD), ir.Constant(WORD, None))
            fast_block = builder.block
    found = builder.phi(WORD)
    found.add_incoming(slow, slow_block)
    found.add_incoming(fast, fast_block)
    return found


@operation(types.void, _sample_twin)
def sample_row(
    builder: Any, pixels: Any, x: Any, y: Any, xx: Any, yx: Any, dx: Any, dy: Any, out: Any, index: Any
) -> Any:
    """Write to `out` the values at (x, y), (x + xx, y + yx), ... of an image, displaced by the lanes of (dx, dy).

    All in 1/65536 pixel.

    pixels: uint8 (784,) with 16 more bytes behind, because more is read than is used; if `PAIRED` (1512,), behind each
    pixel but the last 28 the one below it.
    """

    def along(start: Any, step: Any, displaced: Any) -> Any:
        lanes = ir.Constant(WORD, list(range(LANES)))
        start, step = (splat_scalar(builder, builder.trunc(word, ir.IntType(32))) for word in (start, step))
        return builder.add(builder.add(start, builder.mul(step, lanes)), displaced)

    def share(at: Any) -> Any:
        return builder.and_(builder.lshr(at, each(8)), each(255))

    x, y = along(x, xx, dx), along(y, yx, dy)
    left, top, fx, fy = builder.ashr(x, each(16)), builder.ashr(y, each(16)), share(x), share(y)
    inside = builder.and_(*(builder.icmp_unsigned("<", at, each(SIDE - 1)) for at in (left, top)))
    place = builder.add(builder.mul(top, each(SIDE)), left)
    four = (_paired if PAIRED else _permuted)(builder, pixels, place, inside)
    first, last = (fx, fy) if PAIRED else (fy, fx)  # the axes in the order of the bytes; all sums are exact
    shares = builder.sub(builder.add(builder.shl(first, each(16)), each(256)), first)  # two halves: 256 - first, first
    here, there = (
        dot_halves_of(builder, builder.and_(two, each(0x00FF00FF)), shares)
        for two in (four, builder.lshr(four, each(8)))
    )
    mixed = builder.add(builder.shl(here, each(8)), builder.mul(builder.sub(there, here), last))
    value = builder.lshr(builder.add(mixed, each(2**15)), each(16))
    narrow = ir.VectorType(ir.IntType(8), LANES)
    builder.store(builder.trunc(value, narrow), vector_at(builder, out, index, narrow), align=1)


def _slide_twin(pixels: Any, start: int, share: int, out: Any, index: int) -> None:
    here, there = (pixels[at : at + SIDE].astype(np.int64) for at in (start, start + 1))
    out.reshape(-1)[index : index + SIDE] = here * (256 - share) + there * share + 128 >> 8


@operation(types.void, _slide_twin)
def slide_row(builder: Any, pixels: Any, start: Any, share: Any, out: Any, index: Any) -> Any:
    """Write what lies share / 256 of the way from 28 pixels, from flat index `start` on, to their right neighbours.

    Four more are read.
    """
    lanes = 2 * LANES if HAS_MASKS else LANES  # two runs of 16 overlap
    half, narrow = (ir.VectorType(ir.IntType(bits), lanes) for bits in (16, 8))

    def each(value: int) -> Any:
        return ir.Constant(half, [value] * lanes)

    def row(at: Any) -> Any:
        return builder.zext(builder.load(vector_at(builder, pixels, at, narrow), align=1), half)

    right = splat_scalar(builder, builder.trunc(share, ir.IntType(16)), lanes)
    left = builder.sub(each(256), right)
    for first in (0,) if HAS_MASKS else (0, SIDE - LANES):
        here, there = (row(builder.add(start, start.type(first + at))) for at in (0, 1))
        mixed = builder.add(builder.mul(here, left), builder.mul(there, right))  # at most 65280
        slid = builder.trunc(builder.lshr(builder.add(mixed, each(128)), each(8)), narrow)
        target = vector_at(builder, out, builder.add(index, index.type(first)), narrow)
        if HAS_MASKS:
            call(builder, "llvm.masked.store.v32i8.p0", ir.VoidType(), slid, target, ir.IntType(32)(1), OWN)
        else:
            builder.store(slid, target, align=1)
