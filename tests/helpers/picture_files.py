"""Pictures and picture files, sound and hostile, that several tests share."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw

from digitnn_fast import Predictor
from digitnn_fast.sample import load_sample

SAMPLE = load_sample()
DIGITS, LABELS = SAMPLE.test_images[:60].reshape(-1, 28, 28), SAMPLE.test_labels[:60]
PREDICTOR = Predictor.load(threads=1)
INK, PAPER = np.array([40.0, 45, 60]), np.array([225.0, 220, 205])


def ink_of(digit: np.ndarray, size: int = 160, side: int = 120) -> np.ndarray:
    """Share of ink (size, size) of a page with a smooth digit in its middle."""
    page = Image.new("L", (size, size))
    place = (size - side) // 2
    page.paste(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), (place, place))
    return np.clip(np.asarray(page) / 255 * 3 - 1, 0, 1)


def page_of(digit: np.ndarray, ink_colour: np.ndarray = INK, paper: np.ndarray = PAPER, **sizes: int) -> Image.Image:
    ink = ink_of(digit, **sizes)[..., None]
    return Image.fromarray((paper * (1 - ink) + ink_colour * ink).astype(np.uint8))


def five_and_one() -> Image.Image:
    """51, the bar of the 5 beside it."""
    page = Image.new("L", (260, 220), 255)
    draw = ImageDraw.Draw(page)
    draw.line([(60, 60), (58, 110), (100, 105), (115, 140), (95, 180), (55, 175)], fill=0, width=12)
    draw.line([(98, 52), (165, 46)], fill=0, width=12)
    draw.line([(215, 50), (210, 180)], fill=0, width=12)
    return page


def wide_digits() -> tuple[list[Image.Image], list[int]]:
    """Pictures of the sample's digits that are much wider than high, and their labels."""
    pictures, labels = [], []
    for digit, label in zip(SAMPLE.test_images.reshape(-1, 28, 28), SAMPLE.test_labels.tolist(), strict=True):
        rows, columns = (np.flatnonzero((digit > 127).any(axis=axis)) for axis in (1, 0))
        if np.ptp(columns) > 1.4 * np.ptp(rows):
            pictures.append(Image.fromarray(255 - digit).resize((112, 112), Image.Resampling.BICUBIC))
            labels.append(label)
    return pictures, labels


CLEAR = int(np.argmax(PREDICTOR.predict_proba(DIGITS).max(axis=1)))  # a digit that nobody could misread
GREY = Image.fromarray(255 - DIGITS[CLEAR]).resize((90, 90), Image.Resampling.BICUBIC)
WIDE = np.asarray(GREY, np.uint16)


def saved(kind: str, image: Image.Image = GREY, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, data: bytes = b"", kind: int = 2, extra: bytes = b"") -> bytes:
    """A PNG with whatever data; `extra` chunks stand before these."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
