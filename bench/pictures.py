"""How well a person's own digits are read, per source and kind, against what people do without `preprocess`.

    python -m bench.pictures [--data FOLDER] [--train train.csv] [--keep FOLDER] [--no-speeds]

FOLDER holds own_digits/ and optdigits-orig.tra.gz; without it there are only made pictures. With train.csv two networks
learn nine tenths of its rows, which takes minutes, and pictures are made of the last tenth; without it they are made of
the embedded sample's digits. What `--keep` has is not measured again. Writes bench/PICTURES.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench import chromium
from bench.data import add_data_option
from bench.kept import Kept, Row
from bench.made_blanks import BLANKS, blanks
from bench.made_crops import CROPS
from bench.made_drawings import KINDS
from bench.made_numbers import NUMBERS, SHEETS
from bench.made_strokes import STYLES, WAYS, styled
from bench.picture_speeds import speeds
from bench.picture_ways import PREPARATIONS, ours
from bench.real_pictures import optdigits, own_digits
from digitnn_fast import Predictor, __version__, kaggle, preprocess, train
from digitnn_fast.bundled import MODELS
from digitnn_fast.images import BlankPictureError, PictureError, cut_out_number, read_colours
from digitnn_fast.page import write_page
from digitnn_fast.sample import load_sample
from digitnn_fast.training.recipes import changed_recipe

RESULTS = Path(__file__).with_name("PICTURES.md")
PHOTOS = 100  # per kind
BLANK = 40  # per kind
CUT = 600  # rows of each kind of crop, half of them light on dark
WRITTEN = 100  # numbers of each kind
STROKES = 200  # drawings of each kind
HIDDEN = 10  # one row of so many is hidden from the networks
LOOKED_AT = 8 * CUT  # rows from here on were never looked at while the rules were made
DRAWN = """
return JSON.parse(arguments[0]).map((strokes) => {
  const canvas = drawnAnew(strokes);
  return canvas && forward(MODEL, prepared(MODEL, pixelsOf(canvas)));
});
"""

Digit = tuple[NDArray[np.uint8], int]
Predictors = dict[str, Predictor]


def never_seen(path: str, kept: Kept) -> tuple[Predictors, list[Digit]]:
    """Networks that learned as the bundled models did, from nine tenths of train.csv, and other rows."""
    images, labels = kaggle.read_train(path)
    hidden = np.arange(len(labels)) % HIDDEN == 0
    predictors = {}
    for name, model in MODELS.items():
        recipe = changed_recipe(name, **model.changes)
        network = kept.network(name, lambda recipe=recipe: train(images[~hidden], labels[~hidden], recipe, heldout=0))
        predictors[name] = Predictor(network)
    rows = [row for row in np.flatnonzero(hidden) if row >= LOOKED_AT]
    return predictors, [(images[row], int(labels[row])) for row in rows]


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Lines of a table, and an empty one."""
    cells = [list(head), ["---"] * len(list(head)), *rows]
    return [*(f"| {' | '.join(str(cell) for cell in row)} |" for row in cells), ""]


def shares(row: Row) -> list[str]:
    return [f"{share:.1%}" for share in row]


# Tables


def read(pictures: Iterable[tuple[Image.Image, int]], predictors: Predictors) -> Row:
    """How many pictures, and the share that is read of them: by way of preparing them, and by model."""
    readings: dict[str, list[NDArray[np.uint8]]] = {way: [] for way in PREPARATIONS}
    labels = []
    for image, label in pictures:
        labels.append(label)
        for way, prepare in PREPARATIONS.items():
            readings[way].append(prepare(image))
    right = [
        float((predictor.predict_readings(np.stack(own)).argmax(axis=1) == labels).mean())
        for own in readings.values()
        for predictor in predictors.values()
    ]
    return [len(labels), *right]


