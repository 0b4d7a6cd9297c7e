"""The work of `digitnn-fast image`: find the pictures, read their digits, say and draw what was seen."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np

from digitnn_fast.checks import printable
from digitnn_fast.files import is_hidden
from digitnn_fast.images import Cut, PictureError, cut_out_number, cut_out_one, is_picture, read_colours
from digitnn_fast.preprocessing import picture_of
from digitnn_fast.writing import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from digitnn_fast.network import Network

MAX_PIPE_BYTES = 2**28  # that are read from standard input
SURE = 0.8  # below this probability the answer is called a guess
SHADES, PLAIN_SHADES = " ░▒▓█", " .+#@"
TILE, GAP, MAX_SHOWN = 168, 12, 200  # of the picture that --show draws: pixels, pixels, rows
NO_INK = np.empty((0, 0))


class Reading(NamedTuple):
    """What was read in a picture: its name; for each digit a cut, what the network saw (784,), its probabilities (10,).

    colours (h, w, 3) are the whole picture, if it is to be shown. The cuts have no ink, which takes 2 MB each.
    """

    name: str
    cuts: list[Cut]
    seen: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    colours: NDArray[np.uint8] | None

    @property
    def text(self) -> str:
        """The digits from left to right."""
        return "".join(str(digit) for digit in self.probabilities.argmax(axis=1))

    @property
    def confidence(self) -> float:
        """Probability that all digits are right."""
        return float(self.probabilities.max(axis=1).prod())


def find_pictures(names: Sequence[str]) -> Iterator[str]:
    """Files as they were given; of a folder all pictures by their ends that are not hidden. ValueError without any."""
    for name in names:
        if not os.path.isdir(name):
            yield name
            continue
        files = sorted(file for file in os.listdir(name) if is_picture(file) and not is_hidden(file))
        found = [os.path.join(name, file) for file in files]
        if not found:
            raise ValueError(f"{name}: there are no pictures in this folder")
        yield from found


def read(names: Sequence[str], network: Network, number: bool, show: bool) -> tuple[list[Reading], list[str]]:
    """The readings of the pictures, and one line for each that can't be read. Colours are kept of what is `show`n."""
    from digitnn_fast.predictor import Predictor

    cuts: list[tuple[str, list[Cut], Any]] = []
    problems = []
    shown = 0 if show else MAX_SHOWN  # digits
    judge = Predictor.from_network(network).predict_proba if number else None
    for name in find_pictures(names):
        try:
            colours = read_colours(_standard_input() if name == "-" else name)
            if number:
                found = cut_out_number(colours, judge)
            else:
                one, count = cut_out_one(colours)
                found = [one]
                if count > 1:
                    text = f"WARNING: {name}: there seem to be {count} digits; --number reads them all"
                    print(printable(text), file=sys.stderr)
        except PictureError as error:
            text = str(error)
            problems.append(text if text.startswith(f"{name}: ") else f"{name}: {text}")
        except OSError as error:
            problems.append(f"{name}: {error.strerror}")
        else:
            cuts.append((name, [cut._replace(ink=NO_INK) for cut in found], colours if shown < MAX_SHOWN else None))
            shown += len(found)
    if not cuts:
        return [], problems
    predictor = Predictor.from_network(network)  # only now: it takes as much memory as a large picture did
    each = [cut for _, found, _ in cuts for cut in found]
    edges = np.cumsum([len(found) for _, found, _ in cuts])[:-1]
    seen = np.split(picture_of(np.stack([cut.pixels for cut in each]), network.preprocessing), edges)
    shares = np.split(predictor.predict_readings(np.stack([cut.readings for cut in each])), edges)
    return [
        Reading(name, found, own, share, kept)
        for (name, found, kept), own, share in zip(cuts, seen, shares, strict=True)
    ], problems


def _standard_input() -> io.BytesIO:
    content = sys.stdin.buffer.read(MAX_PIPE_BYTES + 1)
    if len(content) > MAX_PIPE_BYTES:
        raise PictureError(f"more than {MAX_PIPE_BYTES:,} bytes")
    return io.BytesIO(content)


def describe(reading: Reading) -> str:
    """The answer in words: digits, how sure, and of a single digit what else it might be."""
    sure = percent(reading.confidence) if reading.confidence >= SURE else f"a guess, {reading.confidence:.0%}"
    if len(reading.cuts) > 1:
        return f"{reading.text}  {sure}"
    second, third = reading.probabilities[0].argsort(kind="stable")[::-1][1:3]
    shares = ((digit, f"{reading.probabilities[0, digit]:.1%}") for digit in (second, third))
    others = ", ".join(f"{digit} {share}" for digit, share in shares if share != "0.0%")
    return f"{reading.text}  {sure}  (or {others})" if others else f"{reading.text}  {sure}"


