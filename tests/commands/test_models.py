"""`evaluate`, `info`, `bench` and `warmup`: what the commands say of a model."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest
from command_line import TRAIN_ROWS, write_table

from digitnn_fast import benchmark, evaluation, reference
from digitnn_fast.export.ways import float_answers
from digitnn_fast.kernels import KERNELS
from digitnn_fast.kernels.machine import jit
from digitnn_fast.kernels.machine.jit import LEVELS
from digitnn_fast.network import Network, TrainingRecord, data_digest
from digitnn_fast.sample import load_sample
from digitnn_fast.training.recipes import RECIPES
from digitnn_fast.utils import initialize_parameters

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")


def test_evaluate(command, folder, tmp_path):
    digits = load_sample()
    images, labels = digits.test_images[:300], digits.test_labels[:300]
    write_table(tmp_path / "data.csv", images, labels)
    outcome = command("evaluate", "--model", folder.path / "model.npz", "--data", tmp_path / "data.csv")
    assert outcome.code == 0
    assert outcome.err == ""
    assert "WARNING" not in outcome.out
    network = Network.load(folder.path / "model.npz")
    expected = evaluation.evaluate(labels, float_answers(network, images).probabilities)
    error = f"{expected.standard_error:.2%}"
    assert outcome.fact("accuracy") == f"{expected.accuracy:.2%} ± {error} (standard error; 300 rows)"
    assert outcome.fact("cross-entropy") == f"{expected.cross_entropy:.4f} nats"
    cells = [line.split() for line in outcome.out.splitlines()]
    matrix = cells[cells.index(["true", *map(str, range(10))]) + 1 :]
    assert [list(map(int, row[1:])) for row in matrix] == expected.confusion.tolist()
    table = cells[cells.index(["digit", "precision", "recall", "F1", "images"]) + 1 :][:10]
    shares = zip(expected.precision, expected.recall, expected.f1, strict=True)
    assert [row[1:4] for row in table] == [[f"{share:.2%}" for share in row] for row in shares]
    assert [int(row[4]) for row in table] == expected.support.tolist()


def test_evaluate_says_when_these_are_the_training_rows(command, folder):
    data = folder.path / "train.csv"
    outcome = command("evaluate", "--model", folder.path / "model.npz", "--data", data)
    assert outcome.code == 0
    assert outcome.out.startswith("WARNING: the network was trained on 360 of these 400 rows")


def test_evaluate_shows_what_is_not_known_as_a_dash(command, folder, tmp_path):
    """One image of a single digit: nothing is known about most others."""
    write_table(tmp_path / "one.csv", folder.images[:1], folder.labels[:1])
    outcome = command("evaluate", "--model", folder.path / "model.npz", "--data", tmp_path / "one.csv")
    assert outcome.code == 0
    assert outcome.err == ""
    assert re.search(r"^ +\d +- +- +- +0$", outcome.out, re.MULTILINE)
    assert "nan" not in outcome.out.lower()


def test_info(command, folder):
    outcome = command("info", folder.path / "model.npz")
    assert outcome.code == 0
    assert outcome.err == ""
    record = Network.load(folder.path / "model.npz").training
    assert outcome.fact("network") == "784-64-10 (50,890 parameters), recipe fast, seed 0"
    assert outcome.fact("pixels") == "directions"
    digest = data_digest(folder.images, folder.labels)
    assert outcome.fact("training data") == f"{TRAIN_ROWS} rows, SHA-256 {digest}"
    accuracy = f"{record.heldout_accuracy:.2%} ± {record.heldout_standard_error:.2%}"
    assert outcome.fact("held-out accuracy").startswith(accuracy)
    best = record.history[:, 3].max()
    assert outcome.fact("best epoch").endswith(f"accuracy {best:.2%}")
    assert outcome.fact("last epoch").startswith(
        f"epoch {RECIPES['fast'].epochs}/{RECIPES['fast'].epochs}: training loss"
    )


def test_info_of_a_network_that_nobody_trained(command, tmp_path):
    Network(*initialize_parameters(hidden=3)).save(tmp_path / "m.npz")
    outcome = command("info", tmp_path / "m.npz")
    assert outcome.code == 0
    assert outcome.fact("network") == "784-3-10 (2,395 parameters)"
    assert outcome.fact("training") == "not known"


def test_info_of_a_history_without_epochs(command, tmp_path):
    record = TrainingRecord("none", 0, "0", 10, 0, float("nan"), np.empty((0, 4)))
    Network(*initialize_parameters(hidden=3), training=record).save(tmp_path / "m.npz")
    assert command("info", tmp_path / "m.npz").code == 0


def test_bench(command, folder, monkeypatch):
    """Twelve ways to predict; how fast they are is for bench/ to say."""
    monkeypatch.setattr(benchmark, "RUNS", 2)
    outcome = command("bench", "--model", folder.path / "model.npz", "--threads", 2)
    assert outcome.code == 0, outcome.err
    header, *lines = outcome.out.splitlines()[3:]
    assert header.split()[:2] == ["predict", "threads"]
    ways = [line.split()[:3] for line in lines]
    assert ways == [[p, t, b] for p in ("float32", "int8") for t in "12" for b in ("1", "100", "10,000")]
    for line in lines:
        assert int(line.split()[3].replace(",", "")) > 1000, "images per second"


def test_a_wrong_result_is_not_timed(monkeypatch):
    network = Network(*initialize_parameters(1, 8))
    monkeypatch.setattr(reference, "forward", lambda *_: reference.Activations(*[np.ones((10_000, 10))] * 3))
    monkeypatch.setattr(reference, "forward_int8", lambda *_: np.eye(10, dtype=np.int32)[load_sample().train_labels])
    for precision in ("float32", "int8"):
        with pytest.raises(benchmark.WrongResultError, match="the reference"):
            benchmark.check(network, precision, load_sample().train_images)


def test_warmup(command):
    outcome = command("warmup")
    assert outcome.code == 0
    pattern = r"(.*): (already there|compiled|compiled, but can't be kept), \d+\.\d\d s"
    assert [re.fullmatch(pattern, line)[1] for line in outcome.out.splitlines()] == list(KERNELS)
    assert all("already there" in line for line in command("warmup").out.splitlines())


def test_warmup_for_machines_that_are_none(command, monkeypatch):
    outcome = command("warmup", "--for", "x86-64-v3,pentium")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: no processor 'pentium': there are {', '.join(LEVELS)}\n"
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    outcome = command("warmup", "--for", "x86-64-v3")
    assert (outcome.code, outcome.err) == (2, "error: machine code for x86-64-v3 can't be made on riscv64\n")
