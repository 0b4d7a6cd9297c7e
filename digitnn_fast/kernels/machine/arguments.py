"""What kernels take: named tuples, each field declared once with its type and shape.

A field's annotation is its declaration: `Annotated[NDArray[np.uint8], "images, 784"]` is a C-contiguous array of that
dtype with as many axes as the shape names, `Annotated[int, "int64"]` a number. From it come the type that numba
compiles for, the check of what is passed, and memory of that shape. This module does without numba.
"""

from __future__ import annotations

import re
from functools import cache
from math import prod
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np

from digitnn_fast.kernels.layout import aligned

POINTER = "i8*"  # to LLVM 14, which numba 0.60 brings; since LLVM 15 it reads this as "ptr"
Thing = TypeVar("Thing")


class Field:
    """One field of a named tuple that kernels take."""

    def __init__(self, name: str, annotation: Any) -> None:
        self.name = name
        kind, declared = get_args(annotation)
        self.shape = () if kind in (int, float) else tuple(declared.split(","))
        self.ndim = len(self.shape)
        self.dtype = np.dtype(get_args(get_args(kind)[1])[0] if self.ndim else declared)
        # In LLVM's words. A word of 8 bytes holds a float in its first 4: little-endian, as all that numba runs on.
        scalar_kind = {"f4": "float", "f8": "double"}.get(self.dtype.str[1:], "i64")
        self.kinds = (
            [POINTER, POINTER, "i64", "i64", POINTER, *["i64"] * (2 * self.ndim)] if self.ndim else [scalar_kind]
        )

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(self.shape)}]" if self.ndim else f"{self.name}: {self.dtype}"

    def words(self, kernel: str, value: Any) -> tuple[int, ...]:
        """What the entry reads for this field; TypeError if the value is not of its type."""
        if not self.ndim:
            if not isinstance(value, (int, float, np.number)) or (self.dtype.kind == "i" and value != int(value)):
                raise TypeError(f"{kernel} takes a number that fits {self.dtype}, not {value!r}")
            return (int(np.array(value, self.dtype).view(f"i{self.dtype.itemsize}")),)
        if not (
            isinstance(value, np.ndarray)
            and value.dtype == self.dtype
            and value.ndim == self.ndim
            and value.flags.c_contiguous
        ):
            got = f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
            raise TypeError(f"{kernel} takes a C-contiguous {self.dtype} array with {self.ndim} axes, not {got}")
        data = value.ctypes.data
        return (0, 0, value.size, value.itemsize, data, *value.shape, *value.strides)

    def numba_type(self) -> Any:
        import numba

        scalar = numba.from_dtype(self.dtype)
        return numba.types.Array(scalar, self.ndim, "C") if self.ndim else scalar


@cache
def fields_of(thing: Any) -> tuple[Field, ...]:
    """The declared fields of a named tuple, in the order in which they are flattened."""
    return tuple(Field(name, kind) for name, kind in get_type_hints(thing, include_extras=True).items())


def numba_type(thing: Any) -> Any:
    """numba's type of that named tuple."""
    import numba

    named_tuple: Any = numba.types.NamedTuple
    return named_tuple([field.numba_type() for field in fields_of(thing)], thing)


def allocate(thing: type[Thing], **sizes: int) -> Thing:
    """That named tuple in zeros, each array at a cache line; `sizes` are those that its shapes name."""
    named_tuple: Any = thing
    return thing(*(aligned(tuple(_size(text, sizes) for text in f.shape), f.dtype) for f in fields_of(named_tuple)))


def _size(text: str, sizes: dict[str, int]) -> int:
    """The sum of products such as "2*block + 1"."""
    factors = ([word.strip() for word in term.split("*")] for term in text.split("+"))
    return sum(prod(int(word) if re.fullmatch(r"\d+", word) else sizes[word] for word in words) for words in factors)
