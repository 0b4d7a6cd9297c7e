"""Kernels, compiled by numba once per machine and then run without importing it.

numba costs 0.2 s to import and 0.3 s more before its first cached kernel runs: longer than reading
and predicting Kaggle's whole test.csv. So a kernel is compiled by numba at its first use ever, its
machine code is kept as an object file, and every later process hands that file to llvmlite
(0.05 s to import) and calls it through ctypes, which also releases the GIL.

Behind each kernel stands an entry that takes one pointer to a row of 64-bit words, because ctypes needs
0.05 us for each argument, and a kernel has a hundred. The words are numba's own calling convention: where to put the
result, and an exception, then each array as (meminfo, parent, items, itemsize, data, *shape, *strides), each number
as itself. Kernels therefore return an int64 or nothing, and report errors through it: they never raise.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import re
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from digitnn_fast.kernels import _cache
from digitnn_fast.kernels._jit import DISABLE_JIT, POINTER, Compiler, compile_alone, compile_here, processor


class Kernel:
    """`digitnn_fast.kernels.<module>.<function>`, compiled for one signature in numba's notation.

    Called with C-contiguous arrays of exactly the signature's dtypes and dimensions and with
    Python numbers; TypeError otherwise. Returns the kernel's int64, or None.
    """

    def __init__(self, name: str, signature: str) -> None:
        self.name, self.signature = name, signature
        result, arguments = signature.rstrip(")").split("(")
        self.returns = result != "void"
        self._arguments = [_Argument(text) for text in re.findall(r"\w+(?:\[[:, 1]*\])?", arguments)]
        self._lock = threading.Lock()
        self.entry: Callable[[int], int] | None = None
        self.compiler: Compiler | None = None  # the process that is compiling it

    def __repr__(self) -> str:
        return f"Kernel({self.name!r}, {self.signature!r})"

    def __call__(self, *values: Any) -> int | None:
        return self.bind(*values)()

    def bind(self, *values: Any) -> Call:
        """The call with these arguments, checked once, to be made any number of times by one thread at a time."""
        if len(values) != len(self._arguments):
            raise TypeError(f"{self.name} takes {len(self._arguments)} arguments, not {len(values)}")
        return Call(self, values)

    def words(self, first: int, values: Sequence[Any]) -> list[int]:
        """What the entry reads for the arguments from number `first` on; TypeError if one has not its type."""
        return [
            word
            for argument, value in zip(self._arguments[first:], values, strict=True)
            for word in argument.words(self.name, value)
        ]

    def load(self) -> Callable[[int], int]:
        """The entry as a C function: from this process, else from the cache, else compiled now."""
        with self._lock:
            if self.entry is None:
                symbol, stem = self._symbol(), f"{self.name}-{self._digest()}"
                machine_code = _cache.read(stem)
                if machine_code is None:
                    machine_code = self._compiled(symbol)
                    _cache.write(stem, machine_code)
                prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
                self.entry = prototype(_Engine.get().link(machine_code, symbol))
            return self.entry

    def is_cached(self) -> bool:
        """Whether the machine code is already on disk."""
        return _cache.read(f"{self.name}-{self._digest()}") is not None

    def folder(self) -> Path | None:
        """Where the machine code is kept; None if it is nowhere."""
        found = _cache.find(f"{self.name}-{self._digest()}")
        return found[0] if found else None

    def _symbol(self) -> str:
        return "digitnn_" + self.name.replace(".", "_")

    def function(self) -> Any:
        module, function = self.name.split(".")
        return getattr(importlib.import_module(f"digitnn_fast.kernels.{module}"), function)

    def _digest(self) -> str:
        """Names everything that decides the machine code: kernel sources, LLVM, processor."""
        return hashlib.sha256(f"{self.signature} {_environment()}".encode()).hexdigest()[:16]

    def is_missing(self) -> bool:
        """Whether it has neither been loaded, nor compiled on this machine, nor is just being compiled."""
        with self._lock:
            return self.entry is None and self.compiler is None and not DISABLE_JIT and not self.is_cached()

    def emit(self) -> None:
        """Print the length of the machine code behind its checksum, and these: what a `Compiler` does."""
        content = _cache.sealed(self.name, self._compile(self._symbol(), compile_alone))
        sys.stdout.buffer.write(len(content).to_bytes(8, "little") + content)

    def _compiled(self, symbol: str) -> bytes:
        compiler = self.compiler or Compiler(self.name)
        self.compiler = None
        return _cache.unsealed(self.name, compiler.result(self.name) or b"") or self._compile(symbol)

    def _compile(self, symbol: str, how: Callable[..., bytes] = compile_here) -> bytes:
        kinds = [kind for argument in self._arguments for kind in argument.kinds]
        return how(self.function(), self.signature, symbol, kinds)


class Call:
    """A kernel with its arguments, the last of which may be others each time: to check 15 takes longer than 10 images."""

    def __init__(self, kernel: Kernel, values: Sequence[Any]) -> None:
        self._kernel, self._values = kernel, values
        words = kernel.words(0, values)
        self._count = len(words)
        self._words = (ctypes.c_int64 * (self._count + 4))()
        self._address = ctypes.addressof(self._words)
        end = self._address + 8 * (self._count + 2)
        self._words[:] = [end, end + 8, *words, 0, 0]
        self._entry = self._in_python if DISABLE_JIT else kernel.entry or kernel.load()

    def __call__(self, *last: Any) -> int | None:
        """Call with the same arguments, but for the last ones."""
        if last:
            words = self._kernel.words(len(self._values) - len(last), last)
            self._words[2 + self._count - len(words) : 2 + self._count] = words  # type: ignore[assignment]
            if DISABLE_JIT:
                self._values = (*self._values[: -len(last)], *last)
        self._entry(self._address)
        return self._words[-2] if self._kernel.returns else None

    def _in_python(self, _address: int) -> int:
        self._words[-2] = self._kernel.function()(*self._values) or 0
        return 0


class _Argument:
    """One argument of a signature: `int64`, `float32` or an array such as `uint8[:,::1]`."""

    def __init__(self, text: str) -> None:
        scalar, _, dimensions = text.partition("[")
        self.dtype = np.dtype(scalar)
        self.ndim = dimensions.count(":") - dimensions.count("::") if dimensions else 0
        # In LLVM's words. A word of 8 bytes holds a float in its first 4: little-endian, as all that numba runs on.
        scalar_kind = {"f4": "float", "f8": "double"}.get(self.dtype.str[1:], "i64")
        self.kinds = (
            [POINTER, POINTER, "i64", "i64", POINTER, *["i64"] * (2 * self.ndim)] if self.ndim else [scalar_kind]
        )

    def words(self, kernel: str, value: Any) -> tuple[int, ...]:
        """What the entry reads for this argument; TypeError if it is not of the signature's type."""
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


class _Engine:
    """The one LLVM execution engine of this process."""

    _instance: _Engine | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(*processor(), jit=True)
        empty = llvm.parse_assembly(f'target triple = "{machine.triple}"')
        self._engine = llvm.create_mcjit_compiler(empty, machine)

    @classmethod
    def get(cls) -> _Engine:
        with cls._lock:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    def link(self, machine_code: bytes, symbol: str) -> int:
        from llvmlite.binding.object_file import ObjectFileRef

        with self._lock:
            self._engine.add_object_file(ObjectFileRef.from_data(machine_code))
            self._engine.finalize_object()
            return int(self._engine.get_function_address(symbol))


@cache
def _environment() -> str:
    import llvmlite

    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_cache.HERE.glob("*.py")))).hexdigest()
    return f"{sources} {llvmlite.__version__} {sys.platform} {processor()}"
