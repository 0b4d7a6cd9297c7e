"""One-line errors."""

from __future__ import annotations


def require(condition: bool, message: str) -> None:
    """ValueError with that message, unless the condition holds."""
    if not condition:
        raise ValueError(message)


def shortened(text: str, most: int = 80) -> str:
    """`text`, which a stranger chose, with its middle left out if it has more than `most` characters."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"
