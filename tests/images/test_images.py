"""Pictures of digits: made here from the embedded sample, so that what has to come out is known."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from picture_files import CLEAR, DIGITS, GREY, LABELS, PREDICTOR, WIDE, ink_of, page_of
from PIL import Image, ImageDraw

from digitnn_fast import preprocess
from digitnn_fast.images import BlankPictureError, cut_out, cut_out_number, read_colours, readings
from digitnn_fast.images.fit import SIDE, fit, fit_twice, sized, stroke_width
from digitnn_fast.images.ink import is_dark_on_light
from digitnn_fast.images.lines import without_lines
from digitnn_fast.images.parts import FRAME, label, measured


def accuracy(pictures: list[Image.Image]) -> float:
    pixels = np.stack([preprocess(picture) for picture in pictures])
    return float(np.mean(PREDICTOR.predict(pixels) == LABELS[: len(pictures)]))


def lit(light: np.ndarray, digit: np.ndarray) -> Image.Image:
    levels = np.asarray(page_of(digit), np.float64) * light[..., None]
    noise = np.random.default_rng(0).normal(0, 3, (*light.shape, 1))
    return Image.fromarray(np.clip(levels + noise, 0, 255).astype(np.uint8))


ACROSS = np.linspace(0, 1, 160)
LIGHTS = {
    "even": np.ones((160, 160)),
    "from one side": np.add.outer(0.3 + 0.4 * ACROSS, 0.3 * ACROSS),
    "a shadow with a hard edge": np.where(ACROSS > 0.6, 0.5, 1) * np.ones((160, 1)),
    "dark corners": 1 - np.add.outer((ACROSS - 0.5) ** 2, (ACROSS - 0.5) ** 2),
}


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
def test_light_and_shadow(light):
    assert accuracy([lit(light, digit) for digit in DIGITS]) >= 0.95


INKS = {
    "blue on white": ((30, 40, 180), (255, 255, 255)),
    "yellow on white": ((250, 220, 60), (255, 255, 255)),
    "red on pink": ((190, 30, 40), (250, 205, 210)),
    "pencil": ((165, 165, 165), (225, 225, 225)),
    "chalk": ((235, 235, 225), (45, 70, 55)),
    "white on black": ((255, 255, 255), (0, 0, 0)),
    "black on grey": ((0, 0, 0), (90, 90, 90)),
}


@pytest.mark.parametrize(("ink", "paper"), INKS.values(), ids=INKS)
def test_inks_and_papers(ink, paper):
    pages = [page_of(digit, np.array(ink), np.array(paper)) for digit in DIGITS]
    assert accuracy(pages) >= 0.95
    dark = sum(ink) < sum(paper)
    assert all(is_dark_on_light(np.asarray(page)) == dark for page in pages)


def test_mnists_own_images_stay_what_they_are():
    assert accuracy([Image.fromarray(digit) for digit in DIGITS]) >= 0.96
    assert accuracy([Image.fromarray(255 - digit) for digit in DIGITS]) >= 0.96


def ruled(page: Image.Image, across: bool, tilt: int) -> Image.Image:
    draw = ImageDraw.Draw(page)
    for place in range(-20, 200, 27):
        draw.line((0, place, 160, place + tilt), (90, 100, 130), 1)
        if across:
            draw.line((place, 0, place - tilt, 160), (90, 100, 130), 1)
    return page


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("tilt", [0, 7])
def test_ruled_and_squared_paper(across, tilt):
    pages = [ruled(page_of(digit), across, tilt) for digit in DIGITS]
    assert accuracy(pages) >= 0.9
    # Without the step the lines would stay.
    mask = np.asarray(pages[0].convert("L")) < 130
    assert without_lines(mask).sum() < 0.8 * mask.sum()


def test_strokes_of_a_digit_that_fills_the_picture_are_no_lines():
    mask = np.zeros((120, 80), bool)
    mask[:12] = mask[:, 60:72] = True
    np.testing.assert_array_equal(without_lines(mask), mask)


def test_specks_and_the_edge_of_the_table_are_left_out():
    clean = page_of(DIGITS[0])
    dirty = clean.copy()
    draw = ImageDraw.Draw(dirty)
    draw.rectangle((0, 0, 160, 9), (60, 40, 30))
    for x, y in ((5, 150), (150, 40), (140, 145)):
        draw.ellipse((x, y, x + 3, y + 3), (30, 30, 30))
    assert cut_out(read_colours(dirty)).box == cut_out(read_colours(clean)).box


def test_a_digit_may_have_two_parts():
    """As a 5 has whose bar was drawn last."""
    page = Image.new("L", (200, 200), 255)
    draw = ImageDraw.Draw(page)
    draw.line((80, 40, 130, 40), 0, 10)
    draw.arc((60, 60, 130, 160), 230, 500, 0, 10)
    box = cut_out(read_colours(page)).box
    assert box.top < 40
    assert box.bottom > 150


# Fitting


@pytest.mark.parametrize("pen", [2, 6, 14, 30])
@pytest.mark.parametrize("size", [(40, 150), (150, 40), (120, 120)])
def test_box_centre_of_mass_and_stroke_weight(pen, size):
    page = Image.new("L", (220, 220), 0)
    corner = (110 - size[0] // 2, 110 - size[1] // 2)
    ImageDraw.Draw(page).ellipse((*corner, corner[0] + size[0], corner[1] + size[1]), outline=255, width=min(pen, 15))
    image = preprocess(page).reshape(28, 28)
    rows, columns = (np.flatnonzero((image >= 64).any(axis=axis)) for axis in (1, 0))
    lengths = [int(places[-1] - places[0]) + 1 for places in (columns, rows)]
    assert 19 <= max(lengths) <= 20
    if size[0] != size[1]:
        assert (lengths[0] > lengths[1]) == (size[0] > size[1])
    for axis in (0, 1):
        assert abs(np.average(np.arange(28) + 0.5, weights=image.sum(axis=axis)) - 14) <= 0.75
    assert image.max() >= 240
    assert 1.4 <= stroke_width(image >= 128) <= 3.2, "MNIST's strokes are 1.8 to 3.5 pixels wide"


def test_the_second_reading_has_the_strokes_as_they_are():
    page = Image.new("L", (220, 220), 0)
    ImageDraw.Draw(page).ellipse((60, 40, 160, 180), outline=255, width=30)
    first, second = readings(page).reshape(2, 28, 28)
    np.testing.assert_array_equal(first.reshape(-1), preprocess(page))
    assert stroke_width(first >= 128) <= 3.2 < 4 <= stroke_width(second >= 128)
    assert np.ptp(np.flatnonzero((second >= 128).any(axis=0))) > np.ptp(np.flatnonzero((first >= 128).any(axis=0)))
    faint = np.full((9, 5), 0.4)  # no pixel is more ink than paper
    assert all(reading.any() for reading in fit_twice(faint))


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.floats(0.5, 1)))
@settings(max_examples=60)
def test_any_ink_fits(ink):
    image = fit(ink)
    assert image.shape == (SIDE, SIDE)
    assert image.max() > 0


@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_parts_are_those_of_a_flood_fill(mask):
    labels, count = label(mask)
    expected, number = np.zeros(mask.shape, int), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if not expected[start]:
            number += 1
            todo = [start]
            while todo:
                y, x = todo.pop()
                if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and not expected[y, x]:
                    expected[y, x] = number
                    todo += [(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    np.testing.assert_array_equal(labels, expected)
    assert count == number


@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_parts_are_measured_as_pixel_by_pixel(mask):
    labels, found = measured(mask, mask / 2)
    for part, framed in found:
        own = np.pad(labels == part.number, 1)
        y, x = np.nonzero(own[1:-1, 1:-1])
        outline = sum(np.count_nonzero(own & ~np.roll(own, step, axis)) for axis in (0, 1) for step in (-1, 1))
        at_edge = np.count_nonzero((y == 0) | (y == len(mask) - 1) | (x == 0) | (x == mask.shape[1] - 1))
        assert part.box == (y.min(), y.max() + 1, x.min(), x.max() + 1)
        assert (part.area, part.mass) == (len(y), len(y) / 2)
        assert part.width == pytest.approx(2 * len(y) / (outline * np.pi / 4))
        assert framed == (at_edge * FRAME * max(mask.shape) > part.mass)


@given(st.integers(1, 60), st.integers(1, 60))
def test_another_size_is_the_triangle_filter(old, new):
    values, scale = np.random.default_rng(old).random(old), old / new
    for pixel, value in enumerate(sized(values[:, None], new, 1)[:, 0]):
        shares = [max(0, 1 - abs(place - (pixel + 0.5) * scale + 0.5) / max(1, scale)) for place in range(old)]
        assert value == pytest.approx(np.average(values, weights=shares))


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3))))
@settings(max_examples=100)
def test_any_colours_give_an_image_or_are_blank(colours):
    try:
        cut = cut_out(colours)
    except BlankPictureError:
        return
    assert cut.pixels.shape == (784,)
    assert cut.pixels.max() > 0


# Numbers


@pytest.mark.parametrize("dark", [True, False])
def test_digits_of_a_number_from_left_to_right(dark):
    chosen = [7, 2, 1, 0]  # the sample's first four test digits
    ink = np.zeros((160, 520))
    for place, index in enumerate(np.argmax(digit == LABELS) for digit in chosen):
        ink[20:140, 15 + 125 * place : 135 + 125 * place] = ink_of(DIGITS[index], size=120)
    ink[135:141, 505:511] = 1  # a full stop
    page = Image.fromarray((255 * (1 - ink if dark else ink)).astype(np.uint8))
    cuts = cut_out_number(read_colours(page))
    assert [PREDICTOR.predict(cut.pixels) for cut in cuts] == chosen


# Blank pictures

BLANK = {
    "white": Image.new("L", (100, 100), 255),
    "black": Image.new("1", (100, 100), 0),
    "one pixel": Image.new("RGB", (1, 1), (9, 9, 9)),
    "transparent": Image.new("RGBA", (50, 50), (200, 10, 10, 0)),
    "noise": Image.fromarray(np.random.default_rng(1).normal(200, 6, (120, 120)).astype(np.uint8)),
    "light from one side": Image.fromarray(np.linspace(150, 240, 120).astype(np.uint8) * np.ones((120, 1), np.uint8)),
    "flat floats": Image.new("F", (40, 40), 0.5),
}


@pytest.mark.parametrize("picture", BLANK.values(), ids=BLANK)
def test_a_blank_picture_says_so(picture, tmp_path):
    with pytest.raises(BlankPictureError, match=r"^(nothing is written on it|it is transparent everywhere)$"):
        preprocess(picture)
    if picture.mode != "F":
        picture.save(tmp_path / "blank.png")
        with pytest.raises(BlankPictureError, match=r"blank\.png: "):
            preprocess(tmp_path / "blank.png")


# Formats


def transparent(ink: int) -> Image.Image:
    strokes = Image.new("RGBA", GREY.size, (ink, ink, ink, 0))
    strokes.putalpha(GREY.point(lambda grey: 255 - grey))
    return strokes


SAVED = {
    "grey.png": GREY,
    "bits.png": GREY.convert("1", dither=Image.Dither.NONE),
    "palette.png": GREY.convert("P"),
    "palette.gif": GREY.convert("P"),
    "colour.webp": GREY.convert("RGB"),
    "colour.bmp": GREY.convert("RGB"),
    "colour.jpg": GREY.convert("RGB"),
    "cmyk.jpg": GREY.convert("CMYK"),
    "cmyk.tif": GREY.convert("CMYK"),
    "floats.tif": Image.fromarray(WIDE / np.float32(255)),
    "16 bits.png": Image.fromarray(WIDE * 257),
    "12 bits.tif": Image.fromarray(WIDE * 16),
    "grey and alpha.png": GREY.convert("LA"),
    "dark on nothing.png": transparent(0),
    "light on nothing.png": transparent(255),
    "light on nothing.webp": transparent(255),
    "plain.ppm": GREY.convert("RGB"),
}


@pytest.mark.parametrize("name", SAVED)
def test_every_format_gives_the_same_digit(name, tmp_path):
    path = tmp_path / name
    SAVED[name].save(path, **({"lossless": True} if name.endswith("webp") else {}))
    pixels = preprocess(path)
    if name != "bits.png":  # whose digit is half a pixel larger, which can move its centre to the next
        assert np.abs(pixels.astype(int) - preprocess(GREY)).mean() < 4
    assert PREDICTOR.predict(pixels) == LABELS[CLEAR]
    np.testing.assert_array_equal(preprocess(io.BytesIO(path.read_bytes())), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation, tmp_path):
    upright = page_of(DIGITS[0]).crop((0, 0, 160, 140))
    undo = [None, None, 0, 3, 1, 5, 2, 6, 4][orientation]  # the transposition that EXIF's then takes back
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_colours(tmp_path / "turned.png"), np.asarray(upright))


def test_of_an_animation_the_first_picture(tmp_path):
    path = tmp_path / "moving.gif"
    GREY.save(path, save_all=True, append_images=[Image.new("L", GREY.size, 255)] * 3)
    assert PREDICTOR.predict(path) == LABELS[CLEAR]


def test_a_large_photo_is_shrunk():
    assert read_colours(page_of(DIGITS[0]).resize((3000, 2000))).shape == (334, 500, 3)
