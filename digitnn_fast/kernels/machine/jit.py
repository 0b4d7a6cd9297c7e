"""numba's options, all set here, each with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

CHOSEN = {"NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"}  # variables that choose another processor than is here
ABILITIES = "/sys/devices/system/cpu/modalias"
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


class Processor(NamedTuple):
    """What machine code is made for: LLVM's name of a processor, and the features that it has or lacks."""

    name: str
    features: str


_V3 = "+sse4.2,+popcnt,+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe"
_V4 = f"{_V3},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
LEVELS = {  # processors that many machines are at least, the fastest first: the psABI's names, and one of our own
    "x86-64-v4-vnni": Processor("x86-64-v4", f"{_V4},+avx512vnni,+avx512vbmi,+avx512vbmi2"),
    "x86-64-v4": Processor("x86-64-v4", _V4),
    "x86-64-v3": Processor("x86-64-v3", _V3),
}


@cache
def processor() -> Processor:
    """The processor to compile for; numba's environment variables override it."""
    import llvmlite.binding as llvm

    name = os.environ.get("NUMBA_CPU_NAME")
    features = os.environ.get("NUMBA_CPU_FEATURES", "" if name == "generic" else None)
    return Processor(
        llvm.get_host_cpu_name() if name is None else name,
        llvm.get_host_cpu_features().flatten() if features is None else features,
    )


def settings_for(level: str) -> dict[str, str]:
    """numba's environment variables for one of `LEVELS`; ValueError if it is none, or of another architecture."""
    import platform

    if level not in LEVELS:
        raise ValueError(f"no processor {level!r}: there are {', '.join(LEVELS)}")
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise ValueError(f"machine code for {level} can't be made on {platform.machine()}")
    return dict(zip(("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"), LEVELS[level], strict=True))


@cache
def here() -> str:
    """What machine code for `processor()` goes by: Linux's list of all that an x86 can do, else LLVM's words.

    To ask LLVM takes 0.03 s, for which llvmlite is imported.
    """
    if CHOSEN.isdisjoint(os.environ):
        with suppress(OSError, UnicodeError), open(ABILITIES, encoding="ascii") as file:
            if (text := file.read()).startswith("cpu:type:x86"):
                return text
    return " ".join(processor())


def targets() -> Iterator[str]:
    """What machine code that runs here goes by, the best first."""
    yield here()
    yield from map(" ".join, levels_below())


def levels_below() -> list[Processor]:
    """Those of `LEVELS` whose machine code runs on `processor()`; none if that is not the one that is here."""
    if not CHOSEN.isdisjoint(os.environ):
        return []
    here = set(processor().features.split(","))
    return [level for level in LEVELS.values() if here.issuperset(level.features.split(","))]


def has_feature(name: str) -> bool:
    """Whether kernels may use this extension of the instruction set, by LLVM's name for it."""
    return f"+{name}" in processor().features.split(",")
