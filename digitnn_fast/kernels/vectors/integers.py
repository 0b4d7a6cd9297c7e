"""Vector operations on 16 lanes of int32, such as dot products of two 16-bit numbers per lane."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from digitnn_fast.kernels.machine.jit import has_feature
from digitnn_fast.kernels.vectors.floats import (
    LANES,
    F32x16,
    I32x16,
    call,
    operation,
    reduce_lanes,
    splat_scalar,
    vector_at,
)

WORD = I32x16.ir_type


def each(value: int) -> Any:
    """The constant `value` in all lanes."""
    return ir.Constant(WORD, [value] * LANES)


def _int_load_twin(array: Any, index: int) -> Any:
    return array.reshape(-1)[index : index + LANES].astype(np.int32)


def _int_store_twin(array: Any, index: int, vector: Any) -> None:
    array.reshape(-1)[index : index + LANES] = vector


@operation(I32x16, _int_load_twin)
def load_int(builder: Any, data: Any, index: Any) -> Any:
    """16 values of an int32 array from flat index `index`."""
    return builder.load(vector_at(builder, data, index, WORD), align=4)


@operation(types.void, _int_store_twin)
def store_int(builder: Any, data: Any, index: Any, vector: Any) -> Any:
    """Write 16 values to an int32 array from flat index `index`."""
    builder.store(vector, vector_at(builder, data, index, WORD), align=4)


@operation(I32x16, lambda array, index: np.full(LANES, array[index], np.int32))
def splat_int_at(builder: Any, data: Any, index: Any) -> Any:
    """The int32 at `index` in all lanes."""
    return splat_scalar(builder, builder.load(builder.gep(data, [index])))


@operation(I32x16, lambda array, index, wanted: np.full(LANES, array[index] if wanted else 0, np.int32))
def splat_int_if(builder: Any, data: Any, index: Any, wanted: Any) -> Any:
    """The int32 at `index` in all lanes, or 0 if `wanted` is 0."""
    value = builder.load(builder.gep(data, [index]))
    chosen = builder.icmp_signed("!=", wanted, ir.Constant(wanted.type, 0))
    return splat_scalar(builder, builder.select(chosen, value, ir.Constant(value.type, 0)))


@operation(I32x16, lambda a, b: a + b)
def add_int(builder: Any, a: Any, b: Any) -> Any:
    return builder.add(a, b)


@operation(types.void, _int_store_twin)
def store_bytes_int(builder: Any, data: Any, index: Any, vector: Any) -> Any:
    """Write 16 values, which are 0 to 255, to a uint8 array from flat index `index`."""
    narrow = ir.VectorType(ir.IntType(8), LANES)
    builder.store(builder.trunc(vector, narrow), vector_at(builder, data, index, narrow), align=1)


@operation(I32x16, lambda value: np.full(LANES, value, np.int32))
def splat_int(builder: Any, value: Any) -> Any:
    """An int32 in all lanes."""
    return splat_scalar(builder, value)


@operation(types.int32, lambda a: a.sum(dtype=np.int32))
def sum_int(builder: Any, a: Any) -> Any:
    """The sum of all lanes."""
    return reduce_lanes(builder, a, builder.add)


def _halves_twin(a: Any, b: Any) -> Any:
    a, b = (pairs.astype(np.int32).view(np.int16).reshape(LANES, 2).astype(np.int32) for pairs in (a, b))
    return (a * b).sum(1, dtype=np.int32)


def dot_halves_of(builder: Any, a: Any, b: Any) -> Any:
    shorts, eight = ir.VectorType(ir.IntType(16), LANES), ir.VectorType(ir.IntType(32), LANES // 2)
    if has_feature("avx512bw"):
        wide = ir.VectorType(ir.IntType(16), 2 * LANES)
        return call(builder, "llvm.x86.avx512.pmaddw.d.512", WORD, builder.bitcast(a, wide), builder.bitcast(b, wide))
    if has_feature("avx2"):
        lanes = ir.VectorType(ir.IntType(32), LANES)
        orders = (ir.Constant(eight, list(range(first, first + LANES // 2))) for first in (0, LANES // 2))
        lower, upper = (
            call(
                builder,
                "llvm.x86.avx2.pmadd.wd",
                eight,
                *(builder.bitcast(builder.shuffle_vector(x, x, order), shorts) for x in (a, b)),
            )
            for order in orders
        )
        return builder.shuffle_vector(lower, upper, ir.Constant(lanes, list(range(LANES))))
    low, high = (
        builder.mul(*(builder.ashr(builder.shl(pairs, each(shift)), each(16)) for pairs in (a, b))) for shift in (16, 0)
    )
    return builder.add(low, high)


@operation(I32x16, _halves_twin)
def dot_halves(builder: Any, a: Any, b: Any) -> Any:
    """The product of the lower int16 of each lane, and that of the higher ones, added up."""
    return dot_halves_of(builder, a, b)


@operation(F32x16, lambda a: a.astype(np.float32))
def to_float(builder: Any, a: Any) -> Any:
    """Each int32 as the nearest float32."""
    return builder.sitofp(a, F32x16.ir_type)


@operation(I32x16, lambda a, b, c: a * np.int32(b) + c)
def multiply_add_int(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c with one int32 b for all lanes; it must fit."""
    b = splat_scalar(builder, builder.trunc(b, ir.IntType(32)) if b.type.width > 32 else b)
    return builder.add(builder.mul(a, b), c)


