"""Pictures inside other files: a PNG or another format, as Hugging Face keeps MNIST in Parquet."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images import preprocess
from digitnn_fast.picture_files import FORMATS, begins_as_picture
from digitnn_fast.sizes import PIXELS, SIDE

PNG = b"\x89PNG\r\n\x1a\n"


def is_encoded(content: bytes) -> bool:
    """Whether these bytes begin as a picture does; 784 of them may be pixels that happen to do so."""
    return content.startswith(PNG) or (len(content) != PIXELS and begins_as_picture(content))


def levels_of(content: bytes) -> NDArray[np.uint8]:
    """Grey levels (784,): of 28x28 pixels as they are, of another size what `images.preprocess` makes of it.

    PictureError for a picture that can't be read.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as image:
            if image.size == (SIDE, SIDE):
                return np.asarray(image.convert("L")).reshape(-1)
    except Exception:  # on damaged files Pillow's parsers raise a dozen types, which preprocess words
        pass
    return preprocess(content)
