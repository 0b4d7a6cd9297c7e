"""Python processes that import the package, and see none of this one's settings for numba."""

import json
import os
import subprocess
import sys
from pathlib import Path

from programs import HANGS

import digitnn_fast

PACKAGE = Path(digitnn_fast.__file__).parent


def start(code, *arguments, folder=PACKAGE.parent, **environment):
    """A Python process that imports the package in `folder`, and sees none of this one's settings for numba."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG"))}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, env=inherited | environment, **pipes)


def finish(process):
    """What the process printed, as JSON."""
    out, errors = process.communicate(timeout=HANGS)
    assert process.returncode == 0, errors
    return json.loads(out or "null")


def run(code, *arguments, **environment):
    return finish(start(code, *arguments, **environment))
