"""Any picture -> the 28x28 grey levels that MNIST would have made of it.

`read` (file to colours), `ink` (colours to ink), `lines` and `parts` (which ink is the digit), `close` and `polarity`
(a digit that fills its picture), `touching` (which of a number), `fit` (28x28).
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.images.close import close_up
from digitnn_fast.images.fit import COARSEST, TINY, fit_twice
from digitnn_fast.images.ink import Levels, find_ink, is_dark_on_light, reflected
from digitnn_fast.images.lines import is_form, without_forms, without_lines
from digitnn_fast.images.parts import EDGE, Box, Part, choose, columns, find_parts, is_dust, measured
from digitnn_fast.images.read import BlankPictureError, PictureError, name_of, read_colours
from digitnn_fast.images.shadows import is_shadow
from digitnn_fast.images.touching import Judge, apart
from digitnn_fast.picture_files import ENDINGS, is_picture

if TYPE_CHECKING:
    from digitnn_fast.images.read import Source

__all__ = [
    "ENDINGS",
    "READINGS",
    "BlankPictureError",
    "Cut",
    "PictureError",
    "cut_out",
    "cut_out_number",
    "cut_out_one",
    "is_picture",
    "preprocess",
    "read_colours",
    "readings",
]

READINGS = 2  # of a digit
OVERLAP = 0.4  # of the narrower one's width: parts that overlap so much are one digit
STRONG = 0.8  # contrast of ink that is believed although the picture as a whole looks like the other polarity
TALL = 0.7  # of the tallest digit's height: digits of one hand are as tall as that
APART = 0.15  # of a digit's height: so far apart are the lines of a page
MOST, FEW, LOW = 20, 4, 0.4  # digits of a number; of so many, the share at most that is not as tall
MANY, READABLE = 4, 8  # so many digits, so many pixels high at least, are not read as one: strokes may have gaps
LOWEST = 0.3  # of the tallest digit's height: what is lower is a full stop or a comma
LOOSE = 0.6, 0.2, 0.01  # the same, of a loose stroke's length and gap to its digit; how much surer may be two digits

Floats = NDArray[np.float64]


class _Written(NamedTuple):
    """Ink (h, w), the number (h, w) of the part that each pixel of it belongs to, the parts; whether they fill it."""

    ink: Floats
    labels: NDArray[np.int64]
    parts: list[Part]
    fills: bool = False


class Cut(NamedTuple):
    """A digit cut out of a picture: its box in the colours that were worked on, its ink there, readings (2, 784)."""

    box: Box
    ink: Floats
    readings: NDArray[np.uint8]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The first of them (784,), which is shown."""
        return np.asarray(self.readings[0])


def preprocess(picture: Source) -> NDArray[np.uint8]:
    """Grey levels (784,), 0 paper to 255 ink, of a picture.

    The picture is a path, a Pillow image, an open file, its bytes, or a `data:` URL.

    Photos and drawings, dark on light or light on dark, are cut out and fitted as MNIST's digits were: the longer
    side 20 pixels, strokes of their weight, the centre of mass in the middle of 28x28. BlankPictureError if nothing
    is written on it, PictureError if it can't be read or shows four digits or more (both are ValueErrors), OSError if
    there is no such file, TypeError for anything else, as an array.

    >>> from PIL import Image, ImageDraw
    >>> paper = Image.new("L", (200, 200), "white")
    >>> ImageDraw.Draw(paper).line([(110, 40), (100, 160)], fill="black", width=14)
    >>> pixels = preprocess(paper)
    >>> pixels.shape, int(pixels.max())
    ((784,), 255)
    >>> from digitnn_fast import predict
    >>> predict(pixels)
    1
    """
    return np.asarray(readings(picture)[0])


def readings(picture: Source) -> NDArray[np.uint8]:
    """Grey levels (2, 784) of a picture, which is read in two ways: as `preprocess` makes it, and by `fit_twice`."""
    colours = read_colours(picture)
    try:
        return cut_out(colours).readings
    except PictureError as error:
        raise type(error)(f"{name_of(picture)}{error}") from error


def cut_out(colours: NDArray[np.uint8]) -> Cut:
    """The digit in colours (h, w, 3); BlankPictureError if nothing is written there, PictureError if it is a number."""
    return cut_out_one(colours)[0]


def cut_out_one(colours: NDArray[np.uint8]) -> tuple[Cut, int]:
    """The same, and how many digits there seem to be."""
    written = _written(colours)
    count = _count(written.parts)
    if count >= MANY:
        raise PictureError(f"there seem to be {count} digits, not one; `digitnn-fast image --number` reads numbers")
    return _cut(written, choose(written.parts), written.fills), count


def _count(parts: list[Part]) -> int:
    """Groups side by side that are nearly as tall as the tallest: of a line, or of all lines that have two at least."""
    chosen = choose(parts, far=np.inf)
    lines = [_turned(line) for line in columns(_turned(chosen), OVERLAP)]
    heights = [[_box(group).height for group in columns(line, OVERLAP)] for line in (chosen, *lines)]
    tall = max(TALL * max(max(own) for own in heights[1:]), READABLE)
    counts = [sum(height >= tall for height in own) for own in heights[1:]]
    alone = sum(height >= max(TALL * max(heights[0]), READABLE) for height in heights[0])
    return max(alone, sum(count for count in counts if count > 1))


