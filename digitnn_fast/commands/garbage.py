"""When Python's garbage collector runs: not for what imports make, which is no garbage, and takes a tenth of a command."""

from __future__ import annotations

import gc


def freeze() -> None:
    """Keep the collector from what there is now, also when Python ends."""
    if hasattr(gc, "freeze"):  # not PyPy
        gc.freeze()


def begin() -> None:
    """Collect what is made from now on; `__main__` has put that off."""
    freeze()
    gc.enable()
