"""The command as a process: when it is interrupted, and when its streams are closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from programs import HANGS

from digitnn_fast.sample import load_sample

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and shells")
COMMAND = [sys.executable, "-m", "digitnn_fast"]
# The command, with Ctrl-C as soon as it imports this module; after "C:", as C code words it that imports for itself.
INTERRUPTED_AT = """
import os, runpy, signal, sys

class Finder:
    way, _, module = sys.argv.pop(1).rpartition(":")

    def find_spec(self, name, *_):
        if name == self.module:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                if self.way:
                    raise ImportError("numpy.core.multiarray failed to import") from None
                raise

sys.meta_path.insert(0, Finder())
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "digitnn-fast"
runpy.run_module("digitnn_fast", run_name="__main__")
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "test.csv"
    rows = [",".join(map(str, image)) for image in load_sample().test_images[:2000].tolist()]
    path.write_text("\n".join([",".join(f"pixel{pixel}" for pixel in range(784)), *rows, ""]))
    return path


@POSIX
@pytest.mark.parametrize(
    "module",
    ["digitnn_fast.commands.app", "typer", "digitnn_fast.kaggle", "numpy", "C:numpy", "zipfile"],
)
def test_an_interrupted_import_is_one_line(module, table, tmp_path):
    command = [sys.executable, "-c", INTERRUPTED_AT, module, "predict", "--test", table, "--out", tmp_path / "out.csv"]
    command += ["--threads", "1"]  # its plain form does without typer
    done = subprocess.run(command, capture_output=True, timeout=HANGS)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")
    assert sorted(os.listdir(tmp_path)) == ["test.csv"]


@POSIX
def test_what_runs_in_the_background_is_not_interrupted(table, tmp_path):
    """A shell lets it ignore Ctrl-C, and so it does."""
    command = [
        "sh",
        "-c",
        'trap "" INT; exec "$@"',
        "-",
        sys.executable,
        "-c",
        INTERRUPTED_AT.replace("signal.signal(signal.SIGINT, signal.default_int_handler)", ""),
    ]
    command += ["numpy", "predict", "--test", table, "--out", tmp_path / "out.csv"]
    assert subprocess.run(command, capture_output=True, timeout=HANGS).returncode == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2001


@POSIX
@pytest.mark.parametrize("rows", [0, 3000, 2_000_000])  # bytes after which the pipe stalls
def test_a_stalled_pipe_can_be_interrupted(rows, table, tmp_path):
    reading, writing = os.pipe()
    command = [*COMMAND, "predict", "--threads", "3", "--test", "/dev/stdin", "--out", tmp_path / "out.csv"]
    pipes = {"stdin": reading, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    code = "import signal, sys, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command[1:3] = ["-c", code + "runpy.run_module('digitnn_fast', run_name='__main__')"]
    with subprocess.Popen(command, **pipes) as process:
        os.close(reading)
        content = memoryview(table.read_bytes()[:rows])
        while content:
            content = content[os.write(writing, content) :]
        time.sleep(0.7)  # the more often it waits in a helper thread the better, but any moment must do
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=HANGS)
    os.close(writing)
    assert (process.returncode, out, errors) == (130, b"", b"interrupted\n")
    assert sorted(os.listdir(tmp_path)) == ["test.csv"]


@POSIX
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams(closed, table, tmp_path):
    """What is printed must not go into a file that got the number of a closed stream."""

    def run(*arguments):
        line = ["sh", "-c", f'exec "$@" {closed}', "-", *COMMAND, *arguments]
        return subprocess.run(line, capture_output=True, timeout=HANGS, cwd=tmp_path)

    done = run("predict", "--test", table, "--out", "out.csv")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "ImageId,Label" and len(lines) == 2001
    done = run("predict", "--test", "none.csv", "--out", "other.csv")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == (b"" if "2>" in closed else b"error: none.csv: no such file\n")
    assert sorted(os.listdir(tmp_path)) == ["out.csv", "test.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_behind_standard_output():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "info"], stdout=full, stderr=subprocess.PIPE, timeout=HANGS)
    assert (done.returncode, done.stderr) == (2, b"error: standard output: No space left on device\n")
