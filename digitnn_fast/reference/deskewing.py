"""The specification of the preprocessing "deskewed", in plain NumPy: upright digits in the middle of the image.

In integers of 32 bits throughout, so that every language makes the same bytes of an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.sizes import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 32  # no row slides further than 30 pixels


def deskew(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copies (n, 784) of images (n, 784): slant taken out, centre of mass moved to the middle; black stays black.

    With x = column - 14, y = row - 14 and the moments m_pq = sum of grey level * x**p * y**q, all shares in 1/256:
    the slant is the slope of the regression of x on y, at most 1; each row slides along by slant * (distance from the
    mean row), which takes it out, and by what brings the mean column to 13.5, bilinear; then rows move by whole
    pixels until the mean row is above 13 and at most 14. (Rows that are not mixed stay sharp, and on held-out rows
    that was no worse.) Slant as in LeCun, Bottou, Bengio and Haffner 1998, section III-A.
    The moments are those of levels >> 3. Both products are of moments around the pixel (near_x, near_y) nearest to the
    mean: so they are the same wherever the digit stands.

    Nothing exceeds 32 bits. A level >> 3 is at most 31, so m00 is at most 24,304 and 256 times a first moment 8.8e7.
    The sum of squares around the mean is at most that around the middle, 31 * 28 * 1,827 = 1.6e6, of which the pixel
    nearest to the mean adds a quarter of m00; a covariance is no larger (Cauchy and Schwarz). Times 256, and doubled to
    round a quotient, that is 8.2e8.
    """
    levels = images.reshape(-1, SIDE, SIDE).astype(np.int32)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.int32) - 14
    weights = np.stack([np.ones_like(x), x, y, x * y, y * y])
    m00, m10, m01, m11, m02 = np.einsum("nij,wij->wn", levels >> 3, weights)
    mean_x, mean_y = divide(256 * m10, m00), divide(256 * m01, m00)
    near_x, near_y = mean_x + 128 >> 8, mean_y + 128 >> 8
    rest_x, rest_y = m10 - near_x * m00, m01 - near_y * m00  # first moments around that pixel
    across = m11 - near_y * m10 - near_x * rest_y
    down = m02 - near_y * (m01 + rest_y)
    low = mean_y - 256 * near_y  # -128 to 127
    slant = divide(256 * across - rest_x * low, 256 * down - rest_y * low >> 8)
    slant = np.maximum(-256, np.minimum(256, slant))

    source = np.arange(SIDE, dtype=np.int32) + (mean_y[:, None] + 256 >> 8)  # (n, 28): the row that each comes from
    lean = np.asarray(slant[:, None] * (256 * (source - 14) - mean_y[:, None]), np.int32)
    slide = mean_x[:, None] + 128 + (lean + 128 >> 8)
    padded = np.pad(levels, ((0, 0), (SIDE, SIDE), (MARGIN, MARGIN)))
    image, row = np.arange(len(levels))[:, None, None], source[:, :, None] + SIDE
    column = (slide >> 8)[:, :, None] + MARGIN + np.arange(SIDE)
    share = (slide & 255)[:, :, None]
    mixed = padded[image, row, column] * (256 - share) + padded[image, row, column + 1] * share
    return np.asarray((mixed + 128 >> 8).astype(np.uint8).reshape(-1, SIDE * SIDE))


def divide(numerators: NDArray[np.int32], denominators: NDArray[np.int32]) -> NDArray[np.int32]:
    """Quotients (n,), rounded to the nearest integer and halves up; 0 where the denominator, never negative, is 0."""
    whole = np.maximum(denominators, 1)
    return np.asarray(np.where(denominators > 0, (2 * numerators + whole) // (2 * whole), 0), np.int32)
