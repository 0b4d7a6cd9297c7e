"""The generated C, compiled and run: on this computer, or under an emulator."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.export.programs import ToolError, run_tool
from digitnn_fast.home import HOME
from digitnn_fast.sizes import CLASSES, PIXELS

__all__ = ["ToolError", "answers", "build", "compiler", "run_tool"]

HERE = HOME / "export" / "c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
ANSWER = np.dtype([("label", "u1"), ("logits", "<i4", CLASSES), ("probabilities", "u1", CLASSES)])


def compiler() -> list[str] | None:
    """The C compiler of this computer: $CC, cc, gcc or clang; None without, ToolError if $CC is no command."""
    for command in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        try:
            found = words(command)
        except ValueError as error:
            raise ToolError(f"CC is {command!r}: {error}") from error
        if found and shutil.which(found[0]):
            return found
    return None


def words(command: str, posix: bool = os.name == "posix") -> list[str]:
    """A command's words as a shell has them; in Windows' a backslash is part of a path. ValueError for a lone quote."""
    found = shlex.split(command, posix=posix)
    return found if posix else [word.strip('"') for word in found]


def build(folder: Path, program: Path, command: Sequence[str], main: Path = HERE / "driver.c") -> Path:
    """The program that `command` makes of the sources in `folder` and of the one that has `main`."""
    run_tool([*command, "-I", folder, "-o", program, folder / "digits.c", main])
    return program


def answers(program: Sequence[str | Path], images: NDArray[np.uint8]) -> NDArray[np.void]:
    """Label, logits and probabilities (n,) that a built driver.c gives for raw images (n, 784)."""
    printed = run_tool(program, np.ascontiguousarray(images).reshape(-1, PIXELS).tobytes())
    if len(printed) != len(images) * ANSWER.itemsize:
        raise ToolError(f"{program[-1]} answered {len(printed)} bytes for {len(images)} images")
    return np.frombuffer(printed, ANSWER)
