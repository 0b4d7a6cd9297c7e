"""Kills and full disks: each writing command, in a forked process that dies at a chosen step, or may write no more.

A step is anything that changes a folder: a rename, a removal, a new folder, a file opened for writing. Python tells of
each by an audit event, so that no step of this package, of NumPy or of matplotlib can be forgotten.
"""

from __future__ import annotations

import io
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from digitnn_fast.bundled import MODELS
from digitnn_fast.commands import app
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.training import checkpoint

STEPS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
OURS = re.compile(r"digitnn-fast-[0-9a-f]|\.tmp$")
PROGRESS = re.compile(r"epoch |\d+ of \d+ shards|$")
SAMPLE, SMALL = load_sample(), MODELS["small"].file
TOO_LARGE = re.compile(r"error: [^:]+: can't be written: File too large(; nothing was written)?")
NUMBER = re.compile(rb"DIGITS_EXPORT(?: !=)? (0x[0-9a-f]{8}u)")


class Command(NamedTuple):
    """What is written by these arguments, in a folder that holds the inputs: files, or all of a folder's files."""

    arguments: tuple[str, ...]
    writes: tuple[str, ...]
    whole: bool = False  # a folder that is old or new as a whole


COMMANDS = {
    "predict": Command(("predict", "--test", "test.csv", "--out", "out.csv"), ("out.csv",)),
    "probabilities": Command(("predict", "--test", "test.csv", "--out", "p.csv", "--probabilities"), ("p.csv",)),
    "submit": Command(
        ("submit", "--train", "train.csv", "--test", "test.csv", "--out", "s.csv", "--model-out", "s.npz"),
        ("s.csv", "s.npz"),
    ),
    "train": Command(("train", "--train", "train.csv", "--out", "m.npz", "--checkpoint", "state"), ("m.npz",)),
    "folds": Command(
        ("train", "--train", "train.csv", "--out", "f.npz", "--checkpoint", "state", "--folds", "2"),
        ("f.npz",),
    ),
    "evaluate": Command(("evaluate", "--data", "train.csv", "--plot", "e.png"), ("e.png",)),
    "report": Command(("report", "small.npz", "--data", "train.csv", "--out", "r.html"), ("r.html",)),
    "image": Command(("image", "digit.png", "--show", "show.png"), ("show.png",)),
    "draw": Command(("draw", "--out", "page.html"), ("page.html",)),
    "export c": Command(("export", "tiny.npz", "--to", "c", "--out", "c", "--max-loss", "100"), ("c",)),
    "export onnx": Command(("export", "tiny.npz", "--to", "onnx", "--out", "onnx", "--max-loss", "100"), ("onnx",)),
    "export web": Command(("export", "tiny.npz", "--to", "web", "--out", "web", "--max-loss", "100"), ("web",)),
    "bundle": Command(("kaggle", "bundle", "--username", "somebody", "--out", "bundle"), ("bundle",), whole=True),
    "shards": Command(("shards", "shards", "--out", "results"), ("results",)),
}


def prepare(folder: Path) -> None:
    """The inputs of all commands."""
    folder.mkdir()
    names = ",".join(f"pixel{pixel}" for pixel in range(784))
    rows = [",".join(map(str, image)) for image in SAMPLE.train_images[:120].tolist()]
    lines = [f"{label},{row}" for label, row in zip(SAMPLE.train_labels.tolist(), rows, strict=False)]
    (folder / "train.csv").write_text("\n".join([f"label,{names}", *lines, ""]))
    (folder / "test.csv").write_text("\n".join([names, *rows[:60], ""]))
    (folder / "shards").mkdir()
    for part in range(2):
        (folder / "shards" / f"{part}.csv").write_text("\n".join([names, *rows[part * 20 : part * 20 + 20], ""]))
    Image.fromarray(255 - SAMPLE.test_images[0].reshape(28, 28)).save(folder / "digit.png")
    tiny = Network(*(np.float32(0.01) * array for array in Network.load(SMALL).parameters))
    tiny = Network(tiny.W1[:, :4], tiny.b1[:4], tiny.W2[:4], tiny.b2)
    tiny.save(folder / "tiny.npz")
    shutil.copy(SMALL, folder / "small.npz")


