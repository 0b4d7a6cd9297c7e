"""What deskewing does to digits; what holds of every preprocessing is in test_preprocessings.py."""

import numpy as np

from digitnn_fast.preprocessing import prepare
from digitnn_fast.sample import load_sample

IMAGES = load_sample().test_images


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
