"""The forward pass against the float64 reference and the naive loops, and its promise of the same bits."""

import naive
import numpy as np
import pytest
from corners import DIGITS, IMAGES, RANDOM, SPARSE, SPECIAL, WIDTHS, make
from hypothesis import given, settings
from hypothesis import strategies as st

from digitnn_fast import Network, Predictor, reference, utils
from digitnn_fast.engines import ENGINES
from digitnn_fast.kernels import KERNELS

pytestmark = pytest.mark.filterwarnings("ignore::digitnn_fast.levels.LevelsWarning")  # corner cases are odd images
# The same 60 images, as memory can hold them.
ROWS = np.concatenate([DIGITS[:30], SPARSE[:30]])
LAYOUTS = {
    "every other row": np.repeat(ROWS, 2, axis=0)[::2],
    "behind a label": np.insert(ROWS, 0, 7, axis=1)[:, 1:],
    "backwards": np.ascontiguousarray(ROWS[::-1, ::-1])[::-1, ::-1],
    "Fortran": np.asfortranarray(ROWS),
    "transposed": np.ascontiguousarray(ROWS.reshape(60, 28, 28).transpose(2, 1, 0)).transpose(2, 1, 0),
    "read-only": np.frombuffer(ROWS.tobytes(), np.uint8).reshape(60, 784),
    "at an odd address": np.frombuffer(b"." + ROWS.tobytes(), np.uint8)[1:].reshape(60, 784),
}


def check(network, images, threads=2):
    """Probabilities and labels of `images` are those of the reference."""
    predictor = Predictor(network, threads=threads)
    probabilities, labels = predictor.predict_proba(images), predictor.predict(images)
    expected = reference.forward(network.parameters, np.reshape(images, (-1, 784))).probabilities
    assert (probabilities.shape, probabilities.dtype) == (expected.shape, np.float32)
    assert (labels.shape, labels.dtype) == (expected.shape[:1], np.uint8)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-5)
    # Labels through values: where two digits are equally probable but for rounding, either is right.
    rows = np.arange(len(labels))
    assert (expected[rows, labels] >= expected.max(axis=1, initial=0) - 1e-5).all()
    assert (probabilities[rows, labels] == probabilities.max(axis=1, initial=0)).all()
    assert (labels != expected.argmax(axis=1)).sum() <= len(labels) / 1000


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_agrees_with_the_reference(images):
    check(make(), images)


@pytest.mark.parametrize("hidden", WIDTHS)
def test_any_width_agrees_with_the_reference(hidden):
    check(make(hidden), SPECIAL, threads=1)


@pytest.mark.parametrize("images", LAYOUTS.values(), ids=LAYOUTS)
def test_any_layout_agrees_with_the_reference(images):
    check(make(), images)
    np.testing.assert_array_equal(Predictor(make()).predict_proba(images), Predictor(make()).predict_proba(ROWS))


@pytest.mark.parametrize("network", [make(1), make(64), make(100), make(1).fixed_point(), make(100).fixed_point()])
def test_agrees_with_the_naive_loops(network):
    images = np.concatenate([DIGITS[:2], SPARSE[:1], SPECIAL[-2:]])
    predictor = Predictor(network, threads=1)
    probabilities, labels = predictor.predict_proba(images), predictor.predict(images)
    for pixels, got, label in zip(images.tolist(), probabilities, labels, strict=True):
        wanted = naive.forward(*(array.tolist() for array in network.parameters), pixels)[2]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
        assert wanted[label] >= wanted[naive.predict(wanted)] - 1e-5


@pytest.mark.parametrize("gain", [1e3, 1e4, 1e8])
def test_logits_far_apart(gain):
    """Differences of thousands: exp must neither overflow nor become 0 / 0, and the winner takes all."""
    network = make(gain=gain)
    logits = np.sort(reference.forward(network.parameters, DIGITS[:300]).logits, axis=1)
    apart = logits[:, -1] - logits[:, -2] > 100 + 1e-5 * np.abs(logits).max()  # more than rounding can bridge
    assert apart.sum() > 150
    probabilities = Predictor(network).predict_proba(DIGITS[:300])
    assert np.isfinite(probabilities).all()
    assert (probabilities.max(axis=1)[apart] == 1).all()
    assert np.sort(probabilities[apart], axis=1)[:, :-1].max() < 1e-37  # e**-87, where the kernel's exp stays
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    check(network, DIGITS[:300][apart])


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("tied", [(0, 1), (3, 7), (8, 9), (2, 5, 9), tuple(range(10)), (0, 9)])
def test_the_lowest_digit_of_a_tie(tied, precision):
    b2 = np.full(10, -1, np.float32)
    b2[list(tied)] = 2.5
    network = Network(np.zeros((784, 3), np.float32), np.zeros(3, np.float32), np.zeros((3, 10), np.float32), b2)
    predictor = Predictor(network, precision=precision)
    assert set(predictor.predict(DIGITS[:9]).tolist()) == {tied[0]}
    assert predictor.predict(DIGITS[0]) == tied[0]
    probabilities = predictor.predict_proba(DIGITS[:1])[0]
    assert len(set(probabilities[list(tied)].tolist())) == 1


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("hidden", [10, 64, 100])
def test_same_bits_for_any_number_of_threads(hidden, precision):
    images = DIGITS[:3001]
    alone = Predictor(make(hidden), threads=1, precision=precision)
    for threads in (2, 3, 5):
        shared = Predictor(make(hidden), threads=threads, precision=precision)
        assert shared.predict(images).tobytes() == alone.predict(images).tobytes()
        assert shared.predict_proba(images).tobytes() == alone.predict_proba(images).tobytes()


