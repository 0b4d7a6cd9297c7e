"""A digit that fills its picture, as one that was cut out at its bounding box: ink at the frame is no border there.

The usual way of finding ink looks for paper around it, and takes what runs along the picture's edge for a border.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.fit import TINY
from digitnn_fast.images.ink import covered, otsu_level, reflected
from digitnn_fast.images.parts import EDGE, SMALLEST, Part, label, measured

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
COVERED = 0.6  # of the frame, at most, where strokes reach it
SHADOW = 0.85  # of a side of the frame: one that lies over a side of the picture covers more
HOLES = 2, 0.01  # an 8 has so many; smaller shares of the picture are no holes
SOLID = 0.35  # of the shorter side of its box: so wide is the stroke of a 1 that fills it
SLIM, ICON = 1.5, 64  # the height by the width, or pixels of the longer side: else it may be a spot of light
NARROW = 2.5  # the height by the width: so narrow is nothing but a 1
MOSTLY = 0.3  # of the picture is then ink at least
USUAL = 0.5, 0.65, 0.7  # the width by the height of a picture that a digit fills: at least, in the middle, at most
BOTH, LITTLE = 0.8, 0.02  # of the paper, and of the picture: the paper on one side of such a 1 is less


def close_up(colours: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.int64], list[Part]] | None:
    """Ink (h, w), the numbers (h, w) of its parts, and the parts, if a digit fills the picture (h, w, 3).

    If both the dark and the light could be one, it is what covers less of the frame, as strokes do.
    """
    best, least = None, np.inf
    for dark in (True, False):
        share = _two_levels(reflected(colours, dark))
        if share is None:
            continue
        mask = share >= EDGE - TINY
        frame = float(np.mean(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])))
        if frame >= least or not _reaches_frame(mask, FADED):
            continue
        if mask.sum() < MOSTLY * mask.size and not _reaches_frame(mask, NEAR):
            continue  # both questions below would be answered with no
        labels, count = label(mask)
        parts = [part for part, _ in measured(labels, count, share)]
        main = max(parts, key=lambda part: part.mass)
        parts = [part for part in parts if part.mass >= SMALLEST * main.mass]
        if _is_digit(mask, main, frame) or _is_stretched(mask, frame):
            best, least = (share, labels, parts), frame
    return best


def _two_levels(light: Floats) -> Floats | None:
    """Share of ink (h, w) if all paper is as bright; None if ink and paper are too much alike."""
    threshold = otsu_level(light)
    bright = light > threshold
    if bright.all() or not bright.any():
        return None
    share = float(bright.mean())
    between = share * (1 - share) * (float(light[bright].mean()) - float(light[~bright].mean())) ** 2
    if max(light.shape) > EDGY and between < TWO * float(light.var()):
        return None
    paper = float(np.median(light[bright]))
    level = 1 - float(light[~bright].mean()) / max(paper, 1)
    if level < PLAIN:
        return None
    return covered((1 - light / max(paper, 1)) / level)


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
    if max(float(side.mean()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])) > SHADOW:
        return False
    wanted = max(1, int(USUAL[1] * height + 0.5 + TINY))
    usual = mask[:, (2 * np.arange(wanted) + 1) * width // (2 * wanted)]
    labels, count = label(usual)
    if not count or mask.sum() < MOSTLY * mask.size or not _reaches_frame(usual, FADED):
        return False
    frame = float(np.mean(np.concatenate([usual[0], usual[-1], usual[:, 0], usual[:, -1]])))
    main = max((part for part, _ in measured(labels, count, usual.astype(np.float64))), key=lambda part: part.mass)
    return _is_digit(usual, main, frame, FADED)


def _is_digit(mask: Mask, main: Part, frame: float, near: tuple[float, float] = NEAR) -> bool:
    """Whether the ink is a digit's: one part above all, thin, with few holes, and no border of the picture."""
    (height, width), (rows, columns), box = mask.shape, _reach(mask, near), main.box
    ends = box.top <= rows, box.bottom >= height - rows, box.left <= columns, box.right >= width - columns
    if main.area < MAIN * mask.sum() or sum(ends) < ENDS or not _reaches_frame(mask, near):
        return False
    papers, _ = label(~mask)
    sizes = np.bincount(papers[~mask], minlength=1)
    holes = sizes.copy()
    holes[np.unique(np.concatenate([papers[0], papers[-1], papers[:, 0], papers[:, -1]]))] = 0
    if main.width >= SOLID * main.box.shorter:  # a 1, with paper on both sides of it or none
        sides = float(sizes.max()) <= max(BOTH * float(sizes.sum()), LITTLE * mask.size) or height >= NARROW * width
        small = max(height, width) <= ICON
        alike = (sides and height >= SLIM * width) or (small and (sides or not frame))
        if alike and mask.sum() >= MOSTLY * mask.size and not holes.any():
            return True
    own = mask[box.top : box.bottom, box.left : box.right]
    rim = int(RIM * max(own.shape)) + 1
    rims = own[:rim], own[-rim:], own[:, :rim].T, own[:, -rim:].T
    straight = sum(float(side.any(axis=0).mean()) >= STRAIGHT for side in rims)
    many = int((holes >= HOLES[1] * mask.size).sum()) > HOLES[0]
    thin = main.width <= THICK * main.box.longer and main.area <= LONGEST * main.width * main.box.longer
    return bool(thin and frame <= COVERED and straight <= 1 and not many)
