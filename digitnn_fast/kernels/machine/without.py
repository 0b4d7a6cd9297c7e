"""Where numba or llvmlite can't be imported: there kernels run as their twins in NumPy, which is said once."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec


class NumPyWarning(RuntimeWarning):
    """Kernels run in NumPy, more slowly, because nothing can be compiled here."""


class NumbaMissingError(ValueError):
    """What only a compiled kernel does is asked for where none can be compiled."""


@cache
def unlinkable() -> str:
    """Why no machine code can be linked here; empty if it can."""
    try:
        import llvmlite.binding  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: its library is not there, or of another system
        return f"llvmlite can't be imported: {error}"
    return ""


@cache
def obstacle() -> str:
    """Why nothing can be compiled here; empty if nothing is known to speak against it: numba is not imported."""
    return unlinkable() or ("" if find_spec("numba") else "numba is not installed")


@cache
def say_slow(reason: str) -> None:
    """Tell, once, that NumPy does the work and why."""
    warnings.warn(f"NumPy does the work, more slowly than compiled code would: {reason}", NumPyWarning, stacklevel=2)
