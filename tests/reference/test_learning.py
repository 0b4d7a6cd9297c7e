"""The specification against the naive loops, central differences and known values."""

import itertools
import math

import naive
import numpy as np
import pytest

from digitnn_fast import reference
from digitnn_fast.utils import Parameters, get_accuracy, get_predictions, initialize_parameters


def random_parameters(hidden=5, seed=1):
    random = np.random.default_rng(seed)
    shapes = (784, hidden), (hidden,), (hidden, 10), (10,)
    return Parameters(*(random.normal(0, 0.3, shape) for shape in shapes))


def digits(rows, seed=2):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (rows, 784)) * (random.random((rows, 784)) < 0.2)
    return images.astype(np.uint8), random.integers(0, 10, rows)


@pytest.mark.parametrize("pixels", ["random", 0, 255])
def test_forward_is_the_naive_one(pixels):
    images = digits(3)[0] if pixels == "random" else np.full((2, 784), pixels, np.uint8)
    parameters = random_parameters()
    lists = [array.tolist() for array in parameters]
    expected = zip(*(naive.forward(*lists, image) for image in images.tolist()), strict=True)
    for got, wanted in zip(reference.forward(parameters, images), expected, strict=True):
        assert np.isfinite(got).all()
        np.testing.assert_allclose(got, list(wanted), rtol=1e-10, atol=1e-14)


def test_forward_is_float64_for_any_dtype():
    images, _ = digits(4)
    parameters = initialize_parameters(0, 8)
    doubled = Parameters(*(array.astype(np.float64) for array in parameters))
    for got, wanted in zip(
        reference.forward(parameters, images.astype(np.float32)),
        reference.forward(doubled, images),
        strict=True,
    ):
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, wanted)


def test_empty_batch():
    images, labels = digits(0)
    parameters = random_parameters()
    activations = reference.forward(parameters, images)
    assert [array.shape for array in activations] == [(0, 5), (0, 10), (0, 10)]
    assert math.isnan(reference.cross_entropy(activations.probabilities, labels))
    assert not any(gradient.any() for gradient in reference.backward(parameters, images, labels))


def test_nan_is_not_hidden():
    parameters = random_parameters()
    parameters.W1[300, 0] = np.nan
    images, labels = digits(1)
    images[0, 300] = 1
    probabilities = reference.forward(parameters, images).probabilities
    assert np.isnan(probabilities).all()
    assert math.isnan(reference.cross_entropy(probabilities, labels))


def test_cross_entropy():
    images, labels = digits(3)
    parameters = random_parameters()
    probabilities = reference.forward(parameters, images).probabilities
    expected = naive.loss(*(array.tolist() for array in parameters), images.tolist(), labels)
    assert reference.cross_entropy(probabilities, labels) == pytest.approx(expected, rel=1e-12)
    assert reference.cross_entropy(np.full((4, 10), 0.1), [0, 3, 3, 9]) == pytest.approx(math.log(10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_an_underflowed_probability_is_finite(dtype):
    assert reference.cross_entropy(np.eye(10, dtype=dtype)[[0]], [1]) == pytest.approx(708.396, abs=1e-3)


@pytest.mark.parametrize("labels", [[10], [-1], [0.5]])
def test_bad_labels_are_refused(labels):
    with pytest.raises(ValueError, match=r"^labels must be"):
        reference.cross_entropy(np.full((1, 10), 0.1), labels)
    with pytest.raises(ValueError, match=r"^labels must be"):
        reference.backward(random_parameters(), digits(1)[0], labels)


@pytest.mark.parametrize("smoothing", [0, 0.2])
@pytest.mark.parametrize("name", Parameters._fields)
def test_gradient_is_the_central_difference(name, smoothing):
    """Every bias and 30 random weights, of the naive loss: neither side shares code with the other."""
    images, labels = digits(4)
    parameters = random_parameters()
    gradient = getattr(reference.backward(parameters, images, labels, smoothing), name).ravel()
    nested = [array.tolist() for array in parameters]
    position = Parameters._fields.index(name)
    places = np.random.default_rng(0).permutation(gradient.size)[:30]
    assert gradient[places].any()
    for place in places.tolist():
        *row, column = np.unravel_index(place, parameters[position].shape)
        values = nested[position][row[0]] if row else nested[position]
        slope = naive.slope(lambda: naive.loss(*nested, images.tolist(), labels, smoothing), values, column)
        assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_gradient_of_a_pixel_that_is_zero_everywhere_is_zero():
    images, labels = digits(4)
    dark = ~images.any(axis=0)
    gradients = reference.backward(random_parameters(), images, labels)
    assert dark.any() and not gradients.W1[dark].any() and gradients.W1[~dark].any()


def test_step_moves_against_the_gradient_and_leaves_the_old():
    parameters = random_parameters()
    before = [array.copy() for array in parameters]
    gradients = random_parameters(seed=9)
    after = reference.gradient_descent_step(parameters, gradients, 0.5)
    for old, kept, new, gradient in zip(before, parameters, after, gradients, strict=True):
        np.testing.assert_array_equal(kept, old)
        np.testing.assert_allclose(new, old - 0.5 * gradient)


def test_training_learns():
    images, labels = digits(20)
    losses = []

    def on_epoch(epoch, parameters):
        assert epoch == len(losses) + 1
        probabilities = reference.forward(parameters, images).probabilities
        losses.append(reference.cross_entropy(probabilities, labels))

    trained = reference.train(initialize_parameters(0, 16), images, labels, 60, 0.1, on_epoch)
    assert len(losses) == 60
    assert all(after < before for before, after in itertools.pairwise(losses))
    predictions = get_predictions(reference.forward(trained, images).probabilities)
    assert get_accuracy(predictions, labels) == 1


def test_one_epoch_is_one_step():
    images, labels = digits(6)
    start = random_parameters()
    step = reference.gradient_descent_step(start, reference.backward(start, images, labels), 0.1)
    for got, wanted in zip(reference.train(start, images, labels, 1, 0.1), step, strict=True):
        np.testing.assert_array_equal(got, wanted)
