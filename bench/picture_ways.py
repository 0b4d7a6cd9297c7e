"""Ways from a picture to readings (k, 784): ours, and what people do without it. `PREPARATIONS` is their table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from digitnn_fast.images import READINGS, readings


def resized(image: Image.Image) -> NDArray[np.uint8]:
    small = ImageOps.exif_transpose(image).convert("L").resize((28, 28), Image.Resampling.LANCZOS)
    return np.asarray(small).reshape(1, -1)


def inverted(image: Image.Image) -> NDArray[np.uint8]:
    grey = resized(image).reshape(28, 28)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return (255 - grey if np.median(border) > 127 else grey).reshape(1, -1)


def otsu(image: Image.Image) -> NDArray[np.uint8]:
    """Otsu's threshold, the ink's box into 20x20, centre of mass to the centre."""
    grey = np.asarray(ImageOps.exif_transpose(image).convert("L"), np.float64)
    counts = np.bincount(grey.astype(np.int64).ravel(), minlength=256)
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    gap = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    threshold = (below * above * gap**2).argmax()
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = grey <= threshold if np.median(border) > threshold else grey > threshold
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return np.zeros((1, 784), np.uint8)
    box = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8) * 255)
    scale = 20 / max(box.size)
    box = box.resize(tuple(max(1, round(side * scale)) for side in box.size), Image.Resampling.BOX)
    small = np.asarray(box, np.float64)
    y, x = (np.average(np.arange(small.shape[axis]) + 0.5, weights=small.sum(axis=1 - axis)) for axis in (0, 1))
    page = Image.new("L", (28, 28))
    page.paste(box, (round(14 - x), round(14 - y)))
    return np.asarray(page).reshape(1, -1)


def ours(image: Image.Image) -> NDArray[np.uint8]:
    try:
        return readings(image)
    except ValueError:  # blank, which is wrong here: an image without ink is no digit
        return np.zeros((READINGS, 784), np.uint8)


PREPARATIONS = {"resize": resized, "resize, invert": inverted, "Otsu, crop": otsu, "digitnn-fast": ours}
