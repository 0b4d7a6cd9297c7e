"""Digits of a number that touch each other: cut apart along paths from top to bottom that cross little ink."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.fit import TINY, fit

Floats = NDArray[np.float64]
Judge = Callable[[NDArray[np.uint8]], NDArray[np.floating]]

WIDE = 0.8, 0.9  # the width by the height: what is wider may be more than one digit, or is as likely more
ENDS, STEP = 0.2, 0.08  # of the height: how wide a digit is at least, and from place to place where one may end
STEPS = 24  # at most; the page would stand still too long
AROUND = 0.1  # of the height, on both sides of that, in which the path is looked for
SLIGHT = 0.02  # ink that a height of distance from there costs: in the middle of a gap rather than at its side
SURER = 0.001  # how much less probable than one digit two may be, for each height that they are wider than that
ALIKE = 0.65  # of the ink's height that both digits have at least
MOST = 6  # digits that touch each other


class Piece(NamedTuple):
    """A digit: its first row and column in the ink that it was cut out of, and its own ink."""

    top: int
    left: int
    ink: Floats


def apart(ink: Floats, judge: Judge, most: int = MOST) -> list[Piece]:
    """The digits in ink (h, w), 0..1, from left to right.

    `judge` gives probabilities (n, 10) of pixels (n, 784): of all ways to cut the ink in two, the most probable.
    """
    height, width = ink.shape
    whole = [Piece(0, 0, ink)]
    if width <= WIDE[0] * height or most < 2:
        return whole
    room = width - 2 * ENDS * height
    step = max(STEP * height, room / STEPS)
    places = [ENDS * height + place * step for place in range(int(room / step + TINY) + 1)]
    ways = [way for place in places if (way := _cut_in_two(ink, _path(ink, place)))]
    if not ways:
        return whole
    pixels = np.stack([fit(piece.ink).reshape(-1) for way in [*ways, whole] for piece in way])
    sure = np.asarray(judge(pixels), np.float64).max(axis=1)
    both = sure[:-1:2] * sure[1:-1:2]
    if float(both.max()) + SURER * (width / height - WIDE[1]) <= float(sure[-1]) + TINY:
        return whole
    return [
        Piece(piece.top + own.top, piece.left + own.left, own.ink)
        for piece in ways[int(both.argmax())]
        for own in apart(piece.ink, judge, most // 2)
    ]


def _cut_in_two(ink: Floats, path: NDArray[np.int64]) -> list[Piece] | None:
    """The ink left and right of a path; None if one of them is no digit."""
    left = np.arange(ink.shape[1]) < path[:, None]
    pieces = []
    for half in (np.where(left, ink, 0), np.where(left, 0, ink)):
        rows, columns = (np.flatnonzero((half >= 0.5 - TINY).any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return None
        own = half[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        pieces.append(Piece(int(rows[0]), int(columns[0]), own))
    return pieces if min(len(piece.ink) for piece in pieces) >= ALIKE * len(ink) else None


def _path(ink: Floats, expected: float) -> NDArray[np.int64]:
    """The first column right of the path in each row (h,); it goes aside by at most one column a row."""
    height, width = ink.shape
    reach = AROUND * height
    first, last = max(1, int(expected - reach + TINY)), min(width - 1, int(expected + reach + TINY))
    if last < first:  # ink of a few pixels: nothing is left of the path
        return np.zeros(height, np.int64)
    columns = np.arange(first, last + 1)
    costs = ink[:, first : last + 1] + SLIGHT * np.abs(columns - expected) / height
    sums, steps = costs[0], []
    for row in costs[1:]:
        edge = [np.inf]
        ways = np.stack([sums, np.concatenate([edge, sums[:-1]]), np.concatenate([sums[1:], edge])])
        steps.append(ways.argmin(axis=0))  # straight down, if they cost the same
        sums = ways.min(axis=0) + row
    place = int(sums.argmin())
    path = [place]
    for step in reversed(steps):
        place += (0, -1, 1)[int(step[place])]
        path.append(place)
    return np.asarray(columns[path[::-1]])
