"""One-line errors."""

from __future__ import annotations


def require(condition: bool, message: str) -> None:
    """ValueError with that message, unless the condition holds."""
    if not condition:
        raise ValueError(message)


def shortened(text: str, most: int = 80) -> str:
    """`text`, which a stranger chose, on one line, with its middle left out if it has more than `most` characters."""
    if len(text) > most:
        text = f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
