"""Distorted digits: the kernel and its twin in the reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_training import IMAGES, SMALL

from digitnn_fast.kernels import KERNELS
from digitnn_fast.reference import distortion

# The hash is meant to wrap: in plain Python NumPy warns of that.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in scalar:RuntimeWarning")


def distorted(images, key, limits):
    out = np.full((len(images) + 2, 784), 77, np.uint8)
    padded, field = np.full(1600, 77, np.uint8), np.full(512, 7777, np.int32)
    KERNELS["distortion.distort_all"](key, np.array(limits, np.int64), padded, field, images, out[1:-1])
    assert (out[[0, -1]] == 77).all(), "wrote outside its output"
    return out[1:-1]


def test_random_numbers_are_splitmix64():
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]  # its first three from state 0
    assert distortion.hash64(np.arange(1, 4, dtype=np.uint64)).tolist() == published


@given(
    key=st.integers(0, 2**63 - 1),
    limits=st.lists(st.integers(0, 2**17) | st.integers(0, 2**24), min_size=4, max_size=4),
    elastic=st.integers(0, 2**20),
    first=st.integers(0, 290),
)
def test_distortion_is_its_twin(key, limits, elastic, first):
    limits = [*limits, elastic]
    images = IMAGES[first : first + 10]
    np.testing.assert_array_equal(distorted(images, key, limits), distortion.distort(images, key, limits))


def test_the_elastic_field_is_smooth_and_as_strong_as_said():
    """Its root mean square is 0.28 of the limit, and neighbours move nearly alike."""
    keys = np.arange(3000, dtype=np.uint64) << np.uint64(6)
    field = distortion.elastic_field(keys, 3 << 16) / 65536
    assert field.shape == (2, 3000, 784)
    assert np.abs(field).max() < 3
    for axis in field:
        assert np.abs(axis.mean(axis=0)).max() < 0.1
        assert np.sqrt(np.mean(axis**2)) == pytest.approx(0.28 * 3, rel=0.03)
        squares = axis.reshape(-1, 28, 28)
        assert max(np.abs(np.diff(squares, axis=1)).max(), np.abs(np.diff(squares, axis=2)).max()) < 0.6
        far = np.corrcoef(squares[:, 0, 0], squares[:, 27, 27])[0, 1]
        near = np.corrcoef(squares[:, 13, 13], squares[:, 15, 15])[0, 1]
        assert abs(far) < 0.1 < 0.8 < near
    assert abs(np.corrcoef(field[0, :, 400], field[1, :, 400])[0, 1]) < 0.1


def test_distortion_of_no_image():
    assert distorted(IMAGES[:0], 1, [1, 2, 3, 4, 5]).shape == distortion.distort(IMAGES[:0], 1, [1, 2, 3, 4, 5]).shape


def test_zero_limits_change_nothing():
    """But in the last row and column, which have no neighbour to be mixed with."""
    inner = IMAGES.reshape(-1, 28, 28).copy()
    inner[:, -1] = inner[:, :, -1] = 0
    np.testing.assert_array_equal(distorted(inner.reshape(-1, 784), 5, [0] * 5), inner.reshape(-1, 784))


def test_distortion_depends_on_key_and_index_alone():
    limits = SMALL.distortion.limits()
    whole = distorted(IMAGES, 9, limits)
    assert (whole != IMAGES).any(axis=1).all()
    np.testing.assert_array_equal(distorted(IMAGES[:50], 9, limits), whole[:50])
    others = IMAGES.copy()
    others[::2] = 0
    np.testing.assert_array_equal(distorted(others, 9, limits)[1::2], whole[1::2])
    assert (distorted(IMAGES, 10, limits) != whole).any(axis=1).all()


def centres(images):
    """Centre of mass (n, 2) in pixels: row, column."""
    squares = images.reshape(-1, 28, 28).astype(float)
    rows, columns = squares.sum(axis=2), squares.sum(axis=1)
    return np.stack([rows @ np.arange(28) / rows.sum(axis=1), columns @ np.arange(28) / columns.sum(axis=1)], axis=1)


@pytest.mark.parametrize("shift", [0.5, 1, 3])
def test_shift_moves_the_centre_of_mass(shift):
    moved = centres(distorted(IMAGES, 3, [0, 0, 0, int(shift * 65536), 0])) - centres(IMAGES)
    assert np.abs(moved).max() < shift + 0.05  # rounding of grey levels
    assert moved.max(axis=0).min() > 0.9 * shift
    assert moved.min(axis=0).max() < -0.9 * shift
    assert np.abs(moved.mean(axis=0)).max() < 0.15 * shift


@pytest.mark.parametrize(("number", "name"), [(0, "rotation"), (1, "scale"), (2, "shear")])
def test_the_other_limits_leave_the_centre_where_it_is(number, name):
    """A disc in the middle keeps its centre, and a rotated one its size."""
    row, column = np.mgrid[:28, :28] - 13.5
    disc = np.where(np.hypot(row, column) < 7, 200, 0).astype(np.uint8).reshape(1, 784).repeat(100, axis=0)
    limits = [0] * 5
    limits[number] = 6554
    images = distorted(disc, 3, limits)
    assert np.abs(centres(images) - 13.5).max() < 0.05
    ink = images.sum(axis=1) / disc.sum(axis=1)
    assert np.ptp(ink) > 0.1 if name == "scale" else np.abs(ink - 1).max() < 0.02
