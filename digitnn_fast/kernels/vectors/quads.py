"""Groups of four pixels, as bytes of 16 lanes: which are not all zero, and their products with four weights of int8.

VNNI does four products and their sum in one instruction; without it there are `couples`. AVX2's own instruction for
bytes is not used: it saturates at 16 bits.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types

from digitnn_fast.kernels.machine.jit import has_feature
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


def _quads_twin(
    pixels: Any, index: int, other: int, group: int, skip: int, groups: Any, quads: Any, at: int, half: int
) -> int:
    quad, second = (pixels.reshape(-1)[start : start + 4 * LANES].view(np.int32) for start in (index, other))
    for lane in range(skip, LANES):
        if quad[lane] or second[lane]:
            groups[at], quads[at] = group + lane, quad[lane]
            if index != other:
                quads[half + at] = second[lane]
            at += 1
    return at


@operation(types.int64, _quads_twin)
def list_quads(
    builder: Any,
    pixels: Any,
    index: Any,
    other: Any,
    group: Any,
    skip: Any,
    groups: Any,
    quads: Any,
    at: Any,
    half: Any,
) -> Any:
    """Append the groups of four that are not all zero, among 64 uint8 at `index` or 64 at `other`; the new length.

    groups (int32) receives group + lane, quads (int32) the four bytes at `index`, quads[half:] those at `other`; the
    first `skip` lanes are passed over. All 16 lanes are written at `at`: lists need 16 places more than they will hold.
    Never compiled without AVX-512.
    """
    i32, zero = ir.IntType(32), ir.Constant(WORD, None)
    quad, second = (builder.load(vector_at(builder, pixels, start, WORD), align=1) for start in (index, other))
    lane = ir.Constant(WORD, list(range(LANES)))
    late = builder.icmp_signed(">=", lane, splat_scalar(builder, builder.trunc(skip, i32)))
    mask = builder.and_(builder.icmp_unsigned("!=", builder.or_(quad, second), zero), late)
    number = builder.add(splat_scalar(builder, builder.trunc(group, i32)), lane)
    for data, vector in ((groups, number), (quads, quad), (builder.gep(quads, [half]), second)):
        packed = call(builder, "llvm.x86.avx512.mask.compress.v16i32", WORD, vector, zero, mask)
        builder.store(packed, vector_at(builder, data, at, WORD), align=4)
    return builder.add(at, builder.zext(builder.ctpop(builder.bitcast(mask, ir.IntType(LANES))), at.type))
