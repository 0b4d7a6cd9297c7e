"""When Python may look for litter: objects that refer to each other, and nothing else does to them.

To go through all that the imports of a command make takes a tenth of its time, and finds nothing.
"""

from __future__ import annotations

import gc


def keep() -> None:
    """What there is now is no litter: Python need not look at it any more, not even when it ends."""
    if hasattr(gc, "freeze"):  # not PyPy
        gc.freeze()


def look() -> None:
    """From now on there may be some; `__main__` has put that off."""
    keep()
    gc.enable()
