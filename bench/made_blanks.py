"""Pictures on which nothing is written: those of `made_pictures` and `made_drawings` without their digit, and others.

Each is `kind(random)`: a random generator to a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from bench.made_drawings import KINDS, as_in_mnist, broken_strokes
from bench.made_pictures import fills_the_frame, paper, photo, show_through, through_jpeg
from digitnn_fast.images.ink import blur

NOBODY = np.zeros(784, np.uint8)
NEEDS_A_DIGIT = (fills_the_frame, broken_strokes, show_through, as_in_mnist)  # are nothing without, or another's

Blank = Callable[[np.random.Generator], Image.Image]


def without_digit(kind) -> Blank:
    return partial(kind, digit=NOBODY)


def empty(random, page: NDArray[np.float64], noise: float = 4) -> Image.Image:
    """Paper (h, w, 3), 0..255, with the camera's noise, through JPEG."""
    levels = page + random.normal(0, noise, (*page.shape[:2], 1))
    return through_jpeg(Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)), int(random.integers(50, 95)))


def soft(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    return blur(blur(values, reach), reach)


def _across() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[-0.5:0.5:300j, -0.5:0.5:300j]
    return y, x


# Light and cameras


def dark_corners(random):
    """A lens that lets less light into the corners."""
    y, x = _across()
    return empty(random, paper(300) * (1 - random.uniform(0.4, 1.2) * (x**2 + y**2))[..., None])


def light_of_a_lamp(random):
    """A bright spot that fades away in all directions."""
    y, x = _across()
    centre = random.uniform(-0.5, 0.5, 2)
    light = 0.3 + 0.7 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / random.uniform(0.05, 0.4))
    return empty(random, paper(300, 235) * light[..., None])


def shadow_of_a_finger(random):
    """Soft and narrow, from one edge into the picture."""
    y, x = _across()
    angle, width = random.uniform(0, 2 * np.pi), random.uniform(0.05, 0.12)
    along, beside = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    inside = np.clip((along - random.uniform(-0.1, 0.2)) / 0.08, 0, 1) * np.exp(-((beside / width) ** 4))
    return empty(random, paper(300) * (1 - random.uniform(0.15, 0.4) * inside)[..., None])


def several_shadows(random):
    """Two lamps and what stands in their light: three edges, of different softness."""
    y, x = _across()
    light = np.ones((300, 300))
    for _ in range(3):
        angle, offset = random.uniform(0, 2 * np.pi), random.uniform(-0.4, 0.4)
        edge = np.clip(0.5 + random.uniform(5, 80) * (np.cos(angle) * x + np.sin(angle) * y - offset), 0, 1)
        light *= random.uniform(0.6, 0.9) + (1 - random.uniform(0.6, 0.9)) * edge
    return empty(random, paper(300) * light[..., None])


def many_isos(random):
    """The coarse noise of a dark room, smoothed by the camera."""
    grain = soft(random.normal(0, 14, (300, 300)), int(random.integers(0, 3)))
    levels = np.clip(random.uniform(60, 200) + (1 + random.random()) * grain, 0, 255)
    return through_jpeg(Image.fromarray(levels.astype(np.uint8)), 40)


def blurred_nothing(random):
    """Something out of focus, or moved."""
    kind = [several_shadows, wood, crumpled, empty_table_corner][random.integers(4)]
    return kind(random).filter(ImageFilter.GaussianBlur(random.uniform(3, 12)))


# Paper


def crumpled(random):
    """Facets of different brightness with sharp creases between."""
    points, tilt = random.uniform(0, 300, (30, 2)), random.normal(1, 0.08, 30)
    y, x = np.mgrid[:300, :300]
    nearest = ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(axis=2)
    return empty(random, paper(300, 190) * soft(tilt[nearest], int(random.integers(1, 4)))[..., None])


def folded_twice(random):
    """A dark crease down and one across, as of a letter."""
    light = np.ones((300, 300))
    for axis in (0, 1):
        place = int(random.integers(80, 220))
        crease = 1 - random.uniform(0.1, 0.5) * np.exp(-np.abs(np.arange(300) - place) / random.uniform(1, 3))
        light *= crease[:, None] if axis else crease
    return empty(random, paper(300) * light[..., None])


def wood(random):
    """A table: long grain, no paper."""
    grain = random.normal(0, 1, (300, 8)).repeat(38, axis=1)[:, :300]
    grain = soft(grain, int(random.integers(1, 5)))
    page = np.array((150, 110, 75)) * (1 + 0.25 * grain[..., None])
    return empty(random, page if random.integers(2) else page.transpose(1, 0, 2))


def cloth(random):
    """A woven pattern."""
    y, x = np.mgrid[:300, :300]
    step = random.uniform(4, 14)
    weave = np.sin(2 * np.pi * x / step) * np.sin(2 * np.pi * y / step)
    return empty(random, paper(300, 170) * (1 - random.uniform(0.05, 0.25) * (weave > 0))[..., None])


def empty_table_corner(random):
    """A sheet that lies turned on a dark table: two or more of its edges are seen."""
    sheet = Image.new("L", (300, 300), int(random.integers(30, 110)))
    side = int(random.integers(180, 320))
    page = Image.new("L", (side, side), 215)
    turned = page.rotate(random.uniform(-25, 25), Image.Resampling.BICUBIC, expand=True)
    mask = Image.new("L", (side, side), 255).rotate(0)
    mask = ImageOps.fit(turned.point(lambda level: 255 * (level > 107)), turned.size)
    corner = tuple(int(place) for place in random.integers(-60, 90, 2))
    sheet.paste(Image.new("L", turned.size, 215), corner, mask)
    return empty(random, np.repeat(np.asarray(sheet, np.float64)[..., None], 3, axis=2))


