"""Digits that fill their picture, were stretched, are tiny or thin, or touch each other."""

from __future__ import annotations

import numpy as np
import pytest
from picture_files import PREDICTOR, five_and_one, wide_digits
from PIL import Image, ImageDraw

from bench.made_crops import CROPS
from bench.made_numbers import NUMBERS
from bench.made_strokes import WAYS
from digitnn_fast import preprocess
from digitnn_fast.images import BlankPictureError, PictureError, cut_out_number, read_colours
from digitnn_fast.sample import load_sample

SAMPLE = load_sample()


def share_read(pictures, labels) -> float:
    right = []
    for picture, label in zip(pictures, labels, strict=True):
        try:
            right.append(PREDICTOR.predict(picture) == label)
        except BlankPictureError:
            right.append(False)
    return float(np.mean(right))


@pytest.mark.parametrize("name", [name for name in CROPS if "2,000" not in name])
def test_a_digit_cut_out_closely_is_read_as_one_with_margins(name):
    pictures = [CROPS[name].picture(digit, bool(i % 2)) for i, digit in enumerate(SAMPLE.test_images[:60])]
    assert share_read(pictures, SAMPLE.test_labels[:60]) >= 0.93


@pytest.mark.parametrize("dark", [True, False])
def test_spots_of_paper_in_a_tiny_zero_are_no_ink(dark):
    """The hole and the corners cover less of the frame than the stroke does, but there are several of them."""
    zeros = SAMPLE.test_images[SAMPLE.test_labels == 0][:20]
    pictures = [CROPS["cropped, 8 high"].picture(digit, dark) for digit in zeros]
    assert share_read(pictures, [0] * len(zeros)) >= 0.95