@operation(I32x16, lambda a, bits: a >> bits)
def shift_right_int(builder: Any, a: Any, bits: Any) -> Any:
    """Divided by 2**bits, rounded down."""
    bits = builder.trunc(bits, ir.IntType(32)) if bits.type.width > 32 else bits
    return builder.ashr(a, splat_scalar(builder, bits))


@operation(I32x16, lambda a, b: np.maximum(np.minimum(a, b), 0))
def least_or_zero(builder: Any, a: Any, b: Any) -> Any:
    """The smaller of two, but no less than 0."""
    least = builder.select(builder.icmp_signed("<", a, b), a, b)
    return builder.select(builder.icmp_signed(">", least, each(0)), least, each(0))


@operation(I32x16, lambda sums, shift: np.sqrt((sums >> shift).astype(np.float32)).astype(np.int32))
def roots(builder: Any, sums: Any, shift: Any) -> Any:
    """Square roots of sums >> shift, which are 0 to 2**24, rounded down, and exact up to 255; `shift` is 1 or more.

    In float32 a root of so small a number never rounds up to the next integer.
    """
    shift = builder.trunc(shift, ir.IntType(32))
    if has_feature("avx512f"):
        return _quick_roots(builder, builder.lshr(sums, splat_scalar(builder, builder.sub(shift, shift.type(1)))))
    squares = builder.sitofp(builder.lshr(sums, splat_scalar(builder, shift)), F32x16.ir_type)
    return builder.fptosi(call(builder, "llvm.sqrt.v16f32", squares.type, squares), WORD)


def _quick_roots(builder: Any, twice: Any) -> Any:
    """Square roots of twice >> 1, rounded down, without a root's instruction: a guess, and one step of Newton's method.

    Half of 1 is added, which changes none, but keeps those up to 255 a share of 2**-18 below the next integer; the step
    errs by one of 2**-23.
    """
    squares = builder.sitofp(builder.or_(twice, each(1)), F32x16.ir_type)  # two times what has the root
    half, of_half = (ir.Constant(squares.type, [ir.FloatType()(value)] * LANES) for value in (0.5, 0.5**0.5))
    nothing, every = ir.Constant(squares.type, None), ir.IntType(LANES)(-1)
    inverse = call(builder, "llvm.x86.avx512.rsqrt14.ps.512", squares.type, squares, nothing, every)
    inverse = builder.fmul(inverse, of_half)
    guess, fma = builder.fmul(squares, inverse), "llvm.fmuladd.v16f32"
    error = call(builder, fma, squares.type, builder.fneg(guess), inverse, half)
    return builder.fptosi(call(builder, fma, squares.type, guess, error, guess), WORD)


def _pack_twin(a: Any, b: Any, c: Any, d: Any, least: int) -> Any:
    packed = np.minimum(np.stack([a, b, c, d], 1), 255).astype(np.uint8)
    words = np.where(packed < least, np.uint8(0), packed).view(np.int32).reshape(-1, 4)
    return words[:, [0, 2, 1, 3]].ravel()


def _packed(builder: Any, four: tuple[Any, Any, Any, Any]) -> Any:
    """The lanes of four as 64 bytes, at most 255: of each 128 bits four of the first one, then four of the second one."""
    bytes_, halves = (ir.VectorType(ir.IntType(bits), lanes) for bits, lanes in ((8, 4 * LANES), (16, 2 * LANES)))
    if has_feature("avx512bw"):
        low, high = (call(builder, "llvm.x86.avx512.packusdw.512", halves, x, y) for x, y in (four[:2], four[2:]))
        return call(builder, "llvm.x86.avx512.packuswb.512", bytes_, low, high)
    if has_feature("avx2"):
        parts = []
        for first in (0, LANES // 2):
            order = ir.Constant(ir.VectorType(ir.IntType(32), LANES // 2), list(range(first, first + LANES // 2)))
            a, b, c, d = (builder.shuffle_vector(x, x, order) for x in four)
            words = ir.VectorType(ir.IntType(16), LANES)
            low, high = (call(builder, "llvm.x86.avx2.packusdw", words, x, y) for x, y in ((a, b), (c, d)))
            parts.append(call(builder, "llvm.x86.avx2.packuswb", ir.VectorType(ir.IntType(8), 2 * LANES), low, high))
        both = ir.Constant(ir.VectorType(ir.IntType(32), 4 * LANES), list(range(4 * LANES)))
        return builder.shuffle_vector(*parts, both)
    narrow = ir.VectorType(ir.IntType(8), LANES)
    a, b, c, d = (
        builder.trunc(builder.select(builder.icmp_signed("<", x, each(255)), x, each(255)), narrow) for x in four
    )
    pairs = [
        builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), 2 * LANES), list(range(2 * LANES))))
        for x, y in ((a, b), (c, d))
    ]
    order = [LANES * which + 4 * part + lane for part in range(4) for which in range(4) for lane in range(4)]
    return builder.shuffle_vector(*pairs, ir.Constant(ir.VectorType(ir.IntType(32), 4 * LANES), order))


