"""Heavy imports wait until a command needs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from digitnn_fast.kernels.machine import jit

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")


def modules_after(*arguments: object) -> set[str]:
    """Names of the modules that a process has loaded when the command has run."""
    script = (
        "import sys; from digitnn_fast.commands import app; code = app.run(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_loads_no_numbers():
    loaded = modules_after("--help")
    assert "typer" in loaded
    assert not loaded & {"numba", "llvmlite", "pandas", "numpy"}


def test_predict_loads_neither_numba_nor_pandas_nor_bars(folder, tmp_path):
    files = "--model", folder.path / "model.npz", "--test", folder.path / "test.csv", "--out", tmp_path / "out.csv"
    loaded = modules_after("predict", *files)
    assert "numpy" in loaded
    # rich.console is typer's own import until its version 0.17.
    assert not loaded & {"numba", "pandas", "rich.progress", "digitnn_fast.training"}
    assert "typer" not in loaded  # nor even that, in the plain form
    # Nor what other files need, or other answers, or NumPy's masked arrays, which np.unique loads.
    for name in ("images", "formats.contents", "training", "reference.rows", "kernels.descent.arguments"):
        assert f"digitnn_fast.{name}" not in loaded
    unneeded = {"numpy.ma", "numpy.random", "hashlib", "tempfile", "traceback", "subprocess", "gzip"}
    numpy = "import sys, numpy; print(*sys.modules)"  # whose version 1 loads all that it has
    theirs = subprocess.run([sys.executable, "-c", numpy], capture_output=True, text=True, check=True).stdout.split()
    assert not loaded & unneeded - set(theirs)
    assert "typer" in modules_after("predict", *files, "--threads", 1)
