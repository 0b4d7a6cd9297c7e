"""Pictures as people take and draw them, made of the embedded sample's digits: one function for each kind.

Each is `kind(random, digit)`: a random generator and pixels (784,) to a picture. `PHOTOS` is the list of
all; `made_drawings` has the others.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from digitnn_fast.images.fit import _restroked, stroke_width


def written(random: np.random.Generator, digit: NDArray[np.uint8], size: int, weight: float) -> NDArray[np.float64]:
    """Ink (size, size), 0..1: the digit at a random place, strokes `weight` times as wide as they were."""
    height = int(size * random.uniform(0.3, 0.8))
    corner = tuple(int(edge) for edge in random.integers(0, size - height + 1, 2))
    if not digit.any():
        return np.zeros((size, size))
    large = Image.fromarray(digit.reshape(28, 28)).resize((140, 140), Image.Resampling.BICUBIC)
    smooth = np.asarray(large.filter(ImageFilter.GaussianBlur(2))) / 255
    thick = Image.fromarray((255 * _restroked(smooth, weight * stroke_width(smooth > 0.5) / 5)).astype(np.uint8))
    strokes = thick.resize((height, height), Image.Resampling.BICUBIC if height > 164 else Image.Resampling.BOX)
    page = Image.new("L", (size, size))
    page.paste(strokes, corner)
    return np.asarray(page) / 255


def photo(ink: NDArray[np.float64], paper: NDArray[np.float64], colour: tuple[int, ...], noise: float) -> Image.Image:
    """Ink of a colour on paper (size, size, 3), 0..255, with the camera's noise, through JPEG."""
    light = paper * (1 - ink[..., None] * (1 - np.array(colour) / 255))
    random = np.random.default_rng(int(ink.sum()))
    levels = np.clip(light + random.normal(0, noise, (*ink.shape, 1)), 0, 255).astype(np.uint8)
    return through_jpeg(Image.fromarray(levels), 80)


def through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def paper(size: int, level: float = 215.0) -> NDArray[np.float64]:
    return np.full((size, size, 3), level) * [1, 0.98, 0.94]


def plain(random, digit):
    return photo(written(random, digit, 300, 1), paper(300), (40, 40, 45), 4)


def thin_blue(random, digit):
    return photo(written(random, digit, 400, 0.5), paper(400), (50, 60, 170), 4)


def marker(random, digit):
    return photo(written(random, digit, 300, 1.8), paper(300), (25, 25, 25), 4)


def red_or_green(random, digit):
    colour = [(200, 40, 50), (30, 140, 70), (235, 130, 30)][random.integers(3)]
    return photo(written(random, digit, 300, 1), paper(300), colour, 4)


def pencil(random, digit):
    """Faint, and pressed harder in some places."""
    ink = written(random, digit, 300, 0.7)
    pressure = Image.fromarray(random.uniform(0.25, 0.6, (6, 6))).resize((300, 300), Image.Resampling.BICUBIC)
    return photo(ink * np.asarray(pressure), paper(300), (60, 60, 60), 4)


def uneven_light(random, digit):
    slope = random.uniform(-1, 1, 2)
    y, x = np.mgrid[-0.5:0.5:300j, -0.5:0.5:300j]
    light = 0.62 + 0.36 * (slope[0] * x + slope[1] * y) / 0.5 - 0.3 * (x**2 + y**2)
    return photo(written(random, digit, 300, 1), paper(300) * np.clip(light, 0.15, 1)[..., None], (40, 40, 45), 4)


def hard_shadow(random, digit):
    angle, offset = random.uniform(0, 2 * np.pi), random.uniform(-0.3, 0.3)
    y, x = np.mgrid[-0.5:0.5:300j, -0.5:0.5:300j]
    edge = np.clip(0.5 + 60 * (np.cos(angle) * x + np.sin(angle) * y - offset), 0, 1)
    return photo(written(random, digit, 300, 1), paper(300) * (0.45 + 0.55 * edge[..., None]), (40, 40, 45), 4)


