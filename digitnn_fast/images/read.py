"""A picture file or a Pillow image, hostile or not -> its colours, upright and small enough to work on."""

from __future__ import annotations

import base64
import errno
import io
import math
import os
import re
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import reason_of, shortened
from digitnn_fast.picture_files import FORMATS

if TYPE_CHECKING:
    from PIL.Image import Image

    Source = str | os.PathLike[str] | bytes | bytearray | BinaryIO | Image

WORK = 512  # pixels of the longer side that is worked on: a digit of a twentieth of a photo still has 25
MAX_PIXELS = 120_000_000  # of a file, and so a limit on the time
MAX_BYTES = 200_000_000  # while it is decoded
STEPS = 12  # rows and columns that differ from the one before, at least: a drawing of a box has fewer
STRIP_PIXELS = 2**20  # of a large picture that are converted at a time
NO_PATH = re.compile(r"\n|^https?://")  # nothing is fetched
ORIENTATION = 0x0112  # EXIF's tag for how the camera was held


class PictureError(ValueError):
    """A picture that can't be used; the text is one line with the reason, and the file's name if it has one."""


class BlankPictureError(PictureError):
    """A picture on which nothing is written."""


def read_colours(source: Source) -> NDArray[np.uint8]:
    """Colours (h, w, 3) of a picture, upright, shrunk to at most WORK pixels; of an animation the first picture.

    Of a small one that was enlarged by repeating its pixels, as `preprocess` would see squares, the small one.
    Transparent pixels become paper: white, or black if the ink is light. PictureError if it can't be read, is no
    picture, or would take more than MAX_BYTES; OSError if there is no such file, TypeError for what names none.
    """
    from PIL import Image

    if isinstance(source, str) and source.startswith("data:"):
        source = _from_url(source)
    if not isinstance(source, Image.Image | str | os.PathLike | bytes | bytearray) and not hasattr(source, "read"):
        hint = "; Image.fromarray makes one of an array" if hasattr(source, "__array__") else ""
        wanted = "a path, a Pillow image, an open file, its bytes or a data: URL"
        raise TypeError(f"a picture is {wanted}, not {type(source).__name__}{hint}")
    if isinstance(source, bytes | bytearray):
        source = io.BytesIO(source)
    try:
        with warnings.catch_warnings():  # Pillow warns of what is refused below or can be read all the same
            warnings.simplefilter("ignore")
            if isinstance(source, Image.Image):  # not drafted: the caller may need all of it
                _check_size(source, drafted=False)
                return _colours(source)
            with Image.open(source, formats=tuple(FORMATS)) as image:
                _check_size(image, drafted=True)
                image.draft("RGB", (WORK, WORK))  # a JPEG can be read at an eighth of its size, in a third of the time
                return _colours(image)
    except PictureError as error:
        raise type(error)(f"{name_of(source)}{error}") from error
    except MemoryError as error:
        raise PictureError(f"{name_of(source)}not enough memory") from error
    except Exception as error:  # on damaged files Pillow's parsers raise a dozen types
        if isinstance(error, OSError) and error.errno:  # not there, a folder, not ours to read
            if isinstance(source, str) and (error.errno == errno.ENAMETOOLONG or NO_PATH.search(source)):
                raise PictureError(f"{shortened(source)!r} is neither a path nor a data: URL of a picture") from None
            raise
        raise PictureError(f"{name_of(source)}{_reason(error)}") from error


def name_of(source: object) -> str:
    """The name of a file with a colon, for the start of a message; nothing if it has none."""
    if not isinstance(source, str | os.PathLike):
        return ""
    name = os.fspath(source)
    return "" if isinstance(name, str) and name.startswith("data:") else f"{name}: "


def _from_url(url: str) -> bytes:
    """The bytes of a `data:` URL, as a page's canvas gives them; PictureError if it has none in Base64."""
    head, comma, text = url.partition(",")
    try:
        if comma and head.endswith(";base64"):
            return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    raise PictureError("not a data: URL of a picture in Base64")


def _reason(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"not a picture in a format that can be read ({', '.join(FORMATS)})"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS:,} pixels"
    return f"damaged: {reason_of(error)}"


