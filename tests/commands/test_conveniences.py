"""What makes the commands easy to use: JSON, silence, completion, MODEL in either place, narrow terminals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import TEST_ROWS, TRAIN_ROWS, in_a_terminal
from PIL import Image

from digitnn_fast import benchmark
from digitnn_fast.commands import report
from digitnn_fast.kernels.machine import jit
from digitnn_fast.network import Network
from digitnn_fast.record import HISTORY_COLUMNS
from digitnn_fast.utils import initialize_parameters

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX terminals")


@pytest.fixture
def files(folder, tmp_path) -> dict[str, Path]:
    picture = tmp_path / "digit.png"
    Image.fromarray(255 - folder.images[0].reshape(28, 28)).resize((140, 140)).save(picture)
    return {
        "model": folder.path / "model.npz",
        "train": folder.path / "train.csv",
        "test": folder.path / "test.csv",
        "out": tmp_path / "s.csv",
        "picture": picture,
    }


def given(text: str, files: dict[str, Path]) -> list[str]:
    return [word.format(**files) for word in text.split()]


JSON = {  # a command, and some of what it must say
    "evaluate --model {model} --data {train}": {"rows": TRAIN_ROWS, "trained_on_these": True},
    "info {model}": {"hidden": 64, "preprocessing": "directions"},
    "submit --train {train} --test {test} --epochs 1 --out {out}": {"rows": TEST_ROWS, "hidden": 64},
    "submit --model {model} --test {test} --out {out}": {"rows": TEST_ROWS, "preprocessing": "directions"},
}


@pytest.mark.parametrize("text", JSON)
def test_json(text, files, command):
    outcome = command(*given(text, files), "--json")
    assert outcome.code == 0, outcome.err
    said = json.loads(outcome.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert {name: said[name] for name in JSON[text]} == JSON[text]


def test_json_of_the_epochs(files, command):
    record = Network.load(files["model"]).training
    for text in ("evaluate --model {model} --data {train}", "info {model}"):
        epochs = json.loads(command(*given(text, files), "--json").out)["epochs"]
        assert [epoch["epoch"] for epoch in epochs] == list(range(1, len(record.history) + 1))
        for at, name in enumerate(HISTORY_COLUMNS):
            assert [epoch[name] for epoch in epochs] == record.history[:, at].tolist()


def test_json_of_a_submission(files, command):
    assert command(*given("predict --model {model} --test {test} --out {out}", files)).code == 0
    said = json.loads(command("validate", files["out"], "--test", files["test"], "--json").out)
    expected = {"submission": str(files["out"]), "valid": True, "rows": TEST_ROWS, "compared_with": str(files["test"])}
    assert said == expected


@pytest.mark.once
def test_json_of_long_commands(files, command):
    said = json.loads(command("verify", files["model"], "--data", files["test"], "--json").out)
    assert said["agrees"] is True and "kernels float32" in [path["name"] for path in said["paths"]]
    said = json.loads(command("bench", files["model"], "--threads", 1, "--json").out)
    assert len(said["speeds"]) == 6 and all(speed["rate"] > 0 for speed in said["speeds"])


MODEL = {
    "evaluate": "evaluate {} --data {train}",
    "info": "info {}",
    "predict": "predict {} --test {test} --out {out}",
    "submit": "submit {} --test {test} --out {out}",
    "shards": "shards {} {test} --out {out} -q",
    "image": "image {} {picture}",
    "export": "export {} --to onnx --out {out}",
    "draw": "draw {} --no-open --out {out}",
}


@pytest.mark.parametrize("name", MODEL)
def test_the_model_is_an_argument_or_an_option(name, files, command):
    said = []
    for model in ("{model}", "--model {model}"):
        outcome = command(*given(MODEL[name].replace("{}", model), files))
        assert outcome.code == 0, outcome.err
        said.append(re.sub(r"(predicted|time) .*", "", outcome.out))
    assert said[0] == said[1]
    outcome = command(*given(MODEL[name].replace("{}", "{model} --model small"), files))
    assert (outcome.code, outcome.err) == (2, "error: MODEL and --model are the same: give one of them\n")


def test_a_model_before_files_is_told_from_them(files, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accurate").mkdir()
    (tmp_path / "accurate" / "a.png").write_bytes(files["picture"].read_bytes())
    assert command("image", "small", files["picture"]).out == command("image", files["picture"]).out
    assert command("image", "accurate").fact("accurate/a.png"), "the folder"
    assert command("image", "accurate", "--model", "small").code == 0
    for name, what in (("image", "pictures"), ("shards", "shards")):
        rest = ["--out", "results"] * (name == "shards")
        outcome = command(name, "small", *rest)
        assert (outcome.code, outcome.err) == (2, f"error: small: a model; {what} must follow it\n")
        outcome = command(name, "accurate", files["picture"], *rest)
        text = "a bundled model, and something here; give --model accurate or ./accurate"
        assert outcome.err == f"error: accurate: {text}\n"


TRAIN = "train --train {train} --epochs 20 --out {out}.npz"


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_quiet(flag, files, command):
    for text in (TRAIN, "predict --model {model} --test {test} --out {out}"):
        words = given(text, files)
        assert command(flag, *words) == command(*words, flag) == (0, "", "")
    assert command("info", files["model"], flag).fact("pixels") == "directions", "what was asked for is said"
    outcome = command("info", "none.npz", flag)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "text",
    [
        "export {model} --to onnx --out {out}",
        "shards {test} --out {out}",
        "draw --no-open --out {out}",
        "warmup",
        "submit --model {model} --test {test} --out {out}",
    ],
)
def test_what_was_made_is_quiet(text, files, command):
    assert command("-q", *given(text, files)) == (0, "", "")


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_verbose(flag, files, command):
    assert command(*given(TRAIN, files)).err.count("epoch") == 10
    assert command(*given(TRAIN, files), flag).err.count("epoch") == 20
    error = command("info", "none.npz", flag).err
    assert error.startswith("Traceback") and error.splitlines()[-1].startswith("error: none.npz")


def test_what_is_no_wish_for_loudness(command, tmp_path, monkeypatch):
    """What an option takes, and what is behind `--`."""
    monkeypatch.chdir(tmp_path)
    submit = "kaggle", "submit", "none.csv", "--message", "-v"
    assert command(*submit) == (2, "", "error: none.csv: no such file\n")
    assert command(*submit, "-v").err.startswith("Traceback")
    assert re.fullmatch("error: -q: .*\n", command("info", "--", "-q").err)


@POSIX
@pytest.mark.parametrize("columns", [80, 50])
def test_narrow_terminals(columns, files):
    """No line is longer, but for those that are text; no number is broken."""
    code, text = in_a_terminal("train", *given(TRAIN, files)[1:], columns=columns)
    assert code == 0
    drawn = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", text)]
    assert any("20/20" in line for line in drawn)
    assert max(len(line) for line in drawn if "training" in line and "/20" in line) <= columns
    code, text = in_a_terminal("evaluate", *given("{model} --data {train}", files), columns=columns)
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    table = plain.partition("cross-entropy")[2]
    if columns == 80:
        assert re.search(r"^ +precision|digit +precision", table, re.MULTILINE)
    assert max(len(line.rstrip()) for line in table.splitlines() if "confusion matrix" not in line) <= columns


@POSIX
@pytest.mark.once
@pytest.mark.parametrize(
    "text", ["evaluate {raw} --data {array}", "report {raw} --data {array} --out {page}", "image {raw} {picture}"]
)
def test_who_waits_for_a_compiler_is_told_first(text, files, folder, tmp_path, monkeypatch):
    """A network on raw pixels, and no table: one kernel is all that there is to compile."""
    if text.startswith("report"):
        pytest.importorskip("matplotlib")
    files |= {"raw": tmp_path / "raw.npz", "array": tmp_path / "digits.npz", "page": tmp_path / "page.html"}
    Network(*initialize_parameters(0, 16)).save(files["raw"])
    np.savez(files["array"], x_test=folder.images, y_test=folder.labels)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    said = [in_a_terminal(*given(text, files)) for _ in range(2)]
    assert [code for code, _ in said] == [0, 0]
    assert [shown.startswith("compiling for this processor, once: ") for _, shown in said] == [True, False]


@pytest.mark.parametrize(("shell", "form"), [("bash", "complete_bash"), ("zsh", "complete_zsh")])
def test_completion(shell, form, command):
    words = {"COMP_WORDS": "digitnn-fast ev", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "digitnn-fast ev"}
    asked = os.environ | words | {"_DIGITNN_FAST_COMPLETE": form}
    done = subprocess.run([sys.executable, "-m", "digitnn_fast"], env=asked, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "evaluate" in done.stdout and "submit" not in done.stdout
    assert "--install-completion" in command("--help").out


def test_submit_writes_a_report(files, command, tmp_path):
    pytest.importorskip("matplotlib")
    page = tmp_path / "r.html"
    words = given("submit --train {train} --test {test} --epochs 2 --out {out}", files)
    outcome = command(*words, "--report", page)
    assert outcome.code == 0, outcome.err
    assert outcome.fact("report") == str(page)
    pictures = re.findall(r'<img alt="(.*?)"', page.read_text("utf-8"))
    assert pictures == ["Training", "Hidden units"], "Kaggle's labels are not known"
    for wrong in (tmp_path / "r.pdf", files["out"]):
        outcome = command(*words, "--report", wrong)
        assert outcome.code == 2 and outcome.err.startswith("error: ")


def test_a_spread_that_is_too_wide_is_no_comparison(capsys):
    steady = benchmark.Speed("float32", 1, 100, 1e6, 5e5, 0.01, 0.02)
    shaken = benchmark.Speed("int8", 1, 100, 1e6, 2e3, 0.01, 0.9)
    crowded = steady._replace(crowding=4.0)
    report.print_speeds([steady, shaken, crowded])
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()[-3:]]
    assert [row[-1] for row in rows] == ["2.0×", "-", "-"]
    assert [row[-2] for row in rows] == ["±1%", "±1%", "±1%"]
    assert err.startswith("WARNING: 2 of 3 measurements are not credible")
    quartiles = 0.95, 1.1
    assert benchmark.spread([1.0, 1.1, 0.9, 1.0, 3.0, 1.05, 0.95]) == pytest.approx((quartiles[1] - quartiles[0]) / 2)
    assert (benchmark.longer(2.0, [1.0, 1.0]), benchmark.longer(3.0, [3.0, 2.5, 3.5])) == (2.0, 1.0)
    assert 0 < benchmark.crowding() < np.inf


def test_info_names_each_line(files, command):
    lines = command("info", files["model"]).out.splitlines()
    assert all(re.match(r"\S.*?  +\S", line) for line in lines)
    assert sum(line.startswith("epoch ") for line in lines) == 2
