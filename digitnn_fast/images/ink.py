"""Where the ink is: the colours of a picture -> how much of each pixel is covered by ink.

Polarity, light and shadow, threshold. In float64 and without random access to a library's filters, so that
`page/digits.js` can do the same in JavaScript, number for number.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Levels = NDArray[np.uint8]

CELLS = 64  # light and shadow are looked at on a grid of at most this many cells
WIDEST_STROKE = 1 / 3  # of the longer side: what is wider is shadow or table, not ink
FAINTEST = 0.06  # contrast 0..1 below which nothing counts as ink
NEAR = 10  # share of the longer side within which surroundings are
SKEWNESS = 2  # what it weighs against the picture's edge; measured on 4,000 pictures of bench/made_*.py
NOISE = 6.0  # ink must exceed the paper's noise by this factor
MOSTLY = 0.25  # median contrast above which the picture may be mostly ink, a digit that was cut out closely
COARSE = 64  # pixels of the longer side: in smaller pictures the edges of strokes are as wide as these
BINS = 256
NUMBERS = np.arange(BINS)  # of the bins
CENTRES = NUMBERS / (BINS - 1)


class Ink(NamedTuple):
    """Share of ink (h, w), 0..1; the contrast of full ink; the light that the picture reflects and that paper would."""

    share: Floats
    level: float
    light: Floats
    paper: Floats


def find_ink(levels: Levels) -> Ink | None:
    """The ink that is darker than the paper of a picture, by the light (h, w) that is `reflected`; None if none is.

    A share of 0.5 is the edge of a stroke. The paper's brightness is that of a morphological closing
    (dark strokes narrower than the window vanish, edges of shadows stay), and what counts is the share of the paper's
    light that is missing, as with ink in a shadow.
    """
    light, paper = levels.astype(np.float64), _paper(levels)
    contrast = 1 - light / np.maximum(paper, 1)
    level = _ink_level(contrast)
    return None if level is None else Ink(covered(contrast / level, light.shape), level, light, paper)


def covered(contrast: Floats, shape: tuple[int, ...]) -> Floats:
    """The share of ink, 0..1, by contrasts, 1 if full, in a picture of that shape: edges are sharper unless coarse."""
    return between(contrast if max(shape) <= COARSE else 2 * contrast - 0.5)


def between(values: Floats) -> Floats:
    """The values, at least 0 and at most 1: the same as np.clip in half the time for small arrays."""
    return np.minimum(np.maximum(values, 0), 1)


def reflected(colours: NDArray[np.uint8], dark: bool) -> Levels:
    """The light (h, w), 0 to 255, that a picture (h, w, 3) reflects, or of a dark picture that its negative would.

    The darkest channel, so that coloured ink is as good as black; of a dark picture the brightest, inverted.
    """
    red, green, blue = colours.transpose(2, 0, 1)  # .min(axis=2) would take thirty times as long
    light = np.minimum(np.minimum(red, green), blue) if dark else ~np.maximum(np.maximum(red, green), blue)
    return np.asarray(light)


def is_dark_on_light(colours: NDArray[np.uint8]) -> bool:
    """Whether the ink is probably darker than the paper of a picture (h, w, 3).

    Two signs, -1 to 1 each: the picture's edge shows paper, which the shadow of a hand may darken; and strokes are the
    minority in their surroundings, so that differences from the local mean are skewed to their side, which the edge
    of a shadow does not do, but a stroke that fills a close-up does. Square roots, so that ink in a shadow, which is
    fainter than the shadow's edge, counts for more.
    """
    grey = _cells(colours @ np.array([0.299, 0.587, 0.114]))
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    low, high = float(grey.min()), float(grey.max())
    paper = (2 * median(edge) - low - high) / max(1, high - low)
    roots = np.sqrt(grey)
    difference = roots - blur(roots, max(2, int(max(grey.shape) / NEAR + 0.5)))
    cubes = difference * difference * difference  # ** 3 would take ten times as long
    skewness = float(cubes.sum()) / max(1e-3, float(np.abs(cubes).sum()))
    return paper - SKEWNESS * skewness >= 0


def _paper(levels: Levels) -> Floats:
    """Brightness (h, w) of the paper under each pixel."""
    cells = _cells(levels)
    # 255 less a level as it is, which takes an eighth of a float's bytes, or less than nothing.
    inverted: Any = np.negative if cells.dtype.kind == "f" else np.invert
    reach = max(1, int(max(cells.shape) * WIDEST_STROKE / 2 + 0.5))
    closed = inverted(highest(inverted(highest(cells, reach)), reach))
    return _spread(blur(closed, 1), levels.shape)


def _ink_level(contrast: Floats) -> float | None:
    """The contrast of full ink, or None if there is none."""
    paper, middle, half = contrast, median(contrast), float(contrast.max()) / 2
    if middle > max(MOSTLY, half) and (contrast <= half).any():
        paper = contrast[contrast <= half]
        middle = median(paper)
    noise = 1.4826 * median(np.abs(paper - middle))  # the standard deviation, if it is normal
    above = contrast[contrast > max(FAINTEST, middle + NOISE * noise)]
    if not above.size:
        return None
    histogram = np.bincount((np.minimum(above, 1) * (BINS - 1) + 0.5).astype(np.int64), minlength=BINS)
    inked = histogram * (otsu(histogram) < NUMBERS)
    return float((inked * CENTRES).sum() / inked.sum())


def otsu(histogram: NDArray[np.int64]) -> int:
    """The last bin of the lower one of two classes whose means differ most: Otsu 1979; 0 if there is only one."""
    count, total = histogram.cumsum(), (histogram * CENTRES).cumsum()
    other = count[-1] - count
    gap = total / np.maximum(count, 1) - (total[-1] - total) / np.maximum(other, 1)
    return int((count * other * gap**2).argmax())


def _cells(values: NDArray[Any]) -> NDArray[Any]:
    """Means over square cells, at most CELLS along the longer side; the last ones may be cut off."""
    side = -(-max(values.shape) // CELLS)
    if side == 1:
        return values
    sums = np.add.reduceat(
        np.add.reduceat(values, range(0, values.shape[0], side), 0, np.float64), range(0, values.shape[1], side), 1
    )
    sizes = [np.diff([*range(0, length, side), length]) for length in values.shape]
    return np.asarray(sums / np.outer(*sizes))


def _spread(cells: Floats, shape: tuple[int, ...]) -> Floats:
    """The values of cells at every pixel of a picture of that shape, linear between the cells' centres."""
    side = -(-max(shape) // CELLS)
    if side == 1:
        return cells
    for axis, length in enumerate(shape):
        place = np.clip((np.arange(length) + 0.5) / side - 0.5, 0, cells.shape[axis] - 1)
        first = np.minimum(place.astype(np.int64), max(0, cells.shape[axis] - 2))
        share = np.expand_dims(place - first, 1 - axis)
        second = np.minimum(first + 1, cells.shape[axis] - 1)
        cells = cells.take(first, axis) * (1 - share) + cells.take(second, axis) * share
    return cells


def blur(values: NDArray[Any], reach: int) -> Floats:
    """Means over squares of 2 reach + 1 pixels; those cut off by the picture's edge are smaller."""
    for _ in range(2):
        length, window = len(values), 2 * reach + 1
        sums = np.empty((length + window, values.shape[1]))  # with reach more of the same before and behind
        sums[: reach + 1] = 0
        values.cumsum(axis=0, dtype=np.float64, out=sums[reach + 1 : reach + 1 + length])
        sums[reach + 1 + length :] = sums[reach + length]
        values = ((sums[window:] - sums[:length]) / _sizes(length, reach)).T
    return values


@lru_cache(maxsize=64)
def _sizes(length: int, reach: int) -> Floats:
    """How many (length, 1) of so many pixels in a row are within reach of each."""
    places = np.arange(length)
    sizes = np.minimum(places + reach + 1, length) - np.maximum(places - reach, 0)
    return np.asarray(sizes[:, None], np.float64)


def median(values: Floats) -> float:
    """The same as np.median of all values, in half the time for small arrays."""
    lower, upper = (values.size - 1) // 2, values.size // 2
    ordered = np.partition(values, (lower, upper), axis=None)
    return (float(ordered[lower]) + float(ordered[upper])) / 2


def highest(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """Maxima over squares of 2 reach + 1 pixels, by windows that double; integers must not be negative."""
    least = -np.inf if values.dtype.kind == "f" else 0
    for _ in range(2):
        windows, size = np.full((len(values) + 2 * reach, values.shape[1]), least, values.dtype), 1
        windows[reach : reach + len(values)] = values  # np.pad would take five times as long
        while size <= 2 * reach:
            step = min(size, 2 * reach + 1 - size)
            windows = np.maximum(windows[:-step], windows[step:])
            size += step
        values = windows.T
    return values
