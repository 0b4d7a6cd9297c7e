"""`digitnn-fast image` on pictures made of the embedded sample."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from digitnn_fast import Predictor, preprocess
from digitnn_fast.commands import reading
from digitnn_fast.images import PictureError
from digitnn_fast.reference.deskewing import deskew
from digitnn_fast.sample import load_sample

SAMPLE = load_sample()
PREDICTOR = Predictor.load(threads=1)


@pytest.fixture
def folder(tmp_path):
    """Four pictures, dark on light, and two files that are none."""
    path = tmp_path / "pictures"
    path.mkdir()
    for index in range(4):
        page = Image.fromarray(255 - SAMPLE.test_images[index].reshape(28, 28)).resize((120, 120))
        page.save(path / f"{index}.png")
    (path / "notes.txt").write_text("no picture")
    (path / "._0.png").write_bytes(b"macOS writes such on other file systems")
    return path


def expected(folder, index):
    return PREDICTOR.predict_proba(folder / f"{index}.png")


def test_label_confidence_and_what_else(command, folder):
    code, out, err = command("image", folder)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 4
    for index, line in enumerate(lines):
        probabilities = expected(folder, index)
        first, second, third = probabilities.argsort(kind="stable")[::-1][:3]
        name, label, rest = line.split(maxsplit=2)
        assert (name, label) == (str(folder / f"{index}.png"), str(first))
        others = [f"{digit} {share}" for digit in (second, third) if (share := f"{probabilities[digit]:.1%}") != "0.0%"]
        assert rest.partition("  ")[2] == (f"(or {', '.join(others)})" if others else "")


def test_low_confidence_is_said_in_words(folder):
    readings, _ = reading.read([str(folder / "0.png")], PREDICTOR.network, number=False, show=False)
    flat = readings[0]._replace(probabilities=np.full((1, 10), 0.1, np.float32))
    assert "a guess, 10%" in reading.describe(flat)


def test_no_answer_is_certain(folder):
    readings, _ = reading.read([str(folder / "0.png")], PREDICTOR.network, number=False, show=False)
    for share, said in ((1, "over 99.9%"), (0.9996, "over 99.9%"), (0.9994, "99.9%"), (0.8, "80.0%")):
        sure = readings[0]._replace(probabilities=np.array([[0, share, *[(1 - share) / 8] * 8]], np.float32))
        assert reading.describe(sure).partition("  (or ")[0] == f"1  {said}"


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.9, 0.06, 0.04), "0  90.0%  (or 1 6.0%, 2 4.0%)"),
        ((0.99, 0.0096, 0.0004), "0  99.0%  (or 1 1.0%)"),
        ((0.9998, 0.0001, 0.0001), "0  over 99.9%"),
    ],
)
def test_what_it_can_hardly_be_is_left_out(shares, said, folder):
    readings, _ = reading.read([str(folder / "0.png")], PREDICTOR.network, number=False, show=False)
    assert reading.describe(readings[0]._replace(probabilities=np.array([[*shares, *[0] * 7]], np.float32))) == said


def test_csv_and_json_say_the_same(command, folder):
    table = list(csv.DictReader(io.StringIO(command("image", folder, "--csv")[1])))
    objects = json.loads(command("image", folder, "--json")[1])
    assert len(table) == len(objects) == 4
    for index, (row, entry) in enumerate(zip(table, objects, strict=True)):
        assert {key: str(value) for key, value in entry.items()} == row
        probabilities = expected(folder, index)
        np.testing.assert_allclose([entry[f"p{digit}"] for digit in range(10)], probabilities, atol=1e-6)
        assert entry["label"] == probabilities.argmax()
    assert command("image", folder, "--csv", "--json")[0] == 2


def test_standard_input(folder):
    run = [sys.executable, "-m", "digitnn_fast", "image", "-", "--json"]
    done = subprocess.run(run, input=(folder / "1.png").read_bytes(), capture_output=True, check=True)
    assert json.loads(done.stdout)[0]["label"] == expected(folder, 1).argmax()


def test_what_cannot_be_read_is_named_and_the_rest_is_read(command, folder, tmp_path):
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    code, out, err = command(
        "image", tmp_path / "gone.png", folder / "0.png", folder / "notes.txt", tmp_path / "blank.png"
    )
    assert code == 2
    assert len(out.splitlines()) == 1
    lines = err.splitlines()
    assert lines[0] == f"error: {tmp_path / 'gone.png'}: No such file or directory"
    assert lines[1].startswith(f"error: {folder / 'notes.txt'}: not a picture")
    assert lines[2] == f"error: {tmp_path / 'blank.png'}: nothing is written on it"
    assert len(lines) == 3
    os.mkdir(tmp_path / "empty")
    code, out, err = command("image", tmp_path / "empty")
    assert (code, out) == (2, "")
    assert err == f"error: {tmp_path / 'empty'}: there are no pictures in this folder\n"


def as_seen(path):
    """(28, 28) of a picture, as the bundled network sees it."""
    return deskew(preprocess(path)[None]).reshape(28, 28)


def test_show_draws_each_picture(command, folder, tmp_path):
    out = tmp_path / "show.png"
    assert command("image", folder, "--show", out)[0] == 0
    page = np.asarray(Image.open(out).convert("L"))
    size = reading.TILE + reading.GAP
    seen = as_seen(folder / "0.png")
    corner = page[16 : 16 + reading.TILE, 12 + 2 * size : 12 + 2 * size + reading.TILE]
    step = reading.TILE // 28
    np.testing.assert_array_equal(corner[step // 2 :: step, step // 2 :: step], seen)
    assert len(page) > 4 * reading.TILE
    assert command("image", folder / "0.png", "--show", folder / "0.png")[0] == 2, "not over its own input"


def test_only_what_is_shown_stays_in_memory(folder, tmp_path):
    names = [str(folder / f"{index % 4}.png") for index in range(reading.MAX_SHOWN + 5)]
    readings, problems = reading.read(names, PREDICTOR.network, number=False, show=True)
    assert (len(readings), problems) == (len(names), [])
    assert [one.colours is not None for one in readings] == [True] * reading.MAX_SHOWN + [False] * 5
    inks = [cut.ink for one in readings for cut in one.cuts]
    assert sum(ink.nbytes for ink in inks) == 0 and all(ink.base is None for ink in inks)
    reading.write_show(tmp_path / "show.png", readings)
    with Image.open(tmp_path / "show.png") as shown:
        assert shown.height == reading.MAX_SHOWN * (reading.TILE + 2 * reading.GAP) + reading.GAP


def test_blocks(command, folder):
    code, out, _ = command("image", folder / "0.png", "--blocks")
    assert code == 0
    lines = out.split("\n")[1:29]
    dark = np.array([[character != " " for character in line.ljust(56)[::2]] for line in lines])
    np.testing.assert_array_equal(dark, as_seen(folder / "0.png") >= 32)
    assert reading.blocks(preprocess(folder / "0.png"), "ascii").isascii()


def line_of(folder, chosen):
    page = np.full((120, 10 + 125 * len(chosen)), 255, np.uint8)
    for place, index in enumerate(chosen):
        page[:, 10 + 125 * place : 130 + 125 * place] = np.asarray(Image.open(folder / f"{index}.png"))
    return page


def test_a_number(command, folder, tmp_path):
    chosen = [3, 0, 1]
    path = tmp_path / "number.png"
    Image.fromarray(line_of(folder, chosen)).save(path)
    code, out, err = command("image", path, "--number")
    assert (code, err) == (0, "")
    assert out.split()[1] == "".join(str(expected(folder, index).argmax()) for index in chosen)
    code, _, err = command("image", path)
    assert (code, err) == (0, f"WARNING: {path}: there seem to be 3 digits; --number reads them all\n")
    assert command("image", folder / "3.png")[2] == ""


def test_four_digits_are_not_read_as_one(command, folder, tmp_path):
    """At no door."""
    path = tmp_path / "number.png"
    Image.fromarray(line_of(folder, [3, 0, 1, 2])).save(path)
    reason = f"{path}: there seem to be 4 digits, not one; `digitnn-fast image --number` reads numbers"
    assert command("image", path, folder / "0.png")[::2] == (2, f"error: {reason}\n")
    with pytest.raises(PictureError) as raised:
        PREDICTOR.predict(path)
    assert str(raised.value) == reason


def test_lines_of_digits_are_no_number(command, folder, tmp_path):
    path = tmp_path / "sheet.png"
    Image.fromarray(np.concatenate([line_of(folder, [3, 0, 1]), line_of(folder, [1, 2, 0])])).save(path)
    code, out, err = command("image", path, "--number")
    assert (code, out) == (2, "")
    assert err == f"error: {path}: more than one line of digits; cut the lines apart\n"
