"""Vector operations on uint8, 64 at a time: which pixels are not zero, and where."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from digitnn_fast.kernels.machine.jit import DISABLE_JIT, has_feature
from digitnn_fast.kernels.vectors.floats import LANES, F32x16, call, operation, splat_scalar, vector_at

HAS_COMPRESS = has_feature("avx512vbmi2") and not DISABLE_JIT
HAS_SHUFFLE = has_feature("avx2") and not DISABLE_JIT
_BYTES = ir.VectorType(ir.IntType(8), 64)

ORDERS = np.zeros((256, 8), np.uint8)  # of each byte the places of its bits that are set
for _byte in range(256):
    _places = [bit for bit in range(8) if _byte >> bit & 1]
    ORDERS[_byte, : len(_places)] = _places


@operation(types.uint8, lambda array, index: array.reshape(-1)[index])
def byte_at(builder: Any, data: Any, index: Any) -> Any:
    """One uint8 by its flat index."""
    return builder.load(builder.gep(data, [index]))


def _copy_twin(source: Any, index: int, target: Any, at: int) -> None:
    target.reshape(-1)[at : at + 64] = source.reshape(-1)[index : index + 64]


@operation(types.void, _copy_twin)
def copy_bytes(builder: Any, source: Any, index: Any, target: Any, at: Any) -> Any:
    """Copy 64 uint8 from flat index `index` to flat index `at`: LLVM makes a loop over single bytes of that."""
    chunk = builder.load(vector_at(builder, source, index, _BYTES), align=1)
    builder.store(chunk, vector_at(builder, target, at, _BYTES), align=1)


def _turn_twin(source: Any, index: int, width: int, target: Any, at: int, height: int) -> None:
    for row in range(16):
        column = source.reshape(-1)[index + row * width :][:64]
        target.reshape(-1)[at + row : at + row + 64 * height : height] = column


@operation(types.void, _turn_twin)
def turn_bytes(builder: Any, source: Any, index: Any, width: Any, target: Any, at: Any, height: Any) -> Any:
    """Transpose uint8: 16 rows of 64 from flat index `index`, in rows of `width`, to 64 of 16 from `at`, of `height`.

    Four times the first 8 rows are interleaved with the last 8: each time, the highest bit of a byte's row becomes the
    lowest bit of its place.
    """
    rows = []
    for row in range(16):
        start = builder.add(index, builder.mul(width, ir.Constant(index.type, row)))
        rows.append(builder.load(vector_at(builder, source, start, _BYTES), align=1))
    mask = ir.VectorType(ir.IntType(32), 64)
    halves = [ir.Constant(mask, [half + k // 2 + 64 * (k % 2) for k in range(64)]) for half in (0, 32)]
    for _ in range(4):
        rows = [builder.shuffle_vector(rows[i], rows[i + 8], half) for i in range(8) for half in halves]
    for column in range(64):
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 16), [16 * (column % 4) + k for k in range(16)])
        part = builder.shuffle_vector(rows[column // 4], rows[column // 4], lanes)
        place = builder.add(at, builder.mul(height, ir.Constant(at.type, column)))
        builder.store(part, vector_at(builder, target, place, part.type), align=1)


def _mask_twin(pixels: Any, index: int) -> Any:
    return np.packbits(pixels.reshape(-1)[index : index + 64] != 0, bitorder="little").view(np.uint64)[0]


def _chunk(builder: Any, pixels: Any, index: Any) -> tuple[Any, Any]:
    """64 pixels and which of them are not zero."""
    chunk = builder.load(vector_at(builder, pixels, index, _BYTES), align=1)
    return chunk, builder.icmp_unsigned("!=", chunk, ir.Constant(_BYTES, None))


@operation(types.uint64, _mask_twin)
def nonzero_mask(builder: Any, pixels: Any, index: Any) -> Any:
    """Which of 64 uint8 from flat index `index` are not zero: the first one is the lowest bit."""
    return builder.bitcast(_chunk(builder, pixels, index)[1], ir.IntType(64))


@operation(types.int64, lambda mask: (int(mask) & -int(mask)).bit_length() - 1)
def lowest_bit(builder: Any, mask: Any) -> Any:
    """The position of the lowest set bit."""
    return builder.cttz(mask, ir.Constant(ir.IntType(1), 0))


@operation(types.int64, lambda *_: None)  # VBMI2 only, never called without
def compress_nonzero(
    builder: Any, pixels: Any, index: Any, place: Any, skip: Any, places: Any, bytes_: Any, at: Any
) -> Any:
    """Append the non-zero ones of 64 uint8 to two lists without a branch; the lists' new length.

    places (uint16) receives pixel + lane, bytes_ (uint8) the values; the first `skip` lanes are passed
    over. All 64 lanes are written at `at`: both lists need 64 places more than they will hold.
    """
    chunk, mask = _chunk(builder, pixels, index)
    bits = builder.and_(builder.bitcast(mask, ir.IntType(64)), builder.shl(ir.Constant(ir.IntType(64), -1), skip))
    mask = builder.bitcast(bits, mask.type)
    lanes = ir.Constant(_BYTES, list(range(64)))
    packed, numbers = (
        call(builder, "llvm.x86.avx512.mask.compress.v64i8", _BYTES, vector, ir.Constant(_BYTES, None), mask)
        for vector in (chunk, lanes)
    )
    count = builder.ctpop(bits)

    def write(first: int) -> None:
        half = ir.Constant(ir.VectorType(ir.IntType(32), 32), list(range(first, first + 32)))
        end = builder.add(at, ir.Constant(at.type, first))
        some = builder.shuffle_vector(packed, packed, half)
        builder.store(some, vector_at(builder, bytes_, end, some.type), align=1)
        wide = builder.zext(builder.shuffle_vector(numbers, numbers, half), ir.VectorType(ir.IntType(16), 32))
        wide = builder.add(wide, splat_scalar(builder, builder.trunc(place, ir.IntType(16)), 32))
        builder.store(wide, vector_at(builder, places, end, wide.type), align=2)

    write(0)
    with builder.if_then(builder.icmp_unsigned(">", count, ir.Constant(count.type, 32)), likely=False):
        write(32)
    return builder.add(at, count)


def load_order(builder: Any, orders: Any, mask: Any) -> Any:
    """The 8 bytes of orders[mask], which are `ORDERS`."""
    return builder.load(
        vector_at(builder, orders, builder.mul(mask, ir.Constant(mask.type, 8)), ir.VectorType(ir.IntType(8), 8)),
        align=1,
    )


@operation(types.void, lambda *_: None)  # AVX2 only, never called without
def pack_eight(builder: Any, pixels: Any, index: Any, mask: Any, orders: Any, bytes_: Any, at: Any) -> Any:
    """bytes_[at:] = those of 8 uint8 from flat index `index` that the mask (0 to 255) holds. All 8 are written."""
    eight, sixteen = (ir.VectorType(ir.IntType(8), lanes) for lanes in (8, 16))
    first = ir.Constant(ir.VectorType(ir.IntType(32), 8), list(range(8)))
    twice = ir.Constant(ir.VectorType(ir.IntType(32), 16), list(range(16)))
    chunk = builder.load(vector_at(builder, pixels, index, eight), align=1)
    order = load_order(builder, orders, mask)
    wide = (builder.shuffle_vector(vector, vector, twice) for vector in (chunk, order))
    packed = call(builder, "llvm.x86.ssse3.pshuf.b.128", sixteen, *wide)
    builder.store(builder.shuffle_vector(packed, packed, first), vector_at(builder, bytes_, at, eight), align=1)


@operation(types.int64, lambda *_: None)  # AVX2 only, never called without
def place_eight(builder: Any, mask: Any, place: Any, orders: Any, places: Any, at: Any) -> Any:
    """places[at:] (uint16) = place + the mask's bits (0 to 7) that are set; `at` behind them. All 8 are written."""
    wide = ir.VectorType(ir.IntType(16), 8)
    numbers = builder.zext(load_order(builder, orders, mask), wide)
    numbers = builder.add(numbers, splat_scalar(builder, builder.trunc(place, ir.IntType(16)), 8))
    builder.store(numbers, vector_at(builder, places, at, wide), align=2)
    return builder.add(at, builder.ctpop(mask))


@operation(F32x16, lambda array, index: array.reshape(-1)[index : index + LANES].astype(np.float32))
def load_bytes(builder: Any, data: Any, index: Any) -> Any:
    """16 values of a uint8 array from flat index `index`, as float32."""
    row = builder.load(vector_at(builder, data, index, ir.VectorType(ir.IntType(8), LANES)), align=1)
    return builder.uitofp(row, F32x16.ir_type)
