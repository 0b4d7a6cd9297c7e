"""`predict` and `validate`, which read and write files, and where `submit` finds its digits."""

from __future__ import annotations

import gzip
import os
import shutil

import numpy as np
import pytest
from command_line import TEST_ROWS, write_table

from digitnn_fast import kaggle
from digitnn_fast.export.ways import float_answers
from digitnn_fast.jobs.sources import Files, Sample, find_source
from digitnn_fast.kernels.machine import jit
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import get_predictions

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")


def test_where_the_digits_come_from(tmp_path, folder):
    given = find_source("a.csv", "b.csv", tmp_path)
    assert isinstance(given, Files)
    assert given.text == "a.csv and b.csv"
    assert isinstance(find_source(None, None, tmp_path / "nothing"), Sample)
    there = tmp_path / "input" / "digit-recognizer"
    there.mkdir(parents=True)
    for name in ("train.csv", "test.csv"):
        shutil.copy(folder.path / name, there)
    found = find_source(None, None, str(tmp_path / "input"))
    assert found.text == f"Kaggle's input folder: {there}/train.csv and {there}/test.csv".replace("/", os.sep)
    assert len(found.check_test(None).results) == TEST_ROWS


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_predict(command, folder, tmp_path, suffix):
    test, out = tmp_path / f"test.csv{suffix}", tmp_path / "out.csv"
    content = (folder.path / "test.csv").read_bytes()
    test.write_bytes(gzip.compress(content) if suffix else content)
    outcome = command("predict", "--model", folder.path / "model.npz", "--test", test, "--out", out)
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.fact("submission") == f"{out} (valid, {TEST_ROWS} rows)"
    network = Network.load(folder.path / "model.npz")
    expected = get_predictions(float_answers(network, folder.test_images).probabilities)
    assert np.loadtxt(out, delimiter=",", skiprows=1, dtype=int)[:, 1].tolist() == expected.tolist()


def test_the_bundled_model_is_used_without_another(command, folder, tmp_path):
    out, data = tmp_path / "out.csv", tmp_path / "data.csv"
    assert command("predict", "--test", folder.path / "test.csv", "--out", out).code == 0
    assert len(out.read_text().splitlines()) == TEST_ROWS + 1
    digits = load_sample()
    write_table(data, digits.test_images[:300], digits.test_labels[:300])
    outcome = command("evaluate", "--data", data)
    assert outcome.code == 0
    assert float(outcome.fact("accuracy").split("%")[0]) > 95
    assert "recipe small" in command("info").fact("network")
    assert command("info").fact("file") == command("info", "small").fact("file")
    assert "recipe accurate" in command("info", "accurate").fact("network")
    assert command("predict", "--model", "accurate", "--test", folder.path / "test.csv", "--out", out).code == 0


def test_predict_probabilities(command, folder, tmp_path):
    arguments = "--model", folder.path / "model.npz", "--test", folder.path / "test.csv", "--probabilities"
    assert command("predict", *arguments, "--out", tmp_path / "out.csv").code == 0
    table = np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1)
    network = Network.load(folder.path / "model.npz")
    expected = float_answers(network, folder.test_images).probabilities
    assert table[:, 0].tolist() == list(range(1, TEST_ROWS + 1))
    assert np.abs(table[:, 1:] - expected).max() < 1e-5


def test_validate(command, folder, tmp_path):
    good = tmp_path / "good.csv"
    kaggle.write_submission(good, np.arange(TEST_ROWS) % 10)
    outcome = command("validate", good)
    warning = "WARNING: 90 rows, but Kaggle's own test.csv has 28,000\n"
    assert outcome == (0, f"valid  {good} (90 rows, not compared with a test.csv)\n", warning)
    outcome = command("validate", good, "--test", folder.path / "test.csv")
    assert outcome == (0, f"valid  {good} (90 rows, as many as in {folder}/test.csv)\n", "")
