"""How well a person's own digits are read, per source and kind, against what people do without `preprocess`.

    python -m bench.pictures [--data FOLDER] [--train train.csv] [--model FILE ...]

FOLDER holds own_digits/ and optdigits-orig.tra.gz; without it there are only the embedded sample's test digits, made
into "photos" here. With train.csv two networks learn nine tenths of its rows, which takes minutes; rows of the last
tenth are cut out and stretched. Writes bench/PICTURES.md.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.made_blanks import BLANKS, blanks
from bench.made_crops import CROPS
from bench.made_drawings import KINDS
from bench.made_pictures import large_photo
from digitnn_fast import Network, Predictor, __version__, kaggle, preprocess, train
from digitnn_fast.bundled import MODELS
from digitnn_fast.images import BlankPictureError
from digitnn_fast.sample import load_sample

RESULTS = Path(__file__).with_name("PICTURES.md")
PHOTOS = 200  # per kind
BLANK = 40  # per kind
CUT = 600  # rows of each kind of crop, half of them light on dark
HIDDEN = 10  # one row of so many is hidden from the networks that read crops
LOOKED_AT = 8 * CUT  # rows from here on were never looked at while the rules were made


class Picture(NamedTuple):
    """A picture of one digit, and where it is from."""

    source: str
    kind: str
    image: Image.Image
    label: int


# Pictures


def made() -> Iterator[Picture]:
    sample = load_sample()
    for kind in KINDS:
        random = np.random.default_rng(5)
        for digit, label in zip(sample.test_images[:PHOTOS], sample.test_labels[:PHOTOS], strict=True):
            yield Picture("photos made of the sample", kind.__name__.replace("_", " "), kind(random, digit), int(label))


# Real ones


def own_digits(folder: Path) -> Iterator[Picture]:
    with open(folder / "manifest.csv", newline="") as file:
        for line in csv.DictReader(file):
            yield Picture("own_digits", line["kind"], Image.open(folder / line["file"]), int(line["label"]))


def optdigits(path: Path) -> Iterator[Picture]:
    """32x32 bitmaps of 0 and 1, white on black here, each followed by its label; 21 lines of header."""
    with gzip.open(path, "rt") as file:
        lines = file.read().split("\n")[21:]
    for first in range(0, len(lines) - 32, 33):
        bits = np.array([[255 * int(bit) for bit in line] for line in lines[first : first + 32]], np.uint8)
        yield Picture("optdigits", "bitmap", Image.fromarray(bits), int(lines[first + 32]))


# What people do instead


def resized(image: Image.Image) -> NDArray[np.uint8]:
    small = ImageOps.exif_transpose(image).convert("L").resize((28, 28), Image.Resampling.LANCZOS)
    return np.asarray(small).reshape(-1)


def inverted(image: Image.Image) -> NDArray[np.uint8]:
    grey = resized(image).reshape(28, 28)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return (255 - grey if np.median(border) > 127 else grey).reshape(-1)


def otsu(image: Image.Image) -> NDArray[np.uint8]:
    """Otsu's threshold, the ink's box into 20x20, centre of mass to the centre."""
    grey = np.asarray(ImageOps.exif_transpose(image).convert("L"), np.float64)
    counts = np.bincount(grey.astype(np.int64).ravel(), minlength=256)
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    gap = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    threshold = (below * above * gap**2).argmax()
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = grey <= threshold if np.median(border) > threshold else grey > threshold
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return np.zeros(784, np.uint8)
    box = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8) * 255)
    scale = 20 / max(box.size)
    box = box.resize(tuple(max(1, round(side * scale)) for side in box.size), Image.Resampling.BOX)
    small = np.asarray(box, np.float64)
    y, x = (np.average(np.arange(small.shape[axis]) + 0.5, weights=small.sum(axis=1 - axis)) for axis in (0, 1))
    page = Image.new("L", (28, 28))
    page.paste(box, (round(14 - x), round(14 - y)))
    return np.asarray(page).reshape(-1)


def ours(image: Image.Image) -> NDArray[np.uint8]:
    try:
        return preprocess(image).reshape(-1)
    except ValueError:  # blank, which is wrong here: an image without ink is no digit
        return np.zeros(784, np.uint8)


WAYS = {"resize": resized, "resize, invert": inverted, "Otsu, crop": otsu, "preprocess": ours}


# The table


def table(pictures: list[Picture], predictors: dict[str, Predictor]) -> list[str]:
    """Lines of a table: accuracy of each way with each model, per source and kind."""
    ways = [(way, name) for way in WAYS for name in predictors]
    pixels = {way: np.stack([make(picture.image) for picture in pictures]) for way, make in WAYS.items()}
    labels = np.array([picture.label for picture in pictures])
    right = {(way, name): predictors[name].predict(pixels[way]) == labels for way, name in ways}
    lines = [
        "| source | kind | pictures | " + " | ".join(f"{way}: {name}" for way, name in ways) + " |",
        "|---" * (3 + len(ways)) + "|",
    ]
    groups = [(picture.source, picture.kind) for picture in pictures]
    for group in [
        *dict.fromkeys(groups),
        *((source, "all") for source in dict.fromkeys(source for source, _ in groups)),
    ]:
        source, kind = group
        chosen = [source == picture.source and kind in ("all", picture.kind) for picture in pictures]
        shares = [f"{right[way][chosen].mean():.1%}" for way in ways]
        lines.append(f"| {source} | {kind} | {sum(chosen):,} | " + " | ".join(shares) + " |")
    return lines


def never_seen(path: str, kept: Path | None) -> tuple[dict[str, Predictor], list[tuple[NDArray[np.uint8], int]]]:
    """Networks by the recipes of the bundled models that learned from nine tenths of train.csv, and other rows.

    Networks are read from the folder `kept` if they are there, and else written into it.
    """
    images, labels = kaggle.read_train(path)
    hidden = np.arange(len(labels)) % HIDDEN == 0
    predictors = {}
    for name in MODELS:
        file = kept and kept / f"{name}.npz"
        if file and file.exists():
            network = Network.load(file)
        else:
            network = train(images[~hidden], labels[~hidden], name, heldout=0)
            if file:
                network.save(file)
        predictors[name] = Predictor(network)
    rows = [row for row in np.flatnonzero(hidden) if row >= LOOKED_AT]
    return predictors, [(images[row], int(labels[row])) for row in rows]


def crop_table(predictors: dict[str, Predictor], rows: list[tuple[NDArray[np.uint8], int]]) -> list[str]:
    """Lines of a table: accuracy on digits that are cut out closely, and how many are called blank, per kind."""
    lines = ["| cut out | " + " | ".join(predictors) + " | said blank |", "|---" * (2 + len(predictors)) + "|"]
    for start, (name, crop) in enumerate(CROPS.items()):
        own = [rows[(start * CUT + index) % len(rows)] for index in range(CUT)]
        pixels = np.stack([ours(crop.picture(digit, bool(index % 2))) for index, (digit, _) in enumerate(own)])
        read, labels = pixels.any(axis=1), np.array([label for _, label in own])
        right = [f"{(read & (predictor.predict(pixels) == labels)).mean():.1%}" for predictor in predictors.values()]
        lines.append(f"| {name} | " + " | ".join(right) + f" | {np.count_nonzero(~read)} of {CUT} |")
    return lines


def blank_table() -> list[str]:
    """Lines of a table: share of blank pictures that `preprocess` calls blank, per kind."""
    lines, shares = ["| nothing but | says blank |", "|---|---|"], []
    for name, kind in BLANKS.items():
        shares.append(float(np.mean([_says_blank(picture) for picture in blanks(kind, BLANK, seed=5)])))
        lines.append(f"| {name.replace('_', ' ')} | {shares[-1]:.1%} |")
    first, second = (float(np.mean(shares[start::2])) for start in (0, 1))
    return [*lines, f"| the first, third, fifth ... kind | {first:.1%} |", f"| the others | {second:.1%} |"]


def _says_blank(image: Image.Image) -> bool:
    try:
        preprocess(image)
    except BlankPictureError:
        return True
    return False


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
        return [
            f"- {name}: {statistics.median(_seconds(work) for _ in range(5)):.3f} s" for name, work in works.items()
        ]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--train", help="Kaggle's train.csv, for digits that are cut out closely")
    parser.add_argument("--keep", type=Path, help="a folder for the two networks that learn from it")
    parser.add_argument("--model", action="append", default=[], help="a model file besides the bundled ones")
    given = parser.parse_args()
    predictors = {name: Predictor.load(name) for name in (*MODELS, *given.model)}
    pictures = list(made())
    if given.data.is_dir():
        pictures += [*own_digits(given.data / "own_digits"), *optdigits(given.data / "optdigits-orig.tra.gz")]
    models = ", ".join(f"{name} 784-{predictor.network.hidden}-10" for name, predictor in predictors.items())
    crops: list[str] = []
    if given.train:
        crops = [
            f"Digits cut out at their bounding box, as tutorials do, and stretched: {CUT} rows of train.csv of each "
            "kind, half of them light on dark. Networks made by the recipes of the bundled models learned from nine "
            "rows of ten; these are among the others, and nobody looked at one of them while the rules were made. "
            "A digit that is called blank is wrong.",
            "",
            *crop_table(*never_seen(given.train, given.keep)),
            "",
        ]
    text = "\n".join(
        [
            "# Pictures of digits",
            "",
            f"digitnn-fast {__version__}, `python -m bench.pictures`. Share of digits read, by way of preparing the "
            f"picture and by model ({models}). The sample's digits may be among those that a model was trained on: its "
            "photos compare ways of preparing them, and say nothing of new digits; own_digits and optdigits are other "
            "people's.",
            "",
            *table(pictures, predictors),
            "",
            *crops,
            f"Pictures on which nothing is written, {BLANK} of each kind, half of them negatives, in three sizes: "
            "those above without their digit, and others. The rules for what is no ink were made with other random "
            "numbers, looking at the first, third, fifth ... kind only.",
            "",
            *blank_table(),
            "",
            "From file to answer in a running process:",
            "",
            *speeds(predictors["small"]),
        ]
    )
    RESULTS.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
