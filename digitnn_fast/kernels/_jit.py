"""Compile numba kernels once per machine, then run them without importing numba.

numba costs 0.2 s to import and 0.3 s more before its first cached kernel runs: longer than reading
and predicting Kaggle's whole test.csv. So a kernel is compiled by numba at its first use ever, its
machine code is kept as an object file, and every later process hands that file to llvmlite
(0.05 s to import) and calls it through ctypes, which also releases the GIL.

Behind each kernel stands an entry that takes one pointer to a row of 64-bit words, because ctypes needs
0.05 us for each argument, and a kernel has a hundred. The words are numba's own calling convention: where to put the result, and an exception,
then each array as (meminfo, parent, items, itemsize, data, *shape, *strides), each number as itself.
Kernels therefore return an int64 or nothing, and report errors through it: they never raise.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
DISABLE_JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",  # x / 0 is inf or nan as in the reference; Python's way costs a branch and an exception
    "fastmath": {"contract"},  # a*b + c in one rounding. Not nnan/ninf: NaN must stay visible. Not reassoc: same bits
    "boundscheck": False,  # the callers check shapes once; even when NUMBA_BOUNDSCHECK is set, kernels cannot raise
    "_nrt": False,  # kernels own no memory: nothing to count, and nothing of numba's runtime to link
}

SYSTEM = ("memcpy", "memset", "memmove", "sched_yield", "SwitchToThread")  # what kernels may call


def helper(function: Callable[..., Any]) -> Any:
    """A function that kernels call: compiled with the same options, and inlined."""
    import numba

    return numba.njit(**OPTIONS, forceinline=True)(function)


class Kernel:
    """`digitnn_fast.kernels.<module>.<function>`, compiled for one signature in numba's notation.

    Called with C-contiguous arrays of exactly the signature's dtypes and dimensions and with
    Python numbers; TypeError otherwise. Returns the kernel's int64, or None.
    """

    def __init__(self, name: str, signature: str) -> None:
        self.name, self.signature = name, signature
        result, arguments = signature.rstrip(")").split("(")
        self._returns = result != "void"
        self._arguments = [_Argument(text) for text in re.findall(r"\w+(?:\[[:, 1]*\])?", arguments)]
        self._lock = threading.Lock()
        self._entry: Callable[[int], int] | None = None

    def __repr__(self) -> str:
        return f"Kernel({self.name!r}, {self.signature!r})"

    def __call__(self, *values: Any) -> int | None:
        return self.bind(*values)()

    def bind(self, *values: Any) -> Callable[[], int | None]:
        """The call with these arguments, checked once, to be made any number of times by one thread at a time."""
        if len(values) != len(self._arguments):
            raise TypeError(f"{self.name} takes {len(self._arguments)} arguments, not {len(values)}")
        flat = [
            word
            for argument, value in zip(self._arguments, values, strict=True)
            for word in argument.words(self.name, value)
        ]
        if DISABLE_JIT:
            return lambda: self._function()(*values)
        entry = self._entry or self.load()
        words = (ctypes.c_int64 * (len(flat) + 4))()
        address = ctypes.addressof(words)
        words[:] = [address + 8 * (len(flat) + 2), address + 8 * (len(flat) + 3), *flat, 0, 0]

        def call(_keep_alive: tuple[Any, ...] = values) -> int | None:
            entry(address)
            return words[-2] if self._returns else None

        return call

    def load(self) -> Callable[[int], int]:
        """The entry as a C function: from this process, else from the cache, else compiled now."""
        with self._lock:
            if self._entry is None:
                symbol, stem = self._symbol(), f"{self.name}-{self._digest()}"
                machine_code = _read_cache(stem)
                if machine_code is None:
                    machine_code = self._compile(symbol)
                    _write_cache(stem, machine_code)
                prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
                self._entry = prototype(_Engine.get().link(machine_code, symbol))
            return self._entry

    def is_cached(self) -> bool:
        """Whether the machine code is already on disk."""
        return _read_cache(f"{self.name}-{self._digest()}") is not None

    def _symbol(self) -> str:
        return "digitnn_" + self.name.replace(".", "_")

    def _function(self) -> Any:
        module, function = self.name.split(".")
        return getattr(importlib.import_module(f"digitnn_fast.kernels.{module}"), function)

    def _digest(self) -> str:
        """Names everything that decides the machine code: kernel sources, LLVM, processor."""
        return hashlib.sha256(f"{self.signature} {_environment()}".encode()).hexdigest()[:16]

    def _compile(self, symbol: str) -> bytes:
        import llvmlite.binding as llvm
        import numba

        dispatcher = numba.njit(self.signature, **OPTIONS)(self._function())
        module = llvm.parse_assembly(dispatcher.inspect_llvm(dispatcher.signatures[0]))
        for function in module.functions:
            if function.is_declaration:
                continue
            if function.name.startswith("_ZN") and not function.name.startswith("_ZN7cpython"):
                function.name = "kernel"
            else:  # numba's wrappers, which need the Python API: nothing refers to them, and they go
                function.linkage = "internal"
        module.link_in(llvm.parse_assembly(self._entry_code(symbol, module.triple)))
        module.get_function("kernel").linkage = "internal"
        machine = llvm.Target.from_triple(module.triple).create_target_machine(
            *_processor(), opt=3, reloc="default", codemodel="jitdefault", jit=True
        )
        passes = llvm.create_new_module_pass_manager()
        passes.add_global_dead_code_eliminate_pass()
        passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
        unknown = [f.name for f in module.functions if f.is_declaration and not f.name.startswith(("llvm.", *SYSTEM))]
        if unknown:  # LLVM would link these to address 0
            raise RuntimeError(f"kernel {self.name} calls {', '.join(unknown)}, which is not there without numba")
        return bytes(machine.emit_object(module))

    def _entry_code(self, symbol: str, triple: str) -> str:
        """LLVM assembly of the function that takes the words and calls the kernel with them."""
        kinds = ["ptr", "ptr", *(kind for argument in self._arguments for kind in argument.kinds)]
        loads = "".join(
            f"  %a{i} = getelementptr i64, ptr %words, i64 {i}\n  %w{i} = load {kind}, ptr %a{i}\n"
            for i, kind in enumerate(kinds)
        )
        passed = ", ".join(f"{kind} %w{i}" for i, kind in enumerate(kinds))
        return (
            f'target triple = "{triple}"\ndeclare i32 @kernel({", ".join(kinds)})\n'
            f"define i32 @{symbol}(ptr %words) {{\n{loads}  %r = call i32 @kernel({passed})\n  ret i32 %r\n}}\n"
        )


class _Argument:
    """One argument of a signature: `int64`, `float32` or an array such as `uint8[:,::1]`."""

    def __init__(self, text: str) -> None:
        scalar, _, dimensions = text.partition("[")
        self.dtype = np.dtype(scalar)
        self.ndim = dimensions.count(":") - dimensions.count("::") if dimensions else 0
        # In LLVM's words. A word of 8 bytes holds a float in its first 4: little-endian, as all that numba runs on.
        scalar_kind = {"f4": "float", "f8": "double"}.get(self.dtype.str[1:], "i64")
        self.kinds = ["ptr", "ptr", "i64", "i64", "ptr", *["i64"] * (2 * self.ndim)] if self.ndim else [scalar_kind]

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
        data = value.__array_interface__["data"][0]
        return (0, 0, value.size, value.itemsize, data, *value.shape, *value.strides)


class _Engine:
    """The one LLVM execution engine of this process."""

    _instance: _Engine | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(*_processor(), jit=True)
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
def _processor() -> tuple[str, str]:
    """Name and features of the CPU to compile for; numba's environment variables override them."""
    import llvmlite.binding as llvm

    name = os.environ.get("NUMBA_CPU_NAME")
    features = os.environ.get("NUMBA_CPU_FEATURES", "" if name == "generic" else None)
    return (
        llvm.get_host_cpu_name() if name is None else name,
        llvm.get_host_cpu_features().flatten() if features is None else features,
    )


