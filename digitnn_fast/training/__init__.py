"""From labelled images to a network: recipes, the loop, descent, checkpoints, cross-validation, fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitnn_fast.training.loop import train

__all__ = ["train"]

DEFAULT = "fast"  # the recipe, if none is named


def __getattr__(name: str) -> Any:
    """Import the loop when it is asked for: `digitnn-fast submit --help` needs the recipes alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from digitnn_fast.training import loop

    return getattr(loop, name)
