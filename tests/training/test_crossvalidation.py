"""Cross-validation: which rows are measured by whom, and what it says of the network that is trained on all of them."""

from dataclasses import replace

import numpy as np
import pytest

from digitnn_fast import Predictor, train
from digitnn_fast.evaluation import fit_temperature
from digitnn_fast.sample import load_sample
from digitnn_fast.training.crossvalidation import cross_validate, train_validated
from digitnn_fast.training.loop import train_on
from digitnn_fast.training.recipes import Distortion, Recipe
from digitnn_fast.utils import get_accuracy, get_predictions

SAMPLE = load_sample()
IMAGES, LABELS = SAMPLE.train_images[:400], SAMPLE.train_labels[:400]
RECIPE = Recipe("little", "", 40, 4, 0.008, 100, True, distortion=Distortion(0.1, 0.07, 0.07, 1.0), half=True)


def test_each_row_is_measured_once_by_a_network_that_has_not_seen_it():
    validation = cross_validate(IMAGES, LABELS, RECIPE, folds=3, seed=5)
    assert np.isfinite(validation.probabilities).all()
    assert sorted(np.bincount(validation.fold_of).tolist()) == [133, 133, 134]
    for fold in range(3):
        rows = validation.fold_of == fold
        images, labels = IMAGES.copy(), LABELS.copy()
        images[rows], labels[rows] = images[rows, ::-1], (labels[rows] + 1) % 10  # nobody looks at them
        network = train_on(images, labels, RECIPE, (np.flatnonzero(~rows), np.flatnonzero(rows)), 5)
        np.testing.assert_array_equal(validation.probabilities[rows], Predictor(network).predict_proba(IMAGES[rows]))


def test_what_it_says():
    validation = cross_validate(IMAGES, LABELS, RECIPE, folds=4, seed=1)
    answers = get_predictions(validation.probabilities)
    assert validation.folds == len(validation.accuracies) == 4
    assert np.mean(validation.accuracies) == pytest.approx(get_accuracy(answers, LABELS))
    assert validation.evaluation.accuracy == get_accuracy(answers, LABELS)
    assert validation.temperature == fit_temperature(LABELS, validation.probabilities)
    assert 0.3 < min(validation.accuracies) <= max(validation.accuracies) < 1


def test_the_network_is_trained_on_all_rows_and_calibrated():
    reports = []
    network, validation = train_validated(IMAGES, LABELS, RECIPE, folds=2, seed=3, on_epoch=reports.append)
    record = network.training
    assert [report[:2] for report in reports] == [(epoch, 12) for epoch in range(1, 13)]
    assert (record.training_rows, record.heldout_rows, record.folds) == (400, 0, 2)
    assert record.cross_validated_accuracy == validation.evaluation.accuracy
    p = record.cross_validated_accuracy
    assert record.cross_validated_standard_error == pytest.approx(np.sqrt(p * (1 - p) / 400))
    assert record.temperature == validation.temperature != 1

    alone = train(IMAGES, LABELS, replace(RECIPE, half=False), seed=3, heldout=0)
    np.testing.assert_allclose(network.W1, alone.W1, rtol=2.0**-11, atol=2.0**-14 * np.abs(alone.W1).max())
    np.testing.assert_allclose(network.W2, alone.W2 / record.temperature, rtol=2e-3)
    same = Predictor(network).predict(IMAGES) == Predictor(alone).predict(IMAGES)
    assert same.mean() > 0.99


def test_deterministic(tmp_path):
    for name, threads in (("a", 1), ("b", 2)):
        train_validated(IMAGES, LABELS, RECIPE, folds=2, threads=threads)[0].save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("folds", [-1, 0, 1, 401])
def test_folds_that_cannot_be(folds):
    with pytest.raises(ValueError, match=rf"^folds must be 2 to 400, the number of rows, got {folds}$"):
        cross_validate(IMAGES, LABELS, RECIPE, folds=folds)
