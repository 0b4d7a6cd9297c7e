"""Links machine code: by `mapping` where that can do it, else by llvmlite."""

from __future__ import annotations

import threading

from digitnn_fast.kernels.machine.jit import processor
from digitnn_fast.kernels.machine.mapping import NotSimpleError, mapped


def linked(machine_code: bytes, symbol: str) -> int:
    """The address of that function; ImportError or OSError if it takes llvmlite, and that can't be loaded."""
    try:
        return mapped(machine_code, symbol)
    except NotSimpleError:
        return Engine.get().link(machine_code, symbol)


class Engine:
    """The one LLVM execution engine of this process."""

    _instance: Engine | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(*processor(), jit=True)
        empty = llvm.parse_assembly(f'target triple = "{machine.triple}"')
        self._engine = llvm.create_mcjit_compiler(empty, machine)

    @classmethod
    def get(cls) -> Engine:
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
