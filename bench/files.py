"""Whole jobs: files in, files out, a process from start to end."""

from __future__ import annotations

import os
import statistics
import sys
from functools import partial
from pathlib import Path

import numpy as np

from bench.measure import CLI, HERE, OURS, Case, Result, Run, World, amount, process, race, ratio, require
from digitnn_fast import Network, kaggle
from digitnn_fast.benchmark import in_turn

MILLION = 1_000_000


def read(world: World, *rivals: str) -> Result:
    """test.csv to a uint8 array."""
    import pandas as pd
    import polars as pl

    columns = [f"pixel{pixel}" for pixel in range(784)]
    works = {
        OURS: lambda: kaggle.read_test(world.test),
        "pandas": lambda: pd.read_csv(world.test, dtype=np.uint8).to_numpy(),
        "polars": lambda: pl.read_csv(world.test, schema=dict.fromkeys(columns, pl.UInt8)).to_numpy(),
    }
    works = {name: work for name, work in works.items() if name in (OURS, *rivals)}
    arrays = [work() for work in works.values()]
    require(all(np.array_equal(arrays[0], array) for array in arrays), "the readers disagree")
    return ratio(race(works, 9))


def read_as_pandas(world: World) -> Result:
    return read(world, "pandas")


def read_as_polars(world: World) -> Result:
    return read(world, "polars")


def predict_as_pandas(world: World) -> Result:
    return _predict(world, "pandas_numpy", "pandas + NumPy")


def predict_as_polars(world: World) -> Result:
    return _predict(world, "polars_onnxruntime", "polars + onnxruntime")


def submit(world: World) -> Result:
    """The script stops as soon as it reaches our accuracy; it is run once, for it takes minutes."""
    ours, model, peer = (world.folder / name for name in ("submit.csv", "submit.npz", "submit-peer.csv"))
    files = ["--train", str(world.train), "--test", str(world.test), "--out", str(ours), "--model-out", str(model)]
    runs = [process([*CLI, "submit", *files]) for _ in range(3)]
    record = Network.load(model).training
    require(record and record.heldout_accuracy >= 0.978, "submit is below 97.8 %")
    script = str(HERE / "peers" / "submit_pandas_numpy.py")
    accuracy = f"{record.heldout_accuracy:.6f}" if record else ""
    rival = process(
        [sys.executable, script, str(world.train), str(world.test), str(peer), accuracy, "120", str(os.cpu_count())]
    )
    reached, epochs = rival.output.split()
    times = {OURS: [run.seconds for run in runs], "pandas + NumPy": [rival.seconds]}
    figure, detail = ratio(times)
    memory = max(run.megabytes for run in runs)
    reached = f"{float(accuracy):.2%} held out, {memory:.0f} MB; theirs {float(reached):.2%} after {epochs} epochs"
    return Result(figure, f"{detail}; {reached}")


def memory(world: World) -> Result:
    """The peak of `predict` on a million rows."""
    run = _run_predict(world, world.rows(MILLION), world.folder / "million.csv")
    return Result(f"{run.megabytes:.0f} MB", f"{run.seconds:.2f} s")


def per_row(world: World) -> Result:
    """Time per row of `predict` on a million rows, against that on Kaggle's 28,000."""
    files = {28_000: world.test, MILLION: world.rows(MILLION)}
    runs = in_turn([partial(_predict_seconds, world, path, world.folder / "rows.csv") for path in files.values()], 5)
    small, large = (statistics.median(s) / rows for rows, s in zip(files, runs, strict=True))
    return Result(f"{large / small:.2f}×", f"{amount(large)} a row, {amount(small)} with 28,000 rows")


def cold(world: World) -> Result:
    """The first `predict` on a machine, with nothing compiled, minus a later one."""
    extra = []
    for attempt in range(3):
        cache = world.folder / f"cache-{attempt}"
        first, later = (
            _run_predict(world, world.test, world.folder / "cold.csv", NUMBA_CACHE_DIR=str(cache)).seconds
            for _ in range(2)
        )
        extra.append(first - later)
    return Result(f"+{statistics.median(extra):.1f} s", "three empty caches; files themselves were read before")


def growth(world: World) -> list[tuple[str, list[str]]]:
    """How `predict` grows with its rows: seconds, microseconds a row, and peak memory."""
    lines = []
    for rows in (10_000, 100_000, MILLION):
        runs = [_run_predict(world, world.rows(rows), world.folder / "growth.csv") for _ in range(3)]
        seconds = statistics.median(run.seconds for run in runs)
        peak = max(run.megabytes for run in runs)
        lines.append((f"{rows:,}", [amount(seconds), amount(seconds / rows), f"{peak:.0f} MB"]))
    return lines


def _predict(world: World, script: str, name: str) -> Result:
    """`predict` as a process, against a script with the same weights; ties in float32 may fall apart."""
    ours, peer = world.folder / "ours.csv", world.folder / "peer.csv"
    command = [
        sys.executable,
        str(HERE / "peers" / f"predict_{script}.py"),
        str(world.model),
        str(world.test),
        str(peer),
    ]
    _run_predict(world, world.test, ours)
    process(command)
    labels = [np.loadtxt(path, np.int64, delimiter=",", skiprows=1)[:, 1] for path in (ours, peer)]
    require(np.mean(labels[0] == labels[1]) > 0.9999, f"predict and {name} disagree")
    seconds = in_turn([partial(_predict_seconds, world, world.test, ours), lambda: process(command).seconds], 9)
    return ratio(dict(zip((OURS, name), seconds, strict=True)))


def _run_predict(world: World, test: Path, out: Path, **environment: str) -> Run:
    return process(
        [*CLI, "predict", "--model", str(world.model), "--test", str(test), "--out", str(out)], **environment
    )


def _predict_seconds(world: World, test: Path, out: Path) -> float:
    return _run_predict(world, test, out).seconds


CASES = (
    Case("test.csv to a uint8 array, against pandas with dtype uint8", "10×", "20×", read_as_pandas),
    Case("test.csv to a uint8 array, against polars", "5×", "10×", read_as_polars),
    Case("`predict` on test.csv as a process, against pandas + NumPy", "3×", "4×", predict_as_pandas),
    Case("`predict` on test.csv as a process, against polars + onnxruntime", "1.5×", "2×", predict_as_polars),
    Case("`submit` as a process, against pandas + NumPy to the same accuracy", "5×", "", submit),
    Case("`predict` on 1,000,000 rows, peak memory", "≤ 250 MB", "≤ 150 MB", memory),
    Case("`predict` on 1,000,000 rows, time per row against 28,000 rows", "≤ 1×", "", per_row),
    Case("very first `predict`, nothing compiled, longer than a later one by", "≤ +3 s", "≤ +1.5 s", cold),
)
