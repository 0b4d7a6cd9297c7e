"""Digits cut out closely, as OpenCV's tutorials do: at their bounding box, with hardly any paper left around them.

Each kind of `CROPS` makes a picture of pixels (784,), 0 paper to 255 ink: dark on light, or light on dark.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

INK = 60  # levels above it are ink, whose box is cut out


class Crop(NamedTuple):
    """How a digit is cut out: pixels of paper left on the sides, times larger or pixels high, or stretched to a size.

    `margin` is as of `numpy.pad`: of all sides, or ((above, below), (left, right)).

    `two` levels are black and white alone, thresholded at half of full ink.
    """

    margin: int | tuple[tuple[int, int], tuple[int, int]] = 0
    times: float = 1
    height: int = 0
    stretched: tuple[int, int] | None = None
    two: bool = False
    smooth: bool = True
    cut: bool = True

    def picture(self, digit: NDArray[np.uint8], dark: bool) -> Image.Image:
        """The picture of pixels (784,)."""
        levels = digit.reshape(28, 28)
        if self.cut:
            rows, columns = (np.flatnonzero((levels > INK).any(axis=axis)) for axis in (1, 0))
            levels = levels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        image = Image.fromarray(np.pad(levels, self.margin))
        scale = self.height / image.height if self.height else self.times
        size = self.stretched or tuple(max(1, round(scale * side)) for side in image.size)
        if size != image.size:
            how = Image.Resampling.BICUBIC if self.smooth else Image.Resampling.NEAREST
            image = image.resize(size, how)
        if self.two:
            image = image.point(lambda level: 255 * (level >= 128))
        return Image.eval(image, lambda level: 255 - level) if dark else image


CROPS = {
    "28 x 28 as they are": Crop(cut=False),
    "cropped": Crop(),
    "cropped, 8 times as large": Crop(times=8),
    "cropped, 8 times, pixels visible": Crop(times=8, smooth=False),
    "cropped, 2,000 high": Crop(height=2000),
    "cropped, 12 high": Crop(height=12),
    "cropped, 16 high": Crop(height=16),
    "cropped, 1 pixel left": Crop(margin=1),
    "cropped, 2 pixels left": Crop(margin=2),
    "cropped, 3 pixels left": Crop(margin=3),
    "1 pixel left, 8 times": Crop(margin=1, times=8),
    "3 pixels left, 8 times": Crop(margin=3, times=8),
    "cropped, black and white": Crop(two=True),
    "cropped, 8 times, black and white": Crop(times=8, two=True),
    "1 pixel left, black and white": Crop(margin=1, two=True),
    "stretched to 28 x 28": Crop(stretched=(28, 28)),
    "stretched to 200 x 200": Crop(stretched=(200, 200)),
    "stretched to 60 x 80": Crop(stretched=(60, 80)),
    "stretched to 20 x 60": Crop(stretched=(20, 60)),
    "stretched to 90 x 60": Crop(stretched=(90, 60)),
    "stretched to 12 x 12": Crop(stretched=(12, 12)),
    "stretched to 16 x 16, black and white": Crop(stretched=(16, 16), two=True),
    "1 pixel left, stretched to 28 x 28": Crop(margin=1, stretched=(28, 28)),
    "2 pixels left, stretched to 64 x 64": Crop(margin=2, stretched=(64, 64)),
    "cropped, 8 high": Crop(height=8),
    "cropped, 20 high": Crop(height=20),
    "0 to 3 pixels left, on each side others": Crop(margin=((0, 2), (3, 1))),
}
