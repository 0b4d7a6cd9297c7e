"""The specification of the random distortion that training images go through, in plain NumPy.

In integers throughout, so that every language makes the same bytes of an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.sizes import PIXELS, SIDE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CENTRE = 27 << 15  # 13.5, the middle between pixel 0 and pixel 27


def hash64(counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """64 random bits of each counter: splitmix64 (Steele, Lea and Flood 2014), modulo 2**64."""
    x = counters * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def distort(images: NDArray[np.uint8], key: int, limits: ArrayLike) -> NDArray[np.uint8]:
    """Copies (n, 784) of images (n, 784), each distorted by a random map of its own, drawn from key and index.

    limits (5,): the largest rotation (tangent), relative change of scale, shear, shift in pixels, and displacement
    of the points of `elastic_field`; here and below in 1/65536. The pixel at (column, row) shows what was at

        x = 13.5 + shift_x + xx * (column - 13.5) + xy * (row - 13.5) + field_x
        y = 13.5 + shift_y + yx * (column - 13.5) + yy * (row - 13.5) + field_y

    between four pixels, weighted in 1/256; 0 where one of the four lies outside the image.
    """
    rotation, scale, shear, shift, elastic = np.asarray(limits, np.int64).tolist()
    keys = hash64(np.uint64(key) + np.arange(len(images), dtype=np.uint64)) << np.uint64(6)

    def draw(number: int, limit: int) -> NDArray[np.int64]:
        """One uniform integer from -limit to limit for each image, as a column."""
        bits = (hash64(keys + np.uint64(number)) >> np.uint64(48)).astype(np.int64) - 2**15
        return (bits * limit >> 15)[:, None]

    yx = draw(0, rotation)
    xx, yy = 65536 + draw(1, scale), 65536 + draw(2, scale)
    xy = draw(3, shear) - yx
    row, column = np.divmod(np.arange(PIXELS), SIDE)
    field_x, field_y = elastic_field(keys, elastic)
    x = CENTRE + draw(4, shift) - ((xx + xy) * 27 >> 1) + xx * column + xy * row + field_x
    y = CENTRE + draw(5, shift) - ((yx + yy) * 27 >> 1) + yx * column + yy * row + field_y
    return sample(images, x, y)


def elastic_field(keys: NDArray[np.uint64], limit: int) -> NDArray[np.int64]:
    """Displacements (2, n, 784) along x and y: a smooth random field for each of n keys.

    The uniform cubic B-spline of a lattice of 7 by 7 random points, 7 pixels apart, uniform from -limit to limit. Its
    weights are rounded to 1/256, and its sums down. A variant of Simard, Steinkraus and Platt 2003, who smooth
    noise with a Gaussian; the field is as smooth as with their deviation of 4 pixels.
    """
    numbers_of_draws: NDArray[np.uint64] = np.arange(8, 33, dtype=np.uint64)
    words = hash64(np.asarray(keys[:, None] + numbers_of_draws))
    parts = words[:, :, None] >> np.array([0, 16, 32, 48], np.uint64) & np.uint64(2**16 - 1)
    numbers = parts.astype(np.int64).reshape(-1, 100)[:, : 2 * 49] - 2**15
    lattice = (numbers * limit >> 15).reshape(-1, 2, 7, 7)
    knot, t = np.arange(SIDE) // 7, np.arange(SIDE) % 7 / 7
    spline = np.zeros((7, SIDE), np.int64)
    for k, weight in enumerate(((1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)):
        spline[knot + k, np.arange(SIDE)] = np.rint(weight / 6 * 256)
    field = spline.T @ (lattice @ spline >> 8) >> 8
    return np.asarray(field.transpose(1, 0, 2, 3).reshape(2, -1, PIXELS))


def sample(images: NDArray[np.uint8], x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Grey levels (n, 784) of images (n, 784) at the points x, y (n, 784), bilinear; see `distort`."""
    left, top, right_share, lower_share = x >> 16, y >> 16, x >> 8 & 255, y >> 8 & 255
    inside = (left >= 0) & (left < SIDE - 1) & (top >= 0) & (top < SIDE - 1)
    first = np.where(inside, top * SIDE + left, 0)
    levels = images.astype(np.int64)

    def between(place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Between the pixel at a place and the one to the right of it, in 1/256 grey levels."""
        here, there = (np.take_along_axis(levels, place + offset, axis=1) for offset in (0, 1))
        return here * (256 - right_share) + there * right_share

    value = between(first) * (256 - lower_share) + between(first + SIDE) * lower_share
    return np.where(inside, value + 2**15 >> 16, 0).astype(np.uint8)