def punched(random):
    """Two round holes at the left, through which the table is seen."""
    page = Image.new("RGB", (300, 300), (215, 211, 203))
    draw, radius, left = ImageDraw.Draw(page), int(random.integers(5, 9)), int(random.integers(14, 40))
    for top in (75, 215):
        draw.ellipse((left - radius, top - radius, left + radius, top + radius), (90, 80, 70))
    return empty(random, np.asarray(page, np.float64))


# Forms, scans and screens


def _outlines(random, boxes: int, size: int = 200) -> Image.Image:
    page = Image.new("L", (size, size), int(random.integers(225, 256)))
    draw, ink, width = ImageDraw.Draw(page), int(random.integers(0, 150)), int(random.integers(1, 5))
    side = int(random.uniform(0.6, 0.85) * size / boxes)
    top, left = (int(place) for place in random.integers(4, size - boxes * side - 3, 2))
    for box in range(boxes):
        draw.rectangle((left + box * side, top, left + (box + 1) * side, top + side), outline=ink, width=width)
    return page


def empty_box(random):
    return _outlines(random, 1)


def row_of_boxes(random):
    """As for a postcode."""
    return _outlines(random, int(random.integers(2, 6)))


def photographed_box(random):
    """Turned a little, with a soft pen and uneven light."""
    page = _outlines(random, 1, 300).rotate(random.uniform(-6, 6), Image.Resampling.BICUBIC, fillcolor=240)
    ink = 1 - np.asarray(page.filter(ImageFilter.GaussianBlur(1)), np.float64) / 255
    return photo(np.clip(ink - 0.1, 0, 1), paper(300) * np.linspace(1, 0.6, 300)[:, None, None], (40, 40, 45), 4)


def cut_off_box(random):
    """A box of which the picture has only two or three sides."""
    page = _outlines(random, 1, 300)
    left, top = (int(place) for place in random.integers(20, 140, 2))
    return page.crop((left, top, left + 200, top + 200)) if random.integers(2) else page.crop((0, top, 300, top + 170))


def border_on_some_sides(random):
    """Of a scan whose lid did not close: black at one, two or three edges, of uneven depth."""
    page = np.full((300, 240), 250.0)
    for side in random.choice(4, int(random.integers(1, 4)), replace=False):
        page = np.rot90(page)
        if side % 2 or random.integers(2):
            depth = np.linspace(*random.uniform(2, 40, 2), page.shape[1])
            page = np.where(np.arange(len(page))[:, None] < depth, random.uniform(0, 90), page)
    return through_jpeg(Image.fromarray(np.clip(page + random.normal(0, 2, page.shape), 0, 255).astype(np.uint8)), 75)


def dust_on_the_glass(random):
    """Hairs and grains on a scan."""
    page = Image.new("L", (300, 300), 250)
    draw = ImageDraw.Draw(page)
    for _ in range(int(random.integers(3, 30))):
        x, y, radius = *random.uniform(0, 300, 2), random.uniform(0.5, 2.5)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), int(random.integers(0, 200)))
    return page


def copied_grey(random):
    """A bad photocopy: grey with clouds and pepper, in black and white."""
    clouds = np.asarray(Image.fromarray(random.uniform(0, 1, (6, 6))).resize((300, 300), Image.Resampling.BICUBIC))
    return Image.fromarray(random.random((300, 300)) > 0.04 * clouds)


def one_line(random):
    """An empty line of a form, to write on."""
    page = Image.new("L", (300, 120), 250)
    top = int(random.integers(30, 110))
    end, ink, width = int(random.integers(-4, 5)), int(random.integers(0, 150)), int(random.integers(1, 4))
    ImageDraw.Draw(page).line((0, top, 300, top + end), ink, width)
    return page


def gradient_screen(random):
    """A background of a screen, from one colour to another."""
    first, last = random.uniform(20, 240, (2, 3))
    share = np.linspace(0, 1, 200)[:, None, None] * np.ones((1, 200, 1))
    page = first * (1 - share) + last * share
    return Image.fromarray((page if random.integers(2) else page.transpose(1, 0, 2)).astype(np.uint8))


def window(random):
    """A drawing program's empty canvas, with its frame and a bar on top."""
    page = Image.new("L", (260, 300), 255)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 259, int(random.integers(12, 36))), int(random.integers(30, 220)))
    draw.rectangle((0, 0, 259, 299), outline=int(random.integers(0, 160)), width=int(random.integers(1, 6)))
    return page


OTHERS: tuple[Blank, ...] = (
    dark_corners,
    light_of_a_lamp,
    shadow_of_a_finger,
    several_shadows,
    many_isos,
    blurred_nothing,
    crumpled,
    folded_twice,
    wood,
    cloth,
    empty_table_corner,
    punched,
    empty_box,
    row_of_boxes,
    photographed_box,
    cut_off_box,
    border_on_some_sides,
    dust_on_the_glass,
    copied_grey,
    one_line,
    gradient_screen,
    window,
)
BLANKS: dict[str, Blank] = {kind.__name__: without_digit(kind) for kind in KINDS if kind not in NEEDS_A_DIGIT} | {
    kind.__name__: kind for kind in OTHERS
}


def blanks(kind: Blank, count: int, seed: int) -> Iterator[Image.Image]:
    """Pictures of a kind, each second one as its negative, and of different sizes."""
    random = np.random.default_rng(seed)
    for index in range(count):
        picture = kind(random)
        picture = ImageOps.invert(picture.convert("RGB")) if index % 2 and picture.mode != "RGBA" else picture
        scale = (1, 0.5, 1.7, 1)[index % 4]
        yield picture if scale == 1 else picture.resize(tuple(max(1, int(side * scale)) for side in picture.size))
