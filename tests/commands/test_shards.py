"""`digitnn-fast shards` on this machine alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
from many_shards import ROWS, SHARDS, SLOW, check_damaged, command, damage, in_the_middle, results, wait_for
from programs import HANGS

from digitnn_fast.commands import app
from digitnn_fast.kernels.machine.jit import DISABLE_JIT

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")


def test_local_command(digits, local, tmp_path, capsys):
    run = ["shards", str(digits), "--out", str(tmp_path), "--model", SLOW]
    assert app.run(run) == 0
    out, err = capsys.readouterr()
    assert results(tmp_path) == local
    assert f"predicted  {SHARDS * ROWS:,} rows, " in out
    assert out.splitlines()[-1].split()[:3] == ["done", "40", f"{SHARDS * ROWS:,}"]
    assert err.splitlines()[-1].startswith(f"40 of 40 shards: {SHARDS * ROWS:,} images, ")
    assert app.run([*run, "--workers", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == ["skipped", "40", f"{SHARDS * ROWS:,}"]


def test_failed_shards_are_listed_and_all_others_are_there(digits, local, tmp_path, capsys):
    damaged = damage(digits, tmp_path / "in")
    assert app.run(["shards", str(damaged), "--out", str(tmp_path / "out"), "--model", SLOW]) == 2
    check_damaged(tmp_path / "out", damaged, local, *capsys.readouterr())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler goes with --engine dask"),
        (["--engine", "dask", "--scheduler", "a:1", "--workers", "2"], "--workers goes without --scheduler: .*"),
        (["--precision", "int4"], "precision must be float32 or int8, got 'int4'"),
        (["--engine", "slurm"], "Invalid value for '--engine'.*"),
        (["-"], "standard input is no shard, .*; `predict --test - --out FILE` reads it"),
        (["--model", "none.npz"], "none.npz: No such file or directory; bundled are small and accurate"),
    ],
)
def test_wrong_options(options, message, digits, tmp_path, capsys):
    assert app.run(["shards", str(digits), "--out", str(tmp_path), *options]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1) and re.fullmatch(f"error: {message}", err.strip())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupted_and_started_again(digits, local, tmp_path):
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # who starts the tests with & ignores it
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def interrupt(out: Path) -> bool:
        with subprocess.Popen(command(digits, out), preexec_fn=listening, **pipes) as running:
            wait_for(lambda: results(out))
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=HANGS)
        if len(results(out)) == SHARDS:
            return False
        assert running.returncode == 130 and errors.splitlines()[-1] == "interrupted"
        return True

    out = in_the_middle(tmp_path, interrupt)
    there = results(out)
    assert 0 < len(there) < SHARDS and not list(out.glob("*.tmp"))
    assert {name: local[name] for name in there} == there
    done = subprocess.run(command(digits, out), capture_output=True, text=True, check=True)
    assert results(out) == local
    assert f"skipped  {len(there):>6}" in done.stdout


def test_pictures_that_cannot_be_read_are_counted(command, tmp_path):
    (tmp_path / "list.txt").write_text("none.png\n")
    arguments = "shards", tmp_path / "list.txt", "--out", tmp_path / "out"
    for options, code, word in (([], 2, "error"), (["--unread-ok"], 0, "WARNING")):
        outcome = command(*arguments, *options)
        assert outcome.code == code
        assert outcome.err.endswith(f"{word}: 1 blank or damaged picture; the results say why\n")
