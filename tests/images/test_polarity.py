"""Pictures of so few pixels that a network says whether they are dark on light."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bench.made_crops import CROPS, Crop
from digitnn_fast.images import BlankPictureError, readings
from digitnn_fast.images.close import FEW
from digitnn_fast.images.polarity import is_dark_in_light
from digitnn_fast.sample import load_sample

DIGITS = load_sample().test_images[:200]


@pytest.mark.parametrize("height", [8, 12, 16, 20])
def test_dark_on_light_is_told_from_light_on_dark(height):
    pictures = [np.asarray(Crop(height=height).picture(digit, dark=True)) for digit in DIGITS]
    assert np.mean([is_dark_in_light(light) for light in pictures]) >= 0.98
    assert np.mean([is_dark_in_light(~light) for light in pictures]) <= 0.02


@pytest.mark.parametrize("name", ["cropped, 8 high", "cropped, 12 high", "stretched to 12 x 12"])
def test_a_negative_is_read_alike(name):
    for digit in DIGITS[:40]:
        dark, light = (CROPS[name].picture(digit, way) for way in (True, False))
        np.testing.assert_array_equal(readings(dark), readings(light))


@pytest.mark.parametrize("side", [1, 5, 12, FEW])
def test_a_tiny_picture_without_ink_is_blank(side):
    random = np.random.default_rng(side)
    for level in (0, 128, 255):
        grain = np.clip(level + random.integers(-9, 10, (side, side)), 0, 255) if level else np.zeros((side, side))
        for pixels in (np.full((side, side), level), grain):
            with pytest.raises(BlankPictureError):
                readings(Image.fromarray(pixels.astype(np.uint8)))


def test_a_speck_in_a_tiny_picture_is_no_digit():
    page = np.full((FEW, FEW), 255, np.uint8)
    page[9, 9] = 0
    with pytest.raises(BlankPictureError):
        readings(Image.fromarray(page))


@pytest.mark.parametrize("side", [8, 12, FEW])
def test_the_edge_of_a_shadow_in_a_tiny_picture_is_no_digit(side):
    level = np.tile(np.linspace(0, 255, side), (side, 1)).astype(np.uint8)
    dark = np.where(np.arange(side) < side // 2, 40, 230).astype(np.uint8)
    for light in (level, np.tile(dark, (side, 1))):
        for picture in (light, light.T, light[:, ::-1], light.T[::-1]):
            with pytest.raises(BlankPictureError):
                readings(Image.fromarray(np.ascontiguousarray(picture)))


def test_the_faint_edge_of_a_tiny_digit_belongs_to_it():
    """Less than half of a pixel is ink there, but where it ends is all that tells how wide the digit is."""
    page = np.full((12, 8), 255, np.uint8)
    page[1:11, 2:5] = 0
    faint = page.copy()
    faint[1:11, 5] = 150
    assert readings(Image.fromarray(faint))[1].astype(int).sum() > readings(Image.fromarray(page))[1].astype(int).sum()
