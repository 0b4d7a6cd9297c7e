"""A preprocessing is one row: a made-up one, in the folder upside_down, runs everywhere by its row and its kernel."""

from dataclasses import replace

import numpy as np
import pytest
import upside_down

from digitnn_fast import Network, Predictor, plots
from digitnn_fast.commands import app
from digitnn_fast.engines import ENGINES
from digitnn_fast.kernels import KERNELS
from digitnn_fast.page import page
from digitnn_fast.preprocessing import PREPROCESSINGS, prepare
from digitnn_fast.reference.deskewing import deskew
from digitnn_fast.sample import load_sample
from digitnn_fast.training import train
from digitnn_fast.training.recipes import RECIPES
from digitnn_fast.utils import initialize_parameters
from digitnn_fast.verification import verify

SAMPLE = load_sample()
IMAGES = SAMPLE.test_images[:300]
PARAMETERS = initialize_parameters(1, 40)


@pytest.fixture(autouse=True)
def name(monkeypatch):
    """Of the made-up preprocessing, which is in the tables meanwhile."""
    monkeypatch.setitem(KERNELS, upside_down.KERNEL.name, upside_down.KERNEL)
    monkeypatch.setitem(PREPROCESSINGS, upside_down.ROW.name, upside_down.ROW)
    return upside_down.ROW.name


def turned(images):
    return deskew(images).reshape(-1, 28, 28)[:, ::-1].reshape(-1, 784)


def test_it_is_saved_and_loaded(name, tmp_path):
    Network(*PARAMETERS, name).save(tmp_path / "model.npz")
    assert Network.load(tmp_path / "model.npz").preprocessing == name
    np.testing.assert_array_equal(prepare(IMAGES, name), turned(IMAGES))


@pytest.mark.parametrize("precision", ENGINES)
def test_it_is_predicted(name, precision):
    predictor = Predictor(Network(*PARAMETERS, name), precision=precision, threads=2)
    raw = Predictor(Network(*PARAMETERS), precision=precision)
    np.testing.assert_array_equal(predictor.predict_proba(IMAGES), raw.predict_proba(turned(IMAGES)))


@pytest.mark.parametrize("distorted", [False, True])
def test_it_is_trained(name, distorted):
    recipe = replace(RECIPES["small"], preprocessing=name, epochs=5, hidden=32)
    recipe = recipe if distorted else replace(recipe, distortion=None)
    network = train(SAMPLE.train_images, SAMPLE.train_labels, recipe, heldout=0)
    assert network.preprocessing == name
    assert np.mean(Predictor(network).predict(SAMPLE.test_images) == SAMPLE.test_labels) > 0.8


def test_all_ways_agree(name):
    verdicts = list(verify(Network(*PARAMETERS, name), IMAGES))
    assert not [verdict for verdict in verdicts if verdict.agrees is False]
    ran = " ".join(verdict.name for verdict in verdicts if verdict.agrees)
    for way in ("kernels float32", "kernels int8", "ONNX", "C, 8 bits", "JavaScript"):
        assert way in ran


@pytest.mark.parametrize("target", ["c", "onnx", "web"])
def test_it_is_exported(name, target, no_boards, tmp_path):
    model = tmp_path / "model.npz"
    Network(*PARAMETERS, name).save(model)
    arguments = ["export", str(model), "--to", target, "--out", str(tmp_path / "out"), "--max-loss", "100"]
    assert app.run(arguments) == 0


def test_it_is_drawn(name):
    network = Network(*PARAMETERS, name)
    assert plots.hidden_units(network).axes
    assert "upside_down: [deskewed, turned]" in page(network)


def test_the_help_names_all_inputs():
    """Typed there, since the table would load NumPy before the help is shown."""
    from inspect import signature

    from digitnn_fast.commands.exporting import export
    from digitnn_fast.export.learning import INPUTS

    option = signature(export, eval_str=True).parameters["inputs"].annotation.__metadata__[0]
    assert set(option.metavar.split("|")) == set(INPUTS)
