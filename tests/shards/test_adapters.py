"""The callables for Ray and Spark, alone; in the engines themselves the README's blocks run, in test_readme.py."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from digitnn_fast import Network, Predictor
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.predictor import model_path
from digitnn_fast.sample import load_sample
from digitnn_fast.shards.adapters import RayDigits, spark_digits

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")

IMAGES = load_sample().test_images[:500]
LABELS, PROBABILITIES = Predictor.load(threads=1).predict_both(IMAGES)


@pytest.mark.parametrize("model", [None, "small", str(model_path()), Network.load(model_path())])
def test_ray_callable(model):
    batch = {"id": np.arange(500), "pixels": IMAGES}
    result = RayDigits(model, probabilities=True)(batch)
    assert list(result) == ["id", "pixels", "label", "probabilities"]
    np.testing.assert_array_equal(result["label"], LABELS)
    np.testing.assert_array_equal(result["probabilities"], PROBABILITIES)
    ragged = np.empty(500, object)
    ragged[:] = [row.tolist() for row in IMAGES]
    assert list(RayDigits(model, column="x")({"x": ragged})) == ["x", "label"]


@pytest.mark.parametrize("model", [None, "small", Network.load(model_path())])
@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist, np.ndarray.tobytes])
def test_spark_callable(model, kind):
    function = spark_digits(model, "image")
    frames = [pd.DataFrame({"id": range(first, last), "image": [kind(row) for row in IMAGES[first:last]]})
              for first, last in ((0, 300), (300, 300), (300, 500))]  # fmt: skip
    result = pd.concat(function(iter(frames)))
    assert list(result.columns) == ["id", "label"] and result["label"].dtype == np.int32
    np.testing.assert_array_equal(result["label"], LABELS)
    assert result["id"].tolist() == list(range(500))


def test_a_predictor_travels_as_arrays():
    """What is pickled names two classes and a few functions, and is as long as the weights."""
    content = pickle.dumps(Predictor.load(threads=1))
    weights = sum(array.nbytes for array in Network.load(model_path()).parameters)
    assert weights < len(content) < weights + 50_000
