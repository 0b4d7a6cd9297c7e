"""Numbers of several digits, as pages and forms have them, made of pixels (784,) of single ones.

Each of `NUMBERS` is `kind(random, digits)`: a random generator and pixels (k, 784) to a picture, dark on light.
`SHEETS` are no numbers, and no digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.made_pictures import paper, photo

Digits = NDArray[np.uint8]
HIGH = 112  # pixels of MNIST's 28
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "4711", "digits", "of", "many", "sheets", "in", "one", "go"]


def _ink(digit: Digits) -> NDArray[np.float64]:
    """Ink (HIGH, w), 0..1, of a digit as wide as it is."""
    large = Image.fromarray(digit.reshape(28, 28)).resize((HIGH, HIGH), Image.Resampling.BICUBIC)
    ink = np.clip(np.asarray(large) / 255 * 3 - 1, 0, 1)
    columns = np.flatnonzero((ink > 0.5).any(axis=0))
    return np.asarray(ink[:, columns[0] : columns[-1] + 1])


def _line(random: np.random.Generator, digits: Digits, gaps: Sequence[int | None], margin: int = 40) -> Image.Image:
    """Digits side by side with so many pixels between each two, on white; None if they just touch."""
    inks = [_ink(digit) for digit in digits]
    width = sum(ink.shape[1] for ink in inks) + sum(gap or 0 for gap in gaps)
    page, right = np.zeros((HIGH + 2 * margin, width + 2 * margin)), margin
    for ink, gap in zip(inks, [0, *gaps], strict=True):
        top = margin + int(random.integers(-3, 4))
        left = right + (gap or 0)
        if gap is None:
            while not ((page[top : top + HIGH, left : left + ink.shape[1]] > 0.5) & (ink > 0.5)).any() and left > 0:
                left -= 1
        place = page[top : top + HIGH, left : left + ink.shape[1]]
        place[:] = np.maximum(place, ink)
        right = left + ink.shape[1]
    return Image.fromarray((255 * (1 - page[:, : right + margin])).astype(np.uint8))


def _spaced(random: np.random.Generator, digits: Digits, margin: int = 40) -> Image.Image:
    return _line(random, digits, random.integers(10, 28, len(digits) - 1).tolist(), margin)


def _box(page: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the ink."""
    dark = np.asarray(page) < 128
    rows, columns = (np.flatnonzero(dark.any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def _pen(random: np.random.Generator) -> dict[str, int]:
    return {"fill": int(random.integers(0, 110)), "width": int(random.integers(2, 5))}


def _framed(random: np.random.Generator, page: Image.Image, beside: int, above: int) -> Image.Image:
    left, top, right, bottom = _box(page)
    pen, draw = _pen(random), ImageDraw.Draw(page)
    box = left - beside, top - above, right + beside, bottom + above
    draw.rectangle(box, outline=pen["fill"], width=pen["width"])
    return page


def side_by_side(random: np.random.Generator, digits: Digits) -> Image.Image:
    return _spaced(random, digits)


def two_touch(random: np.random.Generator, digits: Digits) -> Image.Image:
    """The first two."""
    return _line(random, digits, [None, *random.integers(10, 28, len(digits) - 2).tolist()])


def in_a_box(random: np.random.Generator, digits: Digits) -> Image.Image:
    return _framed(random, _spaced(random, digits, 60), 24, int(random.integers(12, 30)))


def touching_the_box(random: np.random.Generator, digits: Digits) -> Image.Image:
    """Some digits run over its lower and its upper side."""
    return _framed(random, _spaced(random, digits, 60), 24, -4)


def _underlined(random: np.random.Generator, digits: Digits, depth: int, tilt: float = 0) -> Image.Image:
    page = _spaced(random, digits, 60)
    left, _, right, bottom = _box(page)
    ends = (left - 30, bottom + depth + tilt * (right - left)), (right + 30, bottom + depth - tilt * (right - left))
    ImageDraw.Draw(page).line(ends, **_pen(random))
    return page


def on_a_line(random: np.random.Generator, digits: Digits) -> Image.Image:
    """A little above it."""
    return _underlined(random, digits, 12)


def standing_on_a_line(random: np.random.Generator, digits: Digits) -> Image.Image:
    """Their feet touch it."""
    return _underlined(random, digits, -3, random.uniform(-0.01, 0.01))


def from_edge_to_edge(random: np.random.Generator, digits: Digits) -> Image.Image:
    """A ruled line through their feet, and the one above."""
    page = _spaced(random, digits)
    _, top, _, bottom = _box(page)
    pen = _pen(random)
    for place in (top - 18, bottom - 6):
        ImageDraw.Draw(page).line((0, place, page.width, place), **pen)
    return page


def _cells(random: np.random.Generator, digits: Digits, above: int) -> Image.Image:
    """A row of boxes, one for each digit, that have their sides in common."""
    inks, side = [_ink(digit) for digit in digits], HIGH + 16
    page = Image.new("L", (side * len(inks) + 60, HIGH + 80), 255)
    for place, ink in enumerate(inks):
        own = Image.fromarray((255 * (1 - ink)).astype(np.uint8))
        page.paste(own, (30 + side * place + (side - own.width) // 2 + int(random.integers(-5, 6)), 40))
    _, top, _, bottom = _box(page)
    pen, draw = _pen(random), ImageDraw.Draw(page)
    for place in range(len(inks)):
        left = 30 + side * place
        draw.rectangle((left, top - above, left + side, bottom + above), outline=pen["fill"], width=pen["width"])
    return page


def a_box_for_each(random: np.random.Generator, digits: Digits) -> Image.Image:
    return _cells(random, digits, 12)


def touching_their_boxes(random: np.random.Generator, digits: Digits) -> Image.Image:
    return _cells(random, digits, -4)


def photographed_on_a_line(random: np.random.Generator, digits: Digits) -> Image.Image:
    """Turned a little, in uneven light."""
    page = _underlined(random, digits, int(random.integers(-3, 8)))
    turned = page.rotate(random.uniform(-3, 3), Image.Resampling.BICUBIC, fillcolor=255)
    ink = 1 - np.asarray(turned, np.float64) / 255
    light = paper(max(ink.shape))[: ink.shape[0], : ink.shape[1]] * np.linspace(1, 0.6, ink.shape[1])[:, None]
    return photo(ink, light, (40, 40, 45), 4)


KINDS: tuple[Callable[[np.random.Generator, Digits], Image.Image], ...] = (
    side_by_side,
    two_touch,
    in_a_box,
    touching_the_box,
    on_a_line,
    standing_on_a_line,
    from_edge_to_edge,
    a_box_for_each,
    touching_their_boxes,
    photographed_on_a_line,
)
NUMBERS = {kind.__name__.replace("_", " "): kind for kind in KINDS}


# What is neither a digit nor a number


def _text(random: np.random.Generator, lines: int) -> Image.Image:
    font = ImageFont.load_default(int(random.integers(14, 36)))
    page = Image.new("L", (500, 60 * lines + 20), 255)
    for line in range(lines):
        words = " ".join(random.choice(WORDS, int(random.integers(3, 8))))
        place = int(random.integers(5, 40)), 10 + 50 * line
        ImageDraw.Draw(page).text(place, words, int(random.integers(0, 120)), font=font)
    return page


def a_line_of_text(random: np.random.Generator, digits: Digits) -> Image.Image:
    return _text(random, 1)


def a_page_of_text(random: np.random.Generator, digits: Digits) -> Image.Image:
    return _text(random, int(random.integers(4, 14)))


def a_sheet_of_digits(random: np.random.Generator, digits: Digits) -> Image.Image:
    rows, columns = (int(count) for count in random.integers(3, 15, 2))
    chosen = random.choice(digits, rows * columns).reshape(rows, columns, 28, 28)
    sheet = Image.fromarray(255 - chosen.transpose(0, 2, 1, 3).reshape(28 * rows, 28 * columns))
    return sheet.resize((sheet.width * 3 // 2, sheet.height * 3 // 2), Image.Resampling.BICUBIC)


def six_digits(random: np.random.Generator, digits: Digits) -> Image.Image:
    return _spaced(random, digits[:6])


SHEETS = {
    kind.__name__.replace("_", " "): kind for kind in (a_line_of_text, a_page_of_text, a_sheet_of_digits, six_digits)
}
