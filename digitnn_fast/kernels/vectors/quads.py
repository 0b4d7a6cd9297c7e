"""Groups of four pixels, as bytes of 16 lanes: which are not all zero, and their products with four weights of int8.

VNNI does four products and their sum in one instruction. AVX2's own instruction for bytes is not used: it saturates at
16 bits.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types

from digitnn_fast.kernels.machine.jit import has_feature
from digitnn_fast.kernels.vectors.bytes import load_order
from digitnn_fast.kernels.vectors.floats import LANES, I32x16, call, operation, splat_scalar, vector_at
from digitnn_fast.kernels.vectors.integers import WORD

VNNI = has_feature("avx512vnni")
BYTES = ir.VectorType(ir.IntType(8), 4 * LANES)


@operation(types.int64, lambda array, index: int(array[index]))
def group_at(builder: Any, data: Any, index: Any) -> Any:
    """The int32 at `index`, which is not negative."""
    return builder.zext(builder.load(builder.gep(data, [index])), ir.IntType(64))


def _bytes_twin(total: Any, pixels: Any, weights: Any, index: int) -> Any:
    levels = pixels.view(np.uint8).reshape(LANES, 4).astype(np.int32)
    return total + (levels * weights[index : index + 4 * LANES].reshape(LANES, 4)).sum(1, dtype=np.int32)


@operation(I32x16, _bytes_twin)
def dot_bytes(builder: Any, total: Any, pixels: Any, weights: Any, index: Any) -> Any:
    """total + the sum over four of uint8 (the bytes of `pixels`) times int8 (of `weights` from `index`) per lane.

    Never compiled without VNNI.
    """
    row = builder.load(vector_at(builder, weights, index, WORD), align=1)
    if llvm.llvm_version_info >= (22,):  # its arguments became vectors of bytes
        pixels, row = builder.bitcast(pixels, BYTES), builder.bitcast(row, BYTES)
    return call(builder, "llvm.x86.avx512.vpdpbusd.512", WORD, total, pixels, row)


def _spread_twin(quads: Any, index: int, levels: Any) -> None:
    levels[4 * index : 4 * (index + LANES)] = quads[index : index + LANES].view(np.uint8)


@operation(types.void, _spread_twin)
def spread_quads(builder: Any, quads: Any, index: Any, levels: Any) -> Any:
    """levels[4 * index :] (int16) = the 64 bytes of 16 quads from `index` on."""
    wide = builder.zext(
        builder.bitcast(builder.load(vector_at(builder, quads, index, WORD), align=4), BYTES),
        ir.VectorType(ir.IntType(16), 4 * LANES),
    )
    place = builder.mul(index, ir.Constant(index.type, 4))
    builder.store(wide, vector_at(builder, levels, place, wide.type), align=2)


def _quads_twin(
    pixels: Any, index: int, other: int, group: int, skip: int, _: Any, groups: Any, quads: Any, at: int, half: int
) -> int:
    quad, second = (pixels.reshape(-1)[start : start + 4 * LANES].view(np.int32) for start in (index, other))
    for lane in range(skip, LANES):
        if quad[lane] or second[lane]:
            groups[at], quads[at] = group + lane, quad[lane]
            if index != other:
                quads[half + at] = second[lane]
            at += 1
    return at


def _append_eight(builder: Any, vectors: Any, bits: Any, first: int, orders: Any, lists: Any, at: Any) -> Any:
    """Append the lanes from `first` on that the bits hold to each vector's list, by AVX2; the lists' new length."""
    eight = ir.VectorType(ir.IntType(32), LANES // 2)
    some = builder.trunc(builder.lshr(bits, ir.Constant(bits.type, first)), ir.IntType(8))
    order = builder.zext(load_order(builder, orders, builder.zext(some, at.type)), eight)
    lanes = ir.Constant(eight, list(range(first, first + LANES // 2)))
    for vector, data in zip(vectors, lists, strict=True):
        part = builder.shuffle_vector(vector, vector, lanes)
        packed = call(builder, "llvm.x86.avx2.permd", eight, part, order)
        builder.store(packed, vector_at(builder, data, at, eight), align=4)
    return builder.add(at, builder.zext(builder.ctpop(some), at.type))


@operation(types.int64, _quads_twin)
def list_quads(
    builder: Any,
    pixels: Any,
    index: Any,
    other: Any,
    group: Any,
    skip: Any,
    orders: Any,
    groups: Any,
    quads: Any,
    at: Any,
    half: Any,
) -> Any:
    """Append the groups of four that are not all zero, among 64 uint8 at `index` or 64 at `other`; the new length.

    groups (int32) receives group + lane, quads (int32) the four bytes at `index`; the first `skip` lanes are passed over.
    With AVX-512, quads[half:] receives those at `other`, which else must be `index`. `orders` are bytes.ORDERS. All 16
    lanes are written at `at`: lists need 16 places more than they will hold.
    """
    i32, zero = ir.IntType(32), ir.Constant(WORD, None)
    quad, second = (builder.load(vector_at(builder, pixels, start, WORD), align=1) for start in (index, other))
    lane = ir.Constant(WORD, list(range(LANES)))
    late = builder.icmp_signed(">=", lane, splat_scalar(builder, builder.trunc(skip, i32)))
    mask = builder.and_(builder.icmp_unsigned("!=", builder.or_(quad, second), zero), late)
    number = builder.add(splat_scalar(builder, builder.trunc(group, i32)), lane)
    bits = builder.bitcast(mask, ir.IntType(LANES))
    lists = (groups, number), (quads, quad), (builder.gep(quads, [half]), second)
    if has_feature("avx512f"):
        for data, vector in lists:
            packed = call(builder, "llvm.x86.avx512.mask.compress.v16i32", WORD, vector, zero, mask)
            builder.store(packed, vector_at(builder, data, at, WORD), align=4)
        return builder.add(at, builder.zext(builder.ctpop(bits), at.type))
    if has_feature("avx2"):
        for first in (0, LANES // 2):
            at = _append_eight(builder, (number, quad), bits, first, orders, (groups, quads), at)
        return at
    for k in range(LANES):  # every lane is written, but only what is not zero moves the end of the list
        position = ir.Constant(i32, k)
        for data, vector in lists[:2]:
            builder.store(builder.extract_element(vector, position), builder.gep(data, [at]))
        at = builder.add(at, builder.zext(builder.extract_element(mask, position), at.type))
    return at
