"""How everything here is measured: after its result was checked, in turn with its rivals, medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from math import comb
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data import unpacked
from digitnn_fast import Network, kaggle
from digitnn_fast.benchmark import cpu_name, in_turn
from digitnn_fast.kernels.machine.jit import has_feature
from digitnn_fast.training import train
from digitnn_fast.training.loop import split

HERE = Path(__file__).parent
OURS = "digitnn-fast"
CLI = [sys.executable, "-m", "digitnn_fast"]
PAUSE = 0.15  # seconds before each work: the threads of OpenBLAS spin for 0.1 after their last one
CREDIBLE = 0.4  # of a ratio: it is shown only if the interval around it is narrower
# Where this is set, each process that is timed compiles its modules anew. Else a first run does, which no case times.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

Work = Callable[[], object]
Times = dict[str, list[float]]  # seconds of each run, by name


class World:
    """What the cases measure with: Kaggle's files and what they hold, a network, a folder to write to."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.folder = folder
        self.train, self.test = (unpacked(data, name, folder) for name in ("train.csv", "test.csv"))
        process([*CLI, "predict", "--test", str(self.test), "--out", str(folder / "first.csv")])

    @cached_property
    def model(self) -> Path:
        """The file of `network`."""
        path = self.folder / "model.npz"
        self.network.save(path)
        return path

    @cached_property
    def network(self) -> Network:
        """Of the recipe `pixels`: of pixels as they are, which all rivals take, and with rows held out."""
        return train(*self.training_rows, "pixels")

    @cached_property
    def directions(self) -> Network:
        """Of the recipe `fast`: of edges in directions, and with rows held out."""
        return train(*self.training_rows, "fast")

    @cached_property
    def images(self) -> np.ndarray:
        """Those of test.csv."""
        return kaggle.read_test(self.test)

    @cached_property
    def training_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of train.csv."""
        return kaggle.read_train(self.train)

    def heldout(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of the rows of train.csv that the network never saw."""
        images, labels = self.training_rows
        _, rows = split(len(labels), 0.1, 0)
        return images[rows], labels[rows]

    def rows(self, count: int) -> Path:
        """A test.csv with so many rows: those of Kaggle's, again and again."""
        path = self.folder / f"test-{count}.csv"
        if not path.exists():
            header, *lines = self.test.read_bytes().splitlines(keepends=True)
            with path.open("wb") as file:
                file.write(header)
                for first in range(0, count, len(lines)):
                    file.writelines(lines[: count - first])
        return path


class Result(NamedTuple):
    """A figure, as it is printed, and what it was made from."""

    figure: str
    detail: str


class Case(NamedTuple):
    """One line of the results: what is measured, what the figure must be at least, what it aims at."""

    name: str
    least: str
    aim: str
    measure: Callable[[World], Result]


class Run(NamedTuple):
    """A process that ended well."""

    seconds: float
    megabytes: float
    output: str


def race(works: Mapping[str, Work], runs: int) -> Times:
    """Seconds of each work, which take turns."""
    return dict(zip(works, in_turn([_timed(work) for work in works.values()], runs), strict=True))


class Spread(NamedTuple):
    """Quartiles of the seconds of some runs."""

    lower: float
    median: float
    upper: float

    @classmethod
    def of(cls, seconds: list[float]) -> Spread:
        """That of some runs."""
        return cls(*statistics.quantiles(seconds, n=4, method="inclusive"))

    @property
    def width(self) -> float:
        """Of the middle half of the runs, as a share of the median."""
        return (self.upper - self.lower) / self.median

    def __str__(self) -> str:
        return f"{amount(self.median)} ({amount(self.lower)} to {amount(self.upper)})"


def ratio(times: Times) -> Result:
    """How many times as long as we the fastest rival took: the median of the turns, in which both met the same noise.

    Behind it the interval that holds this median with 90%, from the order of the turns alone (the sign test's).
    No figure if that is too wide: the machine was too busy.
    """
    spreads = {name: Spread.of(seconds) for name, seconds in times.items()}
    fastest = min((name for name in spreads if name != OURS), key=lambda name: spreads[name].median)
    ratios = sorted(rival / ours for rival, ours in zip(times[fastest], times[OURS], strict=True))
    middle, outside = statistics.median(ratios), _outside(len(ratios))
    low, high = ratios[outside], ratios[-1 - outside]
    between = f"{low:.2g} to {high:.2g}"
    figure = f"{middle:.2g}× ({between})" if high - low < CREDIBLE * middle else f"not credible: {between}×"
    return Result(figure, "; ".join(f"{name} {spread}" for name, spread in spreads.items()))


def _outside(runs: int) -> int:
    """How many of the lowest, and of the highest, an interval around the median leaves out."""
    tails = accumulate(comb(runs, count) / 2**runs for count in range(runs))
    return max(sum(2 * tail <= 0.1 for tail in tails) - 1, 0)


def versions(libraries: Iterable[str]) -> str:
    """Of those that are installed; `without` the others."""
    texts = []
    for library in libraries:
        try:
            texts.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            texts.append(f"without {library}")
    return ", ".join(texts)


def machine() -> str:
    """The processor, the best of its extensions that kernels use, and how many there are."""
    known = {"avx512vnni": "AVX-512 VNNI", "avx512f": "AVX-512", "avx2": "AVX2"}
    best = next((f" with {name}" for feature, name in known.items() if has_feature(feature)), "")
    return f"{cpu_name()}{best}, {os.cpu_count()} CPUs"


def amount(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


# The peak of a process counts from before its exec, when it still was a copy of its parent: so a small one starts it.
STARTER = """
import os, sys, time
start = time.perf_counter()
quiet = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, usage.ru_maxrss, os.waitstatus_to_exitcode(status), file=sys.stderr)
"""


def process(command: list[str], **environment: str) -> Run:
    """Run a command; an error ends the benchmark."""
    starter = [sys.executable, "-S", "-c", STARTER, *command]
    done = subprocess.run(starter, capture_output=True, text=True, env=os.environ | environment)
    seconds, kilobytes, code = map(float, done.stderr.split())
    require(code == 0, f"failed: {' '.join(command)}")
    return Run(seconds, kilobytes / 1024, done.stdout)


def require(true: object, otherwise: str) -> None:
    """End the benchmark, without a time, unless it is true."""
    if not true:
        sys.exit(f"bench: {otherwise}; no time is shown")


def _timed(work: Work) -> Callable[[], float]:
    def run() -> float:
        time.sleep(PAUSE)
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run
