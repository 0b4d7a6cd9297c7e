"""Ink -> the 28x28 that MNIST would have made of it: 20x20 box, stroke weight, centre of mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIDE, BOX = 28, 20  # LeCun et al. 1998: fitted into 20x20 keeping the aspect, centre of mass to the centre of 28x28
FINE = 5  # work pixels per pixel
THINNEST, THICKEST = 2.2, 2.6  # stroke width in pixels
REACH = 12


def fit(ink: Floats) -> NDArray[np.uint8]:
    """Grey levels (28, 28) of ink (h, w), 0..1, which fills its box."""
    scale = FINE * BOX / max(ink.shape)
    fine = resample(ink, *(max(1, round(length * scale)) for length in ink.shape))
    return centre(restroke(fine))


def restroke(fine: Floats, weight: float | None = None) -> Floats:
    fine = np.pad(fine, REACH)
    mask = fine >= 0.5
    if not mask.any():
        mask = fine >= fine.max()
    width = stroke_width(mask) / FINE
    wanted = min(max(width, THINNEST), THICKEST) if weight is None else weight
    if wanted > width:
        return np.clip(min(FINE * (wanted - width) / 2, REACH - 2) + 1 - distance(mask), 0, 1)
    inside = distance(~mask)
    half = highest(inside, REACH // 2)
    return np.clip(inside - half * (1 - wanted / width), 0, 1)


def stroke_width(mask: NDArray[np.bool_]) -> float:
    """Mean width of the strokes: twice the area by the length of the outline."""
    edges = (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()
    return float(2 * mask.sum() / max(1, edges * np.pi / 4))


def distance(mask: NDArray[np.bool_]) -> Floats:
    far = np.where(mask, 0.0, REACH + 1.0)
    rows = far.copy()
    for step in range(1, REACH + 1):
        rows[step:] = np.minimum(rows[step:], far[:-step] + step)
        rows[:-step] = np.minimum(rows[:-step], far[step:] + step)
    squares = rows**2
    best = squares.copy()
    for step in range(1, REACH + 1):
        best[:, step:] = np.minimum(best[:, step:], squares[:, :-step] + step**2)
        best[:, :-step] = np.minimum(best[:, :-step], squares[:, step:] + step**2)
    return np.sqrt(best)


def highest(values, reach):
    for _ in range(2):
        padded = np.pad(values, ((reach, reach), (0, 0)))
        values = np.maximum.reduce([padded[o : o + len(values)] for o in range(2 * reach + 1)]).T
    return values


def centre(ink: Floats) -> NDArray[np.uint8]:
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise ValueError("nothing")
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(ink.shape)
    small = resample(ink, *(max(1, round(length * scale)) for length in ink.shape))
    height, width = small.shape
    total = small.sum()
    y = (small.sum(1) @ (np.arange(height) + 0.5)) / total
    x = (small.sum(0) @ (np.arange(width) + 0.5)) / total
    top = int(np.clip(np.floor(SIDE / 2 - y + 0.5), 0, SIDE - height))
    left = int(np.clip(np.floor(SIDE / 2 - x + 0.5), 0, SIDE - width))
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = np.floor(np.clip(small, 0, 1) * 255 + 0.5)
    return image


def resample(values: Floats, height: int, width: int) -> Floats:
    return weights(values.shape[0], height) @ values @ weights(values.shape[1], width).T


def weights(old: int, new: int) -> Floats:
    scale = old / new
    reach = max(1.0, scale)
    centres = (np.arange(new)[:, None] + 0.5) * scale - 0.5
    matrix = np.maximum(0, 1 - np.abs(np.arange(old) - centres) / reach)
    return matrix / matrix.sum(axis=1, keepdims=True)
