"""Whether grey levels can be what they should be: 0 for paper, 255 for ink."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE = 64  # images that are looked at
DARK = 128
MOST = 0.6  # of all pixels; of digits one in ten is so dark


class LevelsWarning(UserWarning):
    """Images that are probably inverted; they are read as they are."""


def check_levels(pixels: NDArray[np.uint8], name: str = "images") -> None:
    """ValueError if images (784,) or (n, 784) can't be meant as grey levels; LevelsWarning if most pixels are ink.

    Levels of 0 and 1 alone are a mask, or floats that were not scaled; black images are none of these.
    """
    some = pixels[:SAMPLE] if pixels.ndim > 1 else pixels
    if not some.size:
        return
    flat = some.reshape(-1)
    if flat[flat.argmax()] == 1 and pixels.max() == 1:  # argmax: for one image twice as fast as max
        raise ValueError(f"{name}: no level is above 1, but grey levels are 0 (paper) to 255 (ink); multiply by 255")
    if flat[0] >= DARK and (flat >= DARK).mean() > MOST:  # the corner of an image is paper
        warnings.warn(
            f"{name}: most pixels are ink; 0 must be paper and 255 ink, so invert them: 255 - level",
            LevelsWarning,
            stacklevel=3,
        )
