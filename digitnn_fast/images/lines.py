"""Lines of ruled and squared paper, as strong as ink, that run from edge to edge; boxes and lines of forms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.fit import TINY, stroke_width
from digitnn_fast.images.parts import Box, Part

Mask = NDArray[np.bool_]

STEEPEST = 0.1  # slope
COMPLETE = 0.75  # share of a line that must be there
SAMPLES, SLOPES = 64, 20  # columns that are looked at, and slopes that are tried up and down
THICKEST = 0.03  # of the longer side: strokes of a digit that fills the picture are thicker
THIN = 0.6  # of a stroke's width: a single line must be thinner, for the bar of a 7 may run from edge to edge
FORM = 48, 0.2  # pixels, and of the picture's longer side, that a box or a line of a form is long at least
PRINTED = 0.035  # of that length: its lines are not thicker; the mean stroke with what touches it is twice that
SIDES = 0.6, 0.15  # of a box: between two sides of it, and from its edge to a third one; a 7 with a bar has none
LONG = 1.5  # the length of a form's line by the height of the tallest part: the bar of a 7 is shorter


def without_lines(mask: Mask) -> Mask:
    """The mask (h, w) without its straight lines; strokes that cross them stay."""
    for turned in (False, True):
        page = mask.T if turned else mask
        lines = _lines(page)
        if not lines:
            continue
        erased, thickness = _erase(page, lines)
        plausible = thickness <= THICKEST * max(mask.shape) and erased.any()
        if plausible and (len(lines) > 1 or thickness < THIN * stroke_width(erased)):
            mask = erased.T if turned else erased
    return mask


def is_form(part: Part, shape: tuple[int, ...]) -> bool:
    """Whether a part may have a box or a line of a form in it: it is long and thin."""
    longer = part.box.longer
    return longer >= max(FORM[0], FORM[1] * max(shape)) and part.width <= 2 * PRINTED * longer


def without_forms(mask: Mask, labels: NDArray[np.int64], parts: list[Part]) -> Mask:
    """The mask (h, w) without the boxes and lines of forms, of which it has parts; digits in or on them stay."""
    mask = mask.copy()
    for part in (part for part in parts if is_form(part, mask.shape)):
        tallest = max(other.box.height for other in parts if other is not part) if len(parts) > 1 else 0
        place = slice(part.box.top, part.box.bottom), slice(part.box.left, part.box.right)
        own = labels[place] == part.number
        mask[place] &= ~own | _without_form(own, part.box, tallest)
    return mask


def _without_form(own: Mask, box: Box, tallest: int) -> Mask:
    """A part (h, w) without three sides of a box at least, or a line that is long beside the tallest other part."""
    margin = int(STEEPEST * box.longer) + 2  # lines that leave the part are none
    page = np.pad(own, margin)
    pages = page, page.T
    found = [[(rows, _erase(page, [rows])[1]) for rows in _lines(page, margin)] for page in pages]
    thinnest = min((thickness for lines in found for _, thickness in lines), default=np.inf)
    if thinnest > PRINTED * box.longer:
        return own
    level, upright = ([rows for rows, thickness in lines if thickness <= 2 * thinnest + 1] for lines in found)
    boxed = _has_sides(level, upright, margin, box.height, box.width)
    boxed = boxed or _has_sides(upright, level, margin, box.width, box.height)
    if not (boxed or (level and box.width >= LONG * max(box.height, tallest))):
        return own
    for rows in level:
        page = _erase(page, [rows])[0]
    for rows in upright if boxed else []:
        page = _erase(page.T, [rows])[0].T
    return page[margin:-margin, margin:-margin]


def _has_sides(
    pair: list[NDArray[np.int64]], others: list[NDArray[np.int64]], margin: int, long: int, wide: int
) -> bool:
    """Whether some of a pair of sides are far from each other, in a box so long, and another is near its edge."""
    places = [int(rows[len(rows) // 2]) for rows in pair]
    near = [int(rows[len(rows) // 2]) - margin for rows in others]
    far = len(places) > 1 and max(places) - min(places) >= SIDES[0] * long
    return far and any(min(place, wide - place) <= SIDES[1] * wide for place in near)


def _lines(mask: Mask, edge: int = 0) -> list[NDArray[np.int64]]:
    """Rows (w,) of each nearly level line that runs through the whole picture; parallel ones, as on ruled paper.

    Rows may lie outside the picture, where a tilted line has left it. On both sides are `edge` columns of margin.
    """
    height, width = mask.shape
    inner = width - 2 * edge
    strip = edge + max(1, inner // 50)
    if not (mask[:, :strip].any() and mask[:, -strip:].any()):
        return []
    thick = mask.copy()
    thick[1:] |= mask[:-1]
    thick[:-1] |= mask[1:]
    margin = int(STEEPEST * width) + 1
    columns = edge + np.arange(SAMPLES) * (inner - 1) // (SAMPLES - 1)
    sampled = np.pad(thick[:, columns], ((margin, margin), (0, 0)))
    places = np.arange(height)[:, None] + margin
    best: tuple[float, float, NDArray[np.bool_]] = -1.0, 0.0, np.zeros(height, bool)
    for slope in np.arange(-SLOPES, SLOPES + 1) * (STEEPEST / SLOPES):
        rows = places + np.floor(slope * (columns - width / 2) + 0.5).astype(np.int64)
        inside = ((rows >= margin) & (rows < margin + height)).sum(axis=1)
        share = sampled[rows, np.arange(SAMPLES)].sum(axis=1) / np.maximum(inside, 1)
        complete = (share >= COMPLETE) & (inside >= SAMPLES / 4)
        if (score := float(share[complete].sum())) > best[0] + TINY:
            best = score, float(slope), complete
    tilt = np.floor(best[1] * (np.arange(width) - width / 2) + 0.5).astype(np.int64)
    return [middle + tilt for middle in _middles(best[2])]


def _middles(inked: Mask) -> list[int]:
    """The middle of each run."""
    edges = np.flatnonzero(np.diff(np.pad(inked, 1).astype(np.int8)))
    return [int(first + last - 1) // 2 for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _erase(mask: Mask, lines: list[NDArray[np.int64]]) -> tuple[Mask, float]:
    """The mask without the lines, and how thick these are: where it is more than that, a stroke crosses."""
    runs = [_runs(mask, rows) for rows in lines]
    lengths = np.concatenate([last - first for first, last in runs])
    lengths = np.sort(lengths[lengths > 0])
    thickness = float(lengths[len(lengths) // 2]) if len(lengths) else 0.0
    erased = mask.copy()
    places = np.arange(len(mask))[:, None]
    for first, last in runs:
        thin = last - first <= 1.5 * thickness + 1
        erased &= ~((places >= first) & (places < last) & thin)
    return erased, thickness


def _runs(mask: Mask, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last row (w,) of the ink in each column that a line meets; the same if it meets none."""
    height, width = mask.shape
    columns = np.arange(width)
    starts = np.clip(rows, 0, height - 1)
    inside = starts == rows
    for offset in (1, -1, 2, -2):  # a line is never quite straight: look next to it too
        near = np.clip(rows + offset, 0, height - 1)
        starts = np.where(mask[starts, columns], starts, near)
    places = np.arange(height)[:, None]
    gap_above = np.where(~mask & (places < starts), places, -1).max(axis=0)
    gap_below = np.where(~mask & (places > starts), places, height).min(axis=0)
    met = mask[starts, columns] & inside
    return np.where(met, gap_above + 1, starts), np.where(met, gap_below, starts)
