"""`python -m bench.since COMMIT [--data FOLDER] [--runs N] [--report FILE | --dry]`: how many times as fast as then.

Each version does the same work in a process of its own, which lives as long as the measurement; they take turns. What
`directions` makes of an image has changed, so each learns networks of its own, and must answer as its own reference.
Networks alone get the same values from both, today's: that is equal work, as from pixels it is only the same job.
Writes bench/SINCE.md, or that file, as for another processor; with --dry it only prints.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import add_data_option
from bench.measure import HERE, OURS, World, machine, race, ratio, require, versions
from digitnn_fast.benchmark import crowding
from digitnn_fast.preprocessing import prepare

ROOT = HERE.parent
VALUES = "values.npy"
LEAST, CLOSE = 0.95, 0.01  # accuracy of either version, and between the two: those of one class
EPOCHS = 3  # that are not timed: rates still rise
# What peers/since.py calls a work: what it is, the ratio asked at least, and the aim.
WORKS = {
    "describe": ("deskewing and describing", "3.5×", "5×"),
    "float32 64": ("784-64-10 on directions from pixels, float32", "2.8×", "–"),
    "int8 64": ("784-64-10 on directions from pixels, int8", "2.8×", "–"),
    "float32 1024": ("784-1024-10 on directions from pixels, float32", "1.5×", "–"),
    "int8 1024": ("784-1024-10 on directions from pixels, int8", "1.5×", "–"),
    "float32 64 alone": ("784-64-10 alone, the same values, float32", "–", "–"),
    "int8 64 alone": ("784-64-10 alone, the same values, int8", "–", "–"),
    "float32 1024 alone": ("784-1024-10 alone, the same values, float32", "–", "–"),
    "int8 1024 alone": ("784-1024-10 alone, the same values, int8", "–", "–"),
    "epoch": ("an epoch of 784-1024-10 on directions, distorted, all threads", "1.5×", "–"),
}

Ask = Callable[[str], Any]


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.since", description="Measure against an older commit.")
    parser.add_argument("commit", help="whose package is the rival; c728bbd was the last one of 0.1")
    add_data_option(parser)
    parser.add_argument("--runs", type=int, default=15, help="turns of each work")
    parser.add_argument("--report", metavar="FILE", type=Path, default=HERE / "SINCE.md", help="what is written")
    parser.add_argument("--dry", action="store_true", help="only print")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        world, tree = World(chosen.data, Path(name)), _checked_out(chosen.commit, Path(name))
        np.save(Path(name, VALUES), prepare(np.ascontiguousarray(world.images), "directions"))
        with _version(ROOT, world) as ours, _version(tree, world) as theirs:
            lines = []
            for line in _report(chosen.commit, ours, theirs, chosen.runs):
                print(line, flush=True)
                lines.append(line)
    if not chosen.dry:
        chosen.report.write_text("\n".join([*lines, ""]))


def _checked_out(commit: str, folder: Path) -> Path:
    """A folder with the package of that commit."""
    packed, tree = folder / "then.zip", folder / "then"
    _git("archive", "--format=zip", f"--output={packed}", commit, "digitnn_fast")
    shutil.unpack_archive(packed, tree)
    return tree


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    require(done.returncode == 0, f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def _version(tree: Path, world: World) -> Iterator[Ask]:
    """A process with the package in `tree`: what it is asked for, by name, it does, and answers."""
    files = world.train, world.test, world.folder / VALUES
    command = [sys.executable, str(HERE / "peers" / "since.py"), *map(str, files)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=os.environ | {"PYTHONPATH": str(tree)}, **pipes) as process:

        def ask(word: str) -> Any:
            assert process.stdin and process.stdout
            print(word, file=process.stdin, flush=True)
            answer = process.stdout.readline()
            require(answer, f"{word}: the version in {tree} failed")
            return json.loads(answer)

        package = Path(ask("package"))
        require(package.is_relative_to(tree), f"{package} was imported instead of the version in {tree}")
        yield ask


def _report(commit: str, ours: Ask, theirs: Ask, runs: int) -> Iterator[str]:
    """The lines of SINCE.md."""
    crowded = crowding()
    then = f"{theirs('version')} ({commit})"
    filled = [ask("not zero") for ask in (theirs, ours)]  # the last work, once begun, takes no other word
    right = [_compared(word, theirs, ours) for word in ("accuracy 64", "accuracy 1024")]
    yield from (f"# Since {then}", "")
    yield (
        f"digitnn-fast {ours('version')} ({_git('describe', '--always', '--dirty')}), {date.today()}, {machine()}, "
        f"Python {platform.python_version()}, {versions(('numpy', 'numba'))}. One run of "
        f"`python -m bench.since {commit}`, {runs} turns of each work: a ratio is the median of turns in which both "
        "ran, with the interval that holds it with 90%; times are medians with their quartiles."
    )
    yield from ("", "| what | at least | aim | measured | times |", "|---|---|---|---|---|")
    for word, (what, least, aim) in WORKS.items():
        if word == "epoch":
            for _ in range(EPOCHS - 1):
                theirs(word), ours(word)
            met = _compared(word, theirs, ours)
        figure, times = ratio(race({OURS: partial(ours, word), then: partial(theirs, word)}, runs))
        yield f"| {what} | {least} | {aim} | **{figure}** | {times} |"
    yield ""
    yield (
        "Images are those of test.csv, one thread but for the epoch; float32 gives probabilities, int8 labels. Of an "
        f"image's 784 values {filled[0]:.0f} of `directions` were not zero then, {filled[1]:.0f} are now: more work "
        "from pixels and in the epoch. Networks alone get today's values from both, and have random weights. Today "
        "training rounds the first layer's weights to 16 bits, which float32 makes use of. Each version was compared "
        "with its own reference first. The others had learned train.csv for three epochs: "
        f"{right[0]} of the rows held out are right then and now with 64 units, {right[1]} with 1,024. Of distorted "
        f"digits in the last epoch before those that are timed: {met}. All CPUs together took "
        f"{max(crowded, crowding()):.1f} times as long as they were at work: 1.0 if nothing else runs."
    )


def _compared(word: str, theirs: Ask, ours: Ask) -> str:
    """Both accuracies, which must be of one class."""
    then, now = theirs(word), ours(word)
    require(min(then, now) > LEAST and abs(now - then) < CLOSE, f"{word}: {then:.2%} then, {now:.2%} now")
    return f"{then:.2%} and {now:.2%}"


if __name__ == "__main__":
    main()
