"""What digitnn_fast/CHANGELOG.md promises for all of 1.x: the public names, and files that 1.0.0 wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import digitnn_fast
from digitnn_fast import Network, Predictor
from digitnn_fast.sample import load_sample

KEPT = Path(__file__).parent / "kept"
LABELS_OF_1_0 = "7172212090092327772339923271777112102011"  # of the sample's first 40 test digits


def test_the_public_names_are_there():
    promised = {"DigitClassifier", "Network", "Predictor", "__version__", "predict", "preprocess", "train"}
    assert promised <= set(digitnn_fast.__all__)
    for name in promised:
        assert getattr(digitnn_fast, name) is not None


def test_a_model_file_of_1_0_answers_as_it_did():
    model = KEPT / "model-1.0.0.npz"
    images = load_sample().test_images[:40]
    predictor = Predictor.load(model, threads=1)
    assert "".join(map(str, predictor.predict(images))) == LABELS_OF_1_0
    first = [1.01908922e-01, 3.45059088e-03, 2.15823544e-04, 1.54152061e-04, 5.71172386e-02]
    first += [8.87162238e-02, 4.21458250e-03, 4.41952229e-01, 1.83114678e-01, 1.19155526e-01]
    np.testing.assert_allclose(predictor.predict_proba(images[0]).reshape(-1), first, atol=1e-5)


def test_a_model_file_of_1_0_keeps_its_record():
    network = Network.load(KEPT / "model-1.0.0.npz")
    record = network.training
    assert network.preprocessing == "directions" and network.hidden == 4
    assert (record.recipe, record.seed, record.training_rows, record.heldout_rows) == ("fast", 7, 1800, 200)
    assert record.history.shape == (6, 4)
    assert record.settings["epochs"] == 6


def test_a_model_file_of_1_0_is_written_again_with_the_same_arrays(tmp_path):
    old = Network.load(KEPT / "model-1.0.0.npz")
    old.save(tmp_path / "again.npz")
    for before, after in zip(old.parameters, Network.load(tmp_path / "again.npz").parameters, strict=True):
        np.testing.assert_array_equal(before, after)
