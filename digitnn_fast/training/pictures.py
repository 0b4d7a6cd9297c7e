"""Images of a training set as they are read when people cut digits out of pictures: small, stretched, dark or light.

What is read of a close crop is not always what was written: where both reach the frame, paper may be taken for ink. A
network that has learned from such readings answers right more often than rules can decide.

Of the ones some get a flag first, as in Europe: a network that has seen none takes it for the bar of a seven.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from digitnn_fast.images import PictureError, cut_out
from digitnn_fast.sizes import SIDE

Pixels = NDArray[np.uint8]

LEAST = 60  # levels above it are ink, whose box is cut out
HEIGHTS, SIDES = (7, 12), (10, 28)  # pixels, as long as the digit was wide; of what is stretched
AS_IT_IS, STRETCHED = 0.25, 0.2  # shares that keep their size, that are stretched
CLOSE, MARGIN = 0.5, 3  # share that keeps no paper; pixels of it on a side at most, before the size is changed
TWO_LEVELS = 0.25  # share that is black and white
FLAGGED = 0.5  # share of these ones that get a flag: much of the world writes them so, Kaggle's people hardly
LENGTHS, ANGLES = (0.2, 0.6), (0.4, 0.9)  # of a flag: shares of the digit's height; from the upright, in radians
BEND = 0.4  # radians at most, between the halves of a flag that bends
FINE = 8  # points along a pixel where a flag is drawn
SCALING = Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC


def read_anew(images: Pixels, labels: Pixels, share: float) -> tuple[NDArray[np.int64], Pixels]:
    """A share of images (n, 784) as pictures: indices (m,) and readings (m, 784), two of each but of what is refused.

    Some ones, by labels (n,), get a flag; and as large a share of all ones comes once more, with flags that bend. The
    same images and labels give the same readings; no label changes those of another image.
    """
    order, count = np.random.default_rng(len(images)).permutation(len(images)), round(share * len(images))
    crops, again = np.sort(order[:count]), np.sort(order[len(images) - count :])
    rows, found = [], []
    for row, bend in (*((row, 0.0) for row in crops), *((row, BEND) for row in again[labels[again] == 1])):
        levels, random = images[row].reshape(SIDE, SIDE), np.random.default_rng((len(images), row, bend > 0))
        if (levels > LEAST).any():
            if labels[row] == 1 and (bend or random.random() < FLAGGED):
                levels = flagged(levels, random, bend)
            try:
                found.append(cut_out(_coloured(cropped(levels, random), random)).readings)
            except PictureError:
                continue
            rows += [row, row]
    return np.array(rows, np.int64), np.concatenate([images[:0], *found])


def flagged(levels: Pixels, random: np.random.Generator, bend: float = 0.0) -> Pixels:
    """The levels (h, w) of a one, with paper around, and with a flag: a stroke from its top to the left and down.

    Between its halves it bends by as many radians at most, to either side.
    """
    ink = np.pad(levels, SIDE // 2)
    rows = np.flatnonzero((ink > LEAST).any(axis=1))
    middles = ink[rows] @ np.arange(ink.shape[1]) / ink[rows].sum(axis=1)
    top, bottom, height = middles[:3].mean(), middles[-3:].mean(), rows[-1] - rows[0] + 1
    width = max(1.5, ink.sum() / 255 / np.hypot(height, top - bottom))
    length, angle = height * random.uniform(*LENGTHS), random.uniform(*ANGLES)
    slope = (top - bottom) / height  # of the upright, and so of its flag
    start = np.array([top + 0.5, rows[0] + width / 2])
    half = random.uniform(-bend, bend) / 2
    places = [start]
    for part in (angle + half, angle - half):
        places.append(places[-1] + length / 2 * np.array([-np.sin(part) - slope * np.cos(part), np.cos(part)]))
    canvas, level = Image.new("L", (FINE * ink.shape[1], FINE * ink.shape[0])), int(ink.max())
    draw, pen = ImageDraw.Draw(canvas), FINE * width / 2
    draw.line([tuple(FINE * place) for place in places], fill=level, width=round(2 * pen))
    for x, y in FINE * np.array(places):
        draw.ellipse((x - pen, y - pen, x + pen, y + pen), fill=level)
    grown: Pixels = np.maximum(ink, np.asarray(canvas.reduce(FINE)))
    return grown


def cropped(levels: Pixels, random: np.random.Generator) -> Pixels:
    """How much ink, 0 to 255, there is of a digit's levels (h, w), cut out."""
    rows, columns = (np.flatnonzero((levels > LEAST).any(axis=axis)) for axis in (1, 0))
    box = levels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    margin = random.integers(0, MARGIN + 1, (2, 2)) * (random.random() >= CLOSE)
    crop = Image.fromarray(np.pad(box, margin))
    kind = random.random() - AS_IT_IS
    if kind >= 0:
        height, width = random.integers(SIDES[0], SIDES[1] + 1, 2).tolist()
        if kind >= STRETCHED:
            height = int(random.integers(HEIGHTS[0], HEIGHTS[1] + 1))
            width = max(1, round(height * crop.width / crop.height))
        crop = crop.resize((width, height), SCALING[random.integers(len(SCALING))])
    ink = np.asarray(crop)
    return np.where(ink >= 128, np.uint8(255), np.uint8(0)) if random.random() < TWO_LEVELS else ink


def _coloured(ink: Pixels, random: np.random.Generator) -> Pixels:
    """Colours (h, w, 3) of ink, dark or light."""
    return np.repeat((ink if random.random() < 0.5 else 255 - ink)[:, :, None], 3, axis=2)