@pytest.mark.parametrize("times", [2, 7, 16])
def test_a_picture_enlarged_by_repeating_pixels_is_the_small_one(times):
    """A drawing of a box has straight edges, too, but few of them."""
    for index, digit in enumerate(SAMPLE.test_images[:4]):
        small = CROPS["cropped, 1 pixel left"].picture(digit, bool(index % 2))
        large = small.resize((times * small.width, times * small.height), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(read_colours(large), read_colours(small))
    box = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(box).rectangle((40, 40, 159, 159), outline=0, width=20)
    assert read_colours(box).shape == (200, 200, 3)


def drawn(random, digit: int, side: int, width: int) -> Image.Image:
    """Strokes of so many pixels, not smoothed, in a square picture."""
    strokes = WAYS["normal"](random, digit)
    points = np.concatenate(strokes)
    low, size = points.min(axis=0), np.ptp(points, axis=0).max()
    page = Image.new("L", (side, side), 255)
    for stroke in strokes:
        places = ((stroke - low) / size * 0.7 + 0.15) * side
        ImageDraw.Draw(page).line([tuple(place) for place in places], fill=0, width=width)
    return page


@pytest.mark.parametrize("side", [12, 20, 28, 100, 300])
def test_strokes_of_one_pixel(side):
    random, labels = np.random.default_rng(4), np.arange(50) % 10
    assert share_read([drawn(random, int(label), side, 1) for label in labels], labels) >= 0.88


def test_strokes_with_gaps_are_not_blank():
    random = np.random.default_rng(5)
    for digit in range(10):
        page = drawn(random, digit, 28, 2)
        inked = np.argwhere(np.asarray(page) < 128)
        for y, x in inked[random.integers(0, len(inked), 4)].tolist():
            ImageDraw.Draw(page).ellipse((x - 1, y - 1, x + 1, y + 1), fill=255)
        assert preprocess(page).any()


def side_by_side(one: np.ndarray, other: np.ndarray) -> Image.Image:
    """Two digits that just touch."""
    digits = []
    for digit in (one, other):
        levels = digit.reshape(28, 28)
        columns = np.flatnonzero((levels > 60).any(axis=0))
        digits.append(levels[:, columns[0] : columns[-1] + 1].astype(int))
    ink, start = np.zeros((40, 100), int), 20 + digits[0].shape[1]
    ink[6:34, 20:start] = digits[0]
    while not (near := (ink[6:34, start : start + digits[1].shape[1]] > 100) & (digits[1] > 100)).any() and start > 20:
        start -= 1
    assert near.any()
    ink[6:34, start : start + digits[1].shape[1]] = np.maximum(ink[6:34, start : start + digits[1].shape[1]], digits[1])
    return Image.fromarray((255 - ink).astype(np.uint8)).resize((500, 200), Image.Resampling.BICUBIC)


def test_most_pairs_that_touch_are_read():
    right = []
    for first in range(0, 60, 2):
        page = side_by_side(SAMPLE.test_images[first], SAMPLE.test_images[first + 1])
        right.append(number_in(page) == SAMPLE.test_labels[first : first + 2].tolist())
    assert np.mean(right) >= 0.5


def number_in(picture: Image.Image) -> list[int]:
    cuts = cut_out_number(read_colours(picture), PREDICTOR.predict_proba)
    return PREDICTOR.predict_readings(np.stack([cut.readings for cut in cuts])).argmax(axis=1).tolist()


@pytest.mark.parametrize("size", [(1, 9), (3, 9)])
def test_a_number_in_a_few_pixels(size):
    """Of which too few are left for a path that cuts them apart."""
    page = np.full((6, 12), 255, np.uint8)
    page[1 : 1 + size[0], 1 : 1 + size[1]] = 0
    cuts = cut_out_number(read_colours(Image.fromarray(page)), PREDICTOR.predict_proba)
    assert 1 <= len(cuts) <= size[1]


def test_a_wide_digit_is_not_cut_apart():
    pictures, labels = wide_digits()
    assert len(pictures) > 20
    assert np.mean([number_in(picture) == [label] for picture, label in zip(pictures, labels, strict=True)]) >= 0.85


def test_a_loose_stroke_goes_to_its_digit():
    cuts = cut_out_number(read_colours(five_and_one()), PREDICTOR.predict_proba)
    assert number_in(five_and_one()) == [5, 1]
    assert cuts[0].box.right > 160 < cuts[1].box.left


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_in_boxes_and_on_lines(name):
    """Of which the digits may touch boxes and lines."""
    random, right = np.random.default_rng(6), []
    for start in range(0, 30, 3):
        picture = NUMBERS[name](random, SAMPLE.test_images[start : start + 3])
        right.append(number_in(picture) == SAMPLE.test_labels[start : start + 3].tolist())
    assert np.mean(right) >= (0.5 if "touch" in name else 0.8)


def test_the_bar_of_a_seven_is_no_line_of_a_form():
    page = Image.new("L", (300, 300), 255)
    ImageDraw.Draw(page).line([(60, 60), (200, 60), (130, 240)], fill=0, width=5)
    assert PREDICTOR.predict(preprocess(page)) == 7


def test_a_sheet_of_digits_is_not_one():
    rows = SAMPLE.test_images[:36].reshape(6, 6, 28, 28).transpose(0, 2, 1, 3).reshape(168, 168)
    for picture in (Image.fromarray(255 - rows), Image.fromarray(rows), Image.fromarray(255 - rows[:28])):
        with pytest.raises(PictureError, match=r"^there seem to be \d+ digits, not one; "):
            preprocess(picture)


def test_a_line_of_text_is_no_number():
    page = Image.new("L", (900, 60), 255)
    for word in range(30):
        ImageDraw.Draw(page).rectangle((10 + 29 * word, 10 + 15 * (word % 3), 22 + 29 * word, 45), outline=0, width=2)
        ImageDraw.Draw(page).line((12 + 29 * word, 44, 21 + 29 * word, 11 + 15 * (word % 3)), 0, 2)
    with pytest.raises(PictureError, match=r"^this is no number: "):
        cut_out_number(read_colours(page))
