"""Programs and processes that a test drives."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HANGS = 600  # seconds that only a process takes which hangs, however busy the machine is


def needs(*programs: str) -> None:
    """Skip without these programs; in CI they must be there."""
    for program in programs:
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"there is no {program} here")


def new_environment(folder: Path, python: str, *packages: str | Path) -> Path:
    """The Python of a new virtual environment with these packages alone; skip, but in CI fail, without a registry."""
    subprocess.run([python, "-m", "venv", folder], check=True, timeout=HANGS)
    own, uv = folder / "bin" / "python", Path(sys.executable).with_name("uv")  # uv takes a quarter of pip's time
    pip = [uv, "pip", "install", "--python", own] if uv.exists() else [own, "-m", "pip", "install"]
    done = subprocess.run([*pip, "-q", *packages], capture_output=True, text=True, timeout=900)
    if done.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"can't be installed: {done.stderr[-300:]}")
    return own
