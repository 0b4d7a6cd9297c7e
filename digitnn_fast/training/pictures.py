"""Images of a training set as they are read when people cut digits out of pictures: small, stretched, dark or light.

What is read of a close crop is not always what was written: where both reach the frame, paper may be taken for ink. A
network that has learned from such readings answers right more often than rules can decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitnn_fast.images import PictureError, cut_out

Pixels = NDArray[np.uint8]

LEAST = 60  # levels above it are ink, whose box is cut out
HEIGHTS, SIDES = (7, 12), (10, 28)  # pixels, as long as the digit was wide; of what is stretched
AS_IT_IS, STRETCHED = 0.25, 0.2  # shares that keep their size, that are stretched
CLOSE, MARGIN = 0.5, 3  # share that keeps no paper; pixels of it on a side at most, before the size is changed
TWO_LEVELS = 0.25  # share that is black and white
SCALING = Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC


def read_anew(images: Pixels, share: float) -> tuple[NDArray[np.int64], Pixels]:
    """So many of images (n, 784) as pictures: indices (m,) and readings (m, 784), two of each but of what is refused.

    The same images give the same readings.
    """
    random = np.random.default_rng(len(images))
    chosen = np.sort(random.permutation(len(images))[: round(share * len(images))])
    rows, found = [], []
    for row in chosen.tolist():
        levels = images[row].reshape(28, 28)
        if (levels > LEAST).any():
            try:
                found.append(cut_out(_coloured(cropped(levels, random), random)).readings)
            except PictureError:
                continue
            rows += [row, row]
    return np.array(rows, np.int64), np.concatenate([images[:0], *found])


def cropped(levels: Pixels, random: np.random.Generator) -> Pixels:
    """How much ink (h, w), 0 to 255, there is of a digit's levels (28, 28), cut out."""
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
