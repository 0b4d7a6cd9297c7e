"""Programs and processes that a test drives."""

import os
import shutil

import pytest

HANGS = 600  # seconds that only a process takes which hangs, however busy the machine is


def needs(*programs: str) -> None:
    """Skip without these programs; in CI they must be there."""
    for program in programs:
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"there is no {program} here")
