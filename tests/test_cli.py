"""The real commands, on slices of the embedded sample written as Kaggle writes its files, and on Kaggle's own."""

from __future__ import annotations

import gzip
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from digitnn_fast import __version__, benchmark, cli, evaluation, kaggle, reference
from digitnn_fast._files import Files, Sample, find_source
from digitnn_fast.kernels import KERNELS, _jit
from digitnn_fast.network import Network, TrainingRecord, data_digest
from digitnn_fast.recipes import RECIPES
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import get_predictions, initialize_parameters

TRAIN_ROWS, TEST_ROWS = 400, 90
pytestmark = pytest.mark.skipif(_jit.DISABLE_JIT, reason="takes minutes in plain Python")
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and devices")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    def fact(self, name: str) -> str:
        """What stdout says behind `name`."""
        found = re.search(rf"^{name}  +(.*)$", self.out, re.MULTILINE)
        assert found, f"no {name!r} in {self.out!r}"
        return found[1]


class Folder(NamedTuple):
    """Kaggle's two files, small, with what they hold, and a model trained on them by the command."""

    path: Path
    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray

    def __str__(self) -> str:
        return str(self.path)


def write_table(path: Path, images: np.ndarray, labels: np.ndarray | None = None) -> None:
    names = ["label"] * (labels is not None) + [f"pixel{pixel}" for pixel in range(784)]
    rows = images if labels is None else np.column_stack([labels, images])
    lines = [",".join(names), *(",".join(map(str, row)) for row in rows.tolist())]
    path.write_bytes("".join(line + "\r\n" for line in lines).encode())


