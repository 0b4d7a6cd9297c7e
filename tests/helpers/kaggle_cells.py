"""Tables as Kaggle writes them, cell by cell."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from digitnn_fast.kaggle import KaggleFileError


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def check_message(call: Callable[[Path], object], path: Path, expected: str) -> None:
    """One line, which begins with the file; a * at the end of `expected` stands for what zlib says."""
    with pytest.raises(KaggleFileError) as caught:
        call(path)
    message = str(caught.value)
    assert "\n" not in message
    if expected.endswith("*"):
        message = message[: len(f"{path}: {expected}") - 1] + "*"
    assert message == f"{path}: {expected}"
