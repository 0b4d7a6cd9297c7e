"""Digits of other people: photos and drawings, and bitmaps of 1995. Each is lists of pictures and labels, by kind."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
from PIL import Image

Pictures = dict[str, list[tuple[Image.Image, int]]]


def own_digits(folder: Path) -> Pictures:
    """What people photographed or drew, by a manifest."""
    pictures: Pictures = {}
    with open(folder / "manifest.csv", newline="") as file:
        for line in csv.DictReader(file):
            pictures.setdefault(line["kind"], []).append((Image.open(folder / line["file"]), int(line["label"])))
    return pictures


def optdigits(path: Path) -> Pictures:
    """32x32 bitmaps of 0 and 1, white on black here, each followed by its label, below 21 lines of header; and the same
    cut out at their bounding box and stretched to a square, dark on light.
    """
    with gzip.open(path, "rt") as file:
        lines = file.read().split("\n")[21:]
    bitmaps, squares = [], []
    for first in range(0, len(lines) - 32, 33):
        bits = np.array([[255 * int(bit) for bit in line] for line in lines[first : first + 32]], np.uint8)
        image, label = Image.fromarray(bits), int(lines[first + 32])
        small = image.crop(image.getbbox()).resize((16, 16), Image.Resampling.BICUBIC)
        bitmaps.append((image, label))
        squares.append((small.point(lambda level: 255 * (level < 128)), label))
    return {"bitmap": bitmaps, "stretched to 16 x 16, black and white": squares}
