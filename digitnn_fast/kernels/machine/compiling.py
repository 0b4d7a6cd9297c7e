"""From a function to machine code, by numba and LLVM, here or in a process of its own."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from digitnn_fast.kernels.machine.arguments import POINTER
from digitnn_fast.kernels.machine.jit import OPTIONS, processor
from digitnn_fast.kernels.machine.mapping import SYSTEM

if TYPE_CHECKING:
    import subprocess


def compile_alone(function: Any, signature: Any, symbol: str, kinds: Sequence[str]) -> bytes:
    """`compile_here` in half the time, for a process that does nothing else.

    If this numba has other words for what is passed over, the process fails and its parent compiles as numba does.
    """
    return compile_here(function, signature, symbol, kinds, _postponed_passes())


@cache
def _postponed_passes() -> Callable[[Any], None]:
    """Make numba only translate; what optimises its library of a kernel, into which all helpers are linked.

    By itself it optimises each helper, then once more with each function that calls it, and makes machine code of all
    that could run by itself.
    """
    import gc

    from numba.core.codegen import CPUCodeLibrary, JITCodeLibrary, JITCPUCodegen

    def nothing(*_: Any) -> None:
        pass

    passes: Any = CPUCodeLibrary._optimize_final_module

    def optimize(library: Any) -> None:
        passes(library)
        passes(library)  # 0.05 s, and deskewing takes an eighth less

    for owner, name in (
        (CPUCodeLibrary, "_optimize_functions"),
        (CPUCodeLibrary, "_optimize_final_module"),
        (JITCodeLibrary, "_finalize_specific"),
        (JITCPUCodegen, "set_env"),
    ):
        getattr(owner, name)
        setattr(owner, name, nothing)
    gc.disable()  # a tenth of the time, for 100 MB that soon are free again
    sys.modules.setdefault("scipy", cast(Any, None))  # numba would ask it for a BLAS, 0.1 s, which no kernel calls
    return optimize


def compile_here(
    function: Any, signature: Any, symbol: str, kinds: Sequence[str], optimize: Callable[[Any], None] = lambda _: None
) -> bytes:
    """Object code of an entry called `symbol` for the function; `kinds` are LLVM's types of its flattened arguments."""
    import llvmlite.binding as llvm
    import numba

    dispatcher: Any = numba.njit(signature, **OPTIONS)(function)
    optimize(dispatcher.overloads[dispatcher.signatures[0]].library)
    module = llvm.parse_assembly(_aligned_stack(dispatcher.inspect_llvm(dispatcher.signatures[0])))
    [kernel] = [
        defined for defined in module.functions if not defined.is_declaration and defined.linkage.name == "external"
    ]
    kernel.name = "kernel"
    module.link_in(llvm.parse_assembly(_entry_code(symbol, kinds, module.triple)))
    module.get_function("kernel").linkage = "internal"
    machine = llvm.Target.from_triple(module.triple).create_target_machine(
        *processor(), opt=3, reloc="default", codemodel="jitdefault", jit=True
    )
    _remove_uncalled(module, machine)
    unknown = [f.name for f in module.functions if f.is_declaration and not f.name.startswith(("llvm.", *SYSTEM))]
    if unknown:  # LLVM would link these to address 0
        raise RuntimeError(f"{symbol} calls {', '.join(unknown)}, which is not there without numba")
    return bytes(machine.emit_object(module))


def _aligned_stack(code: str) -> str:
    """LLVM assembly of functions that align their stack, where vectors lie that registers do not hold.

    LLVM does so by itself only if it knows of such vectors before it gives out registers. Where they lie in two cache
    lines, in half of all processes, describing took 1.17 times as long with AVX2.
    """
    return re.sub(r"^(define .*) \{$", r'\1 "stackrealign" {', code, flags=re.MULTILINE)


def _entry_code(symbol: str, kinds: Sequence[str], triple: str) -> str:
    """LLVM assembly of the function that takes the words and calls the kernel with them."""
    lines, passed = [], []
    kinds = [POINTER, POINTER, *kinds]
    for i, kind in enumerate(kinds):
        stored = "i64" if kind == POINTER else kind
        lines += [
            f"%a{i} = getelementptr i64, i64* %words, i64 {i}",
            f"%b{i} = bitcast i64* %a{i} to {stored}*",
            f"%w{i} = load {stored}, {stored}* %b{i}",
            *([f"%p{i} = inttoptr i64 %w{i} to {POINTER}"] if kind == POINTER else []),
        ]
        passed.append(f"{kind} %{'p' if kind == POINTER else 'w'}{i}")
    lines += [f"%r = call i32 @kernel({', '.join(passed)})", "ret i32 %r"]
    body = "".join(f"  {line}\n" for line in lines)
    declared = f"declare i32 @kernel({', '.join(kinds)})"
    return f'target triple = "{triple}"\n{declared}\ndefine i32 @{symbol}(i64* %words) {{\n{body}}}\n'


def _remove_uncalled(module: Any, machine: Any) -> None:
    import llvmlite.binding as llvm

    if hasattr(llvm, "create_module_pass_manager"):  # until numba 0.61
        passes = llvm.create_module_pass_manager()
        passes.add_global_dce_pass()
        passes.run(module)
    else:
        passes = llvm.create_new_module_pass_manager()
        passes.add_global_dead_code_eliminate_pass()
        passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))


class Compiler:
    """A Python process that compiles some kernels, so that several are compiled at once and numba is not loaded here.

    It does without much that numba does, which an application's own numba could not be told: see `compile_alone`.
    """

    CODE = (
        "import sys; sys.path[:] = sys.argv[2:]; from digitnn_fast.kernels import KERNELS\n"
        "for name in sys.argv[1].split(): KERNELS[name].emit()"
    )

    def __init__(self, *names: str) -> None:
        import subprocess  # 8 ms, which a process that finds its kernels compiled does not need

        self._names = names
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._results: dict[str, bytes] = {}
        # An application that brings its own Python might start itself once more.
        if getattr(sys, "frozen", False) or not os.path.basename(sys.executable or "").lower().startswith("python"):
            return
        folders = (os.path.abspath(folder) for folder in sys.path if folder)  # nothing of the current folder
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self.CODE, " ".join(names), *folders],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return

    def result(self, name: str) -> bytes | None:
        """What it printed for that kernel, or None: then there is no such process here, or it failed."""
        with self._lock:
            if self._process is not None:
                self._results, self._process = self._collect(self._process), None
        return self._results.get(name)

    def _collect(self, process: subprocess.Popen[bytes]) -> dict[str, bytes]:
        with process:
            try:
                output, _ = process.communicate()
            except BaseException:  # Ctrl-C
                process.kill()
                raise
        results = {}
        for name in self._names:
            size = int.from_bytes(output[:8], "little")
            results[name], output = output[8 : 8 + size], output[8 + size :]
        return results