def percent(share: float) -> str:
    """A probability as the page says it, too: no network is certain."""
    text = f"{share:.1%}"
    return "over 99.9%" if text == "100.0%" else text


def rows(readings: Sequence[Reading]) -> Iterator[dict[str, Any]]:
    """One row for each digit: file, place from 1, label, confidence, and the ten probabilities."""
    for reading in readings:
        for place, probabilities in enumerate(reading.probabilities, 1):
            label = int(probabilities.argmax())
            row: dict[str, Any] = {"file": reading.name, "place": place, "label": label}
            row |= {"confidence": round(float(probabilities[label]), 6)}
            yield row | {f"p{digit}": round(float(share), 6) for digit, share in enumerate(probabilities)}


def print_csv(readings: Sequence[Reading], file: TextIO) -> None:
    """A table as CSV."""
    names = ["file", "place", "label", "confidence", *(f"p{digit}" for digit in range(10))]
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(readings))


def print_json(readings: Sequence[Reading], file: TextIO) -> None:
    """A list of objects as JSON, one in a line."""
    lines = ",\n".join(json.dumps(row) for row in rows(readings))
    print(f"[\n{lines}\n]" if lines else "[]", file=file)


def blocks(pixels: NDArray[np.uint8], encoding: str | None) -> str:
    """28 lines of 56 characters that show pixels (784,) in a terminal."""
    try:
        SHADES.encode(encoding or "ascii")
        shades = SHADES
    except (UnicodeEncodeError, LookupError):
        shades = PLAIN_SHADES
    levels = (pixels.reshape(28, 28).astype(int) + 32) // 64
    return "\n".join("".join(2 * shades[level] for level in line).rstrip() for line in levels)


def write_show(path: str, readings: Sequence[Reading]) -> None:
    """Write a PNG: in each row the original, the cut-out, the 28x28 that the network saw, and the probabilities."""
    from PIL import Image

    strips = list(islice((strip for reading in readings for strip in _strips(reading)), MAX_SHOWN))
    page = Image.new("RGB", (4 * (TILE + GAP) + GAP, len(strips) * (TILE + 2 * GAP) + GAP), "white")
    for row, strip in enumerate(strips):
        page.paste(strip, (0, row * (TILE + 2 * GAP)))
    with replacing(path) as file:
        page.save(file, "PNG")


def _strips(reading: Reading) -> Iterator[Image]:
    from PIL import Image, ImageDraw

    assert reading.colours is not None
    original = Image.fromarray(reading.colours)
    for cut, prepared, probabilities in zip(reading.cuts, reading.seen, reading.probabilities, strict=True):
        strip = Image.new("RGB", (4 * (TILE + GAP) + GAP, TILE + 2 * GAP), "white")
        draw = ImageDraw.Draw(strip)
        draw.text((GAP, 0), printable(os.path.basename(reading.name))[:90], "black")
        box = (cut.box.left, cut.box.top, cut.box.right, cut.box.bottom)
        marked = original.copy()
        ImageDraw.Draw(marked).rectangle(box, outline=(220, 40, 40), width=max(1, max(marked.size) // 100))
        seen = Image.fromarray(prepared.reshape(28, 28))
        for column, (picture, how) in enumerate(
            (
                (marked, Image.Resampling.BOX),
                (original.crop(box), Image.Resampling.BOX),
                (seen, Image.Resampling.NEAREST),
            )
        ):
            scale = TILE / max(picture.size)
            size = tuple(max(1, round(side * scale)) for side in picture.size)
            strip.paste(picture.resize((size[0], size[1]), how), (GAP + column * (TILE + GAP), GAP + 4))
        left = GAP + 3 * (TILE + GAP)
        for digit, share in enumerate(probabilities.tolist()):
            top = GAP + 4 + digit * (TILE // 10)
            colour = (30, 110, 200) if share == probabilities.max() else (150, 150, 150)
            draw.text((left, top + 2), str(digit), "black")
            draw.rectangle((left + 14, top + 3, left + 14 + round(100 * share), top + 13), colour)
            draw.text((left + 120, top + 2), percent(share), "black")
        yield strip
