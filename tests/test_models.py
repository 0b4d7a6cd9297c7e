"""The bundled models and the submission are what their cards say."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from digitnn_fast import Network, Predictor, _report, kaggle
from digitnn_fast.network import data_digest
from digitnn_fast.predictor import BUNDLED
from digitnn_fast.recipes import RECIPES

SUBMISSION = Path(__file__).parents[1] / "submission" / "submission.csv"
AT_LEAST = {"small": 0.9885, "accurate": 0.994}  # by cross-validation, which learns from 4/5 of the rows


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_model_is_what_its_card_says(name):
    network, card = Network.load(BUNDLED[name]), BUNDLED[name].with_suffix(".md").read_text()
    record = network.training
    assert (record.recipe, record.settings) == (name, RECIPES[name].settings())
    assert (record.training_rows, record.heldout_rows, record.folds) == (42_000, 0, 5)
    assert record.cross_validated_accuracy > AT_LEAST[name]
    accuracy = _report.percent(record.cross_validated_accuracy, record.cross_validated_standard_error)
    command = f"`digitnn-fast train --train train.csv --recipe {name} --folds 5 --out {name}.npz`"
    for fact in (accuracy, command, record.data_digest, digest(BUNDLED[name]), _report.shape_text(network)):
        assert fact in card


def test_the_bundled_models_are_small():
    assert sum(path.stat().st_size for path in BUNDLED.values()) <= 2.5e6


def test_the_bundled_models_learned_from_kaggles_file(kaggle_files):
    images, labels = kaggle.read_train(kaggle_files[0])
    assert {Network.load(path).training.data_digest for path in BUNDLED.values()} == {data_digest(images, labels)}


def test_the_submission_is_what_its_card_says():
    card = SUBMISSION.with_name("README.md").read_text()
    assert kaggle.validate_submission(SUBMISSION, 28_000) == 28_000
    assert digest(SUBMISSION) in card


def test_the_submission_is_that_of_a_better_model_than_the_bundled_one(kaggle_files):
    """By its own estimate; and it differs in as few rows as its card says."""
    card = SUBMISSION.with_name("README.md").read_text()
    expected = float(re.search(r"score to expect \| ([\d.]+)%", card)[1])
    assert 100 * Network.load(BUNDLED["accurate"]).training.cross_validated_accuracy < expected < 99.7
    labels = np.loadtxt(SUBMISSION, np.int64, delimiter=",", skiprows=1)[:, 1]
    answers = kaggle.map_test(kaggle_files[1], Predictor.load("accurate", threads=1).predict)
    others = int(re.search(r"bundled `accurate`: (\d+) rows", card)[1])
    # Another CPU rounds otherwise, and a tie may fall apart.
    assert abs(np.count_nonzero(labels != answers) - others) <= 2 and others < 60
