"""All doors through which a command writes, by one table, with paths and devices of all kinds."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digitnn_fast.commands import app
from digitnn_fast.kernels.machine import jit
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")

# A command with {out}, and how a file that it writes there must end.
LEARN = "train --train train.csv"
FILES = {
    "submit": ("submit --train train.csv --test test.csv --out {out}", ".csv"),
    "submit, the model": (
        "submit --train train.csv --test test.csv --out s.csv --model-out {out}",
        ".npz",
    ),
    "predict": ("predict --test test.csv --out {out}", ".csv"),
    "predict, probabilities": ("predict --test test.csv --probabilities --out {out}", ".csv"),
    "train": (LEARN + " --out {out}", ".npz"),
    "train, a checkpoint": (LEARN + " --out m.npz --checkpoint {out}", ".npz"),
    "train, a plot": (LEARN + " --out m.npz --plot {out}", ".svg"),
    "train, mistakes": (LEARN + " --folds 2 --out m.npz --mistakes {out}", ".png"),
    "evaluate, a plot": ("evaluate --data train.csv --plot {out}", ".png"),
    "evaluate, mistakes": ("evaluate --data train.csv --mistakes {out}", ".pdf"),
    "report": ("report net.npz --data train.csv --out {out}", ".html"),
    "draw": ("draw --no-open --out {out}", ".html"),
    "image": ("image digit.png --show {out}", ".png"),
}
FOLDERS = {
    "export": "export net.npz --to web --out {out}",
    "shards": "shards test.csv --out {out}",
    "bundle": "kaggle bundle --username someone --out {out}",
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """A folder with what the commands read."""
    folder = tmp_path_factory.mktemp("digits")
    sample = load_sample()
    names = ",".join(f"pixel{pixel}" for pixel in range(784))
    labelled = np.column_stack([sample.train_labels, sample.train_images])[:60]
    for name, header, rows in (("train", f"label,{names}", labelled), ("test", names, sample.test_images[:20])):
        np.savetxt(folder / f"{name}.csv", rows, "%d", ",", header=header, comments="")
    Network(*initialize_parameters(1, 4)).save(folder / "net.npz")
    from PIL import Image

    Image.fromarray(255 - sample.test_images[0].reshape(28, 28)).resize((280, 280)).save(folder / "digit.png")
    return folder


@pytest.fixture
def here(digits, tmp_path, monkeypatch) -> Path:
    """A copy of it, the current folder."""
    shutil.copytree(digits, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def run(text: str, out: str) -> int:
    return app.run([word.format(out=out) for word in text.split()])


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("door", FILES)
def test_files_that_cannot_be_written(door, here, capsys):
    text, ending = FILES[door]
    (here / f"folder{ending}").mkdir()
    (here / f"circle{ending}").symlink_to(here / f"circle{ending}")
    before = snapshot(here)
    for out in ("", f"none/x{ending}", f"folder{ending}", f"new{ending}/", f"circle{ending}", "n" * 300 + ending):
        assert (run(text, out), out) == (2, out)
        printed, error = capsys.readouterr()
        assert re.fullmatch("error: .*(can't be written: .+|the name must end with .+)\n", error)
        assert printed == "" and snapshot(here) == before


@pytest.mark.parametrize("door", FOLDERS)
def test_folders_that_cannot_be_written(door, here, capsys):
    (here / "file").touch()
    before = snapshot(here)
    for out in ("", "file", "file/x", *([] if door == "shards" else ["none/x"])):
        assert (run(FOLDERS[door], out), out) == (2, out)
        printed, error = capsys.readouterr()
        assert re.fullmatch("error: .*can't be written: .+\n", error)
        assert printed == "" and snapshot(here) == before


@pytest.mark.parametrize("door", FILES)
def test_files_that_can_be_written(door, here):
    """An older file behind a link and under a long name, in shared memory if there is some: it keeps its mode."""
    text, ending = FILES[door]
    home = Path("/dev/shm") if os.path.isdir("/dev/shm") else here
    target, link = home / (f"digitnn-test-{os.getpid()}".ljust(255 - len(ending), "n") + ending), here / f"link{ending}"
    target.touch(0o640)
    if "checkpoint" in door:
        target.unlink()  # an empty file is none
    link.symlink_to(target)
    before = set(os.listdir(home))
    try:
        assert run(text, str(link)) == 0
        if "checkpoint" not in door:  # it is gone when the training is over
            assert target.stat().st_size > 0
            assert stat.S_IMODE(target.stat().st_mode) == 0o640 or os.name != "posix"
            assert link.is_symlink()
        if home != here:
            assert set(os.listdir(home)) == before
    finally:
        target.unlink(missing_ok=True)


# As root, in a world of our own whose /dev may be damaged

WORLD = """
import os, stat, sys
from contextlib import suppress
from pathlib import Path
from digitnn_fast import export, jobs, page, plots, shards
from digitnn_fast.commands import reading
from digitnn_fast.commands.app import main
from digitnn_fast.jobs import predicting, training
from digitnn_fast.kaggle import bundle

