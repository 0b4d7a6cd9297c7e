"""W1 in fixed point: what rounding does, which networks have it, and sums that are exact."""

import numpy as np
import pytest
from corners import DIGITS, EXTREMES, IMAGES, SPECIAL, WIDTHS, make
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from digitnn_fast import Network, Predictor, reference
from digitnn_fast.bundled import MODELS
from digitnn_fast.engines import Fixed, Float32, engine_for, kernels_for
from digitnn_fast.reference.fixed_point import BITS, exponents_of, fixed_point, in_steps

pytestmark = pytest.mark.filterwarnings("ignore::digitnn_fast.levels.LevelsWarning")  # corner cases are odd images
WHITE = np.full((1, 784), 255, np.uint8)


def fixed(hidden=64, gain=1.0):
    """A random network in fixed point."""
    network = make(hidden, gain).fixed_point()
    assert network.exponents is not None
    return network


def check(network, images, threads=2):
    """Probabilities and labels are those of the reference, ten times as near as in float32."""
    predictor = Predictor(network, threads=threads)
    probabilities, labels = predictor.predict_proba(images), predictor.predict(images)
    wanted = reference.forward(network.parameters, images).probabilities
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities, wanted, rtol=0, atol=1e-6)
    assert (wanted[np.arange(len(labels)), labels] >= wanted.max(axis=1, initial=0) - 1e-6).all()


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_agrees_with_the_reference(images):
    check(fixed(), images)


@pytest.mark.parametrize("hidden", WIDTHS)
def test_any_width_agrees_with_the_reference(hidden):
    check(fixed(hidden), SPECIAL, threads=1)


def test_the_same_bits_for_any_threads_and_any_cut():
    network, images = fixed(100), DIGITS[:3001]
    whole = Predictor(network, threads=1).predict_proba(images)
    for threads in (2, 3, 5):
        assert Predictor(network, threads=threads).predict_proba(images).tobytes() == whole.tobytes()
    predictor = Predictor(network, threads=1)
    pieces = [predictor.predict_proba(piece) for piece in np.split(images, [1, 5, 130, 131, 700, 2999])]
    assert np.concatenate(pieces).tobytes() == whole.tobytes()


def test_the_largest_sums_there_can_be_are_exact():
    """All weights as large as they may be, and a white image: each sum is one below 2**31, or is minus that."""
    W1 = np.ones((784, 4), np.float32) * np.float32([1, -1, 0.75, 1e-3])
    W2 = np.eye(4, 10, dtype=np.float32) * np.float32(0.001)
    network = Network(W1, np.zeros(4, np.float32), W2, np.zeros(10, np.float32)).fixed_point()
    sums = WHITE.astype(object) @ in_steps(network.W1, network.exponents).astype(int).astype(object)
    assert 2**29 < abs(sums).min() <= abs(sums).max() < 2**31
    check(network, WHITE)


@pytest.mark.parametrize("parameters", EXTREMES.values(), ids=EXTREMES)
def test_weights_far_apart(parameters):
    network = Network(*(np.asarray(array, np.float32) for array in parameters)).fixed_point()
    images = np.concatenate([WHITE, np.zeros_like(WHITE), DIGITS[:20]])
    wanted = reference.forward(network.parameters, images)
    got = Predictor(network).predict_proba(images)
    sure = np.sort(wanted.logits, axis=1)
    apart = sure[:, -1] - sure[:, -2] > 1e-5 * np.abs(wanted.logits).max(axis=1)
    np.testing.assert_array_equal(got.argmax(axis=1)[apart], wanted.logits.argmax(axis=1)[apart])


def test_which_networks_have_it():
    """Those of the package; others keep every bit of their weights, and the kernel for these."""
    plain = make()
    assert plain.exponents is None
    assert isinstance(engine_for(plain, "float32"), Float32)
    assert isinstance(engine_for(plain.fixed_point(), "float32"), Fixed)
    assert isinstance(engine_for(plain.rounded(), "float32"), Fixed)
    assert "fixed.forward" in kernels_for(plain.fixed_point(), "float32")
    assert "inference.forward" in kernels_for(plain, "float32")
    for model in MODELS.values():
        assert Network.load(model.file).exponents is not None


def test_float16_loses_no_more_by_it(tmp_path):
    """What is written as float16 is in fixed point when it is read."""
    network = make(100).rounded()
    network.save(tmp_path / "model.npz")
    assert np.load(tmp_path / "model.npz")["W1"].dtype == np.float16
    again = Network.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.W1, network.W1)
    assert again.exponents is not None


NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32) | st.floats(-2, 2, width=32) | st.just(0.0)


@given(arrays(np.float32, (784, 3), elements=NUMBERS, fill=NUMBERS))
@example(np.full((784, 3), np.float32(1 - 2**-17)))  # all but one: rounds up to a power of two
@example(np.eye(784, 3, dtype=np.float32) * np.float32(1 - 2**-17))
@example(np.full((784, 3), np.float32(1e-40)))
@example(np.zeros((784, 3), np.float32))
def test_rounding(W1):
    rounded = fixed_point(W1)
    exponents = exponents_of(rounded)
    assert exponents is not None, "what was rounded must be found to be"
    np.testing.assert_array_equal(fixed_point(rounded), rounded)
    whole = in_steps(rounded, exponents).astype(np.int64)
    assert np.abs(whole).max() < 2**15
    assert 255 * np.abs(whole).sum(axis=0).max() < 2**31
    np.testing.assert_array_equal(np.ldexp(whole.astype(np.float64), exponents - BITS), rounded)
    # Half of the smallest step that 784 weights of that size leave room for, which takes up to two bits.
    largest = np.abs(W1).max(axis=0).astype(np.float64)
    assert (np.abs(rounded.astype(np.float64) - W1).max(axis=0) <= np.maximum(largest * 2.0**-13, 2.0**-113)).all()
