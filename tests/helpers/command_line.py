"""Running the commands, in this process and in one of their own."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from programs import HANGS

TRAIN_ROWS, TEST_ROWS = 400, 90


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    def fact(self, name: str) -> str:
        """What stdout says behind `name`."""
        found = re.search(rf"^{name}  +(.*)$", self.out, re.MULTILINE)
        assert found, f"no {name!r} in {self.out!r}"
        return found[1]


class Folder(NamedTuple):
    """Kaggle's two files, small, with what they hold, and a model trained on them by the command."""

    path: Path
    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray

    def __str__(self) -> str:
        return str(self.path)


def write_table(path: Path, images: np.ndarray, labels: np.ndarray | None = None) -> None:
    names = ["label"] * (labels is not None) + [f"pixel{pixel}" for pixel in range(784)]
    rows = images if labels is None else np.column_stack([labels, images])
    lines = [",".join(names), *(",".join(map(str, row)) for row in rows.tolist())]
    path.write_bytes("".join(line + "\r\n" for line in lines).encode())


def process(*arguments: object, **options: object) -> Outcome:
    """The command as a process of its own, with pipes."""
    command = [sys.executable, "-m", "digitnn_fast", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=HANGS, **options)
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_a_terminal(*arguments: object, columns: int = 100) -> tuple[int, str]:
    """Exit code and what a terminal of so many columns gets."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-m", "digitnn_fast", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    running = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm-256color"}
    )
    os.close(theirs)
    text, give_up = b"", time.monotonic() + HANGS
    while time.monotonic() < give_up and select.select([ours], [], [], HANGS)[0]:
        try:
            text += os.read(ours, 65536)
        except OSError:  # Linux's way to say that nobody has it open any more
            break
    os.close(ours)
    return running.wait(timeout=HANGS), text.decode()
