"""Exports of a network: one module for each target, and `EXPORTERS`, their table.

An exporter writes into an empty folder. What it wrote is then run on the embedded sample's test digits and compared
with the specification and with float32; only if that is right do the files appear where the user wants them.
"""

from __future__ import annotations

import math
import os
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from digitnn_fast.export import c, micropython, onnx, wasm, web
from digitnn_fast.export.ways import (
    Answers,
    Difference,
    Exporter,
    Fact,
    Options,
    SelfTestError,
    Way,
    compare,
    float_answers,
    in_blocks,
    integer_answers,
)
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.writing import filling, list_files

__all__ = [
    "EXPORTERS",
    "Answers",
    "Difference",
    "Exported",
    "Options",
    "SelfTestError",
    "Way",
    "compare",
    "export",
    "find_exporter",
    "float_answers",
    "in_blocks",
    "integer_answers",
    "options_of",
]

EXPORTERS: dict[str, Exporter] = {module.EXPORTER.name: module.EXPORTER for module in (c, onnx, web, wasm, micropython)}


class Exported(NamedTuple):
    """Files with their bytes, a line for each self-test, and further lines for the report."""

    files: list[tuple[str, int]]
    tests: list[Fact]
    facts: list[Fact]


def export(
    network: Network,
    target: str,
    out: str | os.PathLike[str],
    options: Options | None = None,
    max_loss: float | None = None,
) -> Exported:
    """Write the network for a target of `EXPORTERS` into the folder `out`, after a self-test.

    ValueError if that can't be, SelfTestError if the result is wrong or more than `max_loss` percent of the sample's
    2,000 test digits get another label than in float32; then nothing is written.
    """
    exporter = find_exporter(target)
    options = options or exporter.options()
    limit = options.usual_loss if max_loss is None else max_loss
    if math.isnan(limit):
        raise ValueError("--max-loss must be a number of percent, not nan")
    with filling(out) as folder:
        facts = list(exporter.write(network, folder, options))
        files = [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in list_files(folder)]
        tests = [(way.name, _test(way, network, limit)) for way in exporter.ways(network, folder, options)]
        facts += exporter.costs(network, folder, options)
    return Exported(files, tests, facts)


def find_exporter(target: str) -> Exporter:
    """The exporter of that name; ValueError if there is none."""
    if target not in EXPORTERS:
        raise ValueError(f"there is no target {target!r}, but {', '.join(EXPORTERS)}")
    return EXPORTERS[target]


def options_of(target: str, given: dict[str, Any]) -> Options:
    """The options of a target from what was given, by name; ValueError for one that it does not have."""
    exporter = find_exporter(target)
    own = {field.name for field in fields(exporter.options)}
    for name in given:
        if name not in own:
            homes = [
                other.name for other in EXPORTERS.values() if name in {field.name for field in fields(other.options)}
            ]
            raise ValueError(f"--{name.replace('_', '-')} goes with --to {' or '.join(homes)}, not with --to {target}")
    return exporter.options(**given)


def _test(way: Way, network: Network, max_loss: float) -> str:
    """The result of a self-test; SelfTestError if it failed. If it can't run here, its specification counts."""
    images = load_sample().test_images
    wanted = way.wanted(network, images)
    answers = way.run(images[: way.at_most]) if way.run else wanted
    difference = compare(answers, wanted.first(len(answers.labels)))
    if not difference.agrees:
        raise SelfTestError(f"{way.name}: the self-test failed: {difference.text}")
    labels = np.concatenate([answers.labels, wanted.labels[len(answers.labels) :]])
    same = int((labels == float_answers(network, images).labels).sum())
    loss = 100 * (1 - same / len(images))
    agreement = f"{same:,} of {len(images):,} labels as in float32"
    if loss > max_loss:
        raise SelfTestError(f"{way.name}: only {agreement}: {loss:.2f}% lost, allowed are {max_loss:g}%")
    return f"{difference.text}; {agreement}" if way.run else f"not run: {way.missing}; by its specification {agreement}"
