"""When Python's garbage collector runs: not for what a command imports, none of which is garbage."""

from __future__ import annotations

import gc


def freeze() -> None:
    """Keep the collector from what there is now, also when Python ends."""
    if hasattr(gc, "freeze"):  # not PyPy
        gc.freeze()


def begin() -> None:
    """Collect what is made from now on; `__main__` has put that off, since to go through imports takes a tenth."""
    freeze()
    gc.enable()
