"""The networks in few bytes that `bench.edge` measures, and how."""

from __future__ import annotations

import re
import subprocess
from functools import partial
from pathlib import Path

import numpy as np

from bench.kept import Kept
from bench.measure import World
from digitnn_fast import Network
from digitnn_fast.export.c import boards
from digitnn_fast.export.c.source import Integers, sources
from digitnn_fast.export.learning import LearningOptions, recipe_for
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.training.finetuning import fine_tune
from digitnn_fast.training.loop import train_on

COUNTED = 100  # images of test.csv


def held_rows(world: World) -> np.ndarray:
    """Which rows of train.csv are fold 1 of `train --folds 5`."""
    return np.random.default_rng((0, 3)).permutation(len(world.training_rows[1])) % 5 == 1


def few_bits(world: World, kept: Kept, inputs: str, hidden: int, bits: int) -> tuple[Integers, list[Network]]:
    """A network for these inputs, which did not learn from `held_rows`, and all that were tried for it."""
    images, labels = world.training_rows
    held = held_rows(world)
    rows = np.flatnonzero(~held), np.flatnonzero(held)
    learn = partial(train_on, images, labels, recipe_for(inputs, hidden), rows)
    stem, seeds = f"{inputs}-{hidden}", range(LearningOptions().tries(hidden))
    tried = [kept.network(f"{stem}-{seed}", partial(learn, seed)) for seed in seeds]
    tune = partial(fine_tune, min(tried, key=_training_loss), images[~held], labels[~held], bits)
    tuned = kept.network(f"{stem}-{bits}-bits", tune)
    return Integers(quantize(tuned.parameters, bits), bits, tuned.preprocessing), tried


def accuracy_of(world: World, integers: Integers) -> str:
    """On `held_rows`, ± one standard error."""
    (images, labels), held = world.training_rows, held_rows(world)
    right = (integers.logits(images[held]).argmax(axis=1) == labels[held]).mean()
    return f"**{right:.2%} ± {np.sqrt(right * (1 - right) / held.sum()):.2%}**"


def measured(integers: Integers, folder: Path, board: boards.Board, images: np.ndarray) -> boards.Cost:
    """On a board, after its answers were compared; the sources are left in the folder."""
    folder.mkdir(exist_ok=True)
    for name, text in sources(integers).items():
        (folder / name).write_text(text)
    cost, answers = boards.measure(folder, board, images)
    assert answers is not None
    np.testing.assert_array_equal(answers["logits"], integers.logits(images))
    return cost


def version_of(tool: str) -> str:
    """Of a program, with its name."""
    first = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    found = re.search(r"\d+(\.\d+)+", first)
    return f"{tool} {found.group() if found else first}"


def _training_loss(network: Network) -> float:
    assert network.training
    return float(network.training.history[-1][0])
