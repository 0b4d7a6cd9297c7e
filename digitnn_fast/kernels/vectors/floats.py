"""The few vector operations that numba lacks, on 16 lanes of float32, and what threads need to share work.

A value of type F32x16 stays in registers (one on AVX-512, two on AVX2, four on NEON: LLVM splits it),
so kernels decide themselves what is accumulated where. Each operation is written twice: as LLVM IR,
and as a NumPy twin that takes its place when NUMBA_DISABLE_JIT is set.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

from digitnn_fast.kernels.machine.jit import DISABLE_JIT

LANES = 16
TINY = 2.0**-120


class VectorType(types.Type):
    """numba's type of a vector in registers, of `lanes` elements of an LLVM type."""

    def __init__(self, name: str, element: Any, lanes: int) -> None:
        self.ir_type = ir.VectorType(element, lanes)
        super().__init__(name)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, vector: VectorType) -> None:
        super().__init__(manager, vector, vector.ir_type)


F32x16, I32x16 = VectorType("F32x16", ir.FloatType(), LANES), VectorType("I32x16", ir.IntType(32), LANES)
I16x32 = VectorType("I16x32", ir.IntType(16), 2 * LANES)
_ZERO = ir.Constant(F32x16.ir_type, None)


def operation(result: types.Type, twin: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """An intrinsic from a function that emits LLVM IR; with the JIT off, its NumPy twin."""

    def decorate(emit: Callable[..., Any]) -> Any:
        if DISABLE_JIT:
            return twin

        def typing(_context: Any, *arguments: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                unpacked = [
                    context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
                    for kind, value in zip(signature.args, values, strict=True)
                ]
                emitted = emit(builder, *unpacked)
                return context.get_dummy_value() if result is types.void else emitted

            return result(*arguments), codegen

        typing.__name__ = emit.__name__
        typing.__signature__ = inspect.signature(emit)  # type: ignore[attr-defined]  # numba matches calls with it
        return intrinsic(typing)

    return decorate


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """A call of the LLVM intrinsic `name`."""
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def vector_at(builder: Any, data: Any, index: Any, vector: Any) -> Any:
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def splat_scalar(builder: Any, scalar: Any, lanes: int = LANES) -> Any:
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    return builder.shuffle_vector(first, first, mask)


def _constant(value: float) -> Any:
    return ir.Constant(F32x16.ir_type, [ir.Constant(ir.FloatType(), value)] * LANES)


def _load_twin(array: Any, index: int) -> Any:
    return array.reshape(-1)[index : index + LANES].copy()


def _store_twin(array: Any, index: int, vector: Any, lanes: int = LANES) -> None:
    array.reshape(-1)[index : index + lanes] = vector[:lanes]


@operation(F32x16, _load_twin)
def load(builder: Any, data: Any, index: Any) -> Any:
    """16 values of a float32 array from flat index `index`."""
    return builder.load(vector_at(builder, data, index, F32x16.ir_type), align=4)


@operation(types.void, _store_twin)
def store(builder: Any, data: Any, index: Any, vector: Any) -> Any:
    """Write 16 values to a float32 array from flat index `index`."""
    builder.store(vector, vector_at(builder, data, index, vector.type), align=4)


def _first(builder: Any, lanes: Any) -> Any:
    """The mask of the first lanes."""
    order = ir.Constant(I32x16.ir_type, list(range(LANES)))
    return builder.icmp_signed("<", order, splat_scalar(builder, builder.trunc(lanes, ir.IntType(32))))


@operation(types.void, _store_twin)
def store_first(builder: Any, data: Any, index: Any, vector: Any, lanes: Any) -> Any:
    """Write only the first `lanes` values: a row of 10 probabilities has no room for 16."""
    mask = _first(builder, lanes)
    pointer = vector_at(builder, data, index, vector.type)
    name = "llvm.masked.store.v16f32.p0"
    return call(builder, name, ir.VoidType(), vector, pointer, ir.Constant(ir.IntType(32), 4), mask)


@operation(
    F32x16,
    lambda array, index, lanes, rest: np.append(
        array.reshape(-1)[index : index + lanes], [rest] * (LANES - lanes)
    ).astype(np.float32),
)
def load_first(builder: Any, data: Any, index: Any, lanes: Any, rest: Any) -> Any:
    """The first `lanes` values from flat index `index`, and `rest` in the lanes behind them."""
    mask = _first(builder, lanes)
    pointer = vector_at(builder, data, index, F32x16.ir_type)
    name = "llvm.masked.load.v16f32.p0"
    return call(
        builder, name, F32x16.ir_type, pointer, ir.Constant(ir.IntType(32), 4), mask, splat_scalar(builder, rest)
    )


@operation(F32x16, lambda a, lanes, rest: np.where(np.arange(LANES) < lanes, a, np.float32(rest)))
def keep_first(builder: Any, a: Any, lanes: Any, rest: Any) -> Any:
    """The first `lanes` of a, and `rest` in the lanes behind them."""
    return builder.select(_first(builder, lanes), a, splat_scalar(builder, rest))


@operation(F32x16, lambda value: np.full(LANES, value, np.float32))
def splat(builder: Any, value: Any) -> Any:
    """A float32 in all lanes."""
    return splat_scalar(builder, value)


@operation(F32x16, lambda array, index: np.full(LANES, array.reshape(-1)[index], np.float32))
def splat_at(builder: Any, data: Any, index: Any) -> Any:
    """The value at flat index `index`, not counted from the end if that is negative, in all lanes."""
    return splat_scalar(builder, builder.load(builder.gep(data, [index])))


@operation(types.int64, lambda array, index: int(array.reshape(-1)[index]))
def place_at(builder: Any, data: Any, index: Any) -> Any:
    """The uint16 at flat index `index`: as above, which numba asks in six instructions."""
    return builder.zext(builder.load(builder.gep(data, [index])), ir.IntType(64))


@operation(F32x16, lambda a, b, c: a * b + c)
def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, in one rounding where the CPU can."""
    return call(builder, "llvm.fmuladd.v16f32", a.type, a, b, c)


@operation(F32x16, lambda a, b: a + b)
def add(builder: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b)


@operation(F32x16, lambda a, b: a * b)
def multiply(builder: Any, a: Any, b: Any) -> Any:
    return builder.fmul(a, b)


@operation(F32x16, lambda a, b: a / b)
def divide(builder: Any, a: Any, b: Any) -> Any:
    return builder.fdiv(a, b)


@operation(F32x16, np.sqrt)
def square_root(builder: Any, a: Any) -> Any:
    return call(builder, "llvm.sqrt.v16f32", a.type, a)


@operation(F32x16, lambda a: np.where(a < 0, np.float32(0), a))
def relu(builder: Any, a: Any) -> Any:
    """max(a, 0); NaN stays NaN."""
    return builder.select(builder.fcmp_ordered("<", a, _ZERO), _ZERO, a)


@operation(F32x16, lambda h, a: np.where(h > 0, a, np.float32(0)))
def where_positive(builder: Any, h: Any, a: Any) -> Any:
    """a where h > 0, else 0: the derivative of ReLU at work."""
    return builder.select(builder.fcmp_ordered(">", h, _ZERO), a, _ZERO)


@operation(F32x16, lambda a: np.where(np.abs(a) < TINY, np.float32(0), a))
def drop_tiny(builder: Any, a: Any) -> Any:
    """a, but 0 where |a| < 2**-120: many processors need a hundred times as long for numbers below 2**-126."""
    size = call(builder, "llvm.fabs.v16f32", a.type, a)
    return builder.select(builder.fcmp_ordered("<", size, _constant(TINY)), _ZERO, a)


@operation(F32x16, lambda a: np.exp(np.maximum(a, np.float32(-87))))
def exp(builder: Any, a: Any) -> Any:
    """e**a for a <= 0, to 2 units in the last place; below -87 it stays at e**-87 = 1.6e-38.

    Cephes' expf: a = n*ln 2 + r with |r| <= ln 2 / 2, a polynomial of degree 6 for e**r, and 2**n put
    together from its exponent bits.
    """
    a = builder.select(builder.fcmp_ordered("<", a, _constant(-87)), _constant(-87), a)
    n = call(builder, "llvm.rint.v16f32", a.type, builder.fmul(a, _constant(1.44269504)))
    r = call(builder, "llvm.fmuladd.v16f32", a.type, n, _constant(-0.693359375), a)
    r = call(builder, "llvm.fmuladd.v16f32", a.type, n, _constant(2.12194440e-4), r)
    power = _constant(1.9875691500e-4)
    for coefficient in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5, 1.0, 1.0):
        power = call(builder, "llvm.fmuladd.v16f32", a.type, power, r, _constant(coefficient))
    exponent = builder.add(builder.fptosi(n, I32x16.ir_type), ir.Constant(I32x16.ir_type, [127] * LANES))
    scale = builder.shl(exponent, ir.Constant(I32x16.ir_type, [23] * LANES))
    return builder.fmul(power, builder.bitcast(scale, a.type))


def reduce_lanes(builder: Any, a: Any, combine: Callable[[Any, Any], Any]) -> Any:
    """Fold the upper half onto the lower one until one lane is left: a fixed order, so always the same bits."""
    index = ir.IntType(32)
    for half in (8, 4, 2, 1):
        mask = ir.Constant(I32x16.ir_type, [(lane + half) % LANES for lane in range(LANES)])
        a = combine(a, builder.shuffle_vector(a, a, mask))
    return builder.extract_element(a, ir.Constant(index, 0))


@operation(types.float32, lambda a: a.sum(dtype=np.float32))
def sum_lanes(builder: Any, a: Any) -> Any:
    return reduce_lanes(builder, a, builder.fadd)


@operation(types.float32, np.max)
def max_lane(builder: Any, a: Any) -> Any:
    return reduce_lanes(builder, a, lambda x, y: builder.select(builder.fcmp_ordered(">", x, y), x, y))


@operation(types.int64, lambda a, value: np.argmax(a == value))
def find_lane(builder: Any, a: Any, value: Any) -> Any:
    """The lowest lane that equals `value`."""
    lanes = builder.bitcast(builder.fcmp_ordered("==", a, splat_scalar(builder, value)), ir.IntType(LANES))
    count = builder.cttz(lanes, ir.Constant(ir.IntType(1), 0))
    return builder.zext(count, ir.IntType(64))


def _atomic_add_twin(array: Any, index: int, value: int) -> int:
    array[index] += value
    return int(array[index]) - value


@operation(types.int64, _atomic_add_twin)
def atomic_add(builder: Any, data: Any, index: Any, value: Any) -> Any:
    """Add to one int64, and what it was before; all that this thread wrote before is visible to who sees the sum."""
    return builder.atomic_rmw("add", builder.gep(data, [index]), value, "acq_rel")


@operation(types.int64, lambda array, index: array[index])
def atomic_load(builder: Any, data: Any, index: Any) -> Any:
    """Read one int64 that another thread adds to."""
    return builder.load_atomic(builder.gep(data, [index]), "acquire", align=8)


@operation(types.void, lambda: time.sleep(0))
def give_way(builder: Any) -> Any:
    """Let another thread have this CPU."""
    name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
    call(builder, name, ir.IntType(32))


@operation(types.void, lambda array, index: None)
def prefetch(builder: Any, data: Any, index: Any) -> Any:
    """Fetch the cache line of flat index `index`, which will be read soon."""
    pointer = builder.bitcast(builder.gep(data, [index]), ir.IntType(8).as_pointer())
    name = "llvm.prefetch.p0"
    read, near, of_data = (ir.Constant(ir.IntType(32), value) for value in (0, 1, 1))
    call(builder, name, ir.VoidType(), pointer, read, near, of_data)
