"""The classic functions, where the usual tutorial versions go wrong too."""

import math

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitnn_fast import utils

finite = st.floats(-1e4, 1e4)


def test_one_hot_has_ten_columns_whatever_labels_occur():
    expected = [[0, 0, 1, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(utils.one_hot_encode([2, 0]), expected)
    np.testing.assert_array_equal(utils.one_hot_encode(np.uint8([1, 0]), classes=2), [[0, 1], [1, 0]])
    assert utils.one_hot_encode([]).shape == (0, 10)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3, 10], "labels must be 0 to 9, got 10 at index 1"),
        ([-1], "labels must be 0 to 9, got -1 at index 0"),
        ([1.5], "labels must be integers, got float64"),
        ([math.nan], "labels must be integers, got float64"),
        (["3"], "labels must be integers, got <U1"),
        ([True], "labels must be integers, got bool"),
        ([[1], [2]], r"labels must be one-dimensional, got shape \(2, 1\)"),
    ],
)
def test_one_hot_refuses(labels, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        utils.one_hot_encode(labels)


@given(st.lists(finite))
def test_relu_is_the_naive_one(values):
    np.testing.assert_array_equal(utils.relu(np.array(values)), [naive.relu(z) for z in values])


def test_relu_keeps_dtype_and_nan():
    assert utils.relu(np.float32([-1, 2])).dtype == np.float32
    assert np.isnan(utils.relu(np.array([np.nan]))).all()


def test_relu_derivative_is_zero_at_zero_and_keeps_nan():
    z = np.float32([-2, -0.0, 0, 1e-30, 3, np.nan])
    slopes = utils.relu_derivative(z)
    np.testing.assert_array_equal(slopes, [0, 0, 0, 1, 1, np.nan])
    assert slopes.dtype == np.float32


@given(st.lists(st.lists(finite, min_size=10, max_size=10), min_size=1, max_size=5))
def test_softmax_is_the_naive_one(rows):
    expected = [naive.softmax(row) for row in rows]
    np.testing.assert_allclose(utils.softmax(np.array(rows)), expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("shift", [-1e4, 0, 1e4])
def test_softmax_is_stable_per_image(shift):
    # Shifted by the maximum of the batch instead of the row's, the second row would be 0 / 0.
    rows = np.array([[1e4, 1e4 - math.log(3)], [0, 0]]) + shift
    np.testing.assert_allclose(utils.softmax(rows), [[0.75, 0.25], [0.5, 0.5]], rtol=1e-9)


def test_softmax_of_other_dtypes_and_shapes():
    assert utils.softmax(np.zeros((0, 10))).shape == (0, 10)
    assert utils.softmax(np.zeros((2, 10), np.float32)).dtype == np.float32
    np.testing.assert_allclose(utils.softmax(np.uint8([0, 1])), naive.softmax([0, 1]), rtol=1e-6)
    assert np.isnan(utils.softmax([np.nan, 0])).all()


def test_predictions_take_the_lowest_digit_of_a_tie():
    np.testing.assert_array_equal(utils.get_predictions([[0.1, 0.4, 0.4, 0.1], [0.25] * 4]), [1, 0])
    assert utils.get_predictions(np.zeros((0, 10))).shape == (0,)


def test_accuracy():
    assert utils.get_accuracy([1, 2, 3, 4], np.uint8([1, 2, 3, 5])) == 0.75
    assert math.isnan(utils.get_accuracy([], []))
    with pytest.raises(ValueError, match=r"differ in shape: \(2,\) and \(2, 1\)"):  # would broadcast
        utils.get_accuracy([1, 2], [[1], [2]])


@pytest.mark.parametrize("hidden", [1, 64, 100])
def test_initial_parameters(hidden):
    parameters = utils.initialize_parameters(3, hidden)
    shapes = [array.shape for array in parameters]
    assert shapes == [(784, hidden), (hidden,), (hidden, 10), (10,)]
    assert {array.dtype for array in parameters} == {np.dtype(np.float32)}
    assert not parameters.b1.any() and not parameters.b2.any()
    for array, again in zip(parameters, utils.initialize_parameters(3, hidden), strict=True):
        np.testing.assert_array_equal(array, again)
    assert (parameters.W1 != utils.initialize_parameters(4, hidden).W1).any()


def test_initial_scale():
    W1, _, W2, _ = utils.initialize_parameters(0, 1000)
    assert W1.std() == pytest.approx(math.sqrt(utils.GAIN / 784), rel=0.01)
    assert W2.std() == pytest.approx(math.sqrt(utils.GAIN / 1000), rel=0.03)
    assert abs(W1.mean()) < 1e-3


@pytest.mark.parametrize(("seed", "hidden"), [(0, 0), (0, 65_537), (-1, 64)])
def test_initial_parameters_refuse(seed, hidden):
    with pytest.raises(ValueError, match=r"hidden must be 1 to 65,536, got|non-negative"):
        utils.initialize_parameters(seed, hidden)
