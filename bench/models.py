"""Train the bundled models and make the submission, each with a card of figures.

Usage: python -m bench.models [--data FOLDER] [--threads N] [--checkpoint FILE] [--model FILE] [--seconds] NAME ...
NAME is a bundled model as `small.npz`, a recipe, which is only measured, or `submission`, by the bundled `accurate` or
another model FILE. All but the quick recipes take minutes, `committee` an hour. With --seconds a recipe is only
timed, on all rows: for when training takes another time, but gives the same weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.data import add_data_option, find
from digitnn_fast import Network, Predictor, __version__, kaggle, train
from digitnn_fast.benchmark import cpu_name
from digitnn_fast.bundled import MODELS
from digitnn_fast.commands.report import shape_text, validated_text, validation_facts
from digitnn_fast.record import TrainingRecord
from digitnn_fast.training.crossvalidation import cross_validate, train_validated
from digitnn_fast.training.measured import FILE, measurements
from digitnn_fast.training.recipes import RECIPES, changed_recipe
from digitnn_fast.writing import replacing

ROOT = Path(__file__).parent.parent
SUBMISSION = ROOT / "submission" / "submission.csv"
FOLDS = 5
TRAININGS = 3  # whose median is the time of a recipe
OPTIONS = {"learning_rate": "rate"}  # that are not called as the settings that they change


def make_model(name: str, data: Path, threads: int, checkpoint: str | None) -> None:
    """Train the model as its card says, and write both; times are known if it did not go on from a checkpoint."""
    images, labels = kaggle.read_train(find(data, "train.csv"))
    ends, start = {}, time.perf_counter()
    network, validation = train_validated(
        images,
        labels,
        changed_recipe(name, **MODELS[name].changes),
        folds=FOLDS,
        threads=threads,
        checkpoint=checkpoint,
        on_epoch=lambda report: ends.update({report.epoch: time.perf_counter()}),
    )
    last = max(ends)
    seconds = ends[last] - start if 1 in ends else math.nan
    final = ends[last] - ends.get(last * FOLDS // (FOLDS + 1), math.nan)
    network.save(MODELS[name].file)
    record = network.training
    assert record is not None
    _write_card(
        MODELS[name].file.with_suffix(".md"),
        f"bundled model `{name}`",
        [
            ("command", f"`{_training_command(record, f'{name}.npz')}`"),
            ("network", f"{shape_text(network)}, pixels {network.preprocessing}"),
            ("recipe", ", ".join(f"{key} {value}" for key, value in record.settings.items())),
            ("training data", f"Kaggle's train.csv, {record.training_rows:,} rows, SHA-256 {record.data_digest}"),
            *validation_facts(validation),
            ("time", f"{final:.0f} s for this network, {seconds:.0f} s with its {FOLDS} folds"),
            ("machine", f"{threads} of {os.cpu_count()} CPUs, {cpu_name()}, {_versions()}"),
            ("file", f"{MODELS[name].file.stat().st_size:,} bytes, SHA-256 {_digest(MODELS[name].file)}"),
        ],
    )


def measure_recipe(name: str, data: Path, threads: int, seconds_only: bool) -> None:
    """One training on all rows and five folds of a recipe, for README."""
    if seconds_only and name not in measurements():
        sys.exit(f"bench: {name} has no accuracy in {FILE.name} yet: first without --seconds")
    images, labels = kaggle.read_train(find(data, "train.csv"))
    train(images[:1000], labels[:1000], replace(RECIPES[name], epochs=1), threads=threads)  # kernels are compiled then
    times = []
    for _ in range(TRAININGS):
        start = time.perf_counter()
        train(images, labels, name, heldout=0, threads=threads)
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    measured = json.loads(FILE.read_text(encoding="utf-8"))
    if seconds_only:
        accuracy = measured[name]["accuracy"]
    else:
        accuracy = cross_validate(images, labels, name, folds=FOLDS, threads=threads).evaluation.accuracy
    _keep({**measured, name: _measured(accuracy, len(labels), seconds)})


def _measured(accuracy: float, rows: int, seconds: float) -> dict[str, float]:
    error = math.sqrt(accuracy * (1 - accuracy) / rows)
    return {"accuracy": round(accuracy, 6), "standard_error": round(error, 6), "seconds": round(seconds, 1)}


def _keep(measured: dict[str, dict[str, float]]) -> None:
    """Write what is measured, the recipes in their order, and the table of README."""
    ordered = {name: measured[name] for name in RECIPES if name in measured}
    with replacing(FILE) as file:
        file.write((json.dumps(ordered, indent=1) + "\n").encode())
    readme = ROOT / "README.md"
    lines = readme.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("| recipe |")) + 2
    last = next(number for number in range(first, len(lines)) if not lines[number].startswith(("|", "@")))
    rows = []
    for name, one in ordered.items():
        time_text = f"{one['seconds']:.1f} s" if one["seconds"] < 10 else f"{one['seconds']:.0f} s"
        score = f"{one['accuracy']:.2%} ± {one['standard_error']:.2%}"
        rows.append(f"| `{name}` | {RECIPES[name].summary} | {score} | {time_text} |")
    with replacing(readme) as file:
        file.write(("\n".join([*lines[:first], *rows, *lines[last:]]) + "\n").encode())


def make_submission(data: Path, model: Path) -> None:
    """Predict Kaggle's test.csv, and write it with its card."""
    network = Network.load(model)
    record = network.training
    assert record is not None
    labels, bundled = (
        kaggle.map_test(find(data, "test.csv"), predictor.predict)
        for predictor in (Predictor(network, threads=1), Predictor.load("small", threads=1))
    )
    kaggle.write_submission(SUBMISSION, labels)
    kaggle.validate_submission(SUBMISSION, len(labels))
    _write_card(
        SUBMISSION.with_name("README.md"),
        "submission for Kaggle's Digit Recognizer",
        [
            ("training", f"`{_training_command(record, 'model.npz')}`"),
            ("command", "`digitnn-fast submit --model model.npz --test test.csv --out submission.csv`"),
            ("network", shape_text(network)),
            ("model", f"{model.stat().st_size:,} bytes, SHA-256 {_digest(model)}"),
            ("score to expect", f"{validated_text(record)}; each of these networks saw 4/5 of the rows"),
            ("other labels", f"than by the bundled `small`: {np.count_nonzero(labels != bundled)} rows"),
            ("labels", ", ".join(f"{count:,} of {digit}" for digit, count in enumerate(np.bincount(labels)))),
            ("file", f"{len(labels):,} rows, SHA-256 {_digest(SUBMISSION)}"),
        ],
    )