def single_table(kept: Kept, predictors: Predictors, digits: list[Digit], own: Predictors, data: Path) -> list[str]:
    """Single digits: made pictures, by `own` networks; strangers' by `predictors`."""

    def made(kind: Callable[..., Image.Image]) -> Iterator[tuple[Image.Image, int]]:
        random = np.random.default_rng(5)
        for digit, label in digits[:PHOTOS]:
            yield kind(random, digit), label

    kinds = {kind.__name__.replace("_", " "): kind for kind in KINDS}
    rows = {
        ("made", name): kept.row(f"made {name}", lambda kind=kind: read(made(kind), own))
        for name, kind in kinds.items()
    }
    if (data / "own_digits").is_dir():
        real = {("own_digits", kind): pictures for kind, pictures in own_digits(data / "own_digits").items()}
        real |= {("optdigits", kind): pictures for kind, pictures in optdigits(data / "optdigits-orig.tra.gz").items()}
        for name, pictures in real.items():
            rows[name] = kept.row(" ".join(name), lambda pictures=pictures: read(pictures, predictors))
    else:
        print(f"bench: no own_digits in {data}: only made pictures", file=sys.stderr)
    for source in ("made", "own_digits"):
        each = np.array([row for (one, _), row in rows.items() if one == source])
        if len(each):
            rows[source, "all"] = [each[:, 0].sum(), *np.average(each[:, 1:], axis=0, weights=each[:, 0])]
    ways = [f"{way}: {name}" for way in PREPARATIONS for name in predictors]
    lines = ([*name, f"{int(row[0]):,}", *shares(row[1:])] for name, row in rows.items())
    return table(["source", "kind", "pictures", *ways], lines)


def crop_table(kept: Kept, predictors: Predictors, rows: list[Digit]) -> list[str]:
    """Digits that are cut out closely, and how many are called blank."""

    def crop(start: int, name: str) -> Row:
        own = [rows[(start * CUT + index) % len(rows)] for index in range(CUT)]
        readings = np.stack([ours(CROPS[name].picture(digit, bool(i % 2))) for i, (digit, _) in enumerate(own)])
        seen, labels = readings.any(axis=(1, 2)), np.array([label for _, label in own])
        answers = [predictor.predict_readings(readings).argmax(axis=1) for predictor in predictors.values()]
        right = [float((seen & (answer == labels)).mean()) for answer in answers]
        return [*right, float(np.count_nonzero(~seen))]

    lines = []
    for start, name in enumerate(CROPS):
        *right, blank = kept.row(f"crop {name}", lambda start=start, name=name: crop(start, name))
        lines.append([name, *shares(right), f"{int(blank)} of {CUT}"])
    return table(["cut out", *predictors, "said blank"], lines)


def number_table(kept: Kept, predictors: Predictors, rows: list[Digit]) -> list[str]:
    """Numbers of two to five digits of which all are right."""

    def number(name: str) -> Row:
        random, right = np.random.default_rng(7), np.zeros(len(predictors))
        for _ in range(WRITTEN):
            own = [rows[row] for row in random.integers(0, len(rows), int(random.integers(2, 6)))]
            colours = read_colours(NUMBERS[name](random, np.stack([digit for digit, _ in own])))
            for place, predictor in enumerate(predictors.values()):
                try:
                    cuts = cut_out_number(colours, predictor.predict_proba)
                except PictureError:
                    continue
                answers = predictor.predict_readings(np.stack([cut.readings for cut in cuts])).argmax(axis=1)
                right[place] += answers.tolist() == [label for _, label in own]
        return [float(share) for share in right / WRITTEN]

    def sheet(name: str) -> Row:
        random, digits = np.random.default_rng(7), np.stack([digit for digit, _ in rows])
        return [
            float(np.mean([reason(SHEETS[name](random, random.permutation(digits))) is not None for _ in range(50)]))
        ]

    numbers = table(
        [f"numbers, {WRITTEN} of each kind", *predictors],
        ([name, *shares(kept.row(f"number {name}", lambda name=name: number(name)))] for name in NUMBERS),
    )
    return numbers + table(
        ["no digit, 50 of each kind", "refused"],
        ([name, *shares(kept.row(f"sheet {name}", lambda name=name: sheet(name)))] for name in SHEETS),
    )


def drawn_table(kept: Kept, predictors: Predictors) -> list[str]:
    """Strokes on the page, read in Chromium."""
    random = np.random.default_rng(8)
    kinds = {name: [(way(random, index % 10), index % 10) for index in range(STROKES)] for name, way in WAYS.items()}
    kinds |= {name: [(styled(random, name), digit) for _ in range(STROKES)] for name, (digit, _) in STYLES.items()}

    def drawn(predictor: Predictor, name: str) -> Row:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder, "draw.html")
            write_page(page, predictor.network)
            with chromium.opened(page, Path(folder, "profile")) as browser:
                strokes = json.dumps([[stroke.tolist() for stroke in strokes] for strokes, _ in kinds[name]])
                answers = browser.execute_script(DRAWN, strokes)
        right = [
            bool(own) and int(np.argmax(own)) == label for own, (_, label) in zip(answers, kinds[name], strict=True)
        ]
        return [float(np.mean(right))]

    lines = []
    for name in kinds:
        rows = [
            kept.row(f"drawn {name} {model}", lambda predictor=predictor, name=name: drawn(predictor, name))
            for model, predictor in predictors.items()
        ]
        lines.append([name, *shares([row[0] for row in rows])])
    return table([f"drawn on the page, {STROKES} of each kind", *predictors], lines)


