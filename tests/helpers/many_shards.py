"""Forty shards, the command that predicts them, and what becomes of them."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from programs import HANGS

from digitnn_fast import Predictor
from digitnn_fast.sample import load_sample
from digitnn_fast.shards import Options, find_shards
from digitnn_fast.shards.clusters import run_local

SHARDS, ROWS = 40, 4000
SLOW = "accurate"  # 20 times as wide as small: a shard lasts long enough for something to happen to it


def need(package: str):
    """The package, which a proof needs: in CI it must be there."""
    return __import__(package) if os.environ.get("CI") else pytest.importorskip(package)


def write(folder: Path) -> Path:
    """The shards, each in an order of its own."""
    images = load_sample().train_images
    for number in range(SHARDS):
        order = np.random.default_rng(number).permutation(len(images))[:ROWS]
        np.save(folder / f"part-{number:02}.npy", images[order])
    return folder


def predict(digits: Path, out: Path) -> dict[str, bytes]:
    """What a plain loop makes of them: the results by name."""
    tasks = find_shards([str(digits)], str(out))
    outcomes = list(run_local(tasks, Predictor.load(SLOW, threads=1), Options()))
    assert sorted(one.task for one in outcomes) == sorted(tasks)
    assert [(one.rows, one.skipped, one.error) for one in outcomes] == [(ROWS, False, "")] * SHARDS
    return results(out)


def results(out: Path) -> dict[str, bytes]:
    """The results that are complete: those with a manifest."""
    return {path.name: path.read_bytes() for path in out.glob("*.csv") if Path(f"{path}.manifest.json").exists()}


def command(digits: Path, out: Path, *options: object) -> list[str]:
    arguments = ["shards", digits, "--out", out, "--model", SLOW, *options]
    return [sys.executable, "-m", "digitnn_fast", *map(str, arguments)]


def wait_for(true, step: float = 0.005):
    end = time.monotonic() + HANGS
    while not (value := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(step)
    return value


def in_the_middle(folder: Path, hit: Callable[[Path], bool]) -> Path:
    """The results of a run that was hit in the middle. `hit` says whether it was: a busy machine may come too late."""
    for attempt in range(10):
        if hit(out := folder / f"out-{attempt}"):
            return out
    raise AssertionError("ten runs were over before they were hit")


def damage(digits: Path, folder: Path) -> Path:
    shutil.copytree(digits, folder)
    path = folder / "part-17.npy"
    path.write_bytes(path.read_bytes()[:-1])
    return folder


def check_damaged(out: Path, damaged: Path, local: dict[str, bytes], text: str, errors: str) -> None:
    """39 results and one clear failure."""
    assert results(out) == {name: content for name, content in local.items() if name != "part-17.csv"}
    size = 128 + ROWS * 784
    reason = f"cut off: {size - 1:,} bytes instead of {size:,} for {ROWS:,} images"
    assert [line for line in errors.splitlines() if "error" in line] == [f"error: {damaged}/part-17.npy: {reason}"]
    lines = [line.split()[:3] for line in text.splitlines()[-2:]]
    assert lines == [["done", "39", f"{39 * ROWS:,}"], ["failed", "1", "0"]]
