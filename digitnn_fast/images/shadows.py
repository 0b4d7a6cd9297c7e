"""Edges of shadows that look like ink: ink is darker than the paper on both sides of it, they are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.ink import Ink, blur
from digitnn_fast.images.parts import Part

Floats = NDArray[np.float64]

EVEN = 0.05  # of the paper's light may be missing somewhere without any shadow
BESIDE = 1.5  # stroke widths from a pixel within which there must be paper on both sides
CLEARLY = 0.5  # of full ink's contrast, between a pixel and the paper on both sides
MOST = 0.6  # of a part's pixels must be so; of a digit's it is 0.87 at least


def is_shadow(ink: Ink, labels: NDArray[np.int64], part: Part) -> bool:
    """Whether a part is only where the paper becomes darker."""
    if ink.paper.min() >= (1 - EVEN) * ink.paper.max():
        return False
    reach = int(BESIDE * part.width) + 2
    (top, bottom, left, right), margin = part.box, reach + 2
    place = slice(max(0, top - margin), bottom + margin), slice(max(0, left - margin), right + margin)
    light = blur(ink.light[place], 1) if part.width >= 3 else ink.light[place]
    contrast = 1 - light / np.maximum(_beside(light, reach), 1)
    return bool((contrast[labels[place] == part.number] >= CLEARLY * ink.level).mean() < MOST)


def _beside(light: Floats, reach: int) -> Floats:
    """The light (h, w) of the darker one of two sides, at its brightest within reach: of four directions the best."""
    best = np.full(light.shape, -np.inf)
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one, other = (_brightest(light, sign * step[0], sign * step[1], reach) for sign in (1, -1))
        best = np.maximum(best, np.minimum(one, other))
    return best


def _brightest(light: Floats, down: int, right: int, reach: int) -> Floats:
    """Maxima over each pixel and the next `reach` in a direction, by windows that double."""
    size = 1
    while size <= reach:
        step = min(size, reach + 1 - size)
        shifted = np.full(light.shape, -np.inf)
        y, x = (_overlap(step * way, length) for way, length in ((down, light.shape[0]), (right, light.shape[1])))
        shifted[y[0], x[0]] = light[y[1], x[1]]
        light, size = np.maximum(light, shifted), size + step
    return light


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Where an axis that is shifted arrives, and where that comes from."""
    kept = max(0, length - abs(shift))
    ends = slice(0, kept), slice(length - kept, length)
    return ends if shift > 0 else ends[::-1]
