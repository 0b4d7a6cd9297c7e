"""The measured accuracy and time of each recipe, from `measured.json`, which `python -m bench.models` writes."""

from __future__ import annotations

import json
from functools import cache
from typing import NamedTuple

from digitnn_fast.home import HOME

FILE = HOME / "training" / "measured.json"


class Measured(NamedTuple):
    """Accuracy 0..1 on rows not seen and its standard error, and the seconds that one training takes on two cores."""

    accuracy: float
    standard_error: float
    seconds: float


@cache
def measurements() -> dict[str, Measured]:
    """By recipe; recipes that nobody measured are missing."""
    return {name: Measured(**values) for name, values in json.loads(FILE.read_text(encoding="utf-8")).items()}


def next_step(recipe: str) -> tuple[str, Measured] | None:
    """The quickest recipe that is more accurate than this one, beyond the standard errors of both; None at the top."""
    known = measurements()
    if recipe not in known:
        return None
    own = known[recipe]
    better = [
        (name, one)
        for name, one in known.items()
        if one.accuracy - one.standard_error / 2 > own.accuracy + own.standard_error / 2
    ]
    return min(better, key=lambda step: step[1].seconds, default=None)
