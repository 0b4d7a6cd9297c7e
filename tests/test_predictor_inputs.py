"""What a predictor takes as images, and what it refuses; how other doors read them is in test_inputs.py."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from digitnn_fast import Network, Predictor
from digitnn_fast.images import readings
from digitnn_fast.inputs import as_pixels
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

IMAGES = load_sample().test_images[:20]
SQUARES = IMAGES.reshape(-1, 28, 28)
PREDICTOR = Predictor(Network(*initialize_parameters(1, 32)), threads=2)
LABELS, PROBABILITIES = PREDICTOR.predict(IMAGES), PREDICTOR.predict_proba(IMAGES)
COLUMNS = [f"pixel{number}" for number in range(784)]

MANY = {
    "uint8": IMAGES,
    "int64": IMAGES.astype(np.int64),
    "big-endian": IMAGES.astype(">i2"),
    "uint64": IMAGES.astype(np.uint64),
    "float16": (IMAGES / 255).astype(np.float16),
    "float32": (IMAGES / 255).astype(np.float32),
    "float64": IMAGES / 255,
    "longdouble": (IMAGES / 255).astype(np.longdouble),
    "28x28": SQUARES,
    "28x28 float": SQUARES / 255,
    "28x28 transposed": np.ascontiguousarray(SQUARES.transpose(2, 1, 0)).transpose(2, 1, 0),
    "Fortran float": np.asfortranarray(IMAGES / 255),
    "read-only": np.frombuffer(IMAGES.tobytes(), np.uint8).reshape(-1, 784),
    "memory map": np.memmap,  # made in the test
    "DataFrame": pd.DataFrame(IMAGES, columns=COLUMNS),
    "DataFrame, integer columns": pd.DataFrame(IMAGES.astype(int), index=range(5, 25)),
    "DataFrame of mixed integers": pd.DataFrame(IMAGES.astype(int)).astype({0: np.uint8, 5: np.int32}),
    "DataFrame of floats": pd.DataFrame(IMAGES / 255),
    "list of arrays": list(IMAGES),
    "tuple of squares": tuple(SQUARES),
    "list of Series": [row for _, row in pd.DataFrame(IMAGES).iterrows()],
    "list of kinds": [IMAGES[0], SQUARES[1] / 255, pd.DataFrame(IMAGES[2:9]), SQUARES[9:].astype(int)],
    "lists of integers": IMAGES.tolist(),
    "lists of floats": (SQUARES / 255).tolist(),
    "lists of NumPy's numbers": [list(row) for row in IMAGES],
}
ONE = {
    "(784,)": IMAGES[0],
    "(28, 28)": SQUARES[0],
    "float": SQUARES[0] / 255,
    "strided": np.repeat(IMAGES[0], 3)[::3],
    "Series": pd.Series(IMAGES[0], index=COLUMNS),
    "list": IMAGES[0].tolist(),
    "list of NumPy's numbers": list(IMAGES[0]),
    "list of lists": SQUARES[0].tolist(),
}
EMPTY = {
    "(0, 784)": np.empty((0, 784), np.uint8),
    "(0, 28, 28)": np.empty((0, 28, 28)),
    "list": [],
    "tuple": (),
    "DataFrame": pd.DataFrame(columns=COLUMNS, dtype=np.uint8),
    "list of none": [IMAGES[:0], SQUARES[:0]],
}


@pytest.mark.parametrize("images", MANY.values(), ids=MANY)
def test_many_images(images, tmp_path):
    if images is np.memmap:
        IMAGES.tofile(tmp_path / "images")
        images = np.memmap(tmp_path / "images", np.uint8, "r", shape=IMAGES.shape)
    labels, probabilities = PREDICTOR.predict(images), PREDICTOR.predict_proba(images)
    assert (labels.dtype, probabilities.dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(probabilities, PROBABILITIES)


@pytest.mark.parametrize("image", ONE.values(), ids=ONE)
def test_one_image(image):
    label, probabilities = PREDICTOR.predict(image), PREDICTOR.predict_proba(image)
    assert (type(label), label) == (int, LABELS[0])
    np.testing.assert_array_equal(probabilities, PROBABILITIES[0])


@pytest.mark.parametrize("images", EMPTY.values(), ids=EMPTY)
def test_no_image(images):
    labels, probabilities = PREDICTOR.predict(images), PREDICTOR.predict_proba(images)
    assert (labels.shape, labels.dtype) == ((0,), np.uint8)
    assert (probabilities.shape, probabilities.dtype) == ((0, 10), np.float32)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_are_rounded_to_the_nearest_level(dtype):
    levels = np.resize(np.arange(256), 784)
    np.testing.assert_array_equal(as_pixels((levels / 255).astype(dtype)), levels)
    nudged = np.clip(levels / 255 + np.resize([-0.4, 0.4], 784) / 255, 0, 1).astype(np.float64)
    np.testing.assert_array_equal(as_pixels(nudged), levels)


def changed(value, dtype, images=IMAGES):
    """Images of that dtype, scaled for it, one pixel of which has another value."""
    array = (images / 255 if np.dtype(dtype).kind == "f" else images).astype(dtype)
    array[3, 300] = value
    return array


SHAPES = r"images must be \(784,\), \(28, 28\), \(n, 784\) or \(n, 28, 28\), not "
FORMS = r"images must be an array, a table, a picture or a list of them, not "
FLOATS = r"must lie in 0\.\.1, or be whole numbers up to 255, but hold "
KINDS = r"images must hold integers 0\.\.255 or floats 0\.\.1, not "
UNEQUAL = "images in lists must be equally long, and numbers"


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros(783, np.uint8), ValueError, SHAPES + r"\(783,\)"),
        (np.zeros((2, 785), np.uint8), ValueError, SHAPES + r"\(2, 785\)"),
        (np.zeros((784, 2), np.uint8), ValueError, SHAPES + r"\(784, 2\)"),
        (np.zeros((2, 3, 784), np.uint8), ValueError, SHAPES + r"\(2, 3, 784\)"),
        (np.zeros((2, 3, 28, 28), np.uint8), ValueError, SHAPES + r"\(2, 3, 28, 28\)"),
        (np.zeros((28, 28, 3), np.uint8), ValueError, SHAPES + r"\(28, 28, 3\)"),
        (np.array(3), ValueError, SHAPES + r"\(\)"),
        (
            pd.DataFrame(np.insert(IMAGES, 0, 7, axis=1)),
            ValueError,
            "images must have 784 columns.*, but there are 785",
        ),
        ([[]], ValueError, SHAPES + r"\(1, 0\)"),
        ([3, 4], ValueError, SHAPES + r"\(2,\)"),
        ([IMAGES, IMAGES[:, :5]], ValueError, SHAPES + r"\(20, 5\)"),
        ([[1, 2], [3]], ValueError, UNEQUAL),
        ([IMAGES[0].tolist(), IMAGES], ValueError, UNEQUAL),
        (IMAGES.astype(complex), TypeError, KINDS + "complex128"),
        (IMAGES.astype(str), TypeError, KINDS + "<U3"),
        (IMAGES.astype("m8[s]"), TypeError, KINDS + r"timedelta64\[s\]"),
        (pd.DataFrame(IMAGES).astype({3: str}), TypeError, KINDS + "object"),
        ([None] * 784, TypeError, KINDS + "object"),
        (changed(256, np.int16), ValueError, r"images of int16 must lie in 0\.\.255, but hold 256"),
        (changed(-1, np.int64), ValueError, r"images of int64 must lie in 0\.\.255, but hold -1"),
        (changed(2**63, np.uint64), ValueError, rf"images of uint64 must lie in 0\.\.255, but hold {2**63}"),
        (changed(1.5, np.float64), ValueError, r"images of float64 " + FLOATS + r"1\.5"),
        (changed(-0.25, np.float32), ValueError, r"images of float32 " + FLOATS + r"-0\.25"),
        (changed(np.nan, np.float64), ValueError, r"images of float64 " + FLOATS + "NaN"),
        (changed(np.inf, np.float64), ValueError, r"images of float64 " + FLOATS + r"inf"),
        (changed(-np.inf, np.float16), ValueError, r"images of float16 " + FLOATS + r"-inf"),
        (changed(np.nan, np.float64).tolist(), ValueError, r"images of float64 " + FLOATS + "NaN"),
        (IMAGES + 0.5, ValueError, r"images of float64 " + FLOATS + r"255\.5"),
        (None, TypeError, FORMS + "NoneType"),
        (b"\0" * 784, ValueError, r"not a picture in a format that can be read .*"),
        (7, TypeError, FORMS + "int"),
        ({"images": IMAGES}, TypeError, FORMS + "dict"),
        (iter(IMAGES), TypeError, FORMS + ".*iterator"),
    ],
)
def test_anything_else_is_refused(images, error, message):
    for method in (PREDICTOR.predict, PREDICTOR.predict_proba):
        with pytest.raises(error) as refusal:
            method(images)
        assert re.fullmatch(message, str(refusal.value))


def test_pictures(tmp_path):
    picture = Image.fromarray(255 - IMAGES[3].reshape(28, 28)).resize((140, 140))
    picture.save(tmp_path / "digit.png")
    path = tmp_path / "digit.png"
    first, second = PREDICTOR.predict_proba(readings(picture)).astype(np.float64)
    together = (first * second) ** 0.55
    for one in (picture, path, str(path)):
        assert PREDICTOR.predict(one) == together.argmax()
        np.testing.assert_allclose(PREDICTOR.predict_proba(one), together / together.sum(), rtol=1e-5)
    labels, shares = PREDICTOR.predict_both([picture, IMAGES[0]])
    np.testing.assert_array_equal(labels, PREDICTOR.predict([picture, IMAGES[0]]))
    np.testing.assert_array_equal(labels, [together.argmax(), LABELS[0]])
    np.testing.assert_array_equal(shares, PREDICTOR.predict_proba([path, IMAGES[0]]))
    np.testing.assert_array_equal(shares, [PREDICTOR.predict_proba(picture), PREDICTOR.predict_proba(IMAGES[0])])
    np.testing.assert_array_equal(PREDICTOR.predict_readings(IMAGES[:3, None]), PREDICTOR.predict_proba(IMAGES[:3]))
    with pytest.raises(FileNotFoundError):
        PREDICTOR.predict("seven.png")