def _lines(random, size, colour, across):
    """A page with lines every 40 to 60 pixels, tilted by up to 3 degrees."""
    page = Image.new("RGB", (2 * size, 2 * size), (215, 211, 203))
    draw = ImageDraw.Draw(page)
    step, width = int(random.integers(40, 60)), int(random.integers(1, 3))
    for place in range(int(random.integers(step)), 2 * size, step):
        draw.line((0, place, 2 * size, place), colour, width)
        if across:
            draw.line((place, 0, place, 2 * size), colour, width)
    turned = page.rotate(random.uniform(-3, 3), Image.Resampling.BICUBIC)
    return np.asarray(turned.crop((size // 2, size // 2, size // 2 + size, size // 2 + size))).astype(np.float64)


def ruled(random, digit):
    return photo(written(random, digit, 300, 1), _lines(random, 300, (150, 170, 215), False), (40, 40, 60), 4)


def squared(random, digit):
    return photo(written(random, digit, 300, 1), _lines(random, 300, (160, 165, 185), True), (40, 40, 60), 4)


def dark_squares(random, digit):
    return photo(written(random, digit, 300, 1), _lines(random, 300, (95, 95, 105), True), (40, 40, 60), 4)


def chalk(random, digit):
    ink = written(random, digit, 300, 1) * random.uniform(0.7, 1, (300, 300))
    board = paper(300, 50.0)
    light = board + ink[..., None] * (225 - board)
    return photo(np.zeros((300, 300)), light, (0, 0, 0), 5)


def specks(random, digit):
    ink = written(random, digit, 300, 1)
    y, x = np.mgrid[:300, :300]
    for _ in range(12):
        centre_y, centre_x, radius = *random.uniform(0, 300, 2), random.uniform(0.7, 3.5)
        ink = np.maximum(ink, ((y - centre_y) ** 2 + (x - centre_x) ** 2 < radius**2) * 1.0)
    return photo(ink, paper(300), (40, 40, 45), 4)


def table_at_the_edge(random, digit):
    """The paper ends inside the picture; beyond it is something dark."""
    page = paper(360)
    side = int(random.integers(4))
    page = np.rot90(page, side).copy()
    page[: int(random.integers(8, 29))] = (70, 50, 35)
    page = np.rot90(page, -side)
    ink = np.pad(written(random, digit, 300, 1), 30)
    return photo(ink, page, (40, 40, 45), 4)


def large_photo(random, digit):
    return photo(written(random, digit, 1200, 0.8), paper(1200), (40, 40, 60), 8)


def small_and_blurred(random, digit):
    image = plain(random, digit).resize((48, 48), Image.Resampling.LANCZOS)
    return image.filter(ImageFilter.GaussianBlur(0.6))


# Other paper, light and cameras


def hand_shadow(random, digit):
    """The soft shadow of a hand or a phone over a corner, and some of the digit."""
    centre = random.uniform(-0.6, 0.6, 2)
    y, x = np.mgrid[-0.5:0.5:300j, -0.5:0.5:300j]
    distance = np.hypot(y - centre[0], x - centre[1])
    light = 1 - random.uniform(0.3, 0.6) * np.clip((0.45 - distance) / random.uniform(0.03, 0.2), 0, 1)
    return photo(written(random, digit, 300, 1), paper(300) * light[..., None], (40, 40, 45), 4)


def notebook(random, digit):
    """Ruled, with the red line of a margin, and uneven light."""
    page = _lines(random, 300, (150, 170, 215), False)
    left = int(random.integers(20, 90))
    page[:, left : left + 2] = (225, 130, 135)
    slope = np.linspace(1, random.uniform(0.5, 1), 300)
    return photo(written(random, digit, 300, 0.7), page * slope[:, None, None], (40, 45, 120), 4)


def whiteboard(random, digit):
    """Coloured felt-pen on a board that shines."""
    colour = [(30, 30, 35), (30, 70, 180), (200, 45, 50), (30, 130, 80)][random.integers(4)]
    centre = random.uniform(-0.5, 0.5, 2)
    y, x = np.mgrid[-0.5:0.5:400j, -0.5:0.5:400j]
    shine = 80 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 0.02)
    board = paper(400, 175) + shine[..., None]
    return photo(written(random, digit, 400, 0.9) * 0.85, board, colour, 4)


def faint_on_grey(random, digit):
    """A hard pencil on recycled paper."""
    ink = written(random, digit, 300, 0.6) * random.uniform(0.2, 0.35)
    return photo(ink, paper(300, 165), (50, 50, 50), 3)


def yellow_note(random, digit):
    page = np.full((300, 300, 3), (245, 225, 110.0))
    return photo(written(random, digit, 300, 1), page, (30, 60, 160), 4)


def brown_paper(random, digit):
    """Kraft paper with its grain."""
    grain = Image.fromarray(random.normal(0, 10, (150, 150))).resize((300, 300), Image.Resampling.BICUBIC)
    page = np.full((300, 300, 3), (170, 130, 90.0)) + np.asarray(grain)[..., None]
    return photo(written(random, digit, 300, 1.2), page, (35, 30, 35), 5)


def wrinkled(random, digit):
    """Paper that was folded: bright and dark creases."""
    light = np.ones((300, 300))
    y, x = np.mgrid[-0.5:0.5:300j, -0.5:0.5:300j]
    for _ in range(4):
        angle, offset = random.uniform(0, np.pi), random.uniform(-0.4, 0.4)
        distance = np.cos(angle) * x + np.sin(angle) * y - offset
        light += random.uniform(-0.15, 0.15) * np.sign(distance) * np.exp(-np.abs(distance) / 0.08)
    return photo(written(random, digit, 300, 1), paper(300, 190) * light[..., None], (40, 40, 45), 4)


def show_through(random, digit):
    """Of what is written on the back of the sheet."""
    back = written(random, digit, 300, 1)[:, ::-1] * 0.12
    return photo(written(random, digit, 300, 1), paper(300) * (1 - back[..., None]), (40, 40, 45), 4)


def out_of_focus(random, digit):
    return plain(random, digit).filter(ImageFilter.GaussianBlur(random.uniform(2, 5)))


def strong_jpeg(random, digit):
    return through_jpeg(plain(random, digit).resize((120, 120), Image.Resampling.BOX), 12)


def dark_room(random, digit):
    return photo(written(random, digit, 300, 1), paper(300, 60), (40, 40, 45), 7)


def tiny_in_a_photo(random, digit):
    """A fifteenth of the photo."""
    page = Image.new("L", (1500, 1500))
    ink = Image.fromarray((255 * written(random, digit, 150, 0.8)).astype(np.uint8))
    page.paste(ink, tuple(int(edge) for edge in random.integers(0, 1350, 2)))
    return photo(np.asarray(page) / 255, paper(1500), (40, 40, 60), 5)


def fills_the_frame(random, digit):
    """Cut out by hand, closely: strokes touch the picture's edge."""
    ink = written(random, digit, 300, 1)
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    cut = ink[rows[0] + 1 : rows[-1], columns[0] + 1 : columns[-1]]
    return photo(cut, np.full((*cut.shape, 3), 205.0), (40, 40, 45), 4)


PHOTOS: tuple[Callable[[np.random.Generator, NDArray[np.uint8]], Image.Image], ...] = (
    plain,
    thin_blue,
    marker,
    red_or_green,
    pencil,
    uneven_light,
    hard_shadow,
    ruled,
    squared,
    dark_squares,
    chalk,
    specks,
    table_at_the_edge,
    large_photo,
    small_and_blurred,
    hand_shadow,
    notebook,
    whiteboard,
    faint_on_grey,
    yellow_note,
    brown_paper,
    wrinkled,
    show_through,
    out_of_focus,
    strong_jpeg,
    dark_room,
    tiny_in_a_photo,
    fills_the_frame,
)