def has_feature(name: str) -> bool:
    """Whether kernels may use this extension of the instruction set, by LLVM's name for it."""
    return f"+{name}" in _processor()[1].split(",")


@cache
def _environment() -> str:
    import llvmlite

    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))).hexdigest()
    return f"{sources} {llvmlite.__version__} {sys.platform} {_processor()}"


@cache
def _cache_folders() -> list[Path]:
    """Where machine code is looked for: as numba does, beside the source, else the user's cache folder."""
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(folder)]
    home = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}.get(sys.platform, "~/.cache")
    return [HERE / "__pycache__", Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(home)) / "digitnn-fast"]


def _read_cache(stem: str) -> bytes | None:
    """Machine code whose checksum is right, or None: LLVM would abort the process on a damaged file."""
    for folder in _cache_folders():
        try:
            content = (folder / f"{stem}.o").read_bytes()
        except OSError:
            continue
        if _checksum(stem, content[32:]) == content[:32]:
            return content[32:]
    return None


def _checksum(stem: str, machine_code: bytes) -> bytes:
    """Over the name too: another kernel's code would be linked to address 0."""
    return hashlib.sha256(stem.encode() + machine_code).digest()


def _write_cache(stem: str, machine_code: bytes) -> None:
    """Keep the machine code in the first folder that can be written; without one, compile again next time."""
    for folder in _cache_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                file.write(_checksum(stem, machine_code) + machine_code)
            os.replace(file.name, folder / f"{stem}.o")
            return
        except OSError:
            continue
