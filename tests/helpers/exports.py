"""Networks to export, and the ways that an export gives to run them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from digitnn_fast import Network
from digitnn_fast.bundled import MODELS
from digitnn_fast.export import EXPORTERS, Way, compare
from digitnn_fast.export.ways import integer_answers
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

DIGITS = load_sample().test_images
SMALL = Network.load(MODELS["small"].file)
NETWORKS = {
    "small": SMALL,
    "raw": Network(*SMALL.parameters),
    "accurate": Network.load(MODELS["accurate"].file),
    "one unit": Network(*initialize_parameters(3, 1), "deskewed"),
    "directions": Network(*initialize_parameters(5, 64), "directions"),
    "pooled": Network(*initialize_parameters(6, 64), "pooled"),
    "directions480": Network(*initialize_parameters(7, 64), "directions480"),
    "directions300": Network(*initialize_parameters(8, 64), "directions300"),
    "random": Network(*initialize_parameters(4, 100)),
}


def ways_of(target: str, network: Network, folder: Path) -> list[Way]:
    exporter = EXPORTERS[target]
    list(exporter.write(network, folder, exporter.options()))
    return list(exporter.ways(network, folder, exporter.options()))


def assert_same(way: Way, network: Network, images: np.ndarray) -> None:
    assert way.run, way.missing
    difference = compare(way.run(images), way.wanted(network, images))
    assert difference.agrees, f"{way.name}: {difference.text}"
    if way.wanted is integer_answers:
        assert difference.integers_equal
    assert difference.probabilities is not None


BROKEN = {
    "fails": ("import sys; sys.exit('SyntaxError: not today')", "does not run in node: SyntaxError: not today"),
    "lies": (
        "import sys; n = 2000; names = {'predict': n, 'probabilities': 40 * n, 'logits': 40 * n}\n"
        "for name, size in names.items(): open(f'{sys.argv[-1]}/{name}', 'wb').write(bytes(size))",
        "the self-test failed",
    ),
}
