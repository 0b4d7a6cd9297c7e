"""Scans, forms and drawings made of the embedded sample's digits, as `made_pictures` makes photos."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from bench.made_pictures import PHOTOS, through_jpeg, written

# Scans and forms


def scan_with_black_border(random, digit):
    page = np.pad(1 - written(random, digit, 260, 1), random.integers(8, 32, (2, 2)))
    return Image.fromarray((255 * page).astype(np.uint8))


def negative_with_white_border(random, digit):
    page = np.pad(1 - written(random, digit, 260, 1), random.integers(8, 32, (2, 2)))
    return Image.fromarray((255 - 255 * page).astype(np.uint8))


def black_and_white_scan(random, digit):
    return Image.fromarray(written(random, digit, 200, 0.8) < random.uniform(0.35, 0.65))


def in_a_box(random, digit):
    """A field of a form, with its printed frame."""
    page = Image.fromarray((255 - 255 * np.pad(written(random, digit, 120, 1), 15)).astype(np.uint8))
    ImageDraw.Draw(page).rectangle(
        (6, 6, 143, 143), outline=int(random.integers(0, 140)), width=int(random.integers(1, 4))
    )
    return page


# Drawn on a screen


def one_pixel_strokes(random, digit):
    """Strokes as thin as a line can be, drawn along the middle of the digit's."""
    ink = written(random, digit, 140, 0.3) > 0.1
    return Image.fromarray(np.where(ink, 0, 255).astype(np.uint8))


def fat_brush(random, digit):
    return Image.fromarray((255 - 255 * written(random, digit, 200, 2.4)).astype(np.uint8))


def white_on_black(random, digit):
    return Image.fromarray((255 * written(random, digit, 280, 1)).astype(np.uint8))


def dark_screen(random, digit):
    """A drawing in pale colours on dark grey."""
    ink = written(random, digit, 280, 0.7)[..., None]
    colour = np.array([(120, 200, 255), (255, 220, 120), (240, 240, 240), (255, 120, 120)][random.integers(4)])
    return Image.fromarray((35 + ink * (colour - 35)).astype(np.uint8))


def pale_colour(random, digit):
    """Yellow, pink or sky blue on white."""
    ink = written(random, digit, 280, 1)[..., None]
    colour = np.array([(250, 225, 60), (255, 170, 190), (140, 205, 245)][random.integers(3)])
    return Image.fromarray((255 + ink * (colour - 255)).astype(np.uint8))


def transparent(random, digit):
    """Black or white strokes on nothing."""
    ink = (255 * written(random, digit, 280, 1)).astype(np.uint8)
    colour = np.full((280, 280, 3), 255 * int(random.integers(2)), np.uint8)
    return Image.fromarray(np.dstack([colour, ink]))


def broken_strokes(random, digit):
    """Gaps where the pen failed, as after a hard threshold."""
    ink = written(random, digit, 280, 0.6)
    for _ in range(3):
        y, x = np.mgrid[:280, :280]
        places = np.argwhere(ink > 0.5)
        row, column = places[random.integers(len(places))]
        ink = np.where((y - row) ** 2 + (x - column) ** 2 < (0.06 * np.ptp(places[:, 0])) ** 2, 0.15 * ink, ink)
    return Image.fromarray((255 - 255 * ink).astype(np.uint8))


def as_in_mnist(random, digit):
    """The sample's 28x28 itself, in both polarities."""
    pixels = digit.reshape(28, 28)
    return Image.fromarray(pixels if random.integers(2) else 255 - pixels)


def low_resolution(random, digit):
    return through_jpeg(as_in_mnist(random, digit).resize((20, 20), Image.Resampling.BOX), 60)


DRAWINGS = (
    scan_with_black_border,
    negative_with_white_border,
    black_and_white_scan,
    in_a_box,
    one_pixel_strokes,
    fat_brush,
    white_on_black,
    dark_screen,
    pale_colour,
    transparent,
    broken_strokes,
    as_in_mnist,
    low_resolution,
)
KINDS = PHOTOS + DRAWINGS
