"""`python -m bench.time_to_accuracy [--data FOLDER]`: seconds from train.csv to an accuracy on rows never seen.

Each run is one process, from its start: it reads train.csv, learns from nine tenths of the rows and tells the digits
of the same 4,200 others, which are scored here. Writes bench/TIME_TO_ACCURACY.md with its chart, light and dark: ours
and the CNNs that others use. With --others it writes bench/OTHER_METHODS.md: scikit-learn's and LightGBM's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from bench.accuracy_report import (
    CNN,
    CNN_AUGMENTED,
    RUNS,
    SHORT,
    About,
    Outcome,
    Point,
    draw,
    report,
    report_others,
    settings_text,
)
from bench.data import add_data_option, unpacked
from bench.measure import CLI, HERE, OURS, STARTER, process, require
from digitnn_fast import Network, Predictor, kaggle
from digitnn_fast.threads import available_cpus
from digitnn_fast.training.loop import split
from digitnn_fast.training.recipes import RECIPES
from digitnn_fast.writing import replacing

LIMIT = 900.0  # seconds for a run of a rival; what it reached until then counts
LEAST = 0.9  # a run whose last point is below has a fault: no accuracy is shown


class Attempt(NamedTuple):
    """One process: whose, with which settings, and the module without which it is left out."""

    method: str
    settings: str
    script: str
    arguments: tuple[str, ...]
    needs: str


# Recipe and epochs (None: the recipe's own, by the plain command).
LADDER: tuple[tuple[str, int | None], ...] = (
    ("fast", 3),
    ("fast", 5),
    ("fast", 10),
    ("fast", None),
    ("small", None),
    ("accurate", None),
)


def cnns(threads: int) -> Iterator[Attempt]:
    """Several lengths, and all CPUs."""
    for epochs in (1, 2, 4, 16):
        yield Attempt(CNN, _epochs(epochs), "cnn_torch", (str(threads), str(epochs)), "torch")
    for epochs in (4, 8, 24):
        yield Attempt(CNN_AUGMENTED, _epochs(epochs), "cnn_torch", (str(threads), str(epochs), "augment"), "torch")


def others(rows: int, threads: int) -> Iterator[Attempt]:
    """Each with several sizes, the settings that we found best, and all CPUs."""
    everything = str(rows)
    for hidden, epochs in ((128, 20), (512, 30)):
        yield Attempt("MLPClassifier", f"{hidden} units", "mlp_sklearn", (str(hidden), str(epochs)), "sklearn")
    for size in (5_000, 15_000, rows):
        yield Attempt("RBF SVC", f"50 components, {size:,} rows", "svc_sklearn", (str(size), "50"), "sklearn")
    yield Attempt("RBF SVC", f"pixels, {rows:,} rows", "svc_sklearn", (everything, "0"), "sklearn")
    for size in (10_000, rows):
        yield Attempt("k nearest", f"50 components, {size:,} rows", "knn_sklearn", (str(size), "50"), "sklearn")
    yield Attempt("k nearest", f"pixels, {rows:,} rows", "knn_sklearn", (everything, "0"), "sklearn")
    yield Attempt("LightGBM", "400 rounds", "lightgbm", (str(threads), "400"), "lightgbm")


def _epochs(epochs: int) -> str:
    return f"{epochs} epoch{'s' * (epochs > 1)}"


class Race:
    """The data, where the runs write, and what they reached."""

    def __init__(self, train: Path, folder: Path, limit: float) -> None:
        self.train, self.folder, self.limit = train, folder, limit
        self.threads = available_cpus()
        images, labels = kaggle.read_train(train)
        learned, tested = split(len(labels), 0.1, 0)
        self.learned, self.images, self.labels = len(learned), images[tested], labels[tested]
        self.heldout = folder / "heldout.txt"
        np.savetxt(self.heldout, tested, fmt="%d")
        # The same in little, for a first run of each method, which is not timed.
        self.few, self.few_heldout, self._tried = folder / "few.csv", folder / "few.txt", set[str]()
        with train.open("rb") as file:
            self.few.write_bytes(b"".join(islice(file, 401)))
        np.savetxt(self.few_heldout, range(300, 400), fmt="%d")

    def our(self, recipe: str, epochs: int | None) -> Outcome:
        """Our whole process; its accuracy is that of the file it wrote."""
        model = self.folder / "model.npz"
        changes = ["--recipe", recipe, *(["--epochs", str(epochs)] if epochs else [])]
        command = [*CLI, "train", "--train", str(self.train), "--out", str(model), *changes]
        runs = [process(command)]
        while runs[0].seconds < SHORT and len(runs) < RUNS:
            runs.append(process(command))
        network = Network.load(model)
        accuracy = float((Predictor(network).predict(self.images) == self.labels).mean())
        record = network.training
        require(record and abs(record.heldout_accuracy - accuracy) < 1e-9, f"{recipe} is not as good as it says")
        point = Point(statistics.median(run.seconds for run in runs), accuracy)
        settings = settings_text(recipe, epochs)
        return Outcome(OURS, settings, [point], max(run.megabytes for run in runs))

    def rival(self, attempt: Attempt) -> Outcome:
        """Its digits are timed when their line comes, and scored."""
        program = [sys.executable, _script(attempt.script)]
        if attempt.script not in self._tried:
            process([*program, str(self.few), str(self.few_heldout), *attempt.arguments])
            self._tried.add(attempt.script)
        command = [*program, str(self.train), str(self.heldout), *attempt.arguments]
        lines, megabytes = self._listen([sys.executable, "-S", "-c", STARTER, *command])
        points = [Point(seconds, self._score(line)) for seconds, line in lines]
        name = f"{attempt.method}, {attempt.settings}"
        require(points or megabytes != megabytes, f"{name} said nothing")
        require(megabytes != megabytes or points[-1].accuracy > LEAST, f"{name} does not learn")
        return Outcome(attempt.method, attempt.settings, points, megabytes)

    def _listen(self, command: list[str]) -> tuple[list[tuple[float, str]], float]:
        """Each line with its seconds, and the peak memory in MB: NaN if it was stopped."""
        names = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
        environment = os.environ | dict.fromkeys(names, str(self.threads))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        start, late = time.perf_counter(), threading.Event()
        with subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes) as running:
            timer = threading.Timer(self.limit, lambda: (late.set(), os.killpg(running.pid, 9)))
            timer.start()
            lines = [(time.perf_counter() - start, line.strip()) for line in running.stdout]
            rest = running.stderr.read().split()
            timer.cancel()
        if late.is_set():
            return lines, float("nan")
        require(len(rest) == 3 and rest[2] == "0", f"failed: {' '.join(command[4:])}")
        return lines, float(rest[1]) / 1024

    def _score(self, line: str) -> float:
        digits = np.frombuffer(line.encode(), np.uint8) - ord("0")
        require(digits.shape == self.labels.shape, "a rival's line holds more or fewer digits than rows held out")
        return float((digits == self.labels).mean())


def _script(name: str) -> str:
    return str(HERE / "peers" / f"learn_{name}.py")


def measure(race: Race, kept: list[Outcome], other: bool) -> Iterator[Outcome]:
    """Ours, then the rivals that are not kept from an earlier run."""
    process([*CLI, "warmup"])
    process([*CLI, "train", "--train", str(race.few), "--out", str(race.folder / "few.npz")])
    for recipe, epochs in (("fast", None),) if other else LADDER:
        if recipe in RECIPES and epochs != RECIPES[recipe].epochs:
            yield race.our(recipe, epochs)
    known = {outcome[:2]: outcome for outcome in kept}
    for attempt in others(race.learned, race.threads) if other else cnns(race.threads):
        if attempt[:2] in known:
            yield known[attempt[:2]]
        elif find_spec(attempt.needs):
            yield race.rival(attempt)


def _load(path: Path | None) -> list[Outcome]:
    if not path or not path.exists():
        return []
    rows = json.loads(path.read_text())
    return [Outcome(m, s, [Point(*point) for point in points], megabytes) for m, s, points, megabytes in rows]


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m bench.time_to_accuracy", description=__doc__)
    add_data_option(parser)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for each run of a rival")
    parser.add_argument("--others", action="store_true", help="`fast` against what is no CNN: OTHER_METHODS.md")
    parser.add_argument("--cache", type=Path, help="JSON file that runs go to; rivals found there are not run again")
    parser.add_argument("--draw", action="store_true", help="measure nothing: tables and charts of --cache")
    chosen = parser.parse_args()
    with TemporaryDirectory() as folder:
        race = Race(unpacked(chosen.data, "train.csv", Path(folder)), Path(folder), chosen.limit)
        kept = _load(chosen.cache)
        outcomes = kept if chosen.draw else []
        for outcome in () if chosen.draw else measure(race, [one for one in kept if one.method != OURS], chosen.others):
            outcomes.append(outcome)
            print(outcome.method, outcome.settings, *outcome.points[-1:], f"{outcome.megabytes:.0f} MB", flush=True)
            if chosen.cache:
                known = {one[:2]: one for one in [*kept, *outcomes]}
                chosen.cache.write_text(json.dumps(list(known.values())))
        about = About(len(race.labels), race.threads, bool(kept), chosen.limit)
        text = "\n".join([*(report_others if chosen.others else report)(outcomes, about), ""])
    with replacing(HERE / ("OTHER_METHODS.md" if chosen.others else "TIME_TO_ACCURACY.md")) as file:
        file.write(text.encode())
    if not chosen.others:
        draw(outcomes)
    print(text)


if __name__ == "__main__":
    main()
