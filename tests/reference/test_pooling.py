"""The digit in 16 by 16 pixels; what holds of every preprocessing is in test_preprocessings.py."""

from dataclasses import replace

import numpy as np

from digitnn_fast import train
from digitnn_fast.preprocessing import prepare
from digitnn_fast.reference import pooling
from digitnn_fast.sample import load_sample
from digitnn_fast.training.recipes import RECIPES

SAMPLE = load_sample()
IMAGES = SAMPLE.test_images


def test_a_ninth_is_exact():
    """Of all sums that there are, as the kernel and the C divide them."""
    sums, (factor, half, shift) = np.arange(9 * 255 + 1), pooling.NINTH
    np.testing.assert_array_equal(sums * factor + half >> shift, (sums + 4) // 9)
    assert (sums * factor + half).max() < 2**31


def test_only_256_values_may_hold_ink():
    assert pooling.INSIDE.sum() == 256
    white = pooling.pool(np.full((1, 784), 255, np.uint8))
    np.testing.assert_array_equal(white[0] == 255, pooling.INSIDE)
    assert set(np.unique(white)) == {0, 255}


def test_digits_keep_their_ink():
    """But for rounding, 2.25 pixels become one, and hardly any ink is outside the 24 by 24 pixels."""
    upright = prepare(IMAGES, "deskewed")
    kept = pooling.pool(upright).sum(axis=1) * 2.25 / upright.sum(axis=1)
    assert kept.max() < 1.01
    assert kept.mean() > 0.99
    assert kept.min() > 0.9


def test_a_trained_network_has_weights_for_256_values_only():
    network = train(SAMPLE.train_images[:500], SAMPLE.train_labels[:500], replace(RECIPES["tiny"], epochs=2))
    assert network.preprocessing == "pooled"
    assert not network.W1[~pooling.INSIDE].any()
    assert network.W1[pooling.INSIDE].any(axis=1).all()
