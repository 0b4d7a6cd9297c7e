"""Where numba can't be imported: all but training works, in NumPy, with the same answers."""

import os
from pathlib import Path

import numpy as np
import pytest
from command_line import process, write_table
from processes import run

from digitnn_fast import Network, Predictor
from digitnn_fast.engines import Int8
from digitnn_fast.kernels import KERNELS
from digitnn_fast.kernels.twins import TWINS
from digitnn_fast.preprocessing import NO_IMAGES, PREPROCESSINGS
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

HELPERS = Path(__file__).with_name("helpers")
WITHOUT = {"PYTHONPATH": str(HELPERS / "without_numba")}
IMAGES = 600  # more than twins take at once

ANSWERS = """
import sys, json, warnings
import numpy as np
from digitnn_fast import Network, Predictor
from digitnn_fast.engines import Int8
from digitnn_fast.preprocessing import NO_IMAGES
folder = sys.argv[1]
images = np.load(folder + "/images.npy")
answers = {}
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for name in sys.argv[2:]:
        network = Network.load(f"{folder}/{name}.npz")
        for precision in ("float32", "int8"):
            predictor = Predictor(network, threads=2, precision=precision)
            labels, probabilities = predictor.predict_both(images)
            one = predictor.predict_proba(images[0])
            answers[f"{name} {precision}"] = np.vstack([probabilities, one])
            answers[f"{name} {precision} labels"] = np.append(labels, predictor.predict(images[0]))
        logits = np.zeros((len(images), 10), np.int32)
        Int8(network.parameters).call(out=logits)(np.zeros(1, np.int64), images, labels, NO_IMAGES[3])
        answers[f"{name} logits"] = logits
np.savez(folder + "/answers.npz", **answers)
print(json.dumps([[str(warning.message) for warning in said], sorted({"numba", "llvmlite"} & set(sys.modules))]))
"""


@pytest.fixture(scope="module")
def images():
    return load_sample().test_images[:IMAGES]


def test_answers_are_the_same(tmp_path, images):
    np.save(tmp_path / "images.npy", images)
    networks = {name: Network(*initialize_parameters(1, 70), preprocessing=name) for name in PREPROCESSINGS}
    networks["accurate"] = Predictor.load("accurate").network
    for name, network in networks.items():
        network.save(tmp_path / f"{name}.npz")
    said, loaded = run(ANSWERS, tmp_path, *networks, **WITHOUT)
    assert said == [
        "NumPy does the work, more slowly than compiled code would: "
        "llvmlite can't be imported: No module named 'llvmlite'"
    ]
    assert loaded == []
    with np.load(tmp_path / "answers.npz") as answers:
        for name, network in networks.items():
            logits, labels = np.zeros((IMAGES, 10), np.int32), np.zeros(IMAGES, np.uint8)
            Int8(network.parameters).call(out=logits)(np.zeros(1, np.int64), images, labels, NO_IMAGES[3])
            assert logits.any()
            np.testing.assert_array_equal(answers[f"{name} logits"], logits)
            for precision in ("float32", "int8"):
                labels, probabilities = Predictor(network, precision=precision).predict_both(images)
                found = answers[f"{name} {precision}"]
                assert np.isfinite(found).all()
                np.testing.assert_allclose(found, np.vstack([probabilities, probabilities[:1]]), rtol=0, atol=1e-5)
                np.testing.assert_array_equal(answers[f"{name} {precision} labels"], np.append(labels, labels[:1]))


UNPACKED = """
import gc, json, sys
import numpy as np
from digitnn_fast import Network, Predictor
from digitnn_fast.kernels.twins import KEPT
from digitnn_fast.utils import initialize_parameters
images = np.load(sys.argv[1])
predictors = [Predictor(Network(*initialize_parameters(seed, 70)), precision="int8") for seed in (1, 2)]
answers = [[predictor.predict_proba(images).tolist() for predictor in predictors] for _ in range(2)]
kept = [len(KEPT)]
for last in (1, 0):
    del predictors[last:]
    gc.collect()
    kept.append(len(KEPT))
print(json.dumps([answers, kept]))
"""


def test_integers_are_unpacked_once_for_each_network_and_go_with_it(tmp_path, images):
    np.save(tmp_path / "images.npy", images[:40])
    (first, again), kept = run(UNPACKED, tmp_path / "images.npy", **WITHOUT)
    assert first == again
    for seed, found in zip((1, 2), first, strict=True):
        wanted = Predictor(Network(*initialize_parameters(seed, 70)), precision="int8").predict_proba(images[:40])
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert kept == [4, 2, 0], "W1 and W2 of both networks, of the first one, of none"