@pytest.mark.parametrize("precision", ENGINES)
@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 700), max_size=12), threads=st.integers(1, 3))
def test_same_bits_for_any_way_of_cutting_the_batch(precision, cuts, threads):
    images = DIGITS[:700]
    predictor = Predictor(make(100), threads=threads, precision=precision)
    pieces = np.split(images, sorted(cuts))
    labels = np.concatenate([predictor.predict(piece) for piece in pieces])
    probabilities = np.concatenate([predictor.predict_proba(piece) for piece in pieces])
    assert labels.tobytes() == predictor.predict(images).tobytes()
    assert probabilities.tobytes() == predictor.predict_proba(images).tobytes()


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("hidden", [10, 100])
def test_same_bits_alone_and_in_a_batch(hidden, precision):
    images = SPECIAL[::17]
    images = images[images.max(axis=1) != 1]  # alone, they would be refused
    predictor = Predictor(make(hidden), precision=precision)
    labels, probabilities = predictor.predict(images), predictor.predict_proba(images)
    for image, label, row in zip(images, labels, probabilities, strict=True):
        assert predictor.predict(image) == label
        assert predictor.predict_proba(image).tobytes() == row.tobytes()


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_relu_kernel(size):
    values = np.resize(np.float32([-1, 2, np.nan, -np.inf, np.inf, -0.0, 0, -1e-45, 1e-45, -3e38]), size)
    guarded = np.full(size + 2, np.nan, np.float32)
    KERNELS["inference.relu"](values, guarded[1:-1])
    np.testing.assert_array_equal(guarded[1:-1], utils.relu(values))
    assert np.isnan(guarded[[0, -1]]).all(), "wrote outside its output"


def softmax(logits):
    guarded = np.full((len(logits) + 2, 10), np.nan, np.float32)
    KERNELS["inference.softmax"](logits, guarded[1:-1])
    assert np.isnan(guarded[[0, -1]]).all(), "wrote outside its output"
    return guarded[1:-1]


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=10, max_size=10), max_size=5))
def test_softmax_kernel(rows):
    logits = np.array(rows, np.float32).reshape(-1, 10)
    got = softmax(logits)
    assert np.isfinite(got).all()
    # 1e-6: exp is right to 2 units in the last place, and ten of them are added and divided by.
    np.testing.assert_allclose(got, utils.softmax(logits.astype(np.float64)), rtol=0, atol=1e-6)
    for row, wanted in zip(got, rows, strict=True):
        np.testing.assert_allclose(row, naive.softmax(wanted), rtol=0, atol=1e-6)


def test_exp_is_as_exact_as_it_says():
    """Of logits 0 and x the probabilities stand as 1 to e**x: two units in the last place, and a rounding of either."""
    x = -np.concatenate([RANDOM.uniform(0, 87, 100_000), np.arange(0, 87, 0.5), [1e-30, 1e-6]]).astype(np.float32)
    logits = np.full((len(x), 10), -np.inf, np.float32)
    logits[:, 0], logits[:, 1] = 0, x
    got = softmax(logits).astype(np.float64)
    floor = np.exp(-87.0)
    wanted = np.exp(x.astype(np.float64))
    assert np.abs(got[:, 1] / got[:, 0] / wanted - 1).max() < 3 * 2.0**-23
    np.testing.assert_allclose(got[:, 2], floor * got[:, 0], rtol=1e-6)  # where it stays below -87


@pytest.mark.parametrize("place", [0, 4, 9])
def test_softmax_kernel_shows_nan_and_infinity(place):
    logits = np.zeros((3, 10), np.float32)
    logits[:, place] = np.nan, np.inf, -np.inf
    got = softmax(logits)
    assert np.isnan(got[:2]).all()
    np.testing.assert_allclose(got[2], np.where(np.arange(10) == place, 0, 1 / 9), rtol=1e-6, atol=1e-37)
