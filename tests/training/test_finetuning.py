"""Fine-tuning: weights on the grid, the same bytes each time, and digits that are read where rounding reads none."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from digitnn_fast import reference, train
from digitnn_fast.preprocessing import picture_of, prepare
from digitnn_fast.reference.deskewing import deskew
from digitnn_fast.reference.quantization import LARGEST, quantize
from digitnn_fast.sample import load_sample
from digitnn_fast.training.descent import Descent
from digitnn_fast.training.finetuning import FINE_TUNINGS, FineTuning, Grid, _epochs, fine_tune, on_grid, window
from digitnn_fast.training.recipes import RECIPES

SAMPLE = load_sample()
QUICK = {bits: FineTuning(bits, 300, 0.003, tuning.spared) for bits, tuning in FINE_TUNINGS.items()}


@cache
def trained(preprocessing, hidden=32):
    """Where fine-tuning to any number of bits begins."""
    recipe = replace(RECIPES["deskewed"], epochs=20, hidden=hidden, preprocessing=preprocessing)
    return train(SAMPLE.train_images, SAMPLE.train_labels, recipe, heldout=0)


def tuned(bits, **options):
    return fine_tune(
        trained("deskewed", 64), SAMPLE.train_images, SAMPLE.train_labels, bits, tuning=QUICK[bits], **options
    )


@pytest.fixture(scope="module")
def networks():
    return {bits: tuned(bits) for bits in QUICK}


@pytest.mark.parametrize("bits", QUICK)
def test_weights_are_on_the_grid_that_quantize_finds(networks, bits):
    quantized = quantize(networks[bits].parameters, bits)
    unit = np.abs(networks[bits].W1).max(axis=0) / LARGEST[bits]
    np.testing.assert_allclose(quantized.W1 * unit, networks[bits].W1, rtol=1e-6)
    assert np.abs(quantized.W1).max() == LARGEST[bits]
    assert set(np.unique(quantized.W1)) == ({-3, -1, 0, 1, 3} if bits == 2 else set(range(-7, 8)))


@pytest.mark.parametrize("bits", QUICK)
def test_the_integers_read_digits_that_rounding_does_not(networks, bits):
    seen = deskew(SAMPLE.test_images)

    def right(network):
        logits = reference.forward_int8(quantize(network.parameters, bits), seen)
        return (logits.argmax(axis=1) == SAMPLE.test_labels).mean()

    assert right(networks[bits]) > 0.96
    assert right(networks[bits]) > right(trained("deskewed", 64)) + (0.03 if bits == 2 else 0)


@pytest.mark.parametrize("bits", QUICK)
def test_the_same_seed_gives_the_same_bytes_for_any_number_of_threads(networks, tmp_path, bits):
    networks[bits].save(tmp_path / "first")
    tuned(bits, threads=1).save(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert (tuned(bits, seed=1).W1 != networks[bits].W1).any()


@pytest.mark.parametrize("bits", QUICK)
def test_the_record_says_what_happened_and_promises_no_accuracy(networks, bits):
    record = networks[bits].training
    assert record.recipe == f"deskewed, fine-tuned to {bits} bits"
    assert record.training_rows == 10_000
    assert record.heldout_rows == 0
    assert len(record.history) == 8, "300 steps, 39 each epoch"
    assert record.history[-1, 0] < record.history[0, 0]


@pytest.mark.parametrize("bits", QUICK)
@pytest.mark.parametrize("preprocessing", ["directions", "pooled"])
def test_other_views_are_fine_tuned_on_what_is_seen_of_distorted_digits(bits, preprocessing):
    """Not on distorted edges, which would be no edges of anything."""
    start, digits = trained(preprocessing), (SAMPLE.train_images, SAMPLE.train_labels)
    networks = [fine_tune(start, *digits, bits, tuning=QUICK[bits], threads=threads) for threads in (1, 3)]
    assert networks[0].preprocessing == preprocessing
    assert [one.tobytes() for one in networks[0].parameters] == [one.tobytes() for one in networks[1].parameters]
    quantized, seen = quantize(networks[0].parameters, bits), prepare(SAMPLE.test_images, preprocessing)
    right = reference.forward_int8(quantized, seen).argmax(axis=1) == SAMPLE.test_labels
    assert right.mean() > (0.97 if preprocessing == "directions" else 0.93)
    spared = ~networks[0].W1.any(axis=1)
    assert seen[:, spared].sum() <= 2 * QUICK[bits].spared * seen.sum()
    if preprocessing == "pooled":
        assert spared.sum() >= 784 - 256


def test_pixels_at_the_border_get_no_weights(networks):
    seen = deskew(SAMPLE.train_images)
    for bits, network in networks.items():
        inside = window(seen, QUICK[bits].spared)
        assert seen[:, ~inside].sum() <= QUICK[bits].spared * seen.sum()
        assert inside.sum() < 650
        np.testing.assert_array_equal(network.W1.any(axis=1), inside)


def test_a_window_of_hardly_anything():
    black = np.zeros((1, 784), np.uint8)
    assert window(black, 0.001).sum() >= 1
    assert window(black + 1, 0.0).all()
    one = black.copy()
    one[0, 400] = 9
    assert window(one, 0.0)[400]


@pytest.mark.parametrize("bits", QUICK)
def test_a_unit_of_zeros_stays_one(bits):
    weights = np.zeros((1, 784, 32), np.float32)
    weights[0, :, 1:] = np.random.default_rng(0).normal(size=(784, 31))
    got = on_grid(weights, np.ones((784, 1), bool), bits)
    assert np.isfinite(got).all()
    assert not got[:, :, 0].any()
    assert got[:, :, 1:].any(axis=1).all()


@pytest.mark.parametrize("bits", QUICK)
def test_the_units_that_fill_the_last_tile_never_learn(bits):
    """They once did, from weights of 1e-39, after a thousand steps: the network that learned was not the result."""
    start, digits, seen = trained("directions", 8), SAMPLE.train_images, prepare(SAMPLE.train_images, "directions")
    descent = Descent(start.parameters, seen, SAMPLE.train_labels, 1)
    grid = Grid(descent, seen, QUICK[bits])
    list(_epochs(grid, picture_of(digits, "directions"), "directions", 0))
    assert descent.weights[:, :, :8].any(axis=1).all()
    assert not descent.weights[:, :, 8:].any()
    assert not grid._behind[:, :, 8:].any()


def test_fewer_digits_than_a_batch():
    few = slice(0, 30)
    network = fine_tune(
        trained("pooled"), SAMPLE.train_images[few], SAMPLE.train_labels[few], 2, tuning=FineTuning(2, 5, 0.001, 0.003)
    )
    assert np.isfinite(network.W1).all()
