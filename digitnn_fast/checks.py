"""One-line errors, and words in them."""

from __future__ import annotations


def require(condition: bool, message: str) -> None:
    """ValueError with that message, unless the condition holds."""
    if not condition:
        raise ValueError(message)


def printable(text: str) -> str:
    """`text` on one line and without escape codes, which a file's name may hold."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def counted(number: int, what: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def shortened(text: str, most: int = 80) -> str:
    """`text`, which a stranger chose, on one line, with its middle left out if it has more than `most` characters."""
    return printable(text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}")


def reason_of(error: Exception, most: int = 200) -> str:
    """What an exception says, on one line; its type if it says nothing."""
    return shortened(" ".join(str(error).split()), most) or type(error).__name__