def process(*arguments: object, **options: object) -> Outcome:
    """The command as a process of its own, with pipes."""
    command = [sys.executable, "-m", "digitnn_fast", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=120, **options)
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def command(capsys):
    """The command inside this process, which saves starting one: arguments -> Outcome."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Folder:
    digits = load_sample()
    path = tmp_path_factory.mktemp("digits")
    content = digits.train_images[:TRAIN_ROWS], digits.train_labels[:TRAIN_ROWS], digits.test_images[:TEST_ROWS]
    write_table(path / "train.csv", *content[:2])
    write_table(path / "test.csv", content[2])
    assert cli.run(["train", "--train", f"{path}/train.csv", "--out", f"{path}/model.npz"]) == 0
    return Folder(path, *content)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# The main job


def test_submit(command, folder, tmp_path):
    out, model = tmp_path / "submission.csv", tmp_path / "model.npz"
    files = "--train", folder.path / "train.csv", "--test", folder.path / "test.csv"
    outcome = command("submit", *files, "--out", out, "--model-out", model, "--seed", 3)
    assert outcome.code == 0
    network = Network.load(model)
    expected = get_predictions(reference.forward(network.parameters, folder.test_images).probabilities)
    lines = [f"{row},{digit}" for row, digit in enumerate(expected, 1)]
    assert out.read_text().splitlines() == ["ImageId,Label", *lines]

    record = network.training
    assert record.seed == 3
    assert record.recipe == "fast"
    assert record.heldout_rows == TRAIN_ROWS // 10
    accuracy, error = record.heldout_accuracy, record.heldout_standard_error
    assert outcome.fact("held-out accuracy").startswith(f"{accuracy:.2%} ± {error:.2%} (standard error; 40 of 400")
    assert outcome.fact("data") == f"{folder}/train.csv and {folder}/test.csv"
    assert outcome.fact("submission") == f"{out} (valid, {TEST_ROWS} rows)"
    assert outcome.fact("upload").startswith(f"kaggle competitions submit -c digit-recognizer -f {out} -m '")
    assert re.search(r"^90 rows, [\d,]+ rows/s$", outcome.fact("predicted"))
    for stage in ("read", "train", "predict", "write and validate", "in all"):
        assert re.search(rf"\b{stage} \d+\.\d\d s", outcome.fact("time"))
    assert "test accuracy" not in outcome.out


def test_submit_is_deterministic_and_trains_as_train_does(command, folder, tmp_path):
    files = "--train", folder.path / "train.csv", "--test", folder.path / "test.csv"
    written = []
    for threads in (1, 2):
        out, model = tmp_path / "submission.csv", tmp_path / "model.npz"
        assert command("submit", *files, "--out", out, "--model-out", model, "--threads", threads).code == 0
        written.append((out.read_bytes(), model.read_bytes()))
    assert written[0] == written[1]
    assert written[0][1] == (folder.path / "model.npz").read_bytes()


def test_submit_without_files_takes_the_sample(tmp_path):
    """As the README's first command does, in a process and a folder of its own."""
    outcome = process("submit", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert "embedded sample" in outcome.fact("data")
    assert "kaggle competitions" not in outcome.out
    assert "not possible" in outcome.fact("upload")
    answers = [int(line.split(",")[1]) for line in (tmp_path / "submission.csv").read_text().splitlines()[1:]]
    accuracy = np.mean(np.array(answers) == load_sample().test_labels)
    error = np.sqrt(accuracy * (1 - accuracy) / 2000)
    assert outcome.fact("test accuracy") == f"{accuracy:.2%} ± {error:.2%} (standard error; 2,000 rows)"
    assert accuracy > 0.95
    assert os.listdir(tmp_path) == ["submission.csv"]


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
    assert found.check_test(None) == TEST_ROWS


@pytest.mark.parametrize("recipe", RECIPES)
def test_about_ten_lines_of_progress_for_any_number_of_epochs(command, folder, tmp_path, recipe, monkeypatch):
    monkeypatch.setitem(RECIPES, recipe, replace(RECIPES[recipe], epochs=len(recipe) * 7, members=1))
    arguments = "train", "--train", folder.path / "train.csv", "--out", tmp_path / "m.npz", "--recipe", recipe
    outcome = command(*arguments)
    assert outcome.code == 0
    epochs = len(Network.load(tmp_path / "m.npz").training.history)
    assert epochs == RECIPES[recipe].epochs
    lines = outcome.err.splitlines()
    assert 5 <= len(lines) <= 12
    figures = r"training loss \d+\.\d{4}, accuracy \d+\.\d\d%; held-out loss \d+\.\d{4}, accuracy \d+\.\d\d%"
    assert all(re.fullmatch(rf"epoch +\d+/{epochs}: {figures}", line) for line in lines)
    assert lines[-1].startswith(f"epoch {epochs}/{epochs}")
    assert "\x1b" not in outcome.out + outcome.err


def test_train_without_rows_held_out(command, folder, tmp_path):
    model = tmp_path / "m.npz"
    outcome = command("train", "--train", folder.path / "train.csv", "--out", model, "--heldout", 0)
    assert outcome.code == 0
    assert outcome.fact("held-out accuracy") == "not known: no rows were held out"
    assert "nan" not in (outcome.out + outcome.err + command("info", model).out).lower()


def test_cross_validation(command, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "small", replace(RECIPES["small"], epochs=5))
    model = tmp_path / "m.npz"
    arguments = "train", "--train", folder.path / "train.csv", "--out", model, "--recipe", "small", "--folds", 3
    outcome = command(*arguments, "--seed", 2)
    assert outcome.code == 0
    record = Network.load(model).training
    assert (record.folds, record.heldout_rows, record.training_rows) == (3, 0, TRAIN_ROWS)
    accuracy = f"{record.cross_validated_accuracy:.2%} ± {record.cross_validated_standard_error:.2%}"
    assert outcome.fact("accuracy") == f"{accuracy} (standard error; {TRAIN_ROWS:,} rows), cross-validated"
    assert len(outcome.fact("of each fold").split(", ")) == 3
    assert f"at the temperature {record.temperature:.3f}" in outcome.fact("calibration error")
    assert outcome.fact("if doubtful ones are refused").count("answered") == 4
    assert command("info", model).fact("cross-validated").startswith(accuracy)


@pytest.mark.parametrize("folds", [1, TRAIN_ROWS + 1])
def test_folds_that_cannot_be(command, folder, tmp_path, folds):
    files = "--train", folder.path / "train.csv", "--out", tmp_path / "m.npz"
    outcome = command("train", *files, "--folds", folds)
    assert (outcome.code, outcome.err) == (
        2,
        f"error: folds must be 2 to {TRAIN_ROWS}, the number of rows, got {folds}\n",
    )
    assert not (tmp_path / "m.npz").exists()


def test_a_checkpoint_from_the_command_line(command, folder, tmp_path):
    files = "--train", folder.path / "train.csv", "--out", tmp_path / "m.npz", "--checkpoint", tmp_path / "state"
    for name, folds in (("state", ()), ("state.folds", ("--folds", 2))):
        (tmp_path / name).write_text("nonsense")
        outcome = command("train", *files, *folds)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert outcome.err.startswith(f"error: {tmp_path / name}: not a checkpoint, or damaged")
        (tmp_path / name).unlink()
    assert command("train", *files).code == 0
    assert not (tmp_path / "state").exists()
    assert (tmp_path / "m.npz").read_bytes() == (folder.path / "model.npz").read_bytes()


def test_patience_from_the_command_line(command, folder, tmp_path):
    files = "--train", folder.path / "train.csv", "--out", tmp_path / "m.npz", "--patience", 3
    for wrong in (("--folds", 2), ("--heldout", 0)):
        outcome = command("train", *files, *wrong)
        reason = "error: --patience needs rows that are held out: it goes without --folds and --heldout 0\n"
        assert (outcome.code, outcome.err) == (2, reason)
    assert command("train", *files).code == 0
    history = Network.load(tmp_path / "m.npz").training.history
    assert len(history) - 1 - history[:, 2].argmin() == 3
    assert len(history) < RECIPES["fast"].epochs


# The other commands


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
    expected = get_predictions(reference.forward(network.parameters, folder.test_images).probabilities)
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
    expected = reference.forward(network.parameters, folder.test_images).probabilities
    assert table[:, 0].tolist() == list(range(1, TEST_ROWS + 1))
    assert np.abs(table[:, 1:] - expected).max() < 1e-5


def test_evaluate(command, folder, tmp_path):
    digits = load_sample()
    images, labels = digits.test_images[:300], digits.test_labels[:300]
    write_table(tmp_path / "data.csv", images, labels)
    outcome = command("evaluate", "--model", folder.path / "model.npz", "--data", tmp_path / "data.csv")
    assert outcome.code == 0
    assert outcome.err == ""
    assert "WARNING" not in outcome.out
    network = Network.load(folder.path / "model.npz")
    expected = evaluation.evaluate(labels, reference.forward(network.parameters, images).probabilities)
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


def test_validate(command, folder, tmp_path):
    good = tmp_path / "good.csv"
    kaggle.write_submission(good, np.arange(TEST_ROWS) % 10)
    outcome = command("validate", good)
    assert outcome == (0, f"valid  {good} (90 rows, not compared with a test.csv)\n", "")
    outcome = command("validate", good, "--test", folder.path / "test.csv")
    assert outcome == (0, f"valid  {good} (90 rows, as many as in {folder}/test.csv)\n", "")


def test_info(command, folder):
    outcome = command("info", folder.path / "model.npz")
    assert outcome.code == 0
    assert outcome.err == ""
    record = Network.load(folder.path / "model.npz").training
    assert outcome.fact("network") == "784-64-10 (50,890 parameters), recipe fast, seed 0"
    assert outcome.fact("pixels") == "raw"
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


def test_bench(command, folder):
    """Twelve ways to predict; how fast they are is for bench/ to say."""
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


def test_version_and_help(command):
    assert command("--version") == (0, f"digitnn-fast {__version__}\n", "")
    outcome = command("--help")
    assert outcome.code == 0
    assert outcome.err == ""
    assert command() == outcome
    for name in ("submit", "train", "predict", "evaluate", "validate", "info", "warmup"):
        assert re.search(rf"^  {name} +\w.*\w\.$", outcome.out, re.MULTILINE), "shown, and not cut off"
        assert command(name, "--help").code == 0
    for recipe in RECIPES.values():
        for name in ("submit", "train"):
            assert re.search(rf"^ +{recipe.name} +{recipe.summary[:20]}", command(name, "-h").out, re.MULTILINE)


# What the user did wrong: one line, exit code 2, nothing written

WRONG = {
    "no such option": ("submit --foo", "--foo"),
    "no such command": ("sumbit", "sumbit"),
    "no train": ("train --out {new}", "--train"),
    "no threads": ("submit --threads 0 --out {out}", "--threads"),
    "threads are no number": ("submit --threads two --out {out}", "--threads"),
    "negative seed": ("submit --seed -1 --out {out}", "--seed"),
    "no such recipe": ("submit --recipe quick --out {out}", "no recipe 'quick': there are seed, fast"),
    "train: no such recipe": ("train --train {train} --recipe quick --out {model}", "no recipe 'quick'"),
    "share": ("train --train {train} --out {model} --heldout 1", "held out"),
    "share NaN": ("train --train {train} --out {model} --heldout nan", "held out"),
    "only train": ("submit --train {train} --out {out}", "--train needs --test"),
    "only test": ("submit --test {test} --out {out}", "--test needs --train"),
    "train missing": ("submit --train {new} --test {test} --out {out}", "new: no such file"),
    "test missing": ("submit --train {train} --test {new} --out {out}", "new: no such file"),
    "exchanged": ("submit --train {test} --test {train} --out {out}", "this is a training file"),
    "test as train": ("train --train {test} --out {model}", "this is a test file"),
    "train as test": ("predict --model {net} --test {train} --out {out}", "this is a training file"),
    "test is a folder": ("submit --train {train} --test {here} --out {out}", "here: "),
    "bad pixel": ("predict --model {net} --test {bad} --out {out}", "bad.csv: row 90 (line 91), column pixel783: 256"),
    "bad pixel in submit": ("submit --train {train} --test {bad} --out {out}", "row 90 (line 91), column pixel783"),
    "empty": ("predict --model {net} --test {empty} --out {out}", "the file is empty"),
    "truncated gzip": ("predict --model {net} --test {cut} --out {out}", "cut off"),
    "no model": ("predict --model {new} --test {test} --out {out}", "new"),
    "table as model": ("predict --model {test} --test {test} --out {out}", "not a digitnn-fast model"),
    "damaged model": ("evaluate --model {damaged} --data {train}", "damaged.npz"),
    "info of nothing": ("info {new}", "new"),
    "evaluate without labels": ("evaluate --model {net} --data {test}", "test file"),
    "folder missing": ("submit --out {here}/a/out.csv", "there is no folder"),
    "folder of the model missing": ("submit --out {out} --model-out {here}/a/m.npz", "there is no folder"),
    "train: folder missing": ("train --train {train} --out {here}/a/m.npz", "there is no folder"),
    "out is a folder": ("predict --model {net} --test {test} --out {here}", "not a file"),
    "out is empty": ("predict --model {net} --test {test} --out ''", "not a file"),
    "out is the test file": ("predict --model {net} --test {test} --out {here}/../{name}/test.csv", "something else"),
    "out is the model": ("predict --model {net} --test {test} --out {net}", "something else"),
    "out is model-out": ("submit --out {out} --model-out {out}", "something else"),
    "train: out is train": ("train --train {train} --out {train}", "something else"),
    "model into a device": ("train --train {train} --out /dev/null", "/dev/null: can't be written"),
    "not a submission": ("validate {test}", "the header must be ImageId,Label"),
    "submission is short": ("validate {out} --test {test}", "2 rows instead of 90"),
    "no submission": ("validate {new}", "no such file"),
}


@pytest.fixture
def wrong_files(folder, tmp_path) -> dict[str, str]:
    """Paths by the names that WRONG uses; `out` and `model` are older files that must survive."""
    here = tmp_path / "here"
    shutil.copytree(folder.path, here)
    lines = (here / "test.csv").read_bytes().splitlines(keepends=True)
    (here / "bad.csv").write_bytes(b"".join(lines)[:-3] + b"256\r\n")
    (here / "empty.csv").touch()
    (here / "cut.csv.gz").write_bytes(gzip.compress(b"".join(lines))[:-2000])
    model = bytearray((here / "model.npz").read_bytes())
    model[len(model) // 2] ^= 1
    (here / "damaged.npz").write_bytes(model)
    (here / "out.csv").write_text("ImageId,Label\n1,0\n2,0\n")
    (here / "kept.npz").write_text("kept")
    names = {"train": "train.csv", "test": "test.csv", "net": "model.npz", "bad": "bad.csv", "empty": "empty.csv"}
    names |= {"cut": "cut.csv.gz", "damaged": "damaged.npz", "out": "out.csv", "model": "kept.npz", "new": "new"}
    return {"here": str(here), "name": "here", **{name: str(here / file) for name, file in names.items()}}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use(command, wrong_files, case):
    text, reason = WRONG[case]
    if "/dev/" in text and os.name != "posix":
        pytest.skip("needs POSIX devices")
    before = snapshot(Path(wrong_files["here"]))
    arguments = ["" if word == "''" else word.format(**wrong_files) for word in text.split()]
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: .+\n", err), "one line"  # a dot is no line end
    assert reason in err
    assert snapshot(Path(wrong_files["here"])) == before


def test_wrong_use_of_a_process(wrong_files):
    """The same through the operating system: the exit code, and no traceback from a thread or at the exit."""
    arguments = "predict", "--model", wrong_files["net"], "--test", wrong_files["bad"], "--out", wrong_files["out"]
    outcome = process(*arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert Path(wrong_files["out"]).read_text() == "ImageId,Label\n1,0\n2,0\n"


@POSIX
def test_a_bad_test_file_that_shows_only_after_training(wrong_files):
    """A pipe can't be checked before, and still nothing is written."""
    before = snapshot(Path(wrong_files["here"]))
    files = "--train", wrong_files["train"], "--test", "/dev/stdin"
    outputs = "--out", wrong_files["out"], "--model-out", wrong_files["model"]
    outcome = process("submit", *files, *outputs, input=Path(wrong_files["bad"]).read_bytes())
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.splitlines()[-1].startswith("error: /dev/stdin: ")
    assert snapshot(Path(wrong_files["here"])) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("name", ["{here}/locked/out.csv", "{out}"])
def test_unwritable(command, wrong_files, name):
    locked = Path(wrong_files["here"]) / "locked"
    locked.mkdir(mode=0o555)
    os.chmod(wrong_files["out"], 0o444)
    outcome = command("submit", "--out", name.format(**wrong_files))
    assert outcome.code == 2
    assert "permission denied" in outcome.err
    assert outcome.err.count("\n") == 1


def test_names_with_line_ends_and_escape_codes_stay_on_one_line(command, tmp_path):
    outcome = command("info", tmp_path / "a\n\x1b[31mb")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "\x1b" not in outcome.err


def test_a_bug_is_not_taken_for_the_users_mistake():
    assert cli._reason(TypeError("a bug")) is None
    assert cli._reason(ValueError("too small")) == "too small"
    assert cli._reason(FileNotFoundError(2, "No such file", "a.csv")) == "a.csv: No such file"


# Pipes, signals, terminals


@POSIX
def test_into_a_pipe_go_the_answers_alone(folder):
    files = "--model", folder.path / "model.npz", "--test", "/dev/stdin"
    outcome = process("predict", *files, "--out", "/dev/stdout", input=(folder.path / "test.csv").read_bytes())
    assert outcome.code == 0
    assert outcome.out.startswith("ImageId,Label\n1,")
    assert outcome.out.count("\n") == TEST_ROWS + 1
    assert outcome.err.startswith("predicted   90 rows")


@POSIX
@pytest.mark.parametrize("buffered", [True, False])
def test_a_closed_pipe_is_quiet(folder, buffered):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, *([] if buffered else ["-u"]), "-m", "digitnn_fast", "info", folder.path / "model.npz"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@POSIX
def test_ctrl_c(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("older")
    command = [sys.executable, "-m", "digitnn_fast", "submit", "--recipe", "seed", "--out", out]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # who starts the tests with & ignores it
    with subprocess.Popen(command, preexec_fn=listening, **pipes) as running:
        assert running.stderr.readline().startswith("epoch")
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert stdout == ""
    assert [line for line in stderr.splitlines() if not line.startswith("epoch")] == ["interrupted"]
    assert out.read_text() == "older"
    assert os.listdir(tmp_path) == ["out.csv"]


def in_a_terminal(*arguments: object) -> tuple[int, str]:
    """Exit code and what a terminal of 100 columns gets."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    command = [sys.executable, "-m", "digitnn_fast", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    running = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm-256color"}
    )
    os.close(theirs)
    text, give_up = b"", time.monotonic() + 60
    while time.monotonic() < give_up and select.select([ours], [], [], 60)[0]:
        try:
            text += os.read(ours, 65536)
        except OSError:  # Linux's way to say that nobody has it open any more
            break
    os.close(ours)
    return running.wait(timeout=10), text.decode()


@POSIX
def test_a_terminal_gets_bars_and_tables(folder, tmp_path):
    code, text = in_a_terminal("train", "--train", folder.path / "train.csv", "--out", tmp_path / "m.npz")
    assert code == 0
    assert "━━━" in text
    assert "120/120" in text
    assert "\x1b[" in text
    assert text.count("held-out accuracy") == 1, "a bar instead of lines"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
    code, text = in_a_terminal("evaluate", "--model", tmp_path / "m.npz", "--data", folder.path / "train.csv")
    assert code == 0
    assert "precision" in text
    assert "───" in text


# Imports wait


def modules_after(*arguments: object) -> set[str]:
    """Names of the modules that a process has loaded when the command has run."""
    script = (
        "import sys; from digitnn_fast import cli; code = cli.run(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_loads_no_numbers(tmp_path):
    loaded = modules_after("--help")
    assert "typer" in loaded
    assert not loaded & {"numba", "llvmlite", "pandas", "numpy"}


def test_importing_the_package_loads_nothing():
    script = "import sys, digitnn_fast; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"numba", "llvmlite", "pandas", "numpy", "typer", "rich"}


def test_predict_loads_neither_numba_nor_pandas_nor_bars(folder, tmp_path):
    files = "--model", folder.path / "model.npz", "--test", folder.path / "test.csv", "--out", tmp_path / "out.csv"
    loaded = modules_after("predict", *files)
    assert "numpy" in loaded
    # rich.console is typer's own import until its version 0.17.
    assert not loaded & {"numba", "pandas", "rich.progress", "digitnn_fast.training"}


# Kaggle's own files


def test_the_main_job_on_kaggles_files(kaggle_files, command, tmp_path):
    train, test = kaggle_files
    out, model = tmp_path / "submission.csv", tmp_path / "model.npz"
    outcome = command("submit", "--train", train, "--test", test, "--out", out, "--model-out", model)
    assert outcome.code == 0
    assert Network.load(model).training.heldout_accuracy > 0.975
    assert outcome.fact("submission") == f"{out} (valid, 28,000 rows)"
    assert command("validate", out, "--test", test).code == 0
    again = tmp_path / "again.csv"
    assert command("predict", "--model", model, "--test", test, "--out", again).code == 0
    assert again.read_bytes() == out.read_bytes()
