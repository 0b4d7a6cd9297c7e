"""Commands of this environment in a home of their own, and what they leave there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from programs import HANGS

PYTHON = Path(sys.executable).parent


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_json(path):
    return json.loads(path.read_text("utf-8"))


def run(program, *arguments, home, **environment):
    """A command of this environment, with nobody's credentials but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("KAGGLE", "REQUESTS"))}
    settings = kept | {"HOME": str(home), "KAGGLE_CONFIG_DIR": str(home), **environment}
    command = [str(PYTHON / program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=settings, cwd=home, timeout=HANGS)
