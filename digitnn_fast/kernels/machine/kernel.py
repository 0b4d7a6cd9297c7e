"""Kernels, compiled by numba once per machine and then run without importing it.

numba costs 0.2 s to import and 0.3 s more before its first cached kernel runs: longer than reading
and predicting Kaggle's whole test.csv. So a kernel is compiled by numba at its first use ever, its
machine code is kept as an object file, and every later process puts that file into memory (by `mapping`, or
by llvmlite, which takes 0.05 s) and calls it through ctypes, which also releases the GIL.

Behind each kernel stands an entry that takes one pointer to a row of 64-bit words, because ctypes needs
0.05 us for each argument, and a kernel has a hundred. The words are numba's own calling convention: where to put the
result, and an exception, then each array as (meminfo, parent, items, itemsize, data, *shape, *strides), each number
as itself. Kernels therefore return an int64 or nothing, and report errors through it: they never raise.

Where neither the cache has a kernel nor numba can be imported, its twin in NumPy runs instead: see `Kernel.load`.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from digitnn_fast.kernels.machine import cache
from digitnn_fast.kernels.machine.arguments import Field, fields_of, numba_type
from digitnn_fast.kernels.machine.compiling import Compiler, compile_alone, compile_here
from digitnn_fast.kernels.machine.jit import DISABLE_JIT, here, targets
from digitnn_fast.kernels.machine.linking import linked
from digitnn_fast.kernels.machine.without import NumbaMissingError, obstacle, say_slow

HOME = "digitnn_fast.kernels"


class Kernel:
    """`<home>.<module>.<function>`, which takes these named tuples and returns an int64 or None.

    Called with the named tuples, or with their fields one by one: C-contiguous arrays of exactly the declared dtypes
    and dimensions and Python numbers; TypeError otherwise.
    """

    def __init__(self, name: str, *things: Any, returns: bool = False, home: str = HOME) -> None:
        """`name` is "<module>.<function>"; `home` is the package of that module, for a kernel that is not the house's.

        A thing may be the name of one in `descent/arguments.py`, which takes 3 ms to import and only training needs.
        """
        self.name, self._things, self.returns, self.home = name, things, returns, home
        self._lock = threading.Lock()
        self.entry: Callable[[int], int] | None = None
        self.compiler: Compiler | None = None  # the process that is compiling it
        self._slow = False  # it has been found that nothing can be compiled here

    def __repr__(self) -> str:
        return f"Kernel({self.name!r}, {', '.join(thing.__name__ for thing in self.things)})"

    def __call__(self, *values: Any) -> int | None:
        return self.bind(*values)()

    @functools.cached_property
    def things(self) -> list[Any]:
        """The named tuples."""
        if not any(isinstance(thing, str) for thing in self._things):
            return list(self._things)
        learning = importlib.import_module(f"{HOME}.descent.arguments")
        return [getattr(learning, thing) if isinstance(thing, str) else thing for thing in self._things]

    @functools.cached_property
    def fields(self) -> list[Field]:
        """What the named tuples hold, flattened."""
        return [field for thing in self.things for field in fields_of(thing)]

    def bind(self, *values: Any) -> Call:
        """The call with these arguments, checked once, to be made any number of times by one thread at a time."""
        flat = self._flattened(values)
        if len(flat) != len(self.fields):
            raise TypeError(f"{self.name} takes {len(self.fields)} arguments, not {len(flat)}")
        return Call(self, flat)

    def _flattened(self, values: Sequence[Any]) -> list[Any]:
        """The fields of the arguments; TypeError if a named tuple stands where another one belongs."""
        starts, at = {}, 0
        for thing in self.things:
            starts[at] = thing
            at += len(fields_of(thing))
        flat: list[Any] = []
        for value in values:
            if isinstance(value, tuple) and type(value) is not (expected := starts.get(len(flat))):
                name = expected.__name__ if expected else "no tuple"
                raise TypeError(f"{self.name} takes {name} here, not {type(value).__name__}")
            flat += value if isinstance(value, tuple) else [value]
        return flat

    def packed(self, flat: Sequence[Any]) -> list[Any]:
        """The named tuples of these fields."""
        fields = iter(flat)
        return [thing(*islice(fields, len(fields_of(thing)))) for thing in self.things]

    def words(self, first: int, values: Sequence[Any]) -> list[int]:
        """What the entry reads for the fields from number `first` on; TypeError if one has not its type."""
        return [
            word
            for field, value in zip(self.fields[first:], values, strict=True)
            for word in field.words(self.name, value)
        ]

    def load(self) -> Callable[[int], int] | None:
        """The entry as a C function: from this process, else from the cache, else compiled now.

        None if it can't be compiled here: then its twin in NumPy does the work. NumbaMissingError if it has none.
        """
        with self._lock:
            if self.entry is None and not self._slow:
                try:
                    self.entry = self._linked()
                except (ImportError, OSError) as error:
                    self._twin(reason := obstacle() or str(error))
                    self._slow = True
                    say_slow(reason)
            return self.entry

    def _linked(self) -> Callable[[int], int]:
        symbol, found = self._symbol(), self._find()
        machine_code = found[1] if found else self._compiled(symbol)
        if not found:
            cache.write(self._stem(here()), machine_code)
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
        return prototype(linked(machine_code, symbol))

    def _twin(self, reason: str) -> Callable[..., int | None]:
        from digitnn_fast.kernels.twins import TWINS

        if self.name not in TWINS:
            raise NumbaMissingError(f"training needs numba, and {reason}")
        return TWINS[self.name]

    def python(self) -> Callable[..., int | None]:
        """What runs if no machine code does: the kernel's own Python if numba is told not to compile, else its twin."""
        function: Callable[..., int | None] = (
            self.function() if DISABLE_JIT and not obstacle() else self._twin(obstacle())
        )
        return function

    def is_cached(self) -> bool:
        """Whether the machine code is already on disk."""
        return self._find() is not None

    def folder(self) -> Path | None:
        """Where the machine code is kept; None if it is nowhere."""
        found = self._find()
        return found[0] if found else None

    def _find(self) -> tuple[Path, bytes] | None:
        """Its folder and machine code: for this processor, else for the best one that this one can stand in for."""
        try:
            return next((found for target in targets() if (found := cache.find(self._stem(target)))), None)
        except (ImportError, OSError):  # of llvmlite: without it none was made here
            return None

    def _symbol(self) -> str:
        return "digitnn_" + self.name.replace(".", "_")

    def function(self) -> Any:
        module, function = self.name.rsplit(".", 1)
        return getattr(importlib.import_module(f"{self.home}.{module}"), function)

    def _stem(self, target: str) -> str:
        """What its file is called: by everything that decides the machine code, kernel sources, LLVM, processor."""
        own = "" if self.home == HOME else _source(f"{self.home}.{self.name.rsplit('.', 1)[0]}")
        decides = f"{self.name} {_environment()} {target}{own}"
        return f"{self.name}-{cache.digest(decides.encode()).hex()}"

    def is_missing(self) -> bool:
        """Whether it has neither been loaded, nor compiled on this machine, nor is just being compiled, but can be.

        NumbaMissingError if it can't be and has no twin.
        """
        with self._lock:
            idle = self.entry is None and self.compiler is None and not DISABLE_JIT
            missing = idle and self.home == HOME and not self.is_cached()  # a Compiler knows only the house's kernels
        if missing and obstacle():
            self._twin(obstacle())
            return False
        return missing

    def emit(self) -> None:
        """Print the length of the machine code behind its checksum, and these: what a `Compiler` does."""
        content = cache.sealed(self.name, self._compile(self._symbol(), compile_alone))
        sys.stdout.buffer.write(len(content).to_bytes(8, "little") + content)

    def _compiled(self, symbol: str) -> bytes:
        if obstacle():
            raise ImportError(obstacle())
        if self.home != HOME:
            return self._compile(symbol)
        compiler = self.compiler or Compiler(self.name)
        self.compiler = None
        return cache.unsealed(self.name, compiler.result(self.name) or b"") or self._compile(symbol)

    def _compile(self, symbol: str, how: Callable[..., bytes] = compile_here) -> bytes:
        import numba

        types = [numba_type(thing) for thing in self.things]
        signature = (numba.int64 if self.returns else numba.void)(*types)
        return how(self.function(), signature, symbol, [kind for field in self.fields for kind in field.kinds])


