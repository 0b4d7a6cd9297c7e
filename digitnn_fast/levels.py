"""Whether grey levels can be what they should be: 0 for paper, 255 for ink."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE = 64  # images that are looked at
DARK, FAINT = 128, 16
MOST = 0.6  # of all pixels; of digits one in ten is so dark
MIXED = 0.1  # of the images
INSIDE = 116  # the pixel four rows and columns from the first one, behind a frame
ENOUGH = 20  # labels, of which each is hardly the same by chance


class LevelsWarning(UserWarning):
    """Images or labels that are probably not meant so; they are read as they are."""


def check_levels(pixels: NDArray[np.uint8], name: str = "images") -> None:
    """ValueError if images (784,) or (n, 784) can't be meant as grey levels; LevelsWarning if they hardly can.

    Levels of 0 and 1 alone are a mask, or floats that were not scaled; black images are none of these.
    """
    if not pixels.size:
        return
    some = pixels[:: -(-len(pixels) // SAMPLE)] if pixels.ndim > 1 else pixels
    first = pixels[0] if pixels.ndim > 1 else pixels
    if first[first.argmax()] < FAINT and 0 < (most := pixels.max()) < FAINT:  # argmax: twice as fast as max
        if most == 1:
            text = "no level is above 1, but grey levels are 0 (paper) to 255 (ink); multiply by 255"
            raise ValueError(f"{name}: {text}")
        _warn(f"{name}: no level is above {most}; 255 is ink, so multiply them")
    if first[0] >= DARK or first[INSIDE] >= DARK or (some[..., 0] >= DARK).any():  # there an image is paper
        share = float(((some >= DARK).mean(axis=-1) > MOST).mean())
        if share == 1:
            _warn(f"{name}: most pixels are ink; 0 must be paper and 255 ink, so invert them: 255 - level")
        elif share >= MIXED:
            _warn(f"{name}: in {share:.0%} of the images most pixels are ink; invert these: 255 - level")


def check_labels_differ(labels: NDArray[np.uint8], name: str) -> None:
    """LevelsWarning if many labels (n,) are all the same, as another column's numbers may be."""
    if len(labels) >= ENOUGH and (labels == labels[0]).all():
        _warn(f"{name}: every label is {labels[0]}; are these the labels? A table without a header has them first")


def _warn(text: str) -> None:
    warnings.warn(text, LevelsWarning, stacklevel=4)
