"""numba's options, all set here, each with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

DISABLE_JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",  # x / 0 is inf or nan as in the reference; Python's way costs a branch and an exception
    "fastmath": {"contract"},  # a*b + c in one rounding. Not nnan/ninf: NaN must stay visible. Not reassoc: same bits
    "boundscheck": False,  # the callers check shapes once; even when NUMBA_BOUNDSCHECK is set, kernels cannot raise
    "no_cpython_wrapper": True,  # no kernel is called through numba: this saves half of the compile time
    "no_cfunc_wrapper": True,
    "no_rewrites": True,  # of array expressions, which kernels do not have
    "_nrt": False,  # kernels own no memory: nothing to count, and nothing of numba's runtime to link
}


def helper(function: Callable[..., Any]) -> Any:
    """A function that kernels call: compiled with the same options, and inlined."""
    import numba

    return numba.njit(**OPTIONS, forceinline=True)(function)


@cache
def processor() -> tuple[str, str]:
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
    return f"+{name}" in processor()[1].split(",")
