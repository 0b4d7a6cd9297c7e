"""Connected parts of the ink: which are the digit, which are specks, lines of the paper or the edge of the table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

EDGE = 0.5  # share of ink at the edge of a stroke
SMALLEST = 0.05  # of the largest part's ink: what has less is a speck
FAR = 0.6  # of the main part's longer side, from what belongs to it: what is farther away is not part of the digit
BROKEN = 0.4  # the same of the longer side of all that was found to belong to it: strokes may have gaps
HELD = 0.1  # of a frame's longer side: how long what is written in it must be
RIM = 0.06  # of a printed frame's longer side: how near to its box's edge the frame runs
AROUND = 0.8  # of each side of the box that a frame must cover there; a round 0 covers half of it
FRAME = 0.2  # of the picture's longer side: a part at its edge, and not thicker than this, is no digit
HOLLOW = 4  # stroke widths that a printed frame is high and wide at least; the 1 of a close-up fills its box
SHEET = 0.4  # of a box's longer side, of its area, and of the picture's longer side: what fills so much is paper
LINE = 0.03  # of the picture's longer side: what comes from its edge is a line or a crease unless it is wider
BLOT = 0.2, 64  # of a part's longer side: strokes from the edge that are wider are shadows; in pictures so large
STRAIGHT = 0.1  # of a line's length: how far it is tilted or bent
HAIR = 2, 0.01  # pixels, and of the picture's longer side: parallel lines that are thinner are rests of ruled paper
MOST = 300  # parts, those with most ink: more are a texture, and would take long
SMALL = 8, 1 / 64  # pixels, and of the picture's longer side, that a digit's main part is long at least
SMALLER = 3, 1 / 8  # the same in a picture of less than 64 pixels
SCRAP = 0.05  # of the picture's longer side: what is smaller, and less than the dots around it, is one of these
COMPACT = 0.4  # of a part's longer side: a stroke is narrower; a dot's mean width is half of its diameter


class Box(NamedTuple):
    """Rows top <= y < bottom and columns left <= x < right."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def longer(self) -> int:
        """Length of the longer side."""
        return max(self.bottom - self.top, self.right - self.left)

    @property
    def shorter(self) -> int:
        """Length of the shorter side."""
        return min(self.bottom - self.top, self.right - self.left)

    def gap(self, other: Box) -> int:
        """Empty pixels between two boxes, 0 if they touch or overlap."""
        return max(
            self.top - other.bottom, other.top - self.bottom, self.left - other.right, other.left - self.right, 0
        )

    def grown(self, pixels: int, shape: tuple[int, ...]) -> Box:
        """The box with so many more on each side, within a picture of that shape."""
        (top, bottom, left, right), (height, width) = self, shape
        return Box(
            max(top - pixels, 0), min(bottom + pixels, height), max(left - pixels, 0), min(right + pixels, width)
        )

    def with_(self, other: Box) -> Box:
        """The box around both."""
        pairs = tuple(zip(self, other, strict=True))
        return Box(min(pairs[0]), max(pairs[1]), min(pairs[2]), max(pairs[3]))


class Part(NamedTuple):
    """A connected part: its number in the labels, box, amount of ink, pixels, and the mean width of its strokes.

    `written` tells whether it may be a digit and not only go with one: it is no dot, blot, grain or spot of light.
    """

    number: int
    box: Box
    mass: float
    area: float
    width: float
    written: bool


class _Runs(NamedTuple):
    """Ink in a row without a gap (n,), in reading order: first pixel, the one behind the last, number of the part.

    Pixels are counted as if there were a column of paper on the right. `above` and `below` (m,) touch each other.
    """

    start: Counts
    end: Counts
    numbers: Counts
    above: Counts
    below: Counts


def label(mask: Mask) -> tuple[Counts, int]:
    """Numbers (h, w) of the 8-connected parts of a mask, 1.. in reading order of their first pixels, 0 outside."""
    runs = _runs(mask)
    return _painted(runs, mask.shape), int(runs.numbers.max(initial=0))


