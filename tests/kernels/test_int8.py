"""The integer forward pass: the quantised network's limits, and the same integers as its specification."""

import numpy as np
import pytest
from corners import DIGITS, EXTREMES, IMAGES, WIDTHS, make

from digitnn_fast import Network, Predictor, reference
from digitnn_fast.engines import Int8
from digitnn_fast.preprocessing import prepare
from digitnn_fast.reference.quantization import quantize

pytestmark = pytest.mark.filterwarnings("ignore:images. most pixels are ink")  # white images are a corner case


def kernel_logits(parameters, images):
    """Labels and logits of the kernel."""
    labels, logits = np.full(len(images), 99, np.uint8), np.full((len(images), 10), -99, np.int32)
    call = Int8(parameters).call(out=logits)
    call(np.zeros(1, np.int64), images, labels, np.empty((0, 10), np.float32))
    return labels, logits


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_the_same_integers_as_the_specification(images):
    parameters = make().parameters
    wanted = reference.forward_int8(quantize(parameters), images)
    labels, logits = kernel_logits(parameters, images)
    np.testing.assert_array_equal(logits, wanted)
    np.testing.assert_array_equal(labels, wanted.argmax(axis=1))


@pytest.mark.parametrize("hidden", WIDTHS)
def test_the_same_integers_at_any_width(hidden):
    parameters = make(hidden).parameters
    wanted = reference.forward_int8(quantize(parameters), DIGITS[:200])
    np.testing.assert_array_equal(kernel_logits(parameters, DIGITS[:200])[1], wanted)


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_probabilities_are_the_softmax_of_the_scaled_logits(images):
    network = make()
    quantized = quantize(network.parameters)
    logits = reference.forward_int8(quantized, images) * quantized.scale
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    wanted = powers / powers.sum(axis=1, keepdims=True)
    got = Predictor(network, precision="int8").predict_proba(images)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def test_labels_are_those_of_the_float_network_on_digits():
    network = Predictor.load().network
    seen = prepare(DIGITS, network.preprocessing)
    wanted = reference.forward(network.parameters, seen).probabilities
    labels = Predictor(network, precision="int8").predict(DIGITS)
    wrong = labels != wanted.argmax(axis=1)
    assert wrong.mean() < 0.002
    rows = np.flatnonzero(wrong)
    assert (wanted[rows, labels[rows]] > 0.3).all(), "only near ties may change"


@pytest.mark.parametrize("parameters", EXTREMES.values(), ids=EXTREMES)
def test_no_sum_leaves_its_integers(parameters):
    network = Network(*(np.asarray(array, np.float32) for array in parameters))
    quantized = quantize(network.parameters)
    images = np.concatenate([np.full((1, 784), 255, np.uint8), np.zeros((1, 784), np.uint8), DIGITS[:20]])
    W1, b1, W2, b2, shift, _ = (np.asarray(part, object) for part in quantized)  # Python's integers have no limit
    sums = images.astype(object) @ W1 + b1
    hidden = np.maximum(sums, 0) // 2 ** int(shift)
    logits = hidden @ W2 + b2
    assert abs(sums).max() < 2**31
    assert abs(logits).max() < 2**31
    assert hidden.max() < 2**15
    np.testing.assert_array_equal(reference.forward_int8(quantized, images), logits.astype(np.int64))
    np.testing.assert_array_equal(kernel_logits(network.parameters, images)[1], logits.astype(np.int64))
