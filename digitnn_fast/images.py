"""A picture of one digit -> the 28x28 grey levels that the network takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 28


def preprocess(picture: Image | str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Grey levels (784,) of a Pillow image or a picture file: resized to 28x28, ink light on dark.

    A picture whose border is light is taken as dark ink on paper and inverted. OSError (Pillow's
    UnidentifiedImageError) for a file that is no picture. There is no cropping: the digit should fill the picture
    about as MNIST's do, 20 of 28 pixels high.
    """
    from PIL import Image, ImageOps

    if isinstance(picture, (str, os.PathLike)):
        with Image.open(picture) as opened:
            return preprocess(opened)
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")  # transparent pixels show the paper
    small = Image.alpha_composite(paper, upright).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    grey = np.asarray(small)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.ascontiguousarray(255 - grey if np.median(border) > 127 else grey).reshape(-1)