def state(folder):
    "What each path is; not what it holds."
    found = {}
    for path in Path(folder).rglob("*"):
        if path.parts[:3] == ("/", "dev", "pts"):  # terminals of others come and go
            continue
        status = path.lstat()
        link = os.readlink(path) if path.is_symlink() else ""
        found[str(path)] = stat.S_IFMT(status.st_mode), status.st_rdev, status.st_ino, link
    return found

def outputs(kind):
    "A file descriptor for stdout, and the path of what it is."
    if kind == "pipe":
        return os.pipe()[1]
    if kind == "terminal":
        return os.openpty()[1]
    if kind == "null":
        return os.open("/dev/null", os.O_WRONLY)
    number = os.open("../redirected", os.O_WRONLY | os.O_CREAT | (os.O_APPEND if kind == "appended" else os.O_TRUNC))
    if kind == "deleted":
        os.unlink("../redirected")
    return number

def attempt(arguments, kind):
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(outputs(kind), 1)
        os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
        sys.argv[1:] = arguments
        main()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

doors, targets, kinds = eval(sys.argv[1])
os.mkfifo("pipe")
reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
failed = tried = 0
for door, (text, ending) in doors.items():
    # A link is called as the command wants its files to be called.
    names = {name + ending if target else name: target for name, target in targets.items()}
    for name, target in names.items():
        if target and not os.path.islink(name):
            os.symlink(target, name)
    before = state("/dev"), state(".")
    for name, kind in [(name, kind) for name in names for kind in kinds]:
        if kind != "file" and not (door == "predict" and ("std" in name or "fd" in name)):
            continue
        code = attempt([word.format(out=name) for word in text.split()], kind)
        now = state("/dev"), {path: what for path, what in state(".").items() if path in before[1]}
        tried += 1
        if code not in (0, 2) or now != before:
            failed += 1
            changes = [set(new.items()) ^ set(old.items()) for new, old in zip(now, before)]
            print("FAILED", code, door, name, kind, *changes)
        with suppress(BlockingIOError):
            os.read(reader, 1 << 20)
print(f"tried {tried}, failed {failed}")
sys.exit(bool(failed))
"""
PRIVATE_DEV = """
mount --make-rprivate / && mkdir dev && mount -t tmpfs none dev && cp -a /dev/null /dev/zero /dev/full /dev/tty dev &&
cp -a /dev/urandom /dev/stdin /dev/stdout /dev/stderr /dev/fd dev && mkdir dev/shm dev/pts &&
mount --bind /dev/pts dev/pts && ln -s pts/ptmx dev/ptmx && mount --move dev /dev && cd here && exec "$0" -c "$1" "$2"
"""
DEVICES = {"/dev/stdout": None, "/dev/stderr": None, "/dev/fd/1": None, "/dev/null": None, "/dev/full": None}
DEVICES |= {"/dev/none": None, "/proc/self/fd/1": None, "pipe": None}
DEVICES |= {"to_stdout": "/dev/stdout", "to_null": "/dev/null", "to_pipe": "pipe", "to_fd": "/proc/self/fd/1"}


def can_unshare() -> bool:
    """Whether we may have mounts of our own."""
    if not hasattr(os, "geteuid") or os.geteuid() or not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@pytest.mark.once
@pytest.mark.skipif(not can_unshare(), reason="needs root and mounts of its own")
def test_root_replaces_no_device(here):
    """Whatever /dev/stdout is: a pipe, a file, one that is deleted, a terminal."""
    doors = FILES | {door: (text, "") for door, text in FOLDERS.items()}
    kinds = "file", "appended", "deleted", "pipe", "terminal", "null"
    world = "unshare", "-m", "sh", "-ec", PRIVATE_DEV, sys.executable, WORLD, repr((doors, DEVICES, kinds))
    done = subprocess.run(world, cwd=here.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout == f"tried {12 * len(doors) + 30}, failed 0\n"
