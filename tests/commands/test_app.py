"""What every command has in common: help, one line for each mistake, pipes, signals, terminals."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command_line import TEST_ROWS, in_a_terminal, process, snapshot
from programs import HANGS

from digitnn_fast import __version__
from digitnn_fast.commands import app
from digitnn_fast.kernels.machine import jit
from digitnn_fast.training.recipes import RECIPES

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and devices")


def test_version_and_help(command):
    assert command("--version") == (0, f"digitnn-fast {__version__}\n", "")
    outcome = command("--help")
    assert outcome.code == 0
    assert outcome.err == ""
    assert command() == outcome
    for name in ("submit", "train", "predict", "evaluate", "validate", "info", "warmup"):
        assert re.search(rf"^  {name} +\w.*\w\.$", outcome.out, re.MULTILINE)
        assert command(name, "--help").code == 0
    assert "..." not in outcome.out.partition("Commands:")[2] + command("kaggle").out.partition("Commands:")[2]
    for recipe in RECIPES.values():
        for name in ("submit", "train"):
            assert re.search(rf"^ +{recipe.name} +{recipe.summary[:20]}", command(name, "-h").out, re.MULTILINE)


WRONG = {
    "no such option": ("submit --foo", "--foo"),
    "no such command": ("sumbit", "sumbit"),
    "no train": ("train --out {new}", "--train"),
    "no threads": ("submit --threads 0 --out {out}", "--threads"),
    "threads are no number": ("submit --threads two --out {out}", "--threads"),
    "negative seed": ("submit --seed -1 --out {out}", "--seed"),
    "no such recipe": ("submit --recipe quick --out {out}", "no recipe 'quick': there are fast, small"),
    "train: no such recipe": ("train --train {train} --recipe quick --out {model}", "no recipe 'quick'"),
    "share": ("train --train {train} --out {model} --heldout 1", "held out"),
    "share NaN": ("train --train {train} --out {model} --heldout nan", "held out"),
    "only train": ("submit --train {train} --out {out}", "--train needs --test"),
    "only test": ("submit --test {test} --out {out}", "--test needs --train"),
    "only labels": ("submit --labels {train} --out {out}", "--labels needs --train and --test"),
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
    "out is the sample": ("submit {net} --test {test} --sample {out} --out {out}", "something else"),
    "out is model-out": ("submit --out {out} --model-out {out}", "something else"),
    "train: out is train": ("train --train {train} --out {train}", "something else"),
    "model into a device": ("train --train {train} --out /dev/null", "/dev/null: can't be written"),
    "not a submission": ("validate {test}", "the header must be ImageId,Label"),
    "submission is short": ("validate {out} --test {test}", "2 rows instead of 90"),
    "no submission": ("validate {new}", "no such file"),
    **{
        f"no name: {text}": (text, "error: an empty name is not a file\n")
        for text in (
            "validate ''",
            "validate {out} --test ''",
            "validate {out} --sample ''",
            "evaluate --model {net} --data ''",
            "evaluate --model {net} --data {train} --labels ''",
            "predict --model {net} --test '' --out {out}",
            "submit --train '' --test '' --out {out}",
            "image ''",
            "shards {net} {test} '' --out {here}/a",
        )
    },
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
    assert app._reason(TypeError("a bug")) is None
    assert app._reason(ValueError("too small")) == "too small"
    assert app._reason(FileNotFoundError(2, "No such file", "a.csv")) == "a.csv: No such file"
    assert app._reason(MemoryError()) == "not enough memory"
    with pytest.raises(MemoryError) as full:
        np.empty(1 << 60, np.uint8)
    assert app._reason(full.value).startswith("not enough memory: Unable to allocate 1.00 EiB")


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
        stdout, stderr = running.communicate(timeout=HANGS)
    assert running.returncode == 130
    assert stdout == ""
    assert [line for line in stderr.splitlines() if not line.startswith("epoch")] == ["interrupted"]
    assert out.read_text() == "older"
    assert os.listdir(tmp_path) == ["out.csv"]


@POSIX
def test_a_terminal_gets_bars_and_tables(folder, tmp_path):
    code, text = in_a_terminal("train", "--train", folder.path / "train.csv", "--out", tmp_path / "m.npz")
    assert code == 0
    assert "━━━" in text
    assert "16/16" in text
    assert "\x1b[" in text
    assert text.count("held-out accuracy") == 1, "a bar instead of lines"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
    code, text = in_a_terminal("evaluate", "--model", tmp_path / "m.npz", "--data", folder.path / "train.csv")
    assert code == 0
    assert "precision" in text
    assert "───" in text