def _turned(parts: list[Part]) -> list[Part]:
    """The parts with rows and columns exchanged."""
    return [part._replace(box=Box(part.box.left, part.box.right, part.box.top, part.box.bottom)) for part in parts]


def cut_out_number(colours: NDArray[np.uint8], judge: Judge | None = None) -> list[Cut]:
    """The digits in colours (h, w, 3) from left to right; BlankPictureError if nothing is written there.

    They may touch each other if `judge` gives probabilities (n, 10) of pixels (n, 784).
    PictureError if there are lines of them, one above the other, or if it is no number.
    """
    written = _written(colours)
    groups = columns(choose(written.parts, far=np.inf), OVERLAP)
    tall = TALL * max(part.box.height for group in groups for part in group)
    for group in groups:
        boxes = sorted((part.box for part in group if part.box.height >= tall), key=lambda box: box.top)
        if any(below.top - above.bottom > APART * tall for above, below in pairwise(boxes)):
            raise PictureError("more than one line of digits; cut the lines apart")
    groups = _joined(written, groups, judge) if judge else groups
    whole = [_box(group) for group in groups]
    kept = [
        group for group, box in zip(groups, whole, strict=True) if box.height >= LOWEST * max(b.height for b in whole)
    ]
    low = sum(_box(group).height < tall for group in kept)
    if len(kept) > MOST or (len(kept) >= FEW and low > LOW * len(kept)):
        raise PictureError("this is no number: a few digits of about one height in a line")
    return [cut for group in kept for cut in _cuts(written, group, judge)]


def _joined(written: _Written, groups: list[list[Part]], judge: Judge) -> list[list[Part]]:
    """The groups with loose strokes put to their digits, as the bar of a 5 that lies beside it."""
    tallest = max(_box(group).height for group in groups)
    joined = groups[:1]
    for group in groups[1:]:
        ways = joined[-1], group, joined[-1] + group
        box, other, _ = (_box(way) for way in ways)
        loose = min(box, other, key=lambda own: own.longer)
        far = LOOSE[1] * tallest if loose.height >= LOWEST * tallest else 0
        joined.append(group)
        if loose.longer < LOOSE[0] * tallest and other.left - box.right <= far:
            pixels = np.stack([_cut(written, way, False).pixels for way in ways])
            one, another, both = np.asarray(judge(pixels), np.float64).max(axis=1)
            if one * another < both + LOOSE[2]:
                joined[-2:] = [ways[2]]
    return joined


def _cuts(written: _Written, parts: list[Part], judge: Judge | None) -> list[Cut]:
    """The digits of parts that lie above each other, or touch."""
    cut = _cut(written, parts, False)
    pieces = apart(cut.ink, judge) if judge else []
    if len(pieces) < 2:
        return [cut]
    cuts = []
    for top, left, ink in pieces:
        (height, width), (y, x) = ink.shape, (cut.box.top + top, cut.box.left + left)
        cuts.append(Cut(Box(y, y + height, x, x + width), ink, fit_twice(ink)))
    return cuts


def _written(colours: NDArray[np.uint8]) -> _Written:
    """What is written in colours (h, w, 3); BlankPictureError if nothing is."""
    lights = [reflected(colours, dark) for dark in (True, False)]
    if found := close_up(lights):
        return _Written(*found, fills=True)
    first, second = lights if is_dark_on_light(colours) else lights[::-1]
    # A border, as of a scan, may have misled.
    written = _written_as(first, 0) or _written_as(second, STRONG)
    if written is None:
        raise BlankPictureError("nothing is written on it")
    return written


def _written_as(light: Levels, least: float) -> _Written | None:
    """The same if the ink reflects less light (h, w) than the paper; None if nothing is written, or only fainter."""
    found = find_ink(light)
    if found is None or found.level < least:
        return None
    mask = found.share >= EDGE - TINY
    kept = without_lines(mask)
    labels, all_parts = measured(kept, found.share)
    if any(is_form(part, mask.shape) for part, _ in all_parts):
        kept = without_forms(kept, labels, [part for part, _ in all_parts])
        labels, all_parts = measured(kept, found.share)
    ink = found.share if kept is mask else np.where(mask & ~kept, 0, found.share)
    parts = [part for part in find_parts(labels, all_parts) if not is_shadow(found, labels, part)]
    return None if is_dust(parts, mask.shape) else _Written(ink, labels, parts)


def _box(parts: list[Part]) -> Box:
    return reduce(Box.with_, (part.box for part in parts))


def _cut(written: _Written, parts: list[Part], stretched: bool) -> Cut:
    (ink, labels, _, _), box = written, _box(parts)
    if stretched and max(ink.shape) <= COARSEST:
        box = box.grown(1, ink.shape)  # where it is faint, the strokes end between two pixels
    place = slice(box.top, box.bottom), slice(box.left, box.right)
    numbers = labels[place]
    own = np.zeros(int(numbers.max()) + 1, bool)
    own[[0, *(part.number for part in parts)]] = True
    digit = np.where(own[numbers], ink[place], 0)
    return Cut(box, digit, fit_twice(digit, stretched))
