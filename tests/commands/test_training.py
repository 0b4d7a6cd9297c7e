"""`submit` and `train`, on slices of the embedded sample written as Kaggle writes its files, and on Kaggle's own."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from command_line import TEST_ROWS, TRAIN_ROWS, process

from digitnn_fast import kaggle, plots, train
from digitnn_fast.export.ways import float_answers
from digitnn_fast.kernels.machine import jit
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.training.estimation import train_estimated
from digitnn_fast.training.loop import split, train_on
from digitnn_fast.training.measured import next_step
from digitnn_fast.training.recipes import RECIPES
from digitnn_fast.training.views import Views
from digitnn_fast.utils import get_predictions

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")


def test_submit(command, folder, tmp_path):
    out, model = tmp_path / "submission.csv", tmp_path / "model.npz"
    files = "--train", folder.path / "train.csv", "--test", folder.path / "test.csv"
    outcome = command("submit", *files, "--out", out, "--model-out", model, "--seed", 3)
    assert outcome.code == 0
    network = Network.load(model)
    expected = get_predictions(float_answers(network, folder.test_images).probabilities)
    lines = [f"{row},{digit}" for row, digit in enumerate(expected, 1)]
    assert out.read_text().splitlines() == ["ImageId,Label", *lines]

    record = network.training
    assert record.seed == 3
    assert record.recipe == "fast"
    assert (record.training_rows, record.heldout_rows) == (TRAIN_ROWS, 0), "the submission's network saw every row"
    assert record.estimated_rows == TRAIN_ROWS // 10
    accuracy, error = record.estimated_accuracy, record.estimated_standard_error
    assert outcome.fact("held-out accuracy").startswith(f"{accuracy:.2%} ± {error:.2%} (standard error; 40 of 400")
    assert outcome.fact("data") == f"{folder}/train.csv and {folder}/test.csv"
    assert outcome.fact("submission") == f"{out} (valid, {TEST_ROWS} rows)"
    client = f"digitnn-fast kaggle submit {out} --message '"
    plain = f"kaggle competitions submit -c digit-recognizer -f {out} -m '"
    assert outcome.fact("upload").startswith(client if find_spec("kaggle") else plain)
    name, _ = next_step("fast")
    assert outcome.fact("next step").startswith(f"--recipe {name}: ")
    assert re.search(r"^90 rows, [\d,]+ rows/s$", outcome.fact("predicted"))
    for stage in ("read", "train twice", "predict", "write and validate", "in all"):
        assert re.search(rf"\b{stage} \d+\.\d\d s", outcome.fact("time"))
    assert "test accuracy" not in outcome.out


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("recipe", ["fast", "pixels", "seed"])
def test_the_estimate_of_a_submission_is_of_a_training_without_some_rows(folder, recipe, threads):
    """Which sees the others as the network does that learns from all; that one is what `train` makes of all rows."""
    images, labels = kaggle.read_train(folder.path / "train.csv")
    quick = replace(RECIPES[recipe], epochs=3)
    network = train_estimated(images, labels, quick, seed=5, threads=threads)
    views = Views(images, labels, quick, 1) if recipe == "fast" else None
    measured = train_on(images, labels, quick, split(len(labels), 0.1, 5), 5, views=views)
    whole = train(images, labels, quick, seed=5, heldout=0)
    assert network.training.estimated_accuracy == measured.training.heldout_accuracy
    assert network.training.estimated_rows == measured.training.heldout_rows > 0
    np.testing.assert_array_equal(network.training.history[:, 2:], measured.training.history[:, 2:])
    np.testing.assert_array_equal(network.training.history[:, :2], whole.training.history[:, :2])
    for own, other in zip(network.parameters, whole.parameters, strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_epochs_of_both_trainings_are_told(folder, threads):
    """Of two threads in turn, the submission's network first; of one thread all of the one that measures first."""
    images, labels = kaggle.read_train(folder.path / "train.csv")
    quick, reports = replace(RECIPES["fast"], epochs=3), []
    network = train_estimated(images, labels, quick, threads=threads, on_epoch=reports.append)
    assert [report[:2] for report in reports] == [(epoch, 6) for epoch in range(1, 7)]
    own, measuring = (reports[3:], reports[:3]) if threads == 1 else (reports[::2], reports[1::2])
    np.testing.assert_array_equal([report[2:4] for report in own], network.training.history[:, :2])
    np.testing.assert_array_equal([report[4:] for report in measuring], network.training.history[:, 2:])


@pytest.mark.parametrize("epoch", [1, 4])
def test_an_error_ends_both_trainings(folder, epoch):
    images, labels = kaggle.read_train(folder.path / "train.csv")
    reports = []

    def fail(report):
        reports.append(report.epoch)
        if report.epoch == epoch:
            raise RuntimeError("seen enough")

    with pytest.raises(RuntimeError, match=r"^seen enough$"):
        train_estimated(images, labels, replace(RECIPES["fast"], epochs=1000), threads=2, on_epoch=fail)
    assert reports == list(range(1, epoch + 1))


