"""Runs a network in every way that this machine can, on the same rows, and compares with the two specifications.

These are `reference.forward` in float64 and `reference.forward_int8`. All else must give their labels, and their
probabilities within 1e-5 or their very integers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import reason_of
from digitnn_fast.engines import Int8
from digitnn_fast.export import (
    EXPORTERS,
    Answers,
    Difference,
    SelfTestError,
    Way,
    compare,
    float_answers,
    in_blocks,
    integer_answers,
)
from digitnn_fast.export.programs import scratch_folder
from digitnn_fast.network import Network
from digitnn_fast.predictor import Predictor
from digitnn_fast.preprocessing import prepare
from digitnn_fast.sizes import CLASSES

Bytes = NDArray[np.uint8]
Specification = Callable[[Network, Bytes], Answers]
BLOCK = 16_384  # images that a process gets at once: starting it takes longer than they do, and 13 MB are no burden


class Verdict(NamedTuple):
    """The result for one way: how it differs from its specification, or the `reason` why it could not run.

    `agrees` is None where nothing has to agree: of the specifications themselves, and of what can't run here.
    `seconds` include the start of a process and, of C, the compiler.
    """

    name: str
    agrees: bool | None
    difference: Difference | None = None
    seconds: float = 0.0
    reason: str = ""


def verify(network: Network, images: Bytes, threads: int | None = None) -> Iterator[Verdict]:
    """The verdicts on images (n, 784), uint8: first the specifications, both against float64, then all other ways."""
    known: dict[Specification, Answers] = {}
    for name, specification in (("reference float64", float_answers), ("reference int8", integer_answers)):
        start = time.perf_counter()
        known[specification] = specification(network, images)
        seconds = time.perf_counter() - start
        yield Verdict(name, None, compare(known[specification], known[float_answers]), seconds)
    for way in kernel_ways(network, threads):
        yield _judge(way, network, images, known)
    for exporter in EXPORTERS.values():
        with scratch_folder() as folder:
            options = exporter.options()
            try:
                list(exporter.write(network, folder, options))
                ways = [*exporter.ways(network, folder, options), *exporter.further_ways(network, folder, options)]
            except SelfTestError as error:
                yield Verdict(exporter.name, False, reason=str(error))
                continue
            except ValueError as error:
                yield Verdict(exporter.name, None, reason=str(error))
                continue
            for way in ways:
                yield _judge(way, network, images, known)


def kernel_ways(network: Network, threads: int | None = None) -> list[Way]:
    """The ways of this package."""
    predictor = Predictor(network, threads=threads)

    def float32(images: Bytes) -> Answers:
        return Answers(predictor.predict_many(images), predictor.predict_proba(images))

    return [
        Way("kernels float32", float_answers, float32),
        Way("kernels int8", integer_answers, partial(_int8_kernel, network)),
    ]


def _int8_kernel(network: Network, images: Bytes) -> Answers:
    """Labels, probabilities and integers in one call, by one thread."""
    labels, logits = np.full(len(images), 255, np.uint8), np.zeros((len(images), CLASSES), np.int32)
    probabilities = np.full((len(images), CLASSES), np.nan, np.float32)
    seen = prepare(images, network.preprocessing)
    Int8(network.parameters).call(out=logits)(np.zeros(1, np.int64), seen, labels, probabilities)
    return Answers(labels, probabilities, logits)


def _judge(way: Way, network: Network, images: Bytes, known: dict[Specification, Answers]) -> Verdict:
    """Run the way, in blocks, and compare; what its specification answers is kept in `known`."""
    if way.run is None:
        return Verdict(way.name, None, reason=way.missing)
    if way.wanted not in known:
        known[way.wanted] = way.wanted(network, images)
    start = time.perf_counter()
    try:
        answers = in_blocks(way.run, images[: way.at_most], BLOCK)
    except (RuntimeError, OSError) as error:  # a tool is installed but broken
        return Verdict(way.name, False, reason=reason_of(error, 300))
    difference = compare(answers, known[way.wanted].first(way.at_most))
    return Verdict(way.name, difference.agrees, difference, time.perf_counter() - start)
