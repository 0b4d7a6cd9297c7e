"""Readings of close crops as images to learn from."""

from dataclasses import replace

import numpy as np
import pytest
from reference_training import IMAGES, LABELS, SAMPLE

from digitnn_fast import Predictor, train
from digitnn_fast.training.loop import split, train_on
from digitnn_fast.training.pictures import BEND, LEAST, flagged, read_anew
from digitnn_fast.training.recipes import RECIPES
from digitnn_fast.training.views import Views

RECIPE = replace(RECIPES["fast"], pictures=0.3, epochs=3)


def test_readings_are_of_their_images():
    rows, readings = read_anew(IMAGES, LABELS, 0.5)
    assert readings.shape == (len(rows), 784) and readings.dtype == np.uint8
    assert (rows[::2] == rows[1::2]).all()  # two readings of each
    assert 140 <= len(set(rows[LABELS[rows] != 1].tolist())) + (LABELS == 1).sum() / 2 <= 150  # some are refused
    right = Predictor.load("accurate").predict(readings) == LABELS[rows]
    assert right.mean() > 0.9
    assert not (readings == IMAGES[rows]).all(axis=1).any()


def test_the_same_images_give_the_same_readings():
    for one, other in zip(read_anew(IMAGES, LABELS, 0.2), read_anew(IMAGES.copy(), LABELS, 0.2), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("bend", [0, BEND])
def test_a_flag_is_ink_left_of_the_upper_end(bend):
    for image in IMAGES[LABELS == 1]:
        new = flagged(image.reshape(28, 28), np.random.default_rng(3), bend)
        old = np.pad(image.reshape(28, 28), (len(new) - 28) // 2)
        added = new.astype(int) - old
        assert added.min() == 0 and added.sum() > 255
        upper = np.flatnonzero((old > LEAST).any(axis=1))[0]
        rows, columns = np.nonzero(added > LEAST)
        assert upper <= rows.min() and rows.max() < upper + 0.8 * 28
        assert columns.mean() < np.nonzero(old[upper : upper + 3] > LEAST)[1].mean()


def test_only_ones_get_flags():
    """What is read of an image depends on its label only if that is 1."""
    zeros, sevens, ones = (read_anew(IMAGES, np.full_like(LABELS, label), 0.5)[1] for label in (0, 7, 1))
    np.testing.assert_array_equal(zeros, sevens)
    assert ones.shape != zeros.shape or (ones != zeros).any()


def test_ones_are_read_once_more():
    rows, _ = read_anew(IMAGES, LABELS, 0.99)
    times = np.bincount(rows, minlength=len(IMAGES))
    assert set(times.tolist()) == {0, 2, 4}
    assert (times[LABELS == 1] == 4).mean() > 0.9 and times[LABELS != 1].max() == 2


@pytest.mark.parametrize("images", [np.zeros((20, 784), np.uint8), IMAGES[:1]])
def test_what_is_blank_and_a_share_of_nothing(images):
    rows, readings = read_anew(images, np.ones(len(images), np.uint8), 0.4)
    assert (len(rows), readings.shape) == (0, (0, 784))


def test_a_network_reads_crops_better_that_has_learned_from_some():
    """Of digits that it has not seen."""
    seen, labels = SAMPLE.train_images[:3000], SAMPLE.train_labels[:3000]
    rows, readings = read_anew(SAMPLE.test_images[:1000], SAMPLE.test_labels[:1000], 0.99)
    recipe = replace(RECIPES["fast"], epochs=8)
    wrong = [
        (Predictor(train(seen, labels, own, heldout=0)).predict(readings) != SAMPLE.test_labels[rows]).sum()
        for own in (recipe, replace(recipe, pictures=0.3))
    ]
    assert wrong[1] < 0.9 * wrong[0], wrong


def test_readings_of_rows_that_are_held_out_are_not_learned():
    """Other labels of these rows change nothing, while as many are ones: what is more shifts the random numbers."""
    learned, tested = split(len(LABELS), 0.2, 7)
    others = LABELS.copy()
    others[tested] = np.where(LABELS[tested] == 1, 1, 2 + (LABELS[tested] + 1) % 8)
    assert (others[tested] != LABELS[tested]).mean() > 0.7
    one, other = (
        train_on(IMAGES, labels, RECIPE, (learned, tested), 4, views=Views(IMAGES, labels, RECIPE, 1))
        for labels in (LABELS, others)
    )
    assert set(Views(IMAGES, LABELS, RECIPE, 1).rows[len(IMAGES) :].tolist()) & set(tested.tolist())
    for own, same in zip(one.parameters, other.parameters, strict=True):
        np.testing.assert_array_equal(own, same)


def test_the_same_network_for_any_number_of_threads():
    one, other = (train(IMAGES, LABELS, RECIPE, threads=threads) for threads in (1, 2))
    for own, same in zip(one.parameters, other.parameters, strict=True):
        np.testing.assert_array_equal(own, same)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan"), "half"])
def test_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="pictures must be a share"):
        replace(RECIPE, pictures=share)