def reason(image: Image.Image) -> type[PictureError] | None:
    """Why `preprocess` refuses a picture."""
    try:
        preprocess(image)
    except PictureError as error:
        return type(error)
    return None


def blank_table(kept: Kept) -> list[str]:
    """Share of blank pictures that are called blank, or are refused as a number."""

    def blank(name: str) -> Row:
        reasons = [reason(picture) for picture in blanks(BLANKS[name], BLANK, seed=5)]
        return [
            float(np.mean([why is BlankPictureError for why in reasons])),
            float(np.mean([bool(why) for why in reasons])),
        ]

    rows = {name.replace("_", " "): kept.row(f"blank {name}", lambda name=name: blank(name)) for name in BLANKS}
    each = np.array(list(rows.values()))
    rows |= {
        "the first, third, fifth ... kind": list(each[::2].mean(axis=0)),
        "the others": list(each[1::2].mean(axis=0)),
    }
    return table(["nothing but", "says blank", "refused"], ([name, *shares(row)] for name, row in rows.items()))


SINGLE = """Share of digits read, by way of preparing the picture and by model. Made pictures are of {made};
own_digits and optdigits are other people's, read by the bundled models."""
SEEN = "the embedded sample's digits, which may be among those that a model was trained on"
UNSEEN = "rows of train.csv that the networks never learned from and nobody looked at"
CROPPED = """Digits cut out at their bounding box, as tutorials do, and stretched: {count} rows of train.csv of each
kind, half of them light on dark. Networks learned as the bundled models did from nine rows of ten, and from crops of a
share of these, which `training/pictures.py` makes otherwise; so did the one that tells ink from paper. These are among
the others, and nobody looked at one of them while the rules were made; whether that network has 32 units or 64 was
chosen by its share of right answers on 1,500 of them. A digit that is called blank is wrong."""
NUMBER = """Numbers of two to five digits, all of which must be right, by `--number`; and what is neither a digit nor a
number, and must be refused where one digit is asked for."""
STROKE = """Strokes made up here, drawn on the page in Chromium; the last six are ways to write a digit that MNIST's
writers hardly used."""
EMPTY = """Pictures on which nothing is written, {count} of each kind, half of them negatives, in three sizes: those
above without their digit, and others. The rules for what is no ink were made with other random numbers, looking at the
first, third, fifth ... kind only. What is refused is blank, or looks like many digits."""


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser, "own_digits/ and optdigits-orig.tra.gz")
    parser.add_argument("--train", help="Kaggle's train.csv, of which pictures are made")
    parser.add_argument("--keep", type=Path, help="a folder for figures and for the networks that learn from it")
    parser.add_argument("--no-speeds", action="store_true", help="leave the seconds out, on a busy machine")
    given = parser.parse_args()
    kept, bundled = Kept(given.keep), {name: Predictor.load(name) for name in MODELS}
    sample = load_sample()
    fresh, rows = bundled, list(zip(sample.test_images, sample.test_labels.tolist(), strict=True))
    if given.train:
        fresh, rows = never_seen(given.train, kept)
    parts = [
        [
            SINGLE.format(made=UNSEEN if given.train else SEEN),
            "",
            *single_table(kept, bundled, rows, fresh, given.data),
        ],
        [CROPPED.format(count=CUT), "", *crop_table(kept, fresh, rows)] if given.train else [],
        [NUMBER, "", *number_table(kept, fresh, rows)],
        [STROKE, "", *drawn_table(kept, bundled)] if chromium.is_here() else [],
        [EMPTY.format(count=BLANK), "", *blank_table(kept)],
        [] if given.no_speeds else speeds(bundled["small"]),
    ]
    models = ", ".join(f"{name} 784-{predictor.network.hidden}-10" for name, predictor in bundled.items())
    head = ["# Pictures of digits", "", f"digitnn-fast {__version__}, `python -m bench.pictures`: {models}.", ""]
    text = "\n".join([*head, *(line.replace("\n", " ") for part in parts for line in part)]).rstrip() + "\n"
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
