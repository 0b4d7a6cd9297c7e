"""Plots hold what they should show, and the commands write them."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digitnn_fast import Network, Predictor, evaluation, plots, train
from digitnn_fast.commands import app
from digitnn_fast.kernels.machine import jit
from digitnn_fast.sample import load_sample
from digitnn_fast.training.crossvalidation import cross_validate
from digitnn_fast.training.recipes import RECIPES

SAMPLE = load_sample()
IMAGES, LABELS = SAMPLE.test_images[:500], SAMPLE.test_labels[:500]
NETWORK = Predictor.load("small").network
PROBABILITIES = Predictor(NETWORK, threads=1).predict_proba(IMAGES)
SLOW = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")


def spoiled(share: float = 0.2) -> np.ndarray:
    """Probabilities with many mistakes, so that there is something to show."""
    random = np.random.default_rng(0)
    noise = random.dirichlet(np.ones(10), len(LABELS)).astype(np.float32)
    chosen = random.random(len(LABELS)) < share
    return np.where(chosen[:, None], noise, PROBABILITIES)


def test_curves_show_the_history():
    record = train(IMAGES, LABELS, replace(RECIPES["fast"], epochs=3), threads=1).training
    nobody = {"heldout_rows": 0, "heldout_accuracy": np.nan}
    estimated = replace(record, **nobody, estimated_rows=record.heldout_rows, estimated_accuracy=0.9)
    for one in (record, estimated):  # the second as `submit` makes it
        for column, axes in enumerate(plots.curves(one).axes):
            training, heldout = axes.get_lines()
            np.testing.assert_array_equal(training.get_ydata(), record.history[:, column])
            np.testing.assert_array_equal(heldout.get_ydata(), record.history[:, 2 + column])
            assert all(tick == int(tick) for tick in axes.get_xticks()), "there is no half epoch"
    assert len(plots.curves(replace(estimated, history=record.history[:1])).axes[0].get_lines()[0].get_marker()) == 1


@pytest.mark.parametrize(("name", "said"), [(".png", r"\.png"), ("", "an empty name"), ("x.gif", r"x\.gif")])
def test_names_that_are_no_plots(name, said):
    with pytest.raises(ValueError, match=f"^{said}: the name must end with "):
        plots.check_plots([name], [])


def test_confusion_shows_every_count():
    result = evaluation.evaluate(LABELS, spoiled())
    axes = plots.confusion(result).axes[0]
    shown = np.zeros((10, 10), int)
    for text in axes.texts:
        column, row = text.get_position()
        shown[row, column] = int(text.get_text())
    np.testing.assert_array_equal(shown, result.confusion)


def test_mistakes_are_the_most_confident_first():
    probabilities = spoiled()
    figure = plots.mistakes(IMAGES, LABELS, probabilities)
    answers = probabilities.argmax(axis=1)
    confidence = np.where(answers != LABELS, probabilities.max(axis=1), 0)
    titles = [axes.get_title() for axes in figure.axes if axes.get_images()]
    assert len(titles) == min(plots.WORST, np.count_nonzero(confidence))
    for title, index in zip(titles, np.argsort(-confidence, kind="stable"), strict=False):
        assert title == f"{LABELS[index]} as {answers[index]}, {confidence[index]:.0%}"
    shown = figure.axes[0].get_images()[0].get_array()
    np.testing.assert_array_equal(np.asarray(shown).reshape(-1), IMAGES[confidence.argmax()])
    assert "No mistakes" in plots.mistakes(IMAGES, answers, probabilities)._suptitle.get_text()


def test_a_sheet_has_room_for_all_mistakes():
    probabilities = spoiled()
    wrong = np.count_nonzero(probabilities.argmax(axis=1) != LABELS)
    assert plots.WORST < wrong < plots.SHEET
    figure = plots.mistakes(IMAGES, LABELS, probabilities, plots.SHEET)
    assert len([axes for axes in figure.axes if axes.get_images()]) == wrong
    assert figure._suptitle.get_text() == f"{wrong} mistakes"


def test_hidden_units_are_the_columns_of_W1():
    network = replace(NETWORK, preprocessing="deskewed")
    shown = [axes.get_images()[0].get_array() for axes in plots.hidden_units(network).axes if axes.get_images()]
    assert len(shown) == 64
    np.testing.assert_array_equal(np.stack([np.asarray(unit).reshape(-1) for unit in shown], axis=1), network.W1)


def test_hidden_units_of_directions_are_discs():
    """A weight is shown in its cell, and from the disc's middle in the direction in which ink gets more."""
    unit = np.zeros(784, np.float32)
    unit[16 * (7 * 2 + 3)] = 1  # third row of cells, fourth column: to the right
    unit[16 * (7 * 2 + 3) + 4] = -1  # and down
    _, b1, W2, b2 = NETWORK.parameters
    network = Network(unit[:, None], b1[:1], W2[:1], b2, "directions")
    axes, *_ = plots.hidden_units(network).axes
    shown = np.asarray(axes.get_images()[0].get_array().filled(0))
    side = len(shown) // 7
    middle_y, middle_x = 2 * side + side // 2, 3 * side + side // 2
    red, blue = (np.argwhere(np.sign(shown) == sign).mean(axis=0) for sign in (1, -1))
    assert abs(red[0] - middle_y) < 1 and middle_x + 3 < red[1] < middle_x + side / 2
    assert abs(blue[1] - middle_x) < 1 and middle_y + 3 < blue[0] < middle_y + side / 2


