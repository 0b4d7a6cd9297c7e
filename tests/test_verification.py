"""`verify`: the table of all ways, on real digits and on files that are none."""

from __future__ import annotations

import os
import re
import sys

import numpy as np
import pytest
from command_line import write_table
from exports import BROKEN, DIGITS, SMALL
from programs import needs

from digitnn_fast import Network, kaggle
from digitnn_fast.commands import app
from digitnn_fast.export import float_answers
from digitnn_fast.sample import load_sample
from digitnn_fast.verification import verify

ROWS = 60


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    write_table(folder / "test.csv", DIGITS[:ROWS])
    write_table(folder / "train.csv", DIGITS[:ROWS], load_sample().test_labels[:ROWS])
    return folder


def table(text: str) -> dict[str, list[str]]:
    """The cells of each path; two spaces or more are between them."""
    lines = text[text.index("p within") :].split("\n\n")[0].splitlines()[1:]
    return {cells[0]: cells[1:] for cells in (re.split(r" {2,}", line.strip()) for line in lines)}


@pytest.mark.once
@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_all_paths_agree(capsys, data, name):
    needs("node")
    assert app.run(["verify", "small", "--data", str(data / name)]) == 0
    paths = table(capsys.readouterr().out)
    assert paths["reference float64"][:2] == [f"{ROWS}"] * 2
    for path in ("kernels float32", "ONNX float32", "JavaScript float32"):
        rows, same, within, integers, _, verdict = paths[path]
        assert [rows, same, integers, verdict] == [f"{ROWS}", f"{ROWS}", "-", "agrees"]
        assert float(within) < 1e-5
    for path in ("kernels int8", "ONNX int8", "JavaScript int8"):
        assert paths[path][3] == "equal"
        assert paths[path][-1] == "agrees"


def test_it_says_what_can_not_run(capsys, data, monkeypatch):
    monkeypatch.setenv("PATH", str(data))
    assert app.run(["verify", "small", "--data", str(data / "test.csv")]) == 0
    text = capsys.readouterr().out
    paths = table(text)
    assert paths["JavaScript int8"][-1] == "not run"
    assert re.search("^JavaScript int8 +there is no node here$", text, re.MULTILINE)
    assert paths["kernels int8"][-1] == "agrees"
    assert paths["OpenVINO float32"][-1] in ("agrees", "not run")


@pytest.mark.skipif(os.name != "posix", reason="a script as a program")
@pytest.mark.parametrize("kind", BROKEN)
def test_a_path_that_differs(capsys, data, tmp_path, monkeypatch, kind):
    script = BROKEN[kind][0].replace("2000", str(ROWS))
    (tmp_path / "node").write_text(f"#!{sys.executable}\n{script}\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert app.run(["verify", "small", "--data", str(data / "test.csv")]) == 1
    text = capsys.readouterr().out
    assert "2 of " in text
    assert "paths do not agree" in text
    assert table(text)["JavaScript float32"][-1] == ("FAILED" if kind == "fails" else "DIFFERS")
    assert ("digits.mjs does not run in node: SyntaxError: not today" in text) == (kind == "fails")


def test_the_integer_specification_is_compared_with_floats():
    """And what differs there is no failure: it is what int8 costs."""
    first, second, *others = verify(Network(*SMALL.parameters), DIGITS)
    assert first.name == "reference float64"
    assert second.name == "reference int8"
    assert first.agrees is None
    assert second.agrees is None
    assert 0 < second.difference.probabilities < 0.2
    assert {other.agrees for other in others} <= {True, None}


def test_users_mistakes(capsys, data, tmp_path):
    (tmp_path / "bad.csv").write_text("pixel0,pixel1\n1,2\n")
    for arguments in (
        ["small", "--data", str(tmp_path / "bad.csv")],
        ["small", "--data", str(tmp_path / "none.csv")],
        [str(data / "test.csv"), "--data", str(data / "test.csv")],
        ["small"],
    ):
        assert app.run(["verify", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_read_images_takes_both_forms(data, tmp_path):
    for name in ("train.csv", "test.csv"):
        np.testing.assert_array_equal(kaggle.read_images(data / name), DIGITS[:ROWS])
    quoted = (data / "train.csv").read_text().replace("label", '"label"')
    (tmp_path / "quoted.csv").write_text(quoted)
    np.testing.assert_array_equal(kaggle.read_images(tmp_path / "quoted.csv"), DIGITS[:ROWS])
    assert float_answers(SMALL, DIGITS[:ROWS]).labels.shape == (ROWS,)
