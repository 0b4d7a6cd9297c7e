"""The arithmetic of deskewing and directions stays within 32, 16 and 20 bits, whatever the image."""

import naive
import numpy as np
import pytest

from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.reference import deskewing, directions
from digitnn_fast.sizes import SIDE

Y, X = np.mgrid[:SIDE, :SIDE]
EXTREMES = {
    "white": np.full((SIDE, SIDE), 255),
    "checkerboard": (X + Y) % 2 * 255,
    "coarse checkerboard": (X // 4 + Y // 4) % 2 * 255,
    "stripes": X % 2 * 255,
    "wide stripes": Y // 7 % 2 * 255,
    "diagonal": (X >= Y) * 255,
    "other diagonal": (X + Y >= SIDE - 1) * 255,
    "two corners": ((X + Y < 14) | (X + Y > 40)) * 255,
    "border": ((X % 27 == 0) | (Y % 27 == 0)) * 255,
    "last pixel": (X + Y == 54) * 255,
    "faint": np.full((SIDE, SIDE), 7),
    "digit in a corner": ((X < 6) & (Y < 9) & ((X == 0) | (Y == 8) | (X == 5))) * 255,
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_images_are_what_unbounded_integers_say(name):
    image = EXTREMES[name].astype(np.uint8).reshape(1, -1)
    assert deskewing.deskew(image)[0].tolist() == naive.deskew(image[0].tolist())
    assert directions.describe(image)[0].tolist() == naive.describe(image[0].tolist())


@pytest.mark.parametrize(("cells", "bits"), [(directions.FINE, 20), (directions.COARSE, 21), (directions.COARSER, 22)])
def test_no_gradient_leaves_its_bits(cells, bits):
    """All pairs of components, although Sobel's never are both that large."""
    x, y = np.meshgrid(np.arange(-255, 256), np.arange(-255, 256))
    cross = [ux * y - uy * x for ux, uy in zip(*cells.units(), strict=True)]
    assert max(np.abs(one).max() for one in cross) <= 5_610 < 2**15
    parts = [np.minimum(cross[k - 1], -cross[(k + 1) % cells.directions]).max() for k in range(cells.directions)]
    row, column = (window.sum(axis=1).max() for window in cells.windows())
    assert row * column * max(parts) < 2**bits


def test_rows_of_parts_leave_16_bits_to_their_sum():
    """As the compiled kernel needs it: Sobel's components are not both that large."""
    corners = (np.arange(512)[:, None] >> np.arange(9) & 1).reshape(-1, 3, 3) * 255
    sobel = np.outer([1, 2, 1], [-1, 0, 1])
    both = [np.abs((corners * weights).sum((1, 2)) + 2 >> 2) for weights in (sobel, sobel.T)]
    assert max(both[0] + both[1]) == 383
    x, y = np.meshgrid(np.arange(256), np.arange(256))
    x, y = x[x + y <= 383], y[x + y <= 383]
    cells = directions.FINE
    cross = [ux * y - uy * x for ux, uy in zip(*cells.units(), strict=True)]
    parts = [np.minimum(cross[k - 1], -cross[(k + 1) % 16]).max() for k in range(16)]
    assert cells.windows()[0].sum(axis=1).max() * max(parts) < 2**15
    assert max(16 * 255, max(parts) * 5) < 2**15


def test_no_moment_leaves_its_bits():
    levels = np.full((SIDE, SIDE), 255 >> 3)
    around = (levels * (Y - 13.5) ** 2).sum() + levels.sum() / 4
    assert 2 * 256 * around + around < 2**31
    assert 2 * 256 * (levels * 14).sum() + levels.sum() < 2**31


def test_a_digit_is_prepared_alike_wherever_it_stands():
    """Deskewing centres it, so that no cell of the finer grid misses anything."""
    from digitnn_fast.sample import load_sample

    digits = load_sample().test_images[:300].reshape(-1, SIDE, SIDE)
    fits = [digit for digit in digits if not (digit[:, :4].any() or digit[:, -4:].any() or digit[:4].any())]
    assert len(fits) > 100
    seen = PREPROCESSINGS["directions"].reference
    wanted = seen(np.stack(fits).reshape(-1, SIDE**2))
    for down, right in ((-4, -4), (-4, 4), (0, 3), (-2, 0)):
        moved = np.roll(np.stack(fits), (down, right), axis=(1, 2)).reshape(-1, SIDE**2)
        np.testing.assert_array_equal(seen(moved), wanted)
