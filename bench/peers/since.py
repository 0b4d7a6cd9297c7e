"""What `bench.since` times, by the digitnn_fast on PYTHONPATH, today's or an old one, whose modules had other names.

Usage: since.py TRAIN TEST VALUES. A line in is the name of a work; the line out that follows is its answer, as JSON.
VALUES is a .npy file of what today's `directions` makes of test.csv, for networks that get the same in any version.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

import digitnn_fast
from digitnn_fast import Network, Predictor, benchmark, kaggle
from digitnn_fast.utils import initialize_parameters

EPOCHS = 3  # until networks are good enough to be compared
ALWAYS = 200  # epochs: more than are timed
CHECKED = 1000  # images that the reference, which is slow, sees, too


def module(*names: str) -> ModuleType:
    """The first of these that this version has."""
    for name in names:
        try:
            return import_module(f"digitnn_fast.{name}")
        except ModuleNotFoundError:
            continue
    sys.exit(f"this version has none of {', '.join(names)}")


recipes = module("training.recipes", "recipes")
loop = module("training.loop", "training")
preparing = module("preprocessing", "engines")

images, labels = kaggle.read_train(sys.argv[1])
test, values = np.ascontiguousarray(kaggle.read_test(sys.argv[2])), np.load(sys.argv[3])
recipe = replace(
    recipes.RECIPES["accurate"],
    distortion=recipes.Distortion(rotation=0.1, scale=0.1, shear=0.1, shift=0.7, elastic=2.5),
)


@cache
def network(hidden: int) -> Network:
    """That many units on directions, which have learned for a few epochs."""
    return loop.train(images, labels, replace(recipe, hidden=hidden, epochs=EPOCHS))


@cache
def predictor(hidden: int, precision: str) -> Predictor:
    """Of `network`, one thread, whose answers are those of this version's reference."""
    benchmark.check(network(hidden), precision, test[:CHECKED])
    return Predictor(network(hidden), threads=1, precision=precision)


@cache
def alone(hidden: int, precision: str) -> Predictor:
    """The same of a network without preprocessing, whose weights are random, but rounded as training rounds them."""
    raw = Network(*initialize_parameters(0, hidden))
    raw = raw.fixed_point() if hasattr(raw, "fixed_point") else raw
    benchmark.check(raw, precision, values[:CHECKED])
    return Predictor(raw, threads=1, precision=precision)


def accuracy(hidden: int) -> float:
    """The lower one of both precisions, on rows held out."""
    _, held = loop.split(len(labels), 0.1, 0)
    both = (predictor(hidden, precision).predict(images[held]) for precision in ("float32", "int8"))
    return min(float((found == labels[held]).mean()) for found in both)


def describe(some: np.ndarray = test) -> np.ndarray:
    return preparing.prepare(some, "directions")


def check_description() -> None:
    """End unless it is that of this version's reference."""
    if hasattr(preparing, "PREPROCESSINGS"):
        wanted = preparing.PREPROCESSINGS["directions"].reference(test[:CHECKED])
    else:
        wanted = module("directions").describe_upright(test[:CHECKED])
    if not np.array_equal(describe(test[:CHECKED]), wanted):
        sys.exit("the values are not those of the reference")


def answer(value: Any) -> None:
    print(json.dumps(None if isinstance(value, np.ndarray) else value), flush=True)


def learn() -> None:
    """1,024 units on all rows, from here on: each line in asks for an epoch, and the accuracy met while it learned."""

    def on_epoch(report: Any) -> None:
        answer(report.training_accuracy)
        if not sys.stdin.readline():
            sys.exit()

    loop.train(images, labels, replace(recipe, epochs=ALWAYS), heldout=0, on_epoch=on_epoch)


WORKS = {
    "package": lambda: digitnn_fast.__file__,
    "version": lambda: digitnn_fast.__version__,
    "accuracy 64": lambda: accuracy(64),
    "accuracy 1024": lambda: accuracy(1024),
    "describe": describe,
    "not zero": lambda: float(np.count_nonzero(describe()) / len(test)),
    **{f"float32 {h}": lambda h=h: predictor(h, "float32").predict_proba(test) for h in (64, 1024)},
    **{f"int8 {h}": lambda h=h: predictor(h, "int8").predict(test) for h in (64, 1024)},
    **{f"float32 {h} alone": lambda h=h: alone(h, "float32").predict_proba(values) for h in (64, 1024)},
    **{f"int8 {h} alone": lambda h=h: alone(h, "int8").predict(values) for h in (64, 1024)},
    "epoch": learn,
}

check_description()
while line := sys.stdin.readline():
    answer(WORKS[line.strip()]())