class Call:
    """A kernel with its arguments, whose last fields may be others each time: to check 15 takes longer than 10 images."""

    def __init__(self, kernel: Kernel, values: Sequence[Any]) -> None:
        self._kernel, self._values = kernel, values
        words = kernel.words(0, values)
        self._count = len(words)
        self._words = (ctypes.c_int64 * (self._count + 4))()
        self._address = ctypes.addressof(self._words)
        end = self._address + 8 * (self._count + 2)
        self._words[:] = [end, end + 8, *words, 0, 0]
        entry = None if DISABLE_JIT else kernel.entry or kernel.load()
        self._function = None if entry else kernel.python()
        self._entry = entry or self._in_python

    def __call__(self, *last: Any) -> int | None:
        """Call with the same arguments, but for the last fields, which may be a named tuple's."""
        if last:
            words = self._kernel.words(len(self._values) - len(last), last)
            self._words[2 + self._count - len(words) : 2 + self._count] = words  # type: ignore[assignment]
            if self._function:
                self._values = (*self._values[: -len(last)], *last)
        self._entry(self._address)
        return self._words[-2] if self._kernel.returns else None

    def _in_python(self, _address: int) -> int:
        assert self._function
        self._words[-2] = self._function(*self._kernel.packed(self._values)) or 0
        return 0


@functools.cache
def _environment() -> str:
    import llvmlite

    package = str(cache.KERNELS.parent)
    sources = [
        *_sources(f"{package}/kernels"),
        *_sources(f"{package}/reference"),  # whose constants kernels are compiled with
        f"{package}/sizes.py",
        f"{package}/utils.py",  # which the reference imports
    ]
    digest = cache.digest(b"".join(map(_content, sources)))
    return f"{digest.hex()} {llvmlite.__version__} {sys.platform}"


def _sources(folder: str) -> Iterator[str]:
    """All modules in a folder and below, in a quarter of the time that pathlib takes."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                yield entry.path
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _sources(entry.path)


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _source(module: str) -> str:
    """The source of a module; what that one imports does not count."""
    import inspect

    return inspect.getsource(importlib.import_module(module))
