"""The pixel parser: lines of 784 numbers to rows of bytes, 64 characters at a time and without a branch.

The idea of simdjson for a simpler format: in each of the 64 lanes, the value of the number that would end
just before it is computed from the three characters on its left; then the lanes that hold a separator are
packed together. Zeros, which are four of five pixels, cost the same as any other number, but nothing depends
on what the numbers are, so only the end of each line is mispredicted.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from digitnn_fast.kernels.machine.jit import DISABLE_JIT, has_feature

PIXELS = 784
LANES = 64
COMMA, NEWLINE, RETURN, ZERO = b",\n\r0"

# vpcompressb. Without it the separators are walked one by one: 20 ms instead of 9 for test.csv on one thread.
HAS_COMPRESS = has_feature("avx512vbmi2") and not DISABLE_JIT

_BYTES = ir.VectorType(ir.IntType(8), LANES)
_I64 = ir.IntType(64)


def parse_rows(text, rows):  # type: ignore[no-untyped-def]
    """Fill rows.images (n, 784), and rows.labels (n,) unless it is empty: see `arguments.Text`, `arguments.Rows`.

    Returns the number of lines, or -1 if they are more than n or one is not plain: `[digit,]` 784 numbers
    0..255 of one to three digits, commas between them, LF or CRLF. buffer[end-1] must be a line feed, the
    character before `position` no digit, and there must be 3 bytes before and 64 bytes behind the lines.
    """
    buffer, position, end = text
    images, labels = rows
    row = 0
    while position < end:
        if row == images.shape[0]:
            return -1
        if labels.size:
            label = np.int64(buffer[position]) - ZERO
            if label < 0 or label > 9 or buffer[position + 1] != COMMA:
                return -1
            labels[row] = label
            position += 2
        filled = 0
        while True:
            count, length, wrong = scan(buffer, position, images, row * PIXELS + filled, PIXELS - filled)
            filled += count
            position += length
            if wrong or length < LANES:
                break
        if wrong or filled != PIXELS:
            return -1
        if buffer[position] == RETURN:
            position += 1
        if buffer[position] != NEWLINE:
            return -1
        position += 1
        row += 1
    return row


def _scan_twin(buffer: Any, position: int, images: Any, at: int, room: int) -> tuple[int, int, int]:
    text = bytes(buffer[position - 3 : position + LANES])
    start = max((i + 1 for i in range(3) if text[i] not in b"0123456789"), default=0)
    length = next((i for i in range(LANES) if text[3 + i] not in b"0123456789,"), LANES)
    *ended, rest = text[start : 3 + length].split(b",")
    if length < LANES:
        ended.append(rest)
    wrong = any(not 0 < len(number) < 4 or int(number) > 255 for number in ended) or len(rest) > 3
    if not wrong:
        numbers = [int(number) for number in ended][: max(room, 0)]
        images.reshape(-1)[at : at + len(numbers)] = numbers
    return len(ended), length, int(wrong)


def _emit_scan(builder: Any, buffer: Any, position: Any, images: Any, at: Any, room: Any) -> list[Any]:
    """Numbers that end in the 64 characters at `position` go to images' flat index `at`, at most `room` of them.

    Returns their count, the index of the first character that is neither digit nor comma (64 if there is
    none; it ends a number too, and nothing behind it counts), and whether something was not plain.
    """
    # lane i holds character i, i-1, i-2, i-3
    shifted = [builder.gep(buffer, [builder.sub(position, ir.Constant(_I64, back))]) for back in range(4)]
    characters = [builder.load(builder.bitcast(pointer, _BYTES.as_pointer()), align=1) for pointer in shifted]
    digits = [builder.sub(vector, _all(ZERO)) for vector in characters]
    is0, is1, is2, is3 = (builder.icmp_unsigned("<", digit, _all(10)) for digit in digits)
    is21 = builder.and_(is2, is1)
    is321 = builder.and_(is3, is21)
    hundreds = builder.select(is321, digits[3], _all(0))
    tens = builder.select(is2, digits[2], _all(0))
    values = builder.add(_times_ten(builder, builder.add(_times_ten(builder, hundreds), tens)), digits[1])

    # 256..299 wraps to 0..43; from 300 on the first digit shows it.
    wrapped = builder.and_(
        builder.icmp_unsigned("==", hundreds, _all(2)), builder.icmp_unsigned("<", values, _all(200))
    )
    too_large = builder.or_(wrapped, builder.icmp_unsigned(">", hundreds, _all(2)))
    too_long = builder.and_(is0, is321)
    no_number = builder.not_(builder.or_(is0, is1))
    wrong = _mask(builder, builder.or_(builder.or_(too_large, too_long), no_number))

    is_end = _mask(builder, builder.not_(builder.or_(is0, builder.icmp_unsigned("==", characters[0], _all(COMMA)))))
    up_to_end = builder.xor(is_end, builder.sub(is_end, ir.Constant(_I64, 1)))
    separators = builder.and_(_mask(builder, builder.not_(is0)), up_to_end)
    count = builder.ctpop(separators)
    _store_packed(builder, values, separators, _limited(builder, count, room), builder.gep(images, [at]))
    length = builder.cttz(is_end, ir.Constant(ir.IntType(1), 0))
    return [count, length, builder.and_(wrong, up_to_end)]


def _all(value: int) -> Any:
    return ir.Constant(_BYTES, [value] * LANES)


def _mask(builder: Any, lanes: Any) -> Any:
    """64 truth values as the bits of an integer."""
    return builder.bitcast(lanes, _I64)


def _times_ten(builder: Any, vector: Any) -> Any:
    """By additions: no CPU multiplies bytes."""
    twice = builder.add(vector, vector)
    four = builder.add(twice, twice)
    return builder.add(builder.add(four, four), twice)


def _limited(builder: Any, count: Any, room: Any) -> Any:
    """min(count, room, 63), at least 0: what may be stored. (64 separators are 64 empty numbers: wrong anyway.)"""
    for limit in (room, ir.Constant(_I64, LANES - 1)):
        count = builder.select(builder.icmp_signed("<", count, limit), count, limit)
    zero = ir.Constant(_I64, 0)
    return builder.select(builder.icmp_signed(">", count, zero), count, zero)


def _store_packed(builder: Any, values: Any, lanes: Any, count: Any, target: Any) -> None:
    """Write the first `count` of the values whose bit is set in `lanes`, without gaps."""
    one = ir.Constant(_I64, 1)
    if HAS_COMPRESS:
        mask = ir.VectorType(ir.IntType(1), LANES)
        packed = _call(
            builder, "llvm.x86.avx512.mask.compress.v64i8", _BYTES, values, _all(0), builder.bitcast(lanes, mask)
        )
        first = builder.bitcast(builder.sub(builder.shl(one, count), one), mask)
        pointer = builder.bitcast(target, _BYTES.as_pointer())
        name = "llvm.masked.store.v64i8." + ("p0" if "*" not in str(pointer.type) else "p0v64i8")
        _call(builder, name, ir.VoidType(), packed, pointer, ir.Constant(ir.IntType(32), 1), first)
        return
    stack, left = cgutils.alloca_once(builder, _BYTES), cgutils.alloca_once_value(builder, lanes)
    builder.store(values, stack)
    bytes_on_stack = builder.bitcast(stack, ir.IntType(8).as_pointer())
    with cgutils.for_range(builder, count) as loop:
        bits = builder.load(left)
        lane = builder.cttz(bits, ir.Constant(ir.IntType(1), 1))
        builder.store(builder.load(builder.gep(bytes_on_stack, [lane])), builder.gep(target, [loop.index]))
        builder.store(builder.and_(bits, builder.sub(bits, one)), left)


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """A call of the LLVM intrinsic `name`."""
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def _scan(_context: Any, buffer: Any, position: Any, images: Any, at: Any, room: Any) -> Any:
    signature = types.UniTuple(types.int64, 3)(buffer, position, images, at, room)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        unpacked = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, values, strict=True)
        ]
        return context.make_tuple(builder, signature.return_type, _emit_scan(builder, *unpacked))

    return signature, codegen


scan = _scan_twin if DISABLE_JIT else intrinsic(_scan)
