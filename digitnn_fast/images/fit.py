"""Ink -> the 28x28 that MNIST would have made of it: 20x20 box, stroke weight, centre of mass."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.ink import between, highest

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

SIDE, BOX = 28, 20  # LeCun et al. 1998: 20x20 keeping the aspect, centre of mass in the middle of 28x28
FINE = 5  # work pixels per pixel
THINNEST, THICKEST = 2.0, 2.5  # pixels; 80% of MNIST's digits have strokes of 1.8 to 3.5, 2.5 in the middle
MARGIN = FINE * BOX // 8  # work pixels by which strokes may grow, and some to spare
DEEPEST = 40  # work pixels into the ink that are told apart
NEARBY = 0.4  # of the stroke's width: how far the middle of a stroke is looked for
USUAL = 0.5, 0.55, 0.75  # the width of digits by their height: at least, if not known, at most; 1s are narrower
COARSEST = 12  # pixels of the longer side of a digit that fills its picture: its strokes have no width to measure
WIDER = 1.1  # times, at the second reading, which then errs less often where the first one does
TINY = 1e-9  # decides ties, so that another order of additions, as in JavaScript, decides them alike


def fit(ink: Floats, stretched: bool = False) -> NDArray[np.uint8]:
    """Grey levels (28, 28) of a digit's ink (h, w), 0..1, that fills its box.

    If it may have been stretched to fill a picture and looks so, it gets the usual shape of digits.
    """
    return _centred(_ways(ink, stretched)[0])


def fit_twice(ink: Floats, stretched: bool = False) -> NDArray[np.uint8]:
    """Grey levels (2, 784) of the same ink: as by `fit`, and with strokes as thick as they are, a little wider.

    Where one of them lost what makes the digit, as the hole of an 8 or a gap, the other often shows it.
    """
    first, second = _ways(ink, stretched)
    return np.stack([_centred(first), _centred(second, WIDER)]).reshape(2, -1)


def _ways(ink: Floats, stretched: bool) -> tuple[Floats, Floats]:
    """Ink whose longer side has FINE * BOX work pixels, with strokes of the usual width, and with those that it has.

    Strokes of a few pixels stay as they are. What they make gets the usual shape first, and then the one that it has.
    """
    if stretched and max(ink.shape) <= COARSEST:
        return _fine(ink, True, cubic=True), _fine(ink, False, cubic=True)
    fine = _fine(_thickened(ink), stretched)
    return _restroked(fine), fine


def _fine(ink: Floats, stretched: bool, cubic: bool = False) -> Floats:
    """Ink whose longer side has FINE * BOX work pixels, in the shape that it had before it was stretched."""
    (height, width), longer = ink.shape, FINE * BOX
    if stretched and not USUAL[0] * height <= width <= USUAL[2] * height:
        return sized(ink, longer, int(USUAL[1] * longer + 0.5 + TINY), cubic)
    return _resized(ink, longer, cubic=cubic)


def _thickened(ink: Floats) -> Floats:
    """Ink with strokes that do not vanish when it is shrunk, as lines of one pixel in a large picture would."""
    shrunk, width = max(ink.shape) / (FINE * BOX), stroke_width(ink >= 0.5 - TINY)
    if width >= shrunk:
        return ink
    reach = int((shrunk - width) / 2 + TINY) + 1
    return highest(np.pad(ink, reach), reach)


def stroke_width(mask: Mask) -> float:
    """Mean width of the strokes in pixels: twice the area by the length of the outline (pi/4 of a staircase's)."""
    edges = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return 2 * np.count_nonzero(mask) / max(1.0, edges * np.pi / 4)


def _restroked(fine: Floats, weight: float | None = None) -> Floats:
    """Ink with strokes neither too thin nor too thick, or `weight` pixels wide, in a margin of its own.

    Thick strokes lose the same share of their width everywhere: those that are thinner than the others stay whole.
    """
    page = np.zeros((fine.shape[0] + 2 * MARGIN, fine.shape[1] + 2 * MARGIN))
    mask = np.zeros(page.shape, bool)
    mask[MARGIN:-MARGIN, MARGIN:-MARGIN] = fine >= min(0.5, 0.9 * float(fine.max())) - TINY
    inner = slice(MARGIN - 1, 1 - MARGIN), slice(MARGIN - 1, 1 - MARGIN)
    width = stroke_width(mask[inner]) / FINE
    wanted = min(max(width, THINNEST), THICKEST) if weight is None else weight
    if wanted > width:
        grown = min(FINE * (wanted - width) / 2, MARGIN - 2)
        distance = np.sqrt(_squares(mask, int(grown) + 1).astype(np.float64))
        return between(grown + 1 - distance.T)
    squares = _squares(~mask[inner], DEEPEST)
    middle = highest(squares, max(2, int(NEARBY * FINE * width + 0.5)))
    depth, deepest = (np.sqrt(own.T.astype(np.float64, "C")) for own in (squares, middle))
    page[inner] = between(depth - deepest * (1 - wanted / width))
    return page


def _squares(mask: Mask, limit: int) -> NDArray[np.int16]:
    """Squares (w, h), turned, of Euclidean distances to the mask (h, w); more than that of `limit` if so far away."""
    nearest = np.where(mask, np.int16(0), np.int16(limit + 1))  # a quarter of the bytes of a float64, and exact
    step = 1
    while step <= limit and nearest.max() >= step:  # down and up the columns, by leaps that double
        np.minimum(nearest[step:], nearest[:-step] + np.int16(step), out=nearest[step:])
        np.minimum(nearest[:-step], nearest[step:] + np.int16(step), out=nearest[:-step])
        step *= 2
    squares = np.ascontiguousarray((nearest * nearest).T)  # neighbours in a row are then whole stretches of memory
    least = squares.copy()
    for step in range(1, min(limit, len(squares) - 1) + 1):
        if step**2 >= least.max():
            break
        farther = squares + step**2
        np.minimum(least[step:], farther[:-step], out=least[step:])
        np.minimum(least[:-step], farther[step:], out=least[:-step])
    return least


def _centred(ink: Floats, wide: float = 1) -> NDArray[np.uint8]:
    inked = ink >= min(0.5, 0.9 * float(ink.max())) - TINY
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    small = _resized(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], BOX, wide)
    corner = []
    for axis, length in enumerate(small.shape):
        middle = float(small.sum(axis=1 - axis) @ (np.arange(length) + 0.5)) / float(small.sum())
        corner.append(min(max(int(np.floor(SIDE / 2 - middle + 0.5 + TINY)), 0), SIDE - length))
    image = np.zeros((SIDE, SIDE), np.uint8)
    top, left = corner
    image[top : top + small.shape[0], left : left + small.shape[1]] = (255 * small + 0.5 + TINY).astype(np.uint8)
    return image


