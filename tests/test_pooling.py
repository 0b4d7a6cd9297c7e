"""The digit in 16 by 16 pixels: the kernel against NumPy, NumPy against loops, and what it does to a picture."""

from dataclasses import replace

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_deskewing import HOSTILE

from digitnn_fast import Network, Predictor, distortion, pooling, reference, train
from digitnn_fast.engines import AT_ONCE, ENGINES, prepare, view_distorted
from digitnn_fast.quantization import quantize
from digitnn_fast.recipes import RECIPES
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import get_predictions, initialize_parameters

SAMPLE = load_sample()
IMAGES = SAMPLE.test_images
NETWORK = Network(*initialize_parameters(1, 40), "pooled")


@pytest.mark.parametrize("images", HOSTILE.values(), ids=HOSTILE)
def test_the_kernel_is_its_twin(images):
    np.testing.assert_array_equal(prepare(images, "pooled"), pooling.pool_upright(images))


@given(
    places=st.lists(st.tuples(st.integers(0, 783), st.integers(0, 255)), max_size=12), background=st.integers(0, 255)
)
def test_the_kernel_is_its_twin_on_anything(places, background):
    image = np.full((1, 784), background, np.uint8)
    for place, level in places:
        image[0, place] = level
    np.testing.assert_array_equal(prepare(image, "pooled"), pooling.pool_upright(image))


@pytest.mark.parametrize("images", [HOSTILE[name][:4] for name in HOSTILE], ids=HOSTILE)
def test_the_twin_is_what_loops_say(images):
    for image, got in zip(images, pooling.pool(images), strict=True):
        assert naive.pool(image.tolist()) == got.tolist()


def test_a_ninth_is_exact():
    """Of all sums that there are, as the kernel and the C divide them."""
    sums, (factor, half, shift) = np.arange(9 * 255 + 1), pooling.NINTH
    np.testing.assert_array_equal(sums * factor + half >> shift, (sums + 4) // 9)
    assert (sums * factor + half).max() < 2**31


def test_only_256_values_may_hold_ink():
    assert pooling.INSIDE.sum() == 256
    white = pooling.pool(HOSTILE["white"])
    np.testing.assert_array_equal(white[0] == 255, pooling.INSIDE)
    assert set(np.unique(white)) == {0, 255}


def test_digits_keep_their_ink():
    """But for rounding, 2.25 pixels become one, and hardly any ink is outside the 24 by 24 pixels."""
    upright = prepare(IMAGES, "deskewed")
    kept = pooling.pool(upright).sum(axis=1) * 2.25 / upright.sum(axis=1)
    assert kept.max() < 1.01
    assert kept.mean() > 0.99
    assert kept.min() > 0.9


@pytest.mark.parametrize("threads", [1, 3])
def test_training_sees_distorted_digits_in_fewer_pixels(threads):
    limits = np.array([6000, 6000, 6000, 50_000, 200_000])
    for count in (1, AT_ONCE, 2 * AT_ONCE + 3):
        images = np.resize(IMAGES, (count, 784))
        expected = pooling.pool(distortion.distort(images, 12345, limits))
        np.testing.assert_array_equal(view_distorted(images, "pooled", 12345, limits, threads), expected)


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("rows", [0, 1, 7, AT_ONCE, 2 * AT_ONCE + 3])
def test_a_predictor_pools_by_itself(rows, precision):
    images = np.resize(IMAGES, (rows, 784))
    seen = pooling.pool_upright(images)
    raw = Predictor(Network(*NETWORK.parameters), precision=precision)
    predictor = Predictor(NETWORK, threads=3, precision=precision)
    labels, probabilities = predictor.predict(images), predictor.predict_proba(images)
    np.testing.assert_array_equal(labels, raw.predict(seen))
    np.testing.assert_array_equal(probabilities, raw.predict_proba(seen))
    if precision == "int8":
        logits = reference.forward_int8(quantize(NETWORK.parameters), seen)
        np.testing.assert_array_equal(labels, get_predictions(logits) if rows else [])
    for image, label in zip(images[:3], labels[:3], strict=True):
        assert predictor.predict(image) == label


def test_a_trained_network_has_weights_for_256_values_only():
    network = train(SAMPLE.train_images[:500], SAMPLE.train_labels[:500], replace(RECIPES["tiny"], epochs=2))
    assert network.preprocessing == "pooled"
    assert not network.W1[~pooling.INSIDE].any()
    assert network.W1[pooling.INSIDE].all()
