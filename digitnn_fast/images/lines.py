"""Lines of ruled and squared paper, as strong as ink: found because they run from edge to edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.fit import TINY, stroke_width

Mask = NDArray[np.bool_]

STEEPEST = 0.1  # slope
COMPLETE = 0.75  # share of a line that must be there
SAMPLES, SLOPES = 64, 20  # columns that are looked at, and slopes that are tried up and down
THICKEST = 0.03  # of the longer side: strokes of a digit that fills the picture are thicker
THIN = 0.6  # of a stroke's width: a single line must be thinner, for the bar of a 7 may run from edge to edge


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


def _lines(mask: Mask) -> list[NDArray[np.int64]]:
    """Rows (w,) of each nearly level line that runs through the whole picture; parallel ones, as on ruled paper.

    Rows may lie outside the picture, where a tilted line has left it.
    """
    height, width = mask.shape
    strip = max(1, width // 50)
    if not (mask[:, :strip].any() and mask[:, -strip:].any()):
        return []
    thick = mask.copy()
    thick[1:] |= mask[:-1]
    thick[:-1] |= mask[1:]
    margin = int(STEEPEST * width) + 1
    columns = np.arange(SAMPLES) * (width - 1) // (SAMPLES - 1)
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
    thickness = float(lengths[len(lengths) // 2])
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
