"""One-line errors."""

from __future__ import annotations


def require(condition: bool, message: str) -> None:
    """ValueError with that message, unless the condition holds."""
    if not condition:
        raise ValueError(message)