@operation(I32x16, _pack_twin)
def pack_four(builder: Any, a: Any, b: Any, c: Any, d: Any, least: Any) -> Any:
    """The lanes of four, which are at least 0, as bytes of one, at most 255; those below `least` as 0.

    Of four words in a row the second and the third one change places.
    """
    packed = _packed(builder, (a, b, c, d))
    order = [16 * part + lane + 4 * which for part in range(4) for lane in (0, 2, 1, 3) for which in range(4)]
    packed = builder.shuffle_vector(packed, packed, ir.Constant(ir.VectorType(ir.IntType(32), 4 * LANES), order))
    least = splat_scalar(builder, builder.trunc(least, ir.IntType(8)), 4 * LANES)
    kept = builder.select(builder.icmp_unsigned("<", packed, least), ir.Constant(packed.type, None), packed)
    return builder.bitcast(kept, WORD)


def _seven_twin(out: Any, index: int, first: Any, second: Any) -> None:
    cells = np.stack([first.view(np.int64), second.view(np.int64)], 1)
    out.reshape(-1)[index : index + 112] = cells.view(np.uint8).ravel()[:112]


@operation(types.void, _seven_twin)
def store_seven(builder: Any, data: Any, index: Any, first: Any, second: Any) -> Any:
    """Write 7 times 16 bytes to a uint8 array: of one cell after the other two words of `first` and two of `second`."""
    halves = ir.VectorType(ir.IntType(64), LANES // 2)
    first, second = builder.bitcast(first, halves), builder.bitcast(second, halves)
    for start, cells in ((0, (0, 1, 2, 3)), (64, (4, 5, 6))):
        order = [half for cell in cells for half in (cell, cell + LANES // 2)]
        some = builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))
        place = builder.add(index, ir.Constant(index.type, start))
        builder.store(some, vector_at(builder, data, place, some.type), align=1)


def _pairs_twin(total: Any, hidden: Any, unit: int, weights: Any, index: int) -> Any:
    pair = hidden[unit : unit + 2].astype(np.int32)
    return total + (pair * weights[index : index + 2 * LANES].reshape(LANES, 2)).sum(1, dtype=np.int32)


@operation(I32x16, _pairs_twin)
def dot_pair(builder: Any, total: Any, hidden: Any, unit: Any, weights: Any, index: Any) -> Any:
    """total + hidden[unit] * w + hidden[unit + 1] * w', all int16, for the pair of weights of each lane."""
    pointer = builder.bitcast(builder.gep(hidden, [unit]), ir.IntType(32).as_pointer())
    pair = splat_scalar(builder, builder.load(pointer, align=2))
    row = builder.load(vector_at(builder, weights, index, WORD), align=2)
    return builder.add(total, dot_halves_of(builder, pair, row))


def _hidden_twin(array: Any, index: int, sums: Any, shift: int) -> None:
    array[index : index + LANES] = np.maximum(sums, 0) >> shift


@operation(types.void, _hidden_twin)
def store_hidden(builder: Any, data: Any, index: Any, sums: Any, shift: Any) -> Any:
    """Write max(sums, 0) >> shift, which must fit, to an int16 array."""
    zero = ir.Constant(WORD, None)
    positive = builder.select(builder.icmp_signed(">", sums, zero), sums, zero)
    shifted = builder.lshr(positive, splat_scalar(builder, builder.trunc(shift, ir.IntType(32))))
    half = ir.VectorType(ir.IntType(16), LANES)
    builder.store(builder.trunc(shifted, half), vector_at(builder, data, index, half), align=2)


@operation(types.int64, lambda a: np.argmax(a))
def find_highest(builder: Any, a: Any) -> Any:
    """The lowest lane that holds the maximum."""
    highest = reduce_lanes(builder, a, lambda x, y: builder.select(builder.icmp_signed(">", x, y), x, y))
    lanes = builder.bitcast(builder.icmp_signed("==", a, splat_scalar(builder, highest)), ir.IntType(LANES))
    return builder.zext(builder.cttz(lanes, ir.Constant(ir.IntType(1), 0)), ir.IntType(64))
