"""What a process loads: nothing heavy before it is needed."""

import os

import pytest
from processes import run

from digitnn_fast import Network
from digitnn_fast.utils import initialize_parameters


def test_import_loads_nothing_heavy():
    assert (
        run("""
import sys, json
import digitnn_fast
digitnn_fast.__version__, dir(digitnn_fast)
print(json.dumps(sorted({"numba", "llvmlite", "pandas", "numpy", "PIL"} & set(sys.modules))))
""")
        == []
    )


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
