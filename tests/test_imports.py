"""What a process loads: nothing heavy before it is needed."""

import os

import pytest
from processes import run

from digitnn_fast import Network
from digitnn_fast.utils import initialize_parameters


def test_an_import_loads_nothing_heavy():
    """That of the package no array at all, that of a network's module NumPy alone."""
    code = """
import sys, json
import digitnn_fast
known = digitnn_fast.__version__ and set(digitnn_fast.__all__) <= set(dir(digitnn_fast))
heavy = {"numba", "llvmlite", "pandas", "numpy", "PIL", "typer", "rich", "digitnn_fast.classifier"} & set(sys.modules)
import digitnn_fast.network
print(json.dumps([known, sorted(heavy), sorted({"numba", "pandas", "numpy.typing"} & set(sys.modules))]))
"""
    assert run(code) == [True, [], []]


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="there is no machine code")
def test_a_warm_process_predicts_without_numba(tmp_path):
    Network(*initialize_parameters(1, 8)).save(tmp_path / "model.npz")
    code = """
import sys, json
import numpy as np
from digitnn_fast import Predictor
predictor = Predictor.load(sys.argv[1])
made = "llvmlite" in sys.modules
predictor.predict(np.zeros((2000, 784), np.uint8)), predictor.predict_proba(np.zeros(784))
print(json.dumps([made, "numba" in sys.modules, "pandas" in sys.modules]))
"""
    run(code, tmp_path / "model.npz")  # compiles, if nobody has yet
    made, *heavy = run(code, tmp_path / "model.npz")
    assert heavy == [False, False]
    assert made, "a predictor must have its kernels before anybody can fork"