def _runs(mask: Mask) -> _Runs:
    height, width = mask.shape
    stride = width + 1
    flat = np.zeros(1 + height * stride, bool)
    flat[1:].reshape(height, stride)[:, :width] = mask
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    start, end = changes[::2], changes[1::2]
    order = np.arange(len(start))
    # Each touches a stretch of those in the row above, which binary search finds.
    first = end.searchsorted(start - stride, "left")
    many = start.searchsorted(end - stride, "right") - first
    below = np.repeat(order, many)
    above = np.arange(len(below)) + np.repeat(first + many - many.cumsum(), many)
    root = _roots(np.where(many > 0, first, order))  # the lowest number spreads, by leaps
    while ((one := root[below]) != (other := root[above])).any():
        least = np.minimum(one, other)
        np.minimum.at(root, one, least)
        np.minimum.at(root, other, least)
        root = _roots(root)
    return _Runs(start, end, (root == order).cumsum()[root], above, below)


def _roots(lower: Counts) -> Counts:
    """Where one arrives if one goes on from each to a lower one."""
    while ((leap := lower[lower]) != lower).any():
        lower = leap
    return lower


def _painted(runs: _Runs, shape: tuple[int, ...]) -> Counts:
    height, width = shape
    steps = np.zeros(height * (width + 1), np.int64)
    steps[runs.start], steps[runs.end] = runs.numbers, -runs.numbers
    return steps.cumsum().reshape(height, width + 1)[:, :width]


def find_parts(labels: Counts, found: list[tuple[Part, bool]]) -> list[Part]:
    """Those of the labels' (h, w) measured parts that are no specks, lines, frames, nor the picture's own edge.

    None at all if one of them is a sheet of paper: what is left are the gaps in a 0 or an 8.
    """
    parts = [part for part, framed in found if not _is_refuse(part, framed, labels.shape)]
    if len(parts) > MOST:
        least = sorted(part.mass for part in parts)[-MOST]
        parts = [part for part in parts if part.mass >= least][:MOST]
    if any(_fills(part, labels.shape) and _runs_around(part, labels) for part in parts):
        return []
    return _without_hairs([part for part in parts if not _frames(part, parts, labels)], labels.shape)


def measured(mask: Mask, ink: Floats) -> tuple[Counts, list[tuple[Part, bool]]]:
    """Numbers (h, w) as by `label`; all parts, and whether each looks like a piece of the picture's own edge."""
    (height, width), runs, stride = mask.shape, _runs(mask), mask.shape[1] + 1
    start, end, numbers, above, below = runs
    labels, count = _painted(runs, mask.shape), int(numbers.max(initial=0))
    row, first = np.divmod(start, stride)
    long, last = end - start, end - row * stride
    shared = np.minimum(end[above], end[below] - stride) - np.maximum(start[above], start[below] - stride)
    mass, area = np.bincount(labels.ravel(), ink.ravel(), count + 1), np.bincount(numbers, long, count + 1)
    sides = np.bincount(numbers, long + 1, count + 1) - np.bincount(numbers[below], np.maximum(shared, 0), count + 1)
    widths = area / np.maximum(0.5, sides * np.pi / 4)  # as in `stroke_width`
    ends = np.minimum((first == 0) + (last == width).astype(np.int64), long)
    at_edge = np.bincount(numbers, np.where((row == 0) | (row == height - 1), long, ends), count + 1)
    extremes = np.zeros((4, count + 1), np.int64)
    extremes[::2] = max(height, width)
    np.minimum.at(extremes[0], numbers, row)
    np.maximum.at(extremes[1], numbers, row + 1)
    np.minimum.at(extremes[2], numbers, first)
    np.maximum.at(extremes[3], numbers, last)
    boxes = [Box(*edges) for edges in extremes.T.tolist()]
    longer, parts = max(height, width), []
    shortest = max(min(SMALL[0], max(SMALLER[0], SMALLER[1] * longer)), SMALL[1] * longer)
    for number in range(1, count + 1):
        box, stroke = boxes[number], float(widths[number])
        framed = bool(at_edge[number] * FRAME * longer > mass[number])
        written = box.longer >= shortest and stroke <= COMPACT * box.longer
        parts.append((Part(number, box, float(mass[number]), float(area[number]), stroke, written), framed))
    return labels, parts


def _is_refuse(part: Part, framed: bool, shape: tuple[int, ...]) -> bool:
    """Whether a part is a speck, a line or a shadow from the picture's edge, or that edge itself."""
    edges = _edges(part.box, shape)
    wide = edges > 0 and part.width > BLOT[0] * part.box.longer and max(shape) > BLOT[1]
    return framed or wide or part.box.longer < smallest(shape) or _is_line(part, edges, shape)


