"""Pairs of pixels, as int16 in 16 lanes: which are not both zero, and their products with two weights of int16."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types

from digitnn_fast.kernels.vectors.bytes import load_order
from digitnn_fast.kernels.vectors.floats import LANES, I16x32, I32x16, call, operation, splat_scalar, vector_at
from digitnn_fast.kernels.vectors.integers import WORD, dot_halves_of
from digitnn_fast.kernels.vectors.quads import VNNI

PAIRS = 2 * LANES  # that 64 pixels are
SHORTS = I16x32.ir_type


def _pairs(pixels: Any, index: int) -> Any:
    return pixels.reshape(-1)[index : index + 2 * PAIRS].view(np.uint16)


def _nonzero(builder: Any, pixels: Any, index: Any) -> tuple[Any, Any]:
    """32 pairs, and which of them are not both zero."""
    pairs = builder.load(vector_at(builder, pixels, index, SHORTS), align=1)
    return pairs, builder.bitcast(builder.icmp_unsigned("!=", pairs, ir.Constant(SHORTS, None)), ir.IntType(PAIRS))


def _mask_twin(pixels: Any, index: int) -> Any:
    return np.uint64(np.packbits(_pairs(pixels, index) != 0, bitorder="little").view(np.uint32)[0])


@operation(types.uint64, _mask_twin)
def pair_mask(builder: Any, pixels: Any, index: Any) -> Any:
    """Which of 32 pairs of uint8 from flat index `index` are not both zero: the first one is the lowest bit."""
    return builder.zext(_nonzero(builder, pixels, index)[1], ir.IntType(64))


def _append_twin(pixels: Any, index: int, levels: Any, at: int) -> None:
    levels[at : at + 1] = pixels.reshape(-1)[index : index + 2].astype(np.int16).view(np.int32)


@operation(types.void, _append_twin)
def append_pair(builder: Any, pixels: Any, index: Any, levels: Any, at: Any) -> Any:
    """levels[at] (int32) = the two uint8 from flat index `index`, as int16."""
    pair = builder.load(vector_at(builder, pixels, index, ir.VectorType(ir.IntType(8), 2)), align=1)
    wide = builder.bitcast(builder.zext(pair, ir.VectorType(ir.IntType(16), 2)), ir.IntType(32))
    builder.store(wide, builder.gep(levels, [at]))


@operation(types.int64, lambda *_: None)  # VBMI2 only, never called without
def compress_pairs(
    builder: Any, pixels: Any, index: Any, place: Any, skip: Any, places: Any, pairs: Any, at: Any
) -> Any:
    """Append those of 32 pairs of uint8 that are not both zero to two lists without a branch; the lists' new length.

    places (uint16) receives place + lane, pairs (uint16) the two bytes; the first `skip` lanes are passed over. All 32
    lanes are written at `at`: both lists need 32 places more than they will hold.
    """
    i16, i32 = ir.IntType(16), ir.IntType(32)
    both, bits = _nonzero(builder, pixels, index)
    bits = builder.and_(bits, builder.shl(ir.Constant(i32, -1), builder.trunc(skip, i32)))
    mask = builder.bitcast(bits, ir.VectorType(ir.IntType(1), PAIRS))
    lanes = ir.Constant(SHORTS, list(range(PAIRS)))
    numbers = builder.add(splat_scalar(builder, builder.trunc(place, i16), PAIRS), lanes)
    for data, vector in ((places, numbers), (pairs, both)):
        packed = call(builder, "llvm.x86.avx512.mask.compress.v32i16", SHORTS, vector, ir.Constant(SHORTS, None), mask)
        builder.store(packed, vector_at(builder, data, at, SHORTS), align=2)
    return builder.add(at, builder.zext(builder.ctpop(bits), at.type))


@operation(types.void, lambda *_: None)  # VBMI2 only, never called without
def widen_pairs(builder: Any, pairs: Any, index: Any, levels: Any) -> Any:
    """levels[index :] (int32) = 16 pairs of bytes from `index` on, as int16."""
    narrow = builder.load(vector_at(builder, pairs, index, ir.VectorType(ir.IntType(8), PAIRS)), align=2)
    builder.store(builder.zext(narrow, SHORTS), vector_at(builder, levels, index, SHORTS), align=4)


@operation(types.void, lambda *_: None)  # AVX2 only, never called without
def pack_pairs(builder: Any, pixels: Any, index: Any, mask: Any, orders: Any, levels: Any, at: Any) -> Any:
    """levels[at:] (int32) = those of 8 pairs of uint8 from flat index `index` that the mask holds, as int16.

    The mask is 0 to 255. All 8 are written.
    """
    eight = ir.VectorType(ir.IntType(32), 8)
    narrow = builder.load(vector_at(builder, pixels, index, ir.VectorType(ir.IntType(8), LANES)), align=1)
    wide = builder.bitcast(builder.zext(narrow, ir.VectorType(ir.IntType(16), LANES)), eight)
    order = builder.zext(load_order(builder, orders, mask), eight)
    builder.store(
        call(builder, "llvm.x86.avx2.permd", eight, wide, order), vector_at(builder, levels, at, eight), align=4
    )


def _shorts_twin(total: Any, pixels: Any, weights: Any, index: int) -> Any:
    levels = pixels.view(np.int16).reshape(LANES, 2).astype(np.int32)
    return total + (levels * weights[index : index + PAIRS].reshape(LANES, 2)).sum(1, dtype=np.int32)


@operation(I32x16, _shorts_twin)
def dot_shorts(builder: Any, total: Any, pixels: Any, weights: Any, index: Any) -> Any:
    """total + the sum over two of int16 (the halves of `pixels`) times int16 (of `weights` from `index`) per lane."""
    row = builder.load(vector_at(builder, weights, index, WORD), align=2)
    if not VNNI:
        return builder.add(total, dot_halves_of(builder, pixels, row))
    if llvm.llvm_version_info >= (22,):  # its arguments became vectors of int16
        pixels, row = builder.bitcast(pixels, SHORTS), builder.bitcast(row, SHORTS)
    return call(builder, "llvm.x86.avx512.vpdpwssd.512", WORD, total, pixels, row)
