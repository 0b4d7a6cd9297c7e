"""Pictures as a shard: a folder, a list or one of them; what can't be read has its reason in its row."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from shard_files import PREDICTOR, SQUARES, rows_of

from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.shards import Options, predict_shard
from digitnn_fast.shards.inputs import Shard

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")


def test_pictures(folder):
    (folder / "scans" / "more").mkdir(parents=True)
    for number in range(3):
        Image.fromarray(255 - SQUARES[number]).resize((112, 112)).save(folder / "scans" / f"{number}.png")
    (folder / "scans" / "._0.png").write_bytes(b"hidden")
    names = ["0.png", "1.png", "2.png"]
    labels = [str(PREDICTOR.predict(folder / "scans" / name)) for name in names]
    expected = [["file", "label", "error"], *([name, label, ""] for name, label in zip(names, labels, strict=True))]
    predict_shard("scans", "out.csv", PREDICTOR)
    assert rows_of("out.csv") == expected
    assert predict_shard("scans", "out.csv", PREDICTOR).skipped
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (folder / "scans" / "list.txt").write_text("2.png\n\n0.png\n", encoding)
        predict_shard("scans/list.txt", "list.csv", PREDICTOR)
        assert rows_of("list.csv") == [expected[0], expected[3], expected[1]]
    predict_shard("scans/1.png", "one.csv", PREDICTOR)
    assert rows_of("one.csv") == [expected[0], expected[2]]


def test_changed_pictures_are_read_again_and_then_known(folder):
    (folder / "scans").mkdir()
    for digit in SQUARES[:2]:  # of the same size, so that only the content tells
        Image.fromarray(255 - digit).resize((112, 112)).save(folder / "scans" / "0.bmp")
        assert not predict_shard("scans", "out.csv", PREDICTOR).skipped
        assert predict_shard("scans", "out.csv", PREDICTOR, Options(verify=True)).skipped
    with Shard("scans") as shard:
        assert shard.digest() == shard.digest()


def test_a_picture_that_cannot_be_read_has_its_reason_in_its_row(folder):
    (folder / "scans").mkdir()
    Image.fromarray(255 - SQUARES[0]).resize((112, 112)).save(folder / "scans" / "0.png")
    content = (folder / "scans" / "0.png").read_bytes()
    Image.new("L", (30, 30), 255).save(folder / "scans" / "1.png")
    (folder / "scans" / "2.png").write_bytes(content[: len(content) // 2])
    (folder / "scans" / "3.png").write_text('no, "picture"')
    (folder / "scans" / "4.png").write_bytes(content)
    (folder / "scans" / "list.txt").write_text("0.png\nnone.png\n")
    outcome = predict_shard("scans", "out.csv", PREDICTOR)
    assert (outcome.rows, outcome.unread, outcome.error) == (5, 3, "")
    header, *rows = rows_of("out.csv")
    label = rows[0][1]
    assert header == ["file", "label", "error"]
    assert [row[:2] for row in rows] == [
        ["0.png", label],
        ["1.png", ""],
        ["2.png", ""],
        ["3.png", ""],
        ["4.png", label],
    ]
    reasons = "", "nothing is written on it", "damaged: .*", "not a picture in a format that can be read .*", ""
    assert all(re.fullmatch(reason, row[2]) for reason, row in zip(reasons, rows, strict=True))
    again = predict_shard("scans", "out.csv", PREDICTOR)
    assert (again.skipped, again.unread) == (True, 3)
    predict_shard("scans/list.txt", "list.csv", PREDICTOR, Options(probabilities=True))
    assert rows_of("list.csv")[2] == ["none.png", *[""] * 11, "no such file"]


def test_pictures_that_cannot_be_read_in_parquet(folder):
    pq = pytest.importorskip("pyarrow.parquet")
    Image.fromarray(255 - SQUARES[0]).resize((112, 112)).save("0.png")
    (folder / "list.txt").write_text("none.png\n0.png\n")
    for probabilities in (True, False):
        predict_shard("list.txt", "out.parquet", PREDICTOR, Options(probabilities, "parquet"))
        rows = pq.read_table("out.parquet").to_pylist()
        assert (rows[0]["label"], rows[0].get("p3"), rows[0]["error"]) == (None, None, "no such file")
        assert rows[1]["label"] == PREDICTOR.predict("0.png") and rows[1]["error"] is None