def smallest(shape: tuple[int, ...]) -> float:
    """Pixels that the longer side of a digit must have: less, and there are only specks."""
    return max(3, max(shape) / 100)


def _edges(box: Box, shape: tuple[int, ...]) -> int:
    """How many of the picture's edges a box touches."""
    return (box.top == 0) + (box.left == 0) + (box.bottom == shape[0]) + (box.right == shape[1])


def _is_line(part: Part, edges: int, shape: tuple[int, ...]) -> bool:
    """Whether a part is thin and runs from one of the picture's edges to another, or straight from one."""
    straight = part.box.shorter <= STRAIGHT * part.box.longer + part.width
    return part.width < LINE * max(shape) and (edges > 1 or (edges == 1 and straight))


def _without_hairs(parts: list[Part], shape: tuple[int, ...]) -> list[Part]:
    """The parts without those that are hair lines and lie parallel to another."""
    width = min(HAIR[0], HAIR[1] * max(shape))
    hairs = [part for part in parts if part.width < width and part.box.shorter <= STRAIGHT * part.box.longer + width]
    for level in (False, True):
        alike = [part for part in hairs if (part.box.bottom - part.box.top == part.box.shorter) == level]
        parts = [part for part in parts if len(alike) < 2 or part not in alike]
    return parts


def _fills(part: Part, shape: tuple[int, ...]) -> bool:
    """Whether much of its box is full, which is neither small nor as narrow as that of a 1."""
    box = part.box
    large = box.longer >= SHEET * max(shape) and box.shorter >= SHEET * box.longer
    return large and part.area >= SHEET * box.shorter * box.longer


def _frames(part: Part, parts: list[Part], labels: Counts) -> bool:
    """Whether it is a printed box, as in a form, in which others are written, or nothing."""
    hollow = part.box.shorter >= HOLLOW * part.width
    return (hollow or _holds_another(part, parts)) and _runs_around(part, labels)


def _holds_another(part: Part, parts: list[Part]) -> bool:
    return any(
        other is not part and other.box.longer >= HELD * part.box.longer and other.box.with_(part.box) == part.box
        for other in parts
    )


def _runs_around(part: Part, labels: Counts) -> bool:
    """Whether the part covers all four sides of its box."""
    box = part.box
    own = labels[box.top : box.bottom, box.left : box.right] == part.number
    rim = int(RIM * box.longer) + 1
    sides = own[:rim], own[-rim:], own[:, :rim].T, own[:, -rim:].T
    return all(side.any(axis=0).mean() >= AROUND for side in sides)


def is_dust(parts: list[Part], shape: tuple[int, ...]) -> bool:
    """Whether nothing is written but specks, of which some stick together and look like strokes."""
    written = [part for part in parts if part.written]
    dots = sum(part.mass for part in parts if not part.written)
    scraps = all(part.box.longer < SCRAP * max(shape) for part in written)
    return scraps and dots >= sum(part.mass for part in written)


def choose(parts: list[Part], far: float = FAR) -> list[Part]:
    """Those that make up the digit: the written part with most ink, if one is, and what is near and not too small."""
    main = max([part for part in parts if part.written] or parts, key=lambda part: part.mass)
    chosen, box = [main], main.box
    rest = [part for part in parts if part is not main and part.mass >= SMALLEST * main.mass]
    while near := [  # and near those, in turn
        part for part in rest if part.box.gap(box) <= max(far * main.box.longer, BROKEN * box.longer)
    ]:
        chosen += near
        rest = [part for part in rest if part not in near]
        for part in near:
            box = box.with_(part.box)
    return chosen


def columns(parts: list[Part], overlap: float) -> list[list[Part]]:
    """Groups of parts from left to right, those together that lie above each other by a share of their width."""
    groups: list[tuple[Box, list[Part]]] = []
    for part in sorted(parts, key=lambda part: part.box.left):
        if groups:
            box, group = groups[-1]
            common = min(box.right, part.box.right) - part.box.left
            if common >= overlap * min(box.right - box.left, part.box.right - part.box.left):
                groups[-1] = box.with_(part.box), [*group, part]
                continue
        groups.append((part.box, [part]))
    return [group for _, group in groups]
