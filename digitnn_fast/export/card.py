"""A model's card as names and short texts, for file formats with metadata."""

from __future__ import annotations

import json
import math

from digitnn_fast.network import ACCURACIES, Network
from digitnn_fast.version import VERSION


def card(network: Network) -> dict[str, str]:
    """Shape, preprocessing, training and accuracy of the network, each a text."""
    facts = {
        "made by": f"digitnn-fast {VERSION}",
        "network": f"784-{network.hidden}-10",
        "preprocessing": network.preprocessing,
    }
    if record := network.training:
        facts |= {
            "recipe": record.recipe,
            "seed": str(record.seed),
            "settings": json.dumps(record.settings),
            "training_rows": str(record.training_rows),
            "data_digest": record.data_digest,
        }
        values = {name: getattr(record, name) for name in ACCURACIES}
        facts |= {name: f"{value:.4f}" for name, value in values.items() if not math.isnan(value)}
    return {name: text.encode(errors="replace").decode() for name, text in facts.items()}  # of a stranger's model
