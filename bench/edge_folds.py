"""EDGE.md's section on five folds: what fits in 8,500 bytes.

Networks learn as in `export --inputs --bits 2 --seeds`, but five side by side: all see the same distorted digits, each
those of its own four folds. Of several seeds each fold keeps the one with the least training loss, as `export` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from bench.kept import Kept
from bench.measure import World
from digitnn_fast import reference
from digitnn_fast.export.learning import recipe_for
from digitnn_fast.kernels.layout import ADAM
from digitnn_fast.preprocessing import PREPROCESSINGS, picture_of, prepare, view_distorted
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.training.descent import Descent, Schedule
from digitnn_fast.training.finetuning import FINE_TUNINGS, Grid, limits
from digitnn_fast.training.loop import set_rates
from digitnn_fast.training.recipes import Recipe
from digitnn_fast.utils import initialize_parameters

FOLDS, BITS = 5, 2
COMPARED = (("6x5x16", 44, 1), ("5x5x12", 64, 3))  # inputs, hidden units, seeds


class Digits(NamedTuple):
    """The rows of train.csv: pictures (n, 784), what a network sees of them, labels, and the fold of each."""

    pictures: np.ndarray
    seen: np.ndarray
    labels: np.ndarray
    fold: np.ndarray


def five_folds(world: World, kept: Kept) -> Iterator[str]:
    """Wrong digits of each fold."""
    images, labels = world.training_rows
    fold = np.random.default_rng((0, 3)).permutation(len(labels)) % FOLDS
    yield "In all five folds: what fits in 8,500 bytes"
    yield ""
    yield "| network | wrong of 8,400 in each fold, float32 | 2 bits | right of 42,000 |"
    yield "|---|---|---|---|"
    for inputs, hidden, seeds in COMPARED:
        recipe = recipe_for(inputs, hidden)
        pictures, seen = picture_of(images, recipe.preprocessing), prepare(images, recipe.preprocessing)
        measure = partial(wrong_of, Digits(pictures, seen, labels, fold), recipe, seeds)
        found = kept.row(f"{inputs}-{hidden}-folds", measure)
        before, after = np.array(found, int).reshape(2, FOLDS)
        right = 1 - after.sum() / len(labels)
        error = np.sqrt(right * (1 - right) / len(labels))
        each = (", ".join(map(str, wrong)) for wrong in (before, after))
        chosen = f", the best of {seeds} seeds" if seeds > 1 else ""
        yield (
            f"| {inputs} inputs, {hidden} hidden units{chosen} | {' | '.join(each)} | **{right:.2%} ± {error:.2%}** |"
        )
    yield ""
    yield (
        "Asked: 99.5%. Each fold's rows are those that its network did not see; the folds are those of "
        "`train --folds 5`, of which the table in few bytes shows fold 1 alone. The five learned side by side, from "
        "the same distorted digits. The best seed is the one with the least training loss, in each fold for itself."
    )


def wrong_of(digits: Digits, recipe: Recipe, seeds: int = 1) -> list[float]:
    """How many of each fold its network gets wrong, after the training and then after the fine-tuning."""
    tried = [_trained(digits, recipe, seed) for seed in range(seeds)]
    descents = [min(fold, key=itemgetter(0))[1] for fold in zip(*tried, strict=True)]
    wrong = []
    for number, one in enumerate(descents):
        held = digits.fold == number
        logits = reference.forward(one.parameters(), digits.seen[held]).logits
        wrong.append(float((logits.argmax(axis=1) != digits.labels[held]).sum()))
    _fine_tune(digits, recipe, descents)
    for number, one in enumerate(descents):
        held = digits.fold == number
        logits = reference.forward_int8(quantize(one.parameters(), BITS), digits.seen[held])
        wrong.append(float((logits.argmax(axis=1) != digits.labels[held]).sum()))
    return wrong


def _trained(digits: Digits, recipe: Recipe, seed: int) -> list[tuple[float, Descent]]:
    """The training loss of each fold's last epoch, and its network."""
    assert recipe.distortion and recipe.batch
    start = initialize_parameters(seed, recipe.hidden, recipe.deviation)
    start.W1[PREPROCESSINGS[recipe.preprocessing].never_ink] = 0
    descents = [Descent(start, digits.seen, digits.labels, 1) for _ in range(FOLDS)]
    random, losses = np.random.default_rng((seed, 2)), [np.inf] * FOLDS
    schedule = Schedule.of_batches(int((digits.fold != 0).sum()), recipe.batch)
    for epoch in range(recipe.epochs):
        set_rates(schedule, recipe, epoch)
        orders = _seen_anew(digits, recipe, recipe.distortion.limits(), random, descents)
        losses = [one.epoch(ADAM, order, schedule)[0] for one, order in zip(descents, orders, strict=True)]
    return list(zip(losses, descents, strict=True))


def _fine_tune(digits: Digits, recipe: Recipe, descents: list[Descent]) -> None:
    random, tuning = np.random.default_rng((0, 3)), FINE_TUNINGS[BITS]
    for number, one in enumerate(descents):
        descents[number] = Descent(one.parameters(), digits.seen, digits.labels, 1)  # with moments of its own
    grids = [Grid(one, digits.seen[digits.fold != number], tuning) for number, one in enumerate(descents)]
    while grids[0].steps < tuning.steps:
        for grid, order in zip(grids, _seen_anew(digits, recipe, limits(), random, descents), strict=True):
            for rows in grid.batches(order):
                grid.learn(rows)


def _seen_anew(
    digits: Digits, recipe: Recipe, within: np.ndarray, random: np.random.Generator, descents: list[Descent]
) -> list[np.ndarray]:
    """Distort all digits anew for all networks; the order in which each is to look at its own."""
    order, key = random.permutation(len(digits.labels)), int(random.integers(2**62))
    seen = view_distorted(digits.pictures, recipe.preprocessing, key, within, 1)
    for one in descents:
        one.images = seen
    return [order[digits.fold[order] != number] for number in range(FOLDS)]
