"""The same results on processors that can do less, and in pure Python."""

import os
import subprocess
import sys

import pytest
from processes import run

from digitnn_fast import Network, Predictor
from digitnn_fast.kernels import KERNELS
from digitnn_fast.kernels.machine.jit import LEVELS, levels_below
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

CHECK = """
import json, sys, warnings
import numpy as np
from digitnn_fast import Network, Predictor, reference, train
from digitnn_fast.reference import distortion
from digitnn_fast.preprocessing import PREPROCESSINGS, prepare
from digitnn_fast.sample import load_sample
from digitnn_fast.training.recipes import Distortion, Recipe
from digitnn_fast.utils import Parameters, initialize_parameters

warnings.filterwarnings("ignore", "overflow", RuntimeWarning)  # of the hash, in pure Python
rows, hidden = map(int, sys.argv[1:])
sample = load_sample()
images, labels = sample.train_images[:rows], sample.train_labels[:rows]
network = Network(*initialize_parameters(1, hidden))

def far(got, wanted, share=1.0):
    distances = np.concatenate([np.abs(a - b).ravel() for a, b in zip(got, wanted)])
    return float(np.quantile(distances, share)) if np.isfinite(distances).all() else 1e9

expected = reference.forward(network.parameters, images).probabilities
answers = {"probabilities": far([Predictor(network, threads=1).predict_proba(images)], [expected])}
answers["alone"] = far([Predictor(network, threads=1).predict_proba(images[0])], [expected[0]])
answers["int8"] = Predictor(network, threads=1, precision="int8").predict(images).tolist()
for name, row in PREPROCESSINGS.items():
    answers[name] = float(np.mean(prepare(images, name) != row.reference(images)))

# Two steps of descent on distorted images; the key of each epoch as training.py draws it.
distorting = Recipe("", "", hidden, 2, 0.1, distortion=Distortion(0.1, 0.1, 0.1, 2.0, 3.0))
wanted, random = initialize_parameters(0, hidden), np.random.default_rng((0, 2))
for _ in range(2):
    seen = distortion.distort(images, int(random.integers(2**62)), distorting.distortion.limits())
    wanted = reference.train(wanted, seen, labels, 1, 0.1)
answers["descent"] = far(train(images, labels, distorting, heldout=0, threads=1).parameters, wanted)

wanted = reference.train(initialize_parameters(0, hidden), images, labels, 3, 0.1)
got = train(images, labels, Recipe("", "", hidden, 3, 0.1), heldout=0, threads=1).parameters
answers["full batch"] = far(got, wanted)

start = initialize_parameters(0, hidden)
nothing = Parameters(*(np.zeros(array.shape) for array in start))
gradients, moments = reference.backward(start, images, labels), reference.Moments(nothing, nothing)
wanted, _ = reference.adam_step(start, gradients, moments, 1, reference.cosine_rate(1, 1, 0.01))
got = train(images, labels, Recipe("", "", hidden, 1, 0.01, batch=rows, adam=True), heldout=0, threads=1).parameters
answers["adam"] = far(got, wanted, 0.999)  # all but those that float32 may turn round: see training/test_loop.py
print(json.dumps(answers))
"""


def assert_agrees(rows, hidden, **settings):
    """Also in the int8 labels, which are the same on every machine."""
    answers = run(CHECK, rows, hidden, **settings)
    int8 = Predictor(Network(*initialize_parameters(1, hidden)), precision="int8")
    assert answers.pop("int8") == int8.predict(load_sample().train_images[:rows]).tolist()
    for name, distance in answers.items():
        assert distance < 1e-5, name


def test_this_processor_agrees_with_the_reference():
    assert_agrees(200, 40)


@pytest.mark.once  # all kernels are compiled anew
def test_a_processor_that_can_do_nothing_more_agrees_with_the_reference():
    assert_agrees(200, 40, NUMBA_CPU_NAME="generic")


@pytest.mark.once
@pytest.mark.parametrize("level", ["x86-64-v3", "x86-64-v4"])
def test_what_is_compiled_for_other_processors_is_found_and_agrees(level, tmp_path):
    """The machine code of `warmup --for`, of every kernel, in a process on this processor."""
    if LEVELS[level] not in levels_below():
        pytest.skip(f"this processor is no {level}")
    settings = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    settings["NUMBA_CACHE_DIR"] = str(tmp_path)

    def warmup(*options):
        command = [sys.executable, "-m", "digitnn_fast", "warmup", *options]
        return subprocess.run(command, env=settings, check=True, capture_output=True, text=True).stdout

    compiled, found = warmup("--for", level), warmup()
    assert compiled.startswith(f"for {level}:\n")
    assert compiled.count(": compiled, ") == found.count(": already there, ") == len(KERNELS)
    assert_agrees(200, 40, NUMBA_CACHE_DIR=str(tmp_path))
    assert len(list(tmp_path.iterdir())) == len(KERNELS), "nothing was compiled for this processor itself"


def test_pure_python_agrees_with_the_reference():
    """NUMBA_DISABLE_JIT: the same functions, with NumPy in the place of vector instructions."""
    assert_agrees(5, 10, NUMBA_DISABLE_JIT="1")
