"""What a training record can be."""

import math
from dataclasses import replace

import numpy as np
import pytest
from model_files import HISTORY, NOT_HELD_OUT, RECORD


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": -1}, "seed must be an int from 0 up, of 128 bits at most, got -1"),
        ({"training_rows": 1.5}, "training_rows must be an int from 0 up, of 63 bits at most, got 1.5"),
        ({"recipe": None}, "recipe must be text"),
        ({"heldout_accuracy": 97.8}, "heldout_accuracy can't be 97.8 with 100 held-out rows"),
        ({"heldout_accuracy": math.nan}, "heldout_accuracy can't be nan with 100 held-out rows"),
        ({"heldout_rows": 0}, "heldout_accuracy can't be 0.9 with 0 held-out rows"),
        ({"history": HISTORY[:, :3]}, r"history must have shape \(epochs, 4\), got \(3, 3\)"),
        ({"history": HISTORY.astype(np.float32)}, "history must be float64, got float32"),
        ({"history": HISTORY * np.nan}, "history holds NaN or infinity"),
        ({"settings": {"layers": [64]}}, "settings: layers must be a number or text"),
    ],
)
def test_a_record_refuses(fields, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(RECORD, **fields)


def test_heldout_standard_error():
    assert RECORD.heldout_standard_error == pytest.approx(0.03)  # sqrt(0.9 * 0.1 / 100)
    assert math.isnan(NOT_HELD_OUT.heldout_standard_error)
