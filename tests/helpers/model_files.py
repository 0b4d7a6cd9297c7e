"""Model files, whole and in parts, and how they are refused."""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from digitnn_fast.network import HISTORY_COLUMNS, Network, TrainingRecord
from digitnn_fast.npz import ModelFileError
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.utils import initialize_parameters

NAMES = ", ".join(PREPROCESSINGS)
HISTORY = np.linspace(0, 1, 12).reshape(3, len(HISTORY_COLUMNS))
RECORD = TrainingRecord("fast", 7, "ab" * 32, 900, 100, 0.9, HISTORY, {"epochs": 3, "rate": 0.1, "loss": "ce"})
NETWORK = Network(*initialize_parameters(1, hidden=2), "deskewed", RECORD)
NOT_HELD_OUT = replace(RECORD, heldout_rows=0, heldout_accuracy=math.nan, history=HISTORY * [1, 1, np.nan, np.nan])


def saved(folder, network=NETWORK):
    network.save(folder / "model.npz")
    return (folder / "model.npz").read_bytes()


def refusal(path):
    """The message of a refused file without its name; it must be one line."""
    with pytest.raises(ModelFileError) as caught:
        Network.load(path)
    name, _, reason = str(caught.value).partition(": ")
    assert name == str(path) and reason and "\n" not in reason
    return reason


def assert_same(network, other):
    for name in ("W1", "b1", "W2", "b2"):
        array = getattr(network, name)
        np.testing.assert_array_equal(array, getattr(other, name))
        assert array.dtype == np.float32 and array.flags.c_contiguous and not array.flags.writeable
    assert network.preprocessing == other.preprocessing
    one, two = (dict(vars(n.training)) if n.training else {"history": 0} for n in (network, other))
    np.testing.assert_array_equal(one.pop("history"), two.pop("history"))
    assert str(one) == str(two)  # as text, because NaN differs from itself


def npz(compressed=False, **arrays):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zip_of(members, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def claim(shape, descr="<f4"):
    """An .npy file that claims a shape or dtype and holds 16 bytes."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(16)
