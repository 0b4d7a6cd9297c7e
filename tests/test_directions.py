"""Directions of edges: the kernel against NumPy, NumPy against loops, and what they say of a picture."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_deskewing import HOSTILE

from digitnn_fast import Network, Predictor, deskewing, directions, distortion, kaggle, reference
from digitnn_fast.engines import AT_ONCE, ENGINES, prepare, view_distorted
from digitnn_fast.quantization import quantize
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import get_predictions, initialize_parameters

IMAGES = load_sample().test_images
NETWORK = Network(*initialize_parameters(1, 40), "directions")


@pytest.mark.parametrize("images", HOSTILE.values(), ids=HOSTILE)
def test_the_kernel_is_its_twin(images):
    np.testing.assert_array_equal(prepare(images, "directions"), directions.describe_upright(images))


@given(
    places=st.lists(st.tuples(st.integers(0, 783), st.integers(0, 255)), max_size=12), background=st.integers(0, 255)
)
def test_the_kernel_is_its_twin_on_anything(places, background):
    image = np.full((1, 784), background, np.uint8)
    for place, level in places:
        image[0, place] = level
    np.testing.assert_array_equal(prepare(image, "directions"), directions.describe_upright(image))


@pytest.mark.parametrize("images", [HOSTILE[name][:4] for name in HOSTILE], ids=HOSTILE)
def test_the_twin_is_what_loops_say(images):
    for image, got in zip(images, directions.describe(images), strict=True):
        assert naive.describe(image.tolist()) == got.tolist()


def test_a_step_has_one_direction_and_a_place():
    image = np.zeros((28, 28), np.uint8)
    image[:, 14:] = 255  # rises to the right between columns 13 and 14; falls at the border of the image
    found = directions.describe(image.reshape(1, 784)).reshape(7, 7, 16)
    assert set(np.argwhere(found[1:6].any(axis=0))[:, 0].tolist()) == {2, 3, 4, 6}
    assert found[1:6, 3].argmax(axis=1).tolist() == [0] * 5
    assert found[1:6, 6].argmax(axis=1).tolist() == [8] * 5
    turned = directions.describe(np.rot90(image).reshape(1, 784)).reshape(7, 7, 16)  # a quarter turn of all of it
    np.testing.assert_array_equal(np.rot90(np.roll(found, -4, axis=2)), turned)


@pytest.mark.parametrize("threads", [1, 3])
def test_training_sees_the_directions_of_distorted_digits(threads):
    limits = np.array([6000, 6000, 6000, 50_000, 200_000])
    for count in (1, AT_ONCE, 2 * AT_ONCE + 3):
        images = np.resize(IMAGES, (count, 784))
        expected = directions.describe(distortion.distort(images, 12345, limits))
        np.testing.assert_array_equal(view_distorted(images, "directions", 12345, limits, threads), expected)


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("rows", [0, 1, 7, AT_ONCE, 2 * AT_ONCE + 3])
def test_a_predictor_finds_them_by_itself(rows, precision):
    images = np.resize(IMAGES, (rows, 784))
    seen = directions.describe_upright(images)
    raw = Predictor(Network(*NETWORK.parameters), precision=precision)
    for threads in (1, 3):
        predictor = Predictor(NETWORK, threads=threads, precision=precision)
        labels, probabilities = predictor.predict(images), predictor.predict_proba(images)
        np.testing.assert_array_equal(labels, raw.predict(seen))
        np.testing.assert_array_equal(probabilities, raw.predict_proba(seen))
        if precision == "int8":
            logits = reference.forward_int8(quantize(NETWORK.parameters), seen)
            np.testing.assert_array_equal(labels, get_predictions(logits) if rows else [])
        for image, label, expected in zip(images[:3], labels[:3], probabilities[:3], strict=True):
            assert predictor.predict(image) == label
            np.testing.assert_array_equal(predictor.predict_proba(image), expected)


def test_a_streamed_file_is_prepared_too(tmp_path):
    rows = "".join(",".join(map(str, row)) + "\n" for row in IMAGES.tolist())
    (tmp_path / "test.csv").write_text(",".join(f"pixel{k}" for k in range(784)) + "\n" + rows)
    labels = kaggle.map_test(tmp_path / "test.csv", Predictor(NETWORK, threads=1).predict, 2)
    seen = directions.describe(deskewing.deskew(IMAGES))
    np.testing.assert_array_equal(labels, Predictor(Network(*NETWORK.parameters)).predict(seen))
