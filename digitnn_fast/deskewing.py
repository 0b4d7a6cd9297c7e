"""The specification of the preprocessing "deskewed", in plain NumPy: upright digits in the middle of the image.

In integers throughout, none above 2**53, so that every language makes the same bytes of an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 28
MARGIN = 32  # no row slides further than 30 pixels


def deskew(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copies (n, 784) of images (n, 784): slant taken out, centre of mass moved to the middle; black stays black.

    With x = column - 14, y = row - 14 and the moments m_pq = sum of grey level * x**p * y**q, all shares in 1/256:
    the slant is the slope of the regression of x on y, at most 1; each row slides along by slant * (distance from the
    mean row), which takes it out, and by what brings the mean column to 13.5, bilinear; then rows move by whole
    pixels until the mean row is above 13 and at most 14. (Rows that are not mixed stay sharp, and on held-out rows
    that was no worse.) Slant as in LeCun, Bottou, Bengio and Haffner 1998, section III-A.
    """
    levels = images.reshape(-1, SIDE, SIDE).astype(np.int64)
    y, x = np.mgrid[:SIDE, :SIDE] - 14
    m00, m10, m01, m11, m02 = (np.sum(levels * weight, axis=(1, 2)) for weight in (1, x, y, x * y, y * y))
    mean_x, mean_y = divide(256 * m10, m00), divide(256 * m01, m00)
    slant = np.maximum(-256, np.minimum(256, divide(256 * (m00 * m11 - m10 * m01), m00 * m02 - m01 * m01)))

    source = np.arange(SIDE) + (mean_y[:, None] + 256 >> 8)  # (n, 28): the row that each row comes from
    slide = mean_x[:, None] + 128 + (slant[:, None] * (256 * (source - 14) - mean_y[:, None]) + 128 >> 8)
    padded = np.pad(levels, ((0, 0), (SIDE, SIDE), (MARGIN, MARGIN)))
    image, row = np.arange(len(levels))[:, None, None], source[:, :, None] + SIDE
    column = (slide >> 8)[:, :, None] + MARGIN + np.arange(SIDE)
    share = (slide & 255)[:, :, None]
    mixed = padded[image, row, column] * (256 - share) + padded[image, row, column + 1] * share
    return np.asarray((mixed + 128 >> 8).astype(np.uint8).reshape(-1, SIDE * SIDE))


def divide(numerators: NDArray[np.int64], denominators: NDArray[np.int64]) -> NDArray[np.int64]:
    """Quotients (n,), rounded to the nearest integer and halves up; 0 where the denominator is 0."""
    whole = np.maximum(denominators, 1)  # they are sums of squares: where one is 0, so is its numerator
    return np.asarray((2 * numerators + whole) // (2 * whole))
