"""A digit that fills its picture, as one that was cut out at its bounding box: ink at the frame is no border there.

The usual way of finding ink looks for paper around it, and takes what runs along the picture's edge for a border.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.fit import COARSEST, TINY, stroke_width
from digitnn_fast.images.ink import BINS, NUMBERS, Levels, covered, otsu
from digitnn_fast.images.parts import EDGE, SMALLEST, Box, Part, label, measured
from digitnn_fast.images.polarity import is_dark_in_light

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

NEAR = 0.12, 0.12  # of the height and the width, and a pixel: so near to each side of the frame is the ink
FADED = 0.12, 0.34  # the same if it may have been stretched, whose edges fade
ENDS = 3  # sides of the frame that the largest part is near to; the bar of a 5 may be a part of its own
PLAIN = 0.25  # contrast of ink at least
TWO = 0.76  # of the variance of light, that is between ink and paper; if all levels are as frequent it is 0.75
EDGY = 32  # pixels of the longer side: smaller pictures are mostly edges of strokes
MAIN = 0.5  # of the ink, that is in the largest part; thin strokes break
STRAIGHT, RIM = 0.95, 0.02  # of a side of the ink's box, and of its longer side: a border covers so much of two sides
THICK, LONGEST = 0.3, 4.5  # of the longer side: strokes are narrower, and no longer
COVERED = 0.6  # of the frame, at most, where strokes reach it; and a pixel of the longer side
AROUND = 0.9  # of the frame: what covers more is paper around ink
SHADOW = 0.85  # of a side of the frame: one that lies over a side of the picture covers more
HOLES = 2, 0.01  # an 8 has so many; smaller shares of the picture are no holes
SOLID = 0.35  # of the shorter side of its box: so wide is the stroke of a 1 that fills it
SLIM, ICON = 1.5, 64  # the height by the width, or pixels of the longer side: else it may be a spot of light
NARROW = 2.5  # the height by the width: so narrow is nothing but a 1
MOSTLY = 0.3  # of the picture is then ink at least
USUAL = 0.5, 0.65, 0.7  # the width by the height of a picture that a digit fills: at least, in the middle, at most
FEW = 20  # pixels of the longer side of a tiny picture: rules can hardly tell ink from paper
SPECK = 0.3  # of the longer side of a tiny picture: what is shorter does not fill it
HALF, FAINT = (2, 1.2), 0.2  # the height by the width, and of the shorter side, a stroke; of a side, what is ink
BOTH, LITTLE = 0.8, 0.02  # of the paper, and of the picture: the paper on one side of such a 1 is less


def close_up(lights: Sequence[Levels]) -> tuple[Floats, NDArray[np.int64], list[Part]] | None:
    """Ink (h, w), the numbers (h, w) of its parts, and the parts, if a digit fills a picture.

    `lights` (h, w) are what is `reflected` by the picture and by its negative. If both the dark and the light could be
    one, it is what has fewer parts, then what covers less of the frame: strokes leave several spots of paper.
    """
    if max(lights[0].shape) <= FEW:
        return _tiny(*lights)
    digits = []
    for light in lights:
        way = _two_levels(light)
        if way is None or way[0] > AROUND:
            continue
        frame, mask, shares = way
        # `_is_digit` would say no to these, too, but takes longer.
        if not _reaches_frame(mask, FADED):
            continue
        if np.count_nonzero(mask) < MOSTLY * mask.size and not _reaches_frame(mask, NEAR):
            continue
        share = shares.take(light)
        labels, found = measured(mask, share)
        parts = [part for part, _ in found]
        main = max(parts, key=lambda part: part.mass)
        if _is_digit(mask, main, frame) or _is_stretched(mask, frame):
            kept = [part for part in parts if part.mass >= SMALLEST * main.mass]
            digits.append((len(kept), frame, (share, labels, kept)))
    return min(digits, key=lambda way: way[:2])[2] if digits else None


def _tiny(dark: Levels, light: Levels) -> tuple[Floats, NDArray[np.int64], list[Part]] | None:
    """The same for pictures in which too little of a digit is left for rules that tell ink from paper."""
    light = dark if is_dark_in_light(dark) else light
    way = _two_levels(light)
    if way is None or way[0] > AROUND:
        return None
    _, mask, shares = way
    share = shares.take(light)
    if max(light.shape) <= COARSEST:  # most pixels are partly ink: only the extremes show what is full ink, what paper
        low, high = float(light.min()), float(light.max())
        share = (high - light.astype(np.float64)) / (high - low)
        mask = share >= EDGE - TINY
    if _is_half(mask):
        return None
    labels, found = measured(mask, share)
    most = max(part.mass for part, _ in found)
    parts = [part for part, _ in found if part.mass >= SMALLEST * most]
    speck = reduce(Box.with_, (part.box for part in parts)).longer < SPECK * max(mask.shape)
    return None if speck else (share, labels, parts)


def _is_half(mask: Mask) -> bool:
    """Whether one side of the picture is dark and the opposite one light, as at the edge of a shadow."""
    height, width = mask.shape
    top, bottom, left, right = (np.count_nonzero(side) / len(side) for side in _sides(mask))
    ways = (top, bottom), (bottom, top), (left, right), (right, left)
    halved = any(one >= STRAIGHT and other <= FAINT for one, other in ways)
    return halved and height < HALF[0] * width and stroke_width(mask) > HALF[1] * min(height, width)


def _two_levels(light: Levels) -> tuple[float, Mask, Floats] | None:
    """If all paper is as bright: how much of the frame is ink, where ink is (h, w), its share by level of light (256,).

    None if ink and paper are too much alike.
    """
    counts = np.bincount(light.ravel(), minlength=BINS)
    pixels, sums, best = counts.cumsum(), (counts * NUMBERS).cumsum(), otsu(counts)
    inked, size, total = int(pixels[best]), light.size, int(sums[-1])
    bright = size - inked
    if not (inked and bright):
        return None
    ink, rest = int(sums[best]) / inked, (total - int(sums[best])) / bright
    if max(light.shape) > EDGY:
        share, variance = bright / size, (size * int(counts @ NUMBERS**2) - total**2) / size**2
        if share * (1 - share) * (rest - ink) ** 2 < TWO * variance:
            return None
    middle = pixels.searchsorted([inked + (bright - 1) // 2, inked + bright // 2], "right")
    paper = max(float(middle.sum()) / 2, 1)
    level = 1 - ink / paper
    if level < PLAIN:
        return None
    shares = covered((1 - NUMBERS / paper) / level, light.shape)
    mask = light < np.count_nonzero(shares >= EDGE - TINY)  # the darker, the more
    return _frame(mask), mask, shares


def _sides(page: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    return page[0], page[-1], page[:, 0], page[:, -1]


def _frame(mask: Mask) -> float:
    """The share of its frame that a mask (h, w) covers, corners twice."""
    return sum(np.count_nonzero(side) for side in _sides(mask)) / (2 * sum(mask.shape))


def _reach(mask: Mask, near: tuple[float, float]) -> tuple[int, int]:
    """Rows and columns."""
    rows, columns = (max(1, int(share * side + 0.5 + TINY)) for share, side in zip(near, mask.shape, strict=True))
    return rows, columns


def _reaches_frame(mask: Mask, near: tuple[float, float]) -> bool:
    rows, columns = _reach(mask, near)
    ends = mask[: rows + 1], mask[-rows - 1 :], mask[:, : columns + 1], mask[:, -columns - 1 :]
    return all(end.any() for end in ends)


def _is_stretched(mask: Mask, covered: float) -> bool:
    """Whether the ink is a digit's if its picture had the usual shape, as before somebody stretched it."""
    height, width = mask.shape
    if USUAL[0] * height <= width <= USUAL[2] * height or covered > COVERED:
        return False
    if max(np.count_nonzero(side) / len(side) for side in _sides(mask)) > SHADOW:
        return False
    wanted = max(1, int(USUAL[1] * height + 0.5 + TINY))
    usual = mask[:, (2 * np.arange(wanted) + 1) * width // (2 * wanted)]
    if np.count_nonzero(mask) < MOSTLY * mask.size or not _reaches_frame(usual, FADED):
        return False
    main = max((part for part, _ in measured(usual, usual.astype(np.float64))[1]), key=lambda part: part.mass)
    return _is_digit(usual, main, _frame(usual), FADED)


def _is_digit(mask: Mask, main: Part, frame: float, near: tuple[float, float] = NEAR) -> bool:
    """Whether the ink is a digit's: one part above all, thin, with few holes, and no border of the picture."""
    (height, width), (rows, columns), box = mask.shape, _reach(mask, near), main.box
    ends = box.top <= rows, box.bottom >= height - rows, box.left <= columns, box.right >= width - columns
    inked = np.count_nonzero(mask)
    if main.area < MAIN * inked or sum(ends) < ENDS or not _reaches_frame(mask, near):
        return False
    thin = main.width <= THICK * main.box.longer and main.area <= LONGEST * main.width * main.box.longer
    thin = thin and frame <= COVERED + 1 / max(height, width)
    solid = main.width >= SOLID * main.box.shorter and inked >= MOSTLY * mask.size
    if not (thin or solid):
        return False
    papers, _ = label(~mask)
    sizes = np.bincount(papers.ravel())
    sizes[0] = 0
    holes = sizes.copy()
    holes[np.concatenate(_sides(papers))] = 0
    if solid and not holes.any():  # a 1, with paper on both sides of it or none
        sides = int(sizes.max()) <= max(BOTH * (mask.size - inked), LITTLE * mask.size) or height >= NARROW * width
        small = max(height, width) <= ICON
        if (sides and height >= SLIM * width) or (small and (sides or not frame)):
            return True
    own = mask[box.top : box.bottom, box.left : box.right]
    rim = int(RIM * max(own.shape)) + 1
    rims = own[:rim], own[-rim:], own[:, :rim].T, own[:, -rim:].T
    straight = sum(np.count_nonzero(side.any(axis=0)) / side.shape[1] >= STRAIGHT for side in rims)
    many = np.count_nonzero(holes >= HOLES[1] * mask.size) > HOLES[0]
    return bool(thin and straight <= 1 and not many)
