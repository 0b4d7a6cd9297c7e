"""Deskewing: the kernel against NumPy, NumPy against loops, and what it does to digits."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitnn_fast import Network, Predictor, deskewing, kaggle, reference
from digitnn_fast.engines import AT_ONCE, ENGINES, prepare
from digitnn_fast.quantization import quantize
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import get_predictions, initialize_parameters

SAMPLE = load_sample()
IMAGES = SAMPLE.test_images
NETWORK = Network(*initialize_parameters(1, 40), "deskewed")


def pictures(density):
    """Random pixels, some images with few of them, some with many, anywhere up to the border."""
    random = np.random.default_rng(5)
    levels = random.integers(0, 256, (200, 784))
    return np.where(random.random((200, 784)) < density ** random.integers(1, 5, (200, 1)), levels, 0).astype(np.uint8)


HOSTILE = {
    "black": np.zeros((1, 784), np.uint8),
    "white": np.full((1, 784), 255, np.uint8),
    "one pixel": np.eye(784, dtype=np.uint8) * 255,
    "one dark pixel": np.eye(784, dtype=np.uint8),
    "one row": np.eye(28, dtype=np.uint8).repeat(28, axis=1) * 9,
    "two pixels": (np.eye(784) + np.eye(784)[::-1]).astype(np.uint8) * 255,
    "sparse": pictures(0.1),
    "dense": pictures(0.9),
    "digits": IMAGES[:200],
}


@pytest.mark.parametrize("images", HOSTILE.values(), ids=HOSTILE)
def test_the_kernel_is_its_twin(images):
    np.testing.assert_array_equal(prepare(images, "deskewed"), deskewing.deskew(images))


@given(
    places=st.lists(st.tuples(st.integers(0, 783), st.integers(0, 255)), max_size=12), background=st.integers(0, 255)
)
def test_the_kernel_is_its_twin_on_anything(places, background):
    image = np.full((1, 784), background, np.uint8)
    for place, level in places:
        image[0, place] = level
    np.testing.assert_array_equal(prepare(image, "deskewed"), deskewing.deskew(image))


@pytest.mark.parametrize("images", [HOSTILE[name][:12] for name in HOSTILE], ids=HOSTILE)
def test_the_twin_is_what_loops_say(images):
    """The moments as exact fractions, then one pixel at a time."""
    for image, got in zip(images, deskewing.deskew(images), strict=True):
        assert naive.deskew(image.tolist()) == got.tolist()


def test_no_image_and_raw_images():
    assert prepare(IMAGES[:0], "deskewed").shape == (0, 784)
    assert prepare(IMAGES, "raw") is IMAGES


def moments(images):
    """Mean column and row, and slant, of each image; float64."""
    levels = images.reshape(-1, 28, 28).astype(float)
    y, x = np.mgrid[:28, :28]
    total, mean_x, mean_y = (np.sum(levels * weight, axis=(1, 2)) for weight in (1, x, y))
    mean_x, mean_y = mean_x / total, mean_y / total
    dx, dy = x - mean_x[:, None, None], y - mean_y[:, None, None]
    return mean_x, mean_y, np.sum(levels * dx * dy, axis=(1, 2)) / np.sum(levels * dy * dy, axis=(1, 2))


def test_digits_become_upright_and_stand_in_the_middle():
    mean_x, mean_y, slant = moments(prepare(IMAGES, "deskewed"))
    # All but a few, which lean by more than the one pixel per row that is taken out, or lose ink at the border.
    assert np.quantile(np.abs(slant), 0.99) < 0.01
    assert np.abs(moments(IMAGES)[2]).max() > 0.5
    assert np.quantile(np.abs(mean_x - 13.5), 0.99) < 0.05
    assert mean_y.min() > 12.95
    assert mean_y.max() < 14.05


def test_where_a_digit_stands_is_immaterial():
    inner = np.zeros((len(IMAGES), 28, 28), np.uint8)
    inner[:, 4:24, 4:24] = IMAGES.reshape(-1, 28, 28)[:, 4:24, 4:24]
    moved = np.roll(inner, (3, -4), axis=(1, 2)).reshape(-1, 784)
    np.testing.assert_array_equal(prepare(moved, "deskewed"), prepare(inner.reshape(-1, 784), "deskewed"))


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("rows", [0, 1, 7, AT_ONCE, 2 * AT_ONCE + 3])
def test_a_predictor_deskews_by_itself(rows, precision):
    images = np.resize(IMAGES, (rows, 784))
    upright = deskewing.deskew(images)
    raw = Predictor(Network(*NETWORK.parameters), precision=precision)
    for threads in (1, 3):
        predictor = Predictor(NETWORK, threads=threads, precision=precision)
        labels, probabilities = predictor.predict(images), predictor.predict_proba(images)
        np.testing.assert_array_equal(labels, raw.predict(upright))
        np.testing.assert_array_equal(probabilities, raw.predict_proba(upright))
        if precision == "int8":
            logits = reference.forward_int8(quantize(NETWORK.parameters), upright)
            np.testing.assert_array_equal(labels, get_predictions(logits) if rows else [])
        else:
            expected = reference.forward(NETWORK.parameters, upright).probabilities
            np.testing.assert_allclose(probabilities, expected, atol=1e-6)
        for image, label, expected in zip(images[:3], labels[:3], probabilities[:3], strict=True):
            assert predictor.predict(image) == label
            np.testing.assert_array_equal(predictor.predict_proba(image), expected)


def test_a_streamed_file_is_deskewed_too(tmp_path):
    rows = "".join(",".join(map(str, row)) + "\n" for row in IMAGES.tolist())
    (tmp_path / "test.csv").write_text(",".join(f"pixel{k}" for k in range(784)) + "\n" + rows)
    labels = kaggle.map_test(tmp_path / "test.csv", Predictor(NETWORK, threads=1).predict, 2)
    np.testing.assert_array_equal(labels, Predictor(Network(*NETWORK.parameters)).predict(deskewing.deskew(IMAGES)))
