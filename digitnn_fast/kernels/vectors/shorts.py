"""Vector operations on int16: columns of an image in blocks of three, a lane each; every fourth lane is spare."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from digitnn_fast.kernels.machine.jit import has_feature
from digitnn_fast.kernels.vectors.floats import (
    LANES,
    I32x16,
    VectorType,
    call,
    operation,
    splat_scalar,
    vector_at,
)
from digitnn_fast.kernels.vectors.integers import dot_halves_of

ROW = 2 * LANES  # lanes of the eight blocks in a row
WIDTH = ROW if has_feature("avx512bw") else LANES  # lanes of a register
Shorts, Mask = VectorType("Shorts", ir.IntType(16), WIDTH), VectorType("Mask", ir.IntType(1), WIDTH)
SHORTS, WORD, BOTH = Shorts.ir_type, I32x16.ir_type, ir.VectorType(ir.IntType(16), ROW)
COLUMNS = [3 * (lane // 4) + lane % 4 for lane in range(LANES)]  # of four blocks, within 16 neighbouring pixels
HALVES = range(0, WIDTH // LANES * 12, 12)  # where four blocks each begin
RISING, FALLING = [1, 3, 5, 0], [5, 3, 1, 0]  # what a block's columns weigh in the cell right of it, and left of it


def _order(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)


def _every(value: int) -> Any:
    return ir.Constant(SHORTS, [value] * WIDTH)


def _blocks_twin(pixels: Any, index: int) -> Any:
    return np.concatenate([pixels.reshape(-1)[np.add(index + at, COLUMNS)] for at in HALVES]).astype(np.int16)


@operation(Shorts, _blocks_twin)
def load_blocks(builder: Any, pixels: Any, index: Any) -> Any:
    """Blocks of a uint8 array from flat index `index`; a pixel behind the next block is read, too."""
    half = ir.VectorType(ir.IntType(8), LANES)
    first, *_, last = (
        builder.load(vector_at(builder, pixels, builder.add(index, ir.Constant(index.type, at)), half), align=1)
        for at in (0, *HALVES)
    )
    order = _order([start + column for start in range(0, WIDTH, LANES) for column in COLUMNS])
    return builder.zext(builder.shuffle_vector(first, last, order), SHORTS)


@operation(Shorts, lambda array, index: array.reshape(-1)[index : index + WIDTH].copy())
def load_shorts(builder: Any, data: Any, index: Any) -> Any:
    """A register's values of an int16 array from flat index `index`."""
    return builder.load(vector_at(builder, data, index, SHORTS), align=2)


def _store_twin(array: Any, index: int, vector: Any) -> None:
    array.reshape(-1)[index : index + WIDTH] = vector


@operation(types.void, _store_twin)
def store_shorts(builder: Any, data: Any, index: Any, vector: Any) -> Any:
    """Write a register's values to an int16 array from flat index `index`."""
    builder.store(vector, vector_at(builder, data, index, SHORTS), align=2)


@operation(Shorts, lambda a, b: a + b)
def add_shorts(builder: Any, a: Any, b: Any) -> Any:
    return builder.add(a, b)


@operation(Shorts, lambda a, b: a - b)
def subtract_shorts(builder: Any, a: Any, b: Any) -> Any:
    return builder.sub(a, b)


@operation(Shorts, lambda a, factor: a * np.int16(factor))
def times(builder: Any, a: Any, factor: Any) -> Any:
    """a * factor, the same for all lanes."""
    return builder.mul(a, splat_scalar(builder, builder.trunc(factor, ir.IntType(16)), WIDTH))


@operation(Shorts, lambda a: a + np.int16(2) >> 2)
def quarter(builder: Any, a: Any) -> Any:
    """a / 4, rounded to the nearest, halves up."""
    if has_feature("avx2"):  # (a * 2**13 + 2**14) >> 15 in one instruction
        name = "llvm.x86.avx512.pmul.hr.sw.512" if WIDTH == ROW else "llvm.x86.avx2.pmul.hr.sw"
        return call(builder, name, SHORTS, a, _every(2**13))
    return builder.ashr(builder.add(a, _every(2)), _every(2))


@operation(Shorts, np.abs)
def absolute(builder: Any, a: Any) -> Any:
    negated = builder.sub(_every(0), a)
    return builder.select(builder.icmp_signed(">", a, negated), a, negated)


@operation(Shorts, lambda: np.zeros(WIDTH, np.int16))
def no_shorts(builder: Any) -> Any:
    """0 in all lanes."""
    return _every(0)


@operation(Shorts, lambda a: np.maximum(a, 0))
def positive(builder: Any, a: Any) -> Any:
    """max(a, 0)."""
    return builder.select(builder.icmp_signed(">", a, _every(0)), a, _every(0))


@operation(Shorts, np.minimum)
def least(builder: Any, a: Any, b: Any) -> Any:
    """The smaller of two."""
    return builder.select(builder.icmp_signed("<", a, b), a, b)


@operation(Mask, np.less)
def less(builder: Any, a: Any, b: Any) -> Any:
    """In which lanes a < b."""
    return builder.icmp_signed("<", a, b)


@operation(Mask, np.bitwise_and)
def both(builder: Any, a: Any, b: Any) -> Any:
    """The lanes that are in both masks."""
    return builder.and_(a, b)


@operation(Shorts, lambda mask, a: np.where(mask, a, np.int16(0)))
def where(builder: Any, mask: Any, a: Any) -> Any:
    """a in the lanes of a mask, and 0 in the others."""
    return builder.select(mask, a, _every(0))


def _cells_twin(sums: Any, one: int, other: int) -> Any:
    def cells(at: int) -> Any:
        blocks, right = (sums[k : k + ROW].reshape(-1, 4).astype(np.int32) for k in (at, at + 4))
        return blocks @ RISING + right @ FALLING

    return np.stack([cells(one).reshape(-1, 2), cells(other).reshape(-1, 2)], 1).astype(np.int32).ravel()


@operation(I32x16, _cells_twin)
def sum_cells(builder: Any, sums: Any, one: Any, other: Any) -> Any:
    """What eight blocks in a row, from flat index `one` on, and those from `other` on say of the cells right of each.

    Two cells of the first row, the same two of the other one, the next two of the first row, and so on.
    """

    def weighted(index: Any) -> Any:
        blocks, right = (
            builder.load(vector_at(builder, sums, builder.add(index, ir.Constant(index.type, at)), BOTH), align=2)
            for at in (0, 4)
        )
        return builder.add(
            *(
                dot_halves_of(builder, builder.bitcast(x, WORD), builder.bitcast(ir.Constant(BOTH, 8 * weights), WORD))
                for x, weights in ((blocks, RISING), (right, FALLING))
            )
        )

    a, b = weighted(one), weighted(other)
    quads = range(0, LANES, 4)
    return builder.add(
        *(
            builder.shuffle_vector(
                a, b, _order([quad + row + lane for quad in quads for row in (0, LANES) for lane in (half, half + 2)])
            )
            for half in (0, 1)
        )
    )
