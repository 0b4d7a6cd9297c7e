"""A digit that fills its picture, as one that was cut out at its bounding box: ink at the frame is no border there.

The usual way of finding ink looks for paper around it, and takes what runs along the picture's edge for a border.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.fit import TINY
from digitnn_fast.images.ink import otsu_level, reflected
from digitnn_fast.images.parts import EDGE, SMALLEST, Part, label, measured

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

NEAR = 1, 0.06  # pixels, and of the longer side: so near to each side of the frame is the ink
PLAIN = 0.25  # contrast of ink at least
STRAIGHT = 0.95  # of a side of the frame: what covers so much of two sides is a border
SOLID = 0.75  # of the picture: but a 1 may cover all sides
THICK = 0.65  # of the longer side: strokes are narrower
MAIN = 0.8  # of the ink, that is in the largest part
HOLES = 2, 0.01  # an 8 has so many; smaller shares of the picture are no holes


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
        if frame >= least or not _reaches_frame(mask):
            continue
        labels, count = label(mask)
        parts = [part for part, _ in measured(labels, count, share)]
        main = max(parts, key=lambda part: part.mass)
        parts = [part for part in parts if part.mass >= SMALLEST * main.mass]
        if _is_digit(mask, main):
            best, least = (share, labels, parts), frame
    return best


def _two_levels(light: Floats) -> Floats | None:
    """Share of ink (h, w) if all paper is as bright; None if ink and paper are too much alike."""
    threshold = otsu_level(light)
    bright = light > threshold
    if bright.all() or not bright.any():
        return None
    paper = float(np.median(light[bright]))
    level = 1 - float(light[~bright].mean()) / max(paper, 1)
    if level < PLAIN:
        return None
    return np.clip(2 * (1 - light / max(paper, 1)) / level - 0.5, 0, 1)


def _reaches_frame(mask: Mask) -> bool:
    reach = int(max(NEAR[0], NEAR[1] * max(mask.shape)) + TINY)
    ends = mask[: reach + 1], mask[-reach - 1 :], mask[:, : reach + 1], mask[:, -reach - 1 :]
    return all(end.any() for end in ends)


def _is_digit(mask: Mask, main: Part) -> bool:
    if main.area < MAIN * mask.sum() or main.width > THICK * main.box.longer:
        return False
    holes, _ = label(~mask)
    sizes = np.bincount(holes[~mask], minlength=1)
    sizes[np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))] = 0
    sides = sum(float(side.mean()) >= STRAIGHT for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    if sides > 1 and (mask.mean() < SOLID or sizes.any()):
        return False
    return int((sizes >= HOLES[1] * mask.size).sum()) <= HOLES[0]