def test_every_kernel_but_those_of_training_has_a_twin():
    assert {name for name in KERNELS if name not in TWINS} == {name for name in KERNELS if name.startswith("descent.")}
    assert set(TWINS) <= set(KERNELS)


@pytest.mark.parametrize("name", ["distortion.distort_all", "inference.relu", "inference.softmax"])
def test_the_other_twins_do_what_their_kernels_do(name, images):
    random = np.random.default_rng(3)
    kernel = KERNELS[name]
    if name == "distortion.distort_all":
        limits = np.array([9000, 9000, 9000, 90000, 90000])
        given = 5, limits, np.zeros(1600, np.uint8), np.zeros(512, np.int32), images
        outs = [np.zeros_like(images) for _ in range(2)]
    else:
        values = random.normal(0, 3, (300, 10)).astype(np.float32)
        given = (values.ravel() if name == "inference.relu" else values,)
        outs = [np.full_like(given[0], np.nan) for _ in range(2)]
    kernel(*given, outs[0])
    TWINS[name](*kernel.packed([*given, outs[1]]))
    np.testing.assert_allclose(outs[1], outs[0], rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, images):
    folder = tmp_path_factory.mktemp("tables")
    sample = load_sample()
    write_table(folder / "test.csv", images)
    write_table(folder / "train.csv", sample.test_images[:IMAGES], sample.test_labels[:IMAGES])
    return folder


def without(*arguments, **options):
    return process(*arguments, env=os.environ | WITHOUT, **options)


def test_commands_answer_as_with_numba(folder):
    files = "--test", folder / "test.csv", "--out"
    ours, theirs = folder / "ours.csv", folder / "theirs.csv"
    done = without("predict", *files, ours)
    assert done.code == 0
    assert done.err.count("NumPy does the work") == 1
    assert process("predict", *files, theirs).code == 0
    assert ours.read_bytes() == theirs.read_bytes()
    assert without("validate", ours, "--test", folder / "test.csv").code == 0
    evaluate = "evaluate", "--data", folder / "train.csv"
    assert without(*evaluate).fact("accuracy") == process(*evaluate).fact("accuracy")


def test_what_is_not_plain_is_read_too(folder):
    """Cell by cell, as pandas is not there either."""
    rows = (folder / "train.csv").read_text().splitlines()[:41]
    (folder / "quoted.csv").write_text("\n".join(";".join(f'"{cell}"' for cell in row.split(",")) for row in rows))
    evaluate = "evaluate", "--data", folder / "quoted.csv"
    assert without(*evaluate).fact("accuracy") == process(*evaluate).fact("accuracy")
    (folder / "quoted.csv").write_text("\n".join([*rows, rows[-1] + "x"]))
    assert without(*evaluate).err.splitlines()[-1] == process(*evaluate).err.splitlines()[-1] != ""


def test_a_pipe_is_read(folder):
    table = (folder / "test.csv").read_bytes()
    assert without("predict", "--test", "-", "--out", "-", input=table).out.count("\n") == IMAGES + 1


def test_a_picture_is_read(folder, images):
    from PIL import Image

    picture = folder / "digit.png"
    Image.fromarray(255 - images[0].reshape(28, 28)).resize((280, 280)).save(picture)
    assert without("image", picture).out == process("image", picture).out != ""


@pytest.mark.parametrize("command", ["train --out model.npz --train train.csv", "submit", "warmup"])
def test_what_must_compile_says_so_in_one_line(folder, command):
    done = without(*command.split(), cwd=folder)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "No module named 'llvmlite'" in done.err


def test_a_numba_that_fails_is_none(tmp_path):
    """It is there, but does not go with this NumPy, and no machine code is kept for this processor."""
    code = "import sys, json, numpy as np, warnings\nwith warnings.catch_warnings(record=True) as said:\n" + (
        "    warnings.simplefilter('always')\n"
        "    from digitnn_fast import Predictor\n"
        "    label = Predictor.load().predict(np.zeros(784))\n"
        "print(json.dumps([label, [str(warning.message) for warning in said]]))"
    )
    broken = {
        "PYTHONPATH": str(HELPERS / "broken_numba"),
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    label, said = run(code, **broken)
    assert label in range(10)
    assert said == ["NumPy does the work, more slowly than compiled code would: Numba needs NumPy 2.0 or less"]
    assert not list(tmp_path.iterdir())