def state_of(folder: Path) -> dict[str, bytes]:
    """All files by their names; of manifests without the times that are in them."""
    return {
        path.relative_to(folder).as_posix(): re.sub(
            rb'"(seconds|finished|version|stamp)": [^\n]*', b"", path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Ended(NamedTuple):
    """How a process ended: its exit code or, negative, the signal; what it said; how many steps it made."""

    code: int
    errors: str
    steps: int


def run(
    folder: Path, arguments: Sequence[str], before: Callable[[], None] = lambda: None, wait: float | None = None
) -> Ended:
    """Run a command in a fork of this process, after `before`; with `wait` it is killed after so many seconds."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _in_the_child(folder, arguments, before, writing)
    os.close(writing)
    if wait is not None:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    steps = said.count("\0")
    return Ended(os.waitstatus_to_exitcode(status), said.replace("\0", ""), steps)


def _in_the_child(folder: Path, arguments: Sequence[str], before: Callable[[], None], writing: int) -> None:
    code = 99
    try:
        os.chdir(folder)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        os.dup2(writing, 2)
        sys.stdout, sys.stderr = io.StringIO(), open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
        checkpoint.EVERY = 0  # after each epoch
        os.environ["PATH"] = ""  # an export without compilers and node writes the same files, in a tenth of the time
        before()
        code = app.run(list(arguments))
    except BaseException as error:
        os.write(2, f"Traceback: {type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(code)


def at_each_step(folder: Path, action: Callable[[int], None]) -> Callable[[], None]:
    """What calls `action(number)` before each step in that folder, and says so on stderr, with a NUL."""
    count, inside = 0, os.path.realpath(folder)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        writes = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
        if (event in STEPS or writes) and isinstance(arguments[0], str | bytes | os.PathLike):
            if not os.path.realpath(os.path.join(inside, os.fsdecode(arguments[0]))).startswith(inside):
                return
            os.write(2, b"\0")
            count += 1
            action(count)

    return lambda: sys.addaudithook(hook)


def die(at: int) -> Callable[[int], None]:
    """Kill this process at that step."""
    return lambda number: os.kill(os.getpid(), signal.SIGKILL) if number == at else None


class Case:
    """A command with its folder as it is before, `old`, and what it makes of that, `new`."""

    def __init__(self, name: str, folder: Path, inputs: Path) -> None:
        self.name, self.command, self.folder, self._inputs = name, COMMANDS[name], folder, inputs
        self._older = folder.with_name(folder.name + "-older")
        self._make_older()
        self.old = state_of(self._older)
        self.renew()
        start = time.perf_counter()
        ended = run(self.folder, self.command.arguments, at_each_step(self.folder, lambda number: None))
        self.seconds = time.perf_counter() - start
        assert ended.code == 0, f"{name}: {ended}"
        self.steps, self.new = ended.steps, state_of(self.folder)
        assert set(self.new) == set(self.old), f"{name}: {set(self.new) ^ set(self.old)}"

    def _make_older(self) -> None:
        """What an earlier run with another network would have left, and a file of the user in each folder."""
        shutil.rmtree(self._older, ignore_errors=True)
        shutil.copytree(self._inputs, self._older)
        assert run(self._older, self.command.arguments).code == 0
        for path in self._written(self._older):
            content = path.read_bytes()
            if path.suffix in (".c", ".h"):
                content = content.replace(*_other_number(content))
            elif "metadata" not in path.name:  # by which an older bundle is known
                content = b"older" + content
            path.write_bytes(content)
        for name in self.command.writes:
            if (self._older / name).is_dir() and not self.command.whole:
                (self._older / name / "mine.tmp").write_bytes(b"the user's own")

    def _written(self, folder: Path) -> list[Path]:
        parts = [folder / name for name in self.command.writes]
        return [path for part in parts for path in (part.rglob("*") if part.is_dir() else [part]) if path.is_file()]

    def renew(self) -> None:
        """The folder as it was before."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._older, self.folder, symlinks=True)

    def look(self) -> None:
        """After a kill: each file is old or new, sets are not mixed, inputs are untouched, only our litter is there."""
        found = state_of(self.folder)
        for name, content in self.old.items():
            assert name in found, f"{name} is gone"
            assert found[name] in (content, self.new[name]), f"{name} is neither old nor new: {len(found[name])} bytes"
        extra = {name for name in set(found) - set(self.old) if not any(OURS.search(part) for part in name.split("/"))}
        assert extra <= {"state", "state.folds"}, f"litter: {extra}"
        if self.command.whole:
            [place] = self.command.writes
            kinds = {
                found[name] == self.new[name]
                for name in found
                if name.startswith(f"{place}/") and self.old[name] != self.new[name]
            }
            assert len(kinds) == 1, "half of the folder is new"
        numbers = {NUMBER.search(content)[1] for name, content in found.items() if name in ("c/digits.h", "c/digits.c")}
        mixed = len({found[name] == self.new[name] for name in found if name.startswith("c/digits.")}) > 1
        assert not mixed or len(numbers) > 1, "a mixed set would compile"

    def finish(self) -> None:
        """The next run makes everything new, and leaves no litter."""
        ended = run(self.folder, self.command.arguments)
        assert ended.code == 0, f"the next run: {ended}"
        found = state_of(self.folder)
        other = [name for name in {*found, *self.new} if found.get(name) != self.new.get(name)]
        assert not other, f"after the next run: {other}"
        assert not self._litter(), f"after the next run: {self._litter()}"

    def _litter(self) -> list[str]:
        return [path.name for path in self.folder.rglob("*") if OURS.search(path.name) and path.name != "mine.tmp"]

    def killed_at(self, step: int) -> None:
        """Kill at that step, look, and run again. Shards that are done keep their results: only then times differ."""
        self._killed(before=at_each_step(self.folder, die(step)))

    def killed_after(self, seconds: float) -> None:
        """The same, after so many seconds."""
        self._killed(wait=seconds)

    def _killed(self, **how: Any) -> None:
        self.renew()
        ended = run(self.folder, self.command.arguments, **how)
        assert ended.code in (-signal.SIGKILL, 0), f"{ended}"
        self.look()
        self.finish()

    def full(self, limit: int) -> None:
        """No file may be longer than that, as on a full disk: one line that names a file, everything old or whole."""
        self.renew()

        def before() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        ended = run(self.folder, self.command.arguments, before)
        assert ended.code in (0, 1, 2), f"{ended}"
        assert "Traceback" not in ended.errors, ended.errors[-500:]
        if ended.code:
            lines = [line for line in ended.errors.splitlines() if not PROGRESS.match(line)]
            assert len(lines) == (2 if self.name == "shards" else 1), ended.errors[-500:]  # one for each shard
            for line in lines:
                assert TOO_LARGE.fullmatch(line), line
        else:
            assert max(map(len, self.new.values())) <= limit or state_of(self.folder) == self.new
        self.look()
        assert not self._litter(), f"{self._litter()}"


def _other_number(content: bytes) -> tuple[bytes, bytes]:
    found = NUMBER.search(content)
    return (found[1], b"0x00000000u") if found else (b"Handwritten", b"Older")


def steps_of(case: Case, most: int) -> list[int]:
    """The steps to kill at: all, or of a long training the last ones, and some of the many times that it saves."""
    steps = list(range(1, case.steps + 1))
    return steps if len(steps) <= most else steps[: most // 4] + steps[most // 4 - most :]


def limits_of(case: Case) -> list[int]:
    """Lengths at which the disk is full: at once, in the middle of each file, and at its last byte."""
    sizes = {len(content) for name, content in case.new.items() if content != case.old[name]}
    return sorted({0, 1, *(size // 2 for size in sizes), *(size - 1 for size in sizes)})


def random_moments(case: Case, random: Random, count: int) -> list[float]:
    """Moments within the time that the command takes."""
    return [random.random() * case.seconds for _ in range(count)]
