"""The web page that `report` and `submit --report` write: all that can be said of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from digitnn_fast.checks import counted
from digitnn_fast.commands.report import accuracy_text, shape_text, trained_on_these, training_facts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digitnn_fast.evaluation import Evaluation
    from digitnn_fast.network import Network

ENDINGS = ".html", ".htm"


class Measured(NamedTuple):
    """Digits that the network was measured on: their name, images (n, 784), labels (n,), its answers (n, 10)."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


def write_card(out: str, title: str, network: Network, measured: Measured | None) -> Evaluation | None:
    """Write the page; how the network did on the digits, if there are some."""
    from digitnn_fast import evaluation, plots
    from digitnn_fast.network import data_digest

    record, result = network.training, None
    facts = [("network", shape_text(network)), ("pixels", network.preprocessing), *training_facts(record)]
    figures = {}
    if record and len(record.history):
        figures["Training"] = plots.curves(record, stacked=True)
    if measured:
        name, images, labels, probabilities = measured
        result = evaluation.evaluate(labels, probabilities)
        facts += [
            ("measured on", f"{name} ({counted(len(labels), 'row')})"),
            ("accuracy there", accuracy_text(result.accuracy, result.rows)),
            ("cross-entropy there", f"{result.cross_entropy:.4f} nats"),
        ]
        if record and record.data_digest == data_digest(images, labels):
            print(trained_on_these(record))
            facts.insert(0, ("WARNING", trained_on_these(record).strip().removeprefix("WARNING: ")))
        figures["Confusion"] = plots.confusion(result)
        figures["Reliability"] = plots.reliability(labels, probabilities)
        figures["Worst mistakes"] = plots.mistakes(images, labels, probabilities, across=plots.ACROSS_A_PHONE)
    figures["Hidden units"] = plots.hidden_units(network)
    plots.write_report(out, title, facts, figures)
    return result
