"""Whole jobs: files in, files out, a process from start to end."""

from __future__ import annotations

import statistics
import sys
from functools import partial
from pathlib import Path

import numpy as np

from bench.measure import CLI, HERE, OURS, Case, Result, Run, Spread, World, amount, process, race, ratio, require
from digitnn_fast import Network, Predictor, kaggle
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
    """It trains twice: to measure, and on all rows."""
    out, model = world.folder / "submit.csv", world.folder / "submit.npz"
    files = ["--train", str(world.train), "--test", str(world.test), "--out", str(out), "--model-out", str(model)]
    _, *runs = [process([*CLI, "submit", *files]) for _ in range(6)]
    network = Network.load(model)
    record = network.training
    require(record and record.training_rows == len(world.training_rows[1]), "submit did not learn from all rows")
    labels = np.loadtxt(out, np.int64, delimiter=",", skiprows=1)[:, 1]
    require((labels == Predictor(network).predict(world.images)).all(), "the submission is not the model's")
    spread = Spread.of([run.seconds for run in runs])
    return Result(amount(spread.median), f"{spread}, {max(run.megabytes for run in runs):.0f} MB")


def memory(world: World) -> Result:
    """The peak of `predict` on a million rows."""
    run = _run_predict(world.rows(MILLION), world.folder / "million.csv")
    return Result(f"{run.megabytes:.0f} MB", f"{run.seconds:.2f} s")


def per_row(world: World) -> Result:
    """Time per row of `predict` on a million rows, against that on Kaggle's 28,000."""
    files = {28_000: world.test, MILLION: world.rows(MILLION)}
    runs = in_turn([partial(_predict_seconds, path, world.folder / "rows.csv") for path in files.values()], 5)
    small, large = (statistics.median(s) / rows for rows, s in zip(files, runs, strict=True))
    return Result(f"{large / small:.2f}×", f"{amount(large)} a row, {amount(small)} with 28,000 rows")


def cold(world: World) -> Result:
    """The first `predict` on a machine, with nothing compiled, minus a later one."""
    extra = []
    for attempt in range(4):
        cache = world.folder / f"cache-{attempt}"
        first, later = (
            _run_predict(world.test, world.folder / "cold.csv", NUMBA_CACHE_DIR=str(cache)).seconds for _ in range(2)
        )
        extra.append(first - later)
    return Result(f"+{statistics.median(extra[1:]):.1f} s", "three empty caches; files themselves were read before")


def growth(world: World) -> dict[str, dict[int, float]]:
    """Seconds of `predict` as its rows grow."""
    rows = (10_000, 30_000, 100_000, 300_000, MILLION)
    runs = {n: [_predict_seconds(world.rows(n), world.folder / "growth.csv") for _ in range(3)] for n in rows}
    return {"rows: `predict`, a process": {n: statistics.median(seconds) for n, seconds in runs.items()}}


def _predict(world: World, script: str, name: str) -> Result:
    """`predict` with the default network, against a script with a network of pixels, which has nothing to prepare."""
    ours, peer = world.folder / "ours.csv", world.folder / "peer.csv"
    path = str(HERE / "peers" / f"predict_{script}.py")
    command = [sys.executable, path, str(world.model), str(world.test), str(peer)]
    _run_predict(world.test, ours)
    process(command)
    for file, network in ((ours, Predictor.load()), (peer, Predictor(world.network))):
        labels = np.loadtxt(file, np.int64, delimiter=",", skiprows=1)[:, 1]  # ties in float32 may fall apart
        require(np.mean(labels == network.predict(world.images)) > 0.9999, f"{file.stem} is not what its network says")
    seconds = in_turn([partial(_predict_seconds, world.test, ours), lambda: process(command).seconds], 9)
    return ratio(dict(zip((OURS, name), seconds, strict=True)))


def _run_predict(test: Path, out: Path, **environment: str) -> Run:
    return process([*CLI, "predict", "--test", str(test), "--out", str(out)], **environment)


def _predict_seconds(test: Path, out: Path) -> float:
    return _run_predict(test, out).seconds


CASES = (
    Case("test.csv to a uint8 array, against pandas with dtype uint8", "10×", "20×", read_as_pandas),
    Case("test.csv to a uint8 array, against polars", "5×", "10×", read_as_polars),
    Case("`predict` on test.csv as a process, against pandas + NumPy on pixels", "4×", "5×", predict_as_pandas),
    Case(
        "`predict` on test.csv as a process, against polars + onnxruntime on pixels",
        *("2.5×", "3.3×"),
        predict_as_polars,
    ),
    Case("`submit` on Kaggle's files as a process", "≤ 4 s", "", submit),
    Case("`predict` on 1,000,000 rows, peak memory", "≤ 250 MB", "≤ 150 MB", memory),
    Case("`predict` on 1,000,000 rows, time per row against 28,000 rows", "≤ 1×", "", per_row),
    Case("very first `predict`, nothing compiled, longer than a later one by", "≤ +3 s", "≤ +1.5 s", cold),
)
