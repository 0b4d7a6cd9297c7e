"""Seconds from a picture's file to its answer."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bench.made_pictures import large_photo
from bench.measure import machine
from digitnn_fast import Predictor
from digitnn_fast.sample import load_sample


def speeds(predictor: Predictor) -> list[str]:
    """Seconds from file to answer, medians of five."""
    random, sample = np.random.default_rng(0), load_sample()
    with tempfile.TemporaryDirectory() as folder:
        photo_path = Path(folder, "photo.jpg")
        large_photo(random, sample.test_images[0]).resize((4000, 3000)).save(photo_path, quality=90)
        small = [Path(folder, f"{index}.png") for index in range(1000)]
        for path, digit in zip(small, sample.test_images, strict=False):
            Image.fromarray(255 - digit.reshape(28, 28)).resize((64, 64)).save(path)
        works = {
            "a 12-megapixel JPEG (at most 0.3 s)": lambda: predictor.predict(photo_path),
            "1,000 PNG files of 64x64 (at most 2 s)": lambda: predictor.predict(small),
        }
        seconds = {name: statistics.median(_seconds(work) for _ in range(5)) for name, work in works.items()}
    lines = [f"- {name}: {time:.3f} s" for name, time in seconds.items()]
    return [f"From file to answer in a running process, {machine()}:", "", *lines]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