def _training_command(record: TrainingRecord, out: str) -> str:
    own = {"seed": 0, **RECIPES[record.recipe].settings()}
    given = {"seed": record.seed, **record.settings}
    changed = {name: value for name, value in given.items() if own.get(name) != value}
    changes = "".join(f" --{OPTIONS.get(name, name)} {value}" for name, value in changed.items())
    return f"digitnn-fast train --train train.csv --recipe {record.recipe}{changes} --folds {FOLDS} --out {out}"


def _write_card(path: Path, title: str, facts: list[tuple[str, str]]) -> None:
    lines = [f"# The {title}", "", "| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in facts)]
    about = f"digitnn-fast {__version__}; written by `python -m bench.models`."
    with replacing(path) as file:
        file.write("\n".join([*lines, "", about, ""]).encode())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _versions() -> str:
    return f"Python {platform.python_version()}, NumPy {np.__version__}"


def main(arguments: list[str]) -> None:
    """Make what is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--checkpoint", help="as of `digitnn-fast train`")
    parser.add_argument("--model", type=Path, help="of the submission")
    parser.add_argument("--seconds", action="store_true", help="accuracies stay as they are")
    names = [*(f"{name}.npz" for name in MODELS), *RECIPES, "submission"]
    parser.add_argument("names", nargs="+", choices=names, metavar="NAME")
    chosen = parser.parse_args(arguments)
    for name in chosen.names:
        if name == "submission":
            make_submission(chosen.data, chosen.model or MODELS["accurate"].file)
        elif name.endswith(".npz"):
            make_model(name.removesuffix(".npz"), chosen.data, chosen.threads, chosen.checkpoint)
        else:
            measure_recipe(name, chosen.data, chosen.threads, chosen.seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