def test_submit_with_a_model_trains_nothing(command, folder, tmp_path):
    out, model = tmp_path / "submission.csv", folder.path / "model.npz"
    assert command("submit", "--model", model, "--test", folder.path / "test.csv", "--out", out).code == 0
    expected = tmp_path / "expected.csv"
    assert command("predict", "--model", model, "--test", folder.path / "test.csv", "--out", expected).code == 0
    assert out.read_bytes() == expected.read_bytes()
    files = [(f"--{name}", tmp_path / "x.png") for name in ("train", "labels", "model-out", "plot")]
    for wrong in (("--recipe", "fast"), ("--seed", 0), *files):
        outcome = command("submit", "--model", model, *wrong, "--out", out)
        assert outcome.code == 2
        reason = "--model submits without training: it goes without --train, --labels, --seed, "
        reason += "--recipe and what changes it, --model-out, --plot and --report"
        assert outcome.err == f"error: {reason}\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_submission_that_cannot_be_written_loses_no_training(command, folder, tmp_path):
    files = "--train", folder.path / "train.csv", "--test", folder.path / "test.csv"
    outcome = command("submit", *files, "--epochs", 1, "--out", "/dev/full", "--model-out", tmp_path / "m.npz")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == "error: /dev/full: can't be written: No space left on device"
    assert Network.load(tmp_path / "m.npz").training.training_rows == TRAIN_ROWS


def test_submit_draws_its_curves(command, folder, tmp_path):
    files = "--train", folder.path / "train.csv", "--test", folder.path / "test.csv"
    out, plot, model = tmp_path / "submission.csv", tmp_path / "curves.png", tmp_path / "model.npz"
    outcome = command("submit", *files, "--out", out, "--plot", plot, "--model-out", model)
    assert (outcome.code, outcome.fact("plot")) == (0, str(plot))
    plots.write_figures(tmp_path / "expected.png", [plots.curves(Network.load(model).training)])
    assert plot.read_bytes() == (tmp_path / "expected.png").read_bytes()
    outcome = command("submit", *files, "--out", out, "--plot", out)
    assert outcome.code == 2


def test_submit_is_deterministic(command, folder, tmp_path):
    files = "--train", folder.path / "train.csv", "--test", folder.path / "test.csv"
    written = []
    for threads in (1, 2):
        out, model = tmp_path / "submission.csv", tmp_path / "model.npz"
        assert command("submit", *files, "--out", out, "--model-out", model, "--threads", threads).code == 0
        written.append((out.read_bytes(), model.read_bytes()))
    assert written[0] == written[1]


def test_submit_without_files_takes_the_sample(tmp_path):
    """As the README's first command does, in a process and a folder of its own."""
    outcome = process("submit", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert "embedded sample" in outcome.fact("data")
    assert "kaggle" not in outcome.out.replace("Kaggle", "")
    assert "not possible" in outcome.fact("upload")
    answers = [int(line.split(",")[1]) for line in (tmp_path / "submission.csv").read_text().splitlines()[1:]]
    accuracy = np.mean(np.array(answers) == load_sample().test_labels)
    error = np.sqrt(accuracy * (1 - accuracy) / 2000)
    assert outcome.fact("test accuracy") == f"{accuracy:.2%} ± {error:.2%} (standard error; 2,000 rows)"
    assert accuracy > 0.95
    assert os.listdir(tmp_path) == ["submission.csv"]


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


@pytest.mark.once
def test_the_main_job_on_kaggles_files(kaggle_files, command, tmp_path):
    train, test = kaggle_files
    out, model = tmp_path / "submission.csv", tmp_path / "model.npz"
    outcome = command("submit", "--train", train, "--test", test, "--out", out, "--model-out", model)
    assert outcome.code == 0
    assert Network.load(model).training.estimated_accuracy > 0.992
    assert outcome.fact("submission") == f"{out} (valid, 28,000 rows)"
    assert command("validate", out, "--test", test).code == 0
    again = tmp_path / "again.csv"
    assert command("predict", "--model", model, "--test", test, "--out", again).code == 0
    assert again.read_bytes() == out.read_bytes()


def test_what_takes_the_place_of_a_recipes_own(command, folder, tmp_path):
    changes = "--hidden", 8, "--epochs", 2, "--rate", 0.01, "--batch", 32, "--preprocessing", "raw", "--pictures", 0.2
    files = "--train", folder.path / "train.csv", "--out", tmp_path / "m.npz"
    outcome = command("train", *files, *changes)
    assert outcome.code == 0
    assert outcome.fact("network").startswith("784-8-10 ")
    record = Network.load(tmp_path / "m.npz").training
    expected = {"hidden": 8, "epochs": 2, "learning_rate": 0.01, "batch": 32, "pictures": 0.2}
    assert {name: record.settings[name] for name in expected} == expected
    assert (record.recipe, record.settings.get("preprocessing", "raw")) == ("fast", "raw")
    outcome = command("submit", "--test", folder.path / "test.csv", *files[:2], "--out", tmp_path / "s.csv", *changes)
    assert outcome.code == 0
    assert outcome.fact("network").startswith("784-8-10 ")


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (("--preprocessing", "none"), "no preprocessing 'none': there are raw, deskewed"),
        (("--rate", "-1"), "the learning rate must be more than 0, got -1.0"),
        (("--pictures", "1"), "pictures must be a share from 0 to less than 1, got 1.0"),
        (("--rate", "nan"), "the learning rate must be more than 0, got nan"),
        (
            ("--recipe", "committee", "--hidden", "16384"),
            "hidden must be 1 to 13,107 in each of 5 members, got 16,384",
        ),
        (("--hidden", "0"), "--hidden"),
        (("--epochs", "0"), "--epochs"),
    ],
)
def test_what_can_not_take_the_place(command, folder, tmp_path, option, reason):
    outcome = command("train", "--train", folder.path / "train.csv", "--out", tmp_path / "m.npz", *option)
    assert outcome.code == 2
    assert reason in outcome.err
    assert outcome.err.count("\n") == 1
    outcome = command("submit", "--model", "small", "--test", folder.path / "test.csv", "--epochs", 1)
    assert outcome.code == 2
    assert "--model submits without training" in outcome.err