def _resized(values: Floats, longer: int, wide: float = 1, cubic: bool = False) -> Floats:
    """An array (h, w) whose longer side is so long, then made `wide` times as wide."""
    scale = longer / max(values.shape)
    height, width = (max(1, int(length * scale + 0.5 + TINY)) for length in (len(values), values.shape[1] * wide))
    return sized(values, height, width, cubic)


def sized(values: Floats, height: int, width: int, cubic: bool = False) -> Floats:
    """An array (h, w), 0..1, at another size: linear interpolation, or, shrunk, the triangle filter that goes with it.

    Or a cubic one (Keys 1981), which blurs less.
    """
    for length in (height, width):
        rows, shares = _weights(len(values), length, cubic)  # a matrix would be nearly all zeros
        values = np.ascontiguousarray(np.einsum("kn,knw->nw", shares, values[rows]).T)
    return between(values) if cubic else values


@lru_cache(maxsize=256)  # of 20 KB at most; many pictures in a row have the same sizes
def _weights(old: int, new: int, cubic: bool) -> tuple[NDArray[np.int64], Floats]:
    """Old pixels (k, new) that each new one is made of, and their shares (k, new)."""
    scale = old / new
    step = max(1.0, scale)
    reach = (1 + cubic) * step
    centres = (np.arange(new) + 0.5) * scale - 0.5
    places = np.floor(centres - reach).astype(np.int64) + 1 + np.arange(int(np.ceil(2 * reach)))[:, None]
    far = np.abs(places - centres) / step
    shares = (_keys(far) if cubic else np.maximum(0, 1 - far)) * ((places >= 0) & (places < old))
    return places.clip(0, old - 1), shares / shares.sum(axis=0)


def _keys(far: Floats) -> Floats:
    """The cubic convolution kernel of Keys 1981."""
    near = (1.5 * far - 2.5) * far * far + 1
    return np.where(far < 1, near, np.where(far < 2, ((2.5 - 0.5 * far) * far - 4) * far + 2, 0))