def _check_size(image: Image, drafted: bool) -> None:
    """PictureError if decoding the file would take too long or too much memory; of JPEGs less if they are `drafted`."""
    width, height = image.size
    pixels = width * height
    if pixels > MAX_PIXELS:
        raise PictureError(f"{width:,} x {height:,} pixels are more than {MAX_PIXELS:,}")
    stored = 1 if image.mode in ("1", "L", "P") else 4
    if image.format in ("JPEG", "MPO"):
        # A progressive JPEG is kept whole, 2 bytes for each coefficient; a plain one is shrunk while it is read.
        coefficients = 2 * len(image.getbands()) if image.info.get("progressive") else 0
        each = max(1, coefficients) if drafted else coefficients + stored
    else:  # libwebp keeps two frames besides Pillow's two, libtiff a strip that may be the whole picture
        each = {"WEBP": 16, "TIFF": 8}.get(image.format or "", stored)
    if pixels * each > MAX_BYTES:
        raise PictureError(f"{width:,} x {height:,} pixels would take more than {MAX_BYTES:,} bytes")


def _colours(image: Image) -> NDArray[np.uint8]:
    if not all(image.size):
        raise PictureError("it has no pixels")
    mode = _mode(image)
    factor = -(-max(image.size) // WORK)
    rows = factor * max(1, STRIP_PIXELS // (image.width * factor))
    image.load()
    if factor == 1 and rows >= image.height:
        return _unrepeated(_turned(_on_paper(np.asarray(image.convert(mode))), image))
    strips = []
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        strips.append(np.asarray(strip.convert(mode).reduce(factor)))
    return _unrepeated(_turned(_on_paper(np.concatenate(strips)), image))


def _mode(image: Image) -> str:
    """What the pixels are converted to: grey levels of any range, colours, or colours with transparency."""
    if image.mode.startswith("I") or image.mode == "F":
        return "F"
    transparent = "A" in image.mode or "a" in image.mode or "transparency" in image.info
    return "RGBA" if transparent and image.mode != "LAB" else "RGB"


def _on_paper(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.ndim == 2:  # 12 or 16 bits, or floats of any scale: only their range says what black and white are
        known = np.isfinite(pixels)
        if not known.any():
            raise PictureError("its pixels are no numbers")
        low, high = float(pixels[known].min()), float(pixels[known].max())
        share = (np.where(known, pixels, low).astype(np.float64) - low) / ((high - low) or 1)
        return np.repeat((255 * share).astype(np.uint8)[..., None], 3, axis=2)
    if pixels.shape[2] == 3:
        return np.asarray(pixels, np.uint8)
    opacity = pixels[..., 3:].astype(np.uint32)
    if not opacity.any():
        raise BlankPictureError("it is transparent everywhere")
    mean = (pixels[..., :3] * opacity).sum() / (3 * opacity.sum())
    # Light ink that lies on nothing, such as white strokes, would vanish on white paper.
    paper = 0 if mean > 127 and opacity.mean() < 127 else 255
    return np.asarray((pixels[..., :3] * opacity + paper * (255 - opacity) + 127) // 255, np.uint8)


def _turned(pixels: NDArray[np.uint8], image: Image) -> NDArray[np.uint8]:
    """The picture as it was meant to be seen, by EXIF's eight orientations."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data: then it is not known
        orientation = 1
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _unrepeated(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture before it was enlarged by repeating each pixel: the edges of large squares are not a digit's."""
    height, width, _ = colours.shape
    lines = colours.reshape(height, -1)  # to ask any() of three colours at a time would take twenty times as long
    rows = (lines[1:] != lines[:-1]).any(axis=1)
    columns = (lines[:, 3:] != lines[:, :-3]).any(axis=0).reshape(-1, 3).any(axis=1)
    steps = [*(np.flatnonzero(rows) + 1).tolist(), *(np.flatnonzero(columns) + 1).tolist()]
    if len(steps) < STEPS:
        return colours
    times = math.gcd(height, width, *steps)
    return np.ascontiguousarray(colours[::times, ::times])