def test_reliability():
    """Two in three of the answers that were 60% sure are right, and all that were 90% sure."""
    probabilities = np.full((6, 10), 0.4 / 9, np.float32)
    probabilities[:3, 2], probabilities[3:, 2] = 0.6, 0.91
    axes = plots.reliability(np.array([2, 2, 5, 2, 2, 2], np.uint8), probabilities).axes[0]
    _, line = axes.get_lines()
    np.testing.assert_allclose(line.get_xdata(), [0.6, 0.91], atol=1e-6)
    np.testing.assert_allclose(line.get_ydata(), [2 / 3, 1])
    error = (abs(0.6 - 2 / 3) + abs(0.91 - 1)) / 2
    assert f"{error:.2%}" in axes.get_title()
    found = evaluation.calibration_error(np.array([2, 2, 5, 2, 2, 2]), probabilities)
    assert found == pytest.approx(error), "evaluate says the same"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.csv"
    header = ",".join(["label", *(f"pixel{pixel}" for pixel in range(784))])
    rows = np.column_stack([LABELS, IMAGES]).tolist()
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.mark.parametrize(("ending", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_evaluate_plot(table, tmp_path, capsys, ending, start):
    plot = tmp_path / f"plot{ending}"
    assert app.run(["evaluate", "--data", str(table), "--plot", str(plot)]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert plot.read_bytes().startswith(start)


def test_evaluate_mistakes(table, tmp_path):
    sheet = tmp_path / "mistakes.png"
    assert app.run(["evaluate", "--data", str(table), "--mistakes", str(sheet)]) == 0
    expected = plots._pixels(plots.mistakes(IMAGES, LABELS, Predictor.load("small").predict_proba(IMAGES), plots.SHEET))
    np.testing.assert_array_equal(np.asarray(Image.open(sheet).convert("RGB")), expected)


@SLOW
def test_the_mistakes_of_a_cross_validation(table, tmp_path):
    sheet = tmp_path / "mistakes.png"
    arguments = ["--train", str(table), "--out", str(tmp_path / "m.npz"), "--folds", "2", "--mistakes", str(sheet)]
    assert app.run(["train", *arguments]) == 0
    validation = cross_validate(IMAGES, LABELS, "fast", folds=2)
    expected = plots._pixels(plots.mistakes(IMAGES, LABELS, validation.probabilities, plots.SHEET))
    np.testing.assert_array_equal(np.asarray(Image.open(sheet).convert("RGB")), expected)


@SLOW
def test_train_plot(table, tmp_path):
    model, plot = tmp_path / "model.npz", tmp_path / "plot.png"
    assert app.run(["train", "--train", str(table), "--out", str(model), "--plot", str(plot)]) == 0
    expected = np.asarray(plots._pixels(plots.curves(Predictor.load(model).network.training)))
    np.testing.assert_array_equal(np.asarray(Image.open(plot).convert("RGB")), expected)


def test_report_is_one_page_with_everything(table, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert app.run(["report", "small", "--data", str(table), "--out", str(out)]) == 0
    assert re.search(rf"^report +{re.escape(str(out))}$", capsys.readouterr().out, re.MULTILINE)
    page = out.read_text(encoding="utf-8")
    for name in ("Training", "Confusion", "Worst mistakes", "Hidden units", "Reliability"):
        content = re.search(rf'<img alt="{name}" src="data:image/png;base64,([^"]+)">', page)
        assert Image.open(io.BytesIO(base64.b64decode(content[1]))).width > 300
    assert "<th>cross-validated</th>" in page
    assert "http:" not in page and "https:" not in page
    assert page.count("src=") == 5
    assert "warning" not in page.partition("<table>")[2]


@SLOW
def test_report_warns_of_rows_that_were_trained_on(table, tmp_path, capsys):
    model, out = str(tmp_path / "model.npz"), tmp_path / "report.html"
    assert app.run(["train", "--train", str(table), "--out", model]) == 0
    capsys.readouterr()
    assert app.run(["report", model, "--data", str(table), "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("WARNING: the network was trained on ")
    assert "<table>\n<tr class=warning><th>WARNING</th><td>the network was trained on " in out.read_text("utf-8")


def test_figures_of_the_report_are_narrow_enough_for_a_phone():
    record = NETWORK.training
    wide, narrow = plots.curves(record), plots.curves(record, stacked=True)
    assert narrow.get_figwidth() < 0.5 * wide.get_figwidth()
    loss, accuracy = (axes.get_subplotspec() for axes in narrow.axes)
    assert (loss.rowspan.start, accuracy.rowspan.start) == (0, 1)
    sheet = plots.mistakes(IMAGES, LABELS, spoiled(), across=plots.ACROSS_A_PHONE)
    assert max(axes.get_subplotspec().colspan.start for axes in sheet.axes) == plots.ACROSS_A_PHONE - 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--data", "DATA", "--plot", "plot.jpg"),
        ("train", "--train", "DATA", "--out", "m.npz", "--plot", "plot"),
        ("train", "--train", "DATA", "--out", "m.png", "--plot", "m.png"),
        ("train", "--train", "DATA", "--out", "m.npz", "--mistakes", "m.png"),
        ("evaluate", "--data", "DATA", "--mistakes", "m.gif"),
        ("evaluate", "--data", "DATA", "--plot", "m.png", "--mistakes", "m.png"),
        ("report", "nothing.npz", "--data", "DATA"),
        ("report", "small", "--data", "DATA", "--out", "report.pdf"),
    ],
)
def test_refusals_come_before_the_work(table, tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert app.run([str(table) if argument == "DATA" else argument for argument in arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
