"""The bundled models and the submission are what their cards say."""

import hashlib
import re

import numpy as np
import pytest
from checkout import ROOT

from digitnn_fast import Network, Predictor, kaggle
from digitnn_fast.bundled import MODELS
from digitnn_fast.commands.report import percent, shape_text
from digitnn_fast.network import data_digest
from digitnn_fast.training.recipes import changed_recipe

SUBMISSION = ROOT / "submission" / "submission.csv"
FILES = [model.file for model in MODELS.values()]
AT_LEAST = {"small": 0.9952, "accurate": 0.9953}  # by cross-validation, which learns from 4/5 of the rows


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", MODELS)
def test_a_bundled_model_is_what_its_card_says(name):
    network, card = Network.load(MODELS[name].file), MODELS[name].file.with_suffix(".md").read_text()
    record = network.training
    assert (record.recipe, record.settings) == (name, changed_recipe(name, **MODELS[name].changes).settings())
    assert (record.training_rows, record.heldout_rows, record.folds) == (42_000, 0, 5)
    assert record.cross_validated_accuracy >= AT_LEAST[name]
    changes = "".join(f" --{option} {value}" for option, value in MODELS[name].changes.items())
    accuracy = percent(record.cross_validated_accuracy, record.cross_validated_standard_error)
    for fact in (
        accuracy,
        f"`digitnn-fast train --train train.csv --recipe {name}{changes} --folds 5 --out {name}.npz`",
        record.data_digest,
        digest(MODELS[name].file),
        shape_text(network),
    ):
        assert fact in card
    assert f"`{name}` ({accuracy.split()[0]})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_bundled_models_are_small():
    assert sum(path.stat().st_size for path in FILES) <= 2.5e6


def test_the_bundled_models_learned_from_kaggles_file(kaggle_files):
    images, labels = kaggle.read_train(kaggle_files[0])
    assert {Network.load(path).training.data_digest for path in FILES} == {data_digest(images, labels)}


def test_the_submission_is_what_its_card_says():
    card = SUBMISSION.with_name("README.md").read_text()
    assert kaggle.validate_submission(SUBMISSION, 28_000) == 28_000
    assert digest(SUBMISSION) in card


def test_the_submission_is_that_of_our_best_model(kaggle_files):
    """By its own estimate; and it differs from that of `small` in as many rows as its card says."""
    card = SUBMISSION.with_name("README.md").read_text()
    expected = float(re.search(r"score to expect \| ([\d.]+)%", card)[1])
    record = Network.load(MODELS["accurate"].file).training
    assert expected == pytest.approx(100 * record.cross_validated_accuracy, abs=0.01)
    labels = np.loadtxt(SUBMISSION, np.int64, delimiter=",", skiprows=1)[:, 1]
    # Another CPU rounds otherwise, and a tie may fall apart.
    answers = kaggle.map_test(kaggle_files[1], Predictor.load("accurate", threads=1).predict)
    assert np.count_nonzero(labels != answers) <= 2
    others = int(re.search(r"bundled `small`: (\d+) rows", card)[1])
    answers = kaggle.map_test(kaggle_files[1], Predictor.load("small", threads=1).predict)
    assert abs(np.count_nonzero(labels != answers) - others) <= 4
