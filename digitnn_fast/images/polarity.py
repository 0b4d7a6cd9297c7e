"""Whether a tiny picture is dark on light: of a digit that fills it, edges of strokes are all that can be seen.

A network of 100-64-1 decides, which `bench/polarity.py` trained. It says of a picture the opposite of what it says of
its negative, since it is the difference between its answers to both. In integers, as in `page/polarity.js`.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.home import HOME
from digitnn_fast.images.fit import TINY, sized
from digitnn_fast.images.ink import Levels

FILE = HOME / "images" / "polarity.json"
SIDE = 10  # of the picture that the network sees
STEPS = 127  # of a value, which is -1 to 1, and of a weight

Integers = NDArray[np.int64]


def is_dark_in_light(light: Levels) -> bool:
    """Whether the ink is what reflects less light (h, w)."""
    incoming, bias, outgoing = _weights()
    sums = features(light) @ incoming
    answers = np.maximum(bias + sums, 0) - np.maximum(bias - sums, 0)
    return int(answers @ outgoing) >= 0


def features(light: Levels) -> Integers:
    """What the network sees (100,) of light (h, w): -127 for the darkest to 127."""
    low, high = int(light.min()), int(light.max())
    values = 2 * sized((light - float(low)) / max(1, high - low), SIDE, SIDE, cubic=True) - 1
    return np.floor(STEPS * values + 0.5 + TINY).astype(np.int64).reshape(-1)


@lru_cache(maxsize=1)
def _weights() -> tuple[Integers, ...]:
    """Incoming (100, 64), bias (64,), outgoing (64,)."""
    kept: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    incoming, outgoing = (
        np.frombuffer(base64.b64decode(kept[name]), np.int8).astype(np.int64) for name in ("incoming", "outgoing")
    )
    return incoming.reshape(-1, len(outgoing)), np.array(kept["bias"], np.int64), outgoing
