"""One table: what people bring as images, and each door that takes it. All doors read it alike, or refuse it alike."""

import importlib.util
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from digitnn_fast import DigitClassifier, Predictor, preprocess, train
from digitnn_fast.inputs import as_digits, column_order
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.levels import LevelsWarning
from digitnn_fast.sample import load_sample
from digitnn_fast.training.crossvalidation import cross_validate
from digitnn_fast.training.recipes import RECIPES

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")
IMAGES, LABELS = load_sample().test_images[:40], load_sample().test_labels[:40]
NAMES = [f"pixel{number}" for number in range(784)]
SHUFFLED = np.random.default_rng(0).permutation(784)
FRAME = pd.DataFrame(IMAGES, columns=NAMES)
RECIPE = replace(RECIPES["pixels"], hidden=16, epochs=1, distortion=None)
PREDICTOR = Predictor.load("small", threads=1)
CLASSIFIER = DigitClassifier(RECIPE, threads=1).fit(IMAGES, LABELS)


def by_protocol(*names):
    """An array of another library, which NumPy gets by this protocol alone."""
    methods = {name: lambda _, *a, _name=name, **k: getattr(IMAGES, _name)(*a, **k) for name in names}
    return type("Foreign", (), methods)()


def arrow_table():
    import pyarrow as pa

    return pa.table({NAMES[at]: IMAGES[:, at] for at in SHUFFLED})


def arrow_tensors():
    import pyarrow as pa

    return pa.FixedShapeTensorArray.from_numpy_ndarray(IMAGES.reshape(-1, 28, 28))


def arrow_lists():
    import pyarrow as pa

    return pa.chunked_array([IMAGES.tolist()[:9], IMAGES.tolist()[9:]], pa.list_(pa.uint8()))


def polars_frame():
    import polars

    return polars.DataFrame({NAMES[at]: IMAGES[:, at] for at in SHUFFLED})


def torch_tensor():
    import torch

    return torch.from_numpy(IMAGES / 255).requires_grad_()


READ = {  # each the same digits
    "int64": lambda: IMAGES.astype(np.int64),
    "floats 0 to 1": lambda: IMAGES / 255,
    "floats 0 to 255": lambda: IMAGES.astype(np.float64),
    "28x28": lambda: IMAGES.reshape(-1, 28, 28),
    "channel last": lambda: IMAGES.reshape(-1, 28, 28, 1) / 255,
    "channel first": lambda: IMAGES.reshape(-1, 1, 28, 28),
    "lists": IMAGES.tolist,
    "list of squares": lambda: list(IMAGES.reshape(-1, 28, 28)),
    "DataFrame": lambda: FRAME,
    "DataFrame, shuffled": lambda: FRAME.iloc[:, SHUFFLED],
    "DataFrame, shuffled numbers": lambda: pd.DataFrame(IMAGES).iloc[:, SHUFFLED],
    "DataFrame from 1": lambda: FRAME.iloc[:, SHUFFLED].rename(columns=lambda name: f"pixel{int(name[5:]) + 1}"),
    "DataFrame of rows and columns": lambda: FRAME.iloc[:, SHUFFLED].rename(
        columns=lambda name: "{}x{}".format(*(part + 1 for part in divmod(int(name[5:]), 28)))
    ),
    "DataFrame, nullable": lambda: FRAME.iloc[:, SHUFFLED].astype("Int64"),
    "DataFrame, nullable floats": lambda: (FRAME / 255).astype("Float64"),
    "DataFrame of Arrow": lambda: FRAME.astype("uint8[pyarrow]"),
    "Series of arrays": lambda: pd.Series(list(IMAGES), index=range(7, 47)),
    "PyArrow table": arrow_table,
    "PyArrow tensors": arrow_tensors,
    "PyArrow lists": arrow_lists,
    "polars": polars_frame,
    "torch": torch_tensor,
    "by __array__": lambda: by_protocol("__array__"),
    "by DLPack": lambda: by_protocol("__dlpack__", "__dlpack_device__"),
}
NEEDS = {"PyArrow": "pyarrow", "polars": "polars", "torch": "torch", "Arrow": "pyarrow"}
REFUSED = {
    "a label among the pixels": (lambda: FRAME.assign(label=LABELS), "images have a column 'label' among their pixels"),
    "a pixel missing": (lambda: FRAME.drop(columns="pixel5"), "but pixel 5 of 0 to 783 is missing"),
    "almost a name": (lambda: FRAME.rename(columns={"pixel5": "pixel 5"}), "images have a column 'pixel 5' among"),
    "a pixel twice": (lambda: FRAME.rename(columns={"pixel5": "pixel6"}), "but pixel 5 of 0 to 783 is missing"),
    "0 and 1": (lambda: (IMAGES > 127).astype(int), "images: no level is above 1, .*multiply by 255"),
    "0 and 1, bytes": (lambda: (IMAGES > 127).astype(np.uint8), "images: no level is above 1, .*multiply by 255"),
    "scaled twice": (lambda: IMAGES / 255 / 255, "images: no level is above 1, .*multiply by 255"),
    "a cell without number": (lambda: FRAME.astype("Int64").replace(IMAGES[3, 300], pd.NA), "but hold NaN"),
    "a column of text": (lambda: FRAME.assign(pixel7="a"), "images must hold integers 0..255 or floats 0..1, not"),
    "floats beyond 1": (lambda: IMAGES / 127, "images of float64 must lie in 0..1, or be whole numbers up to 255"),
    "three channels": (lambda: np.stack([IMAGES.reshape(-1, 28, 28)] * 3, axis=-1), "images must be .* not .*28, 3"),
}
DOORS = {
    "predict": PREDICTOR.predict,
    "predict_proba": PREDICTOR.predict_proba,
    "predict_both": lambda images: PREDICTOR.predict_both(images)[1],
    "train": lambda images: train(images, LABELS, RECIPE, threads=1).W1,
    "train, labels of pandas": lambda images: train(images, pd.Series(LABELS, dtype="Int64"), RECIPE, threads=1).W1,
    "cross_validate": lambda images: cross_validate(images, LABELS, RECIPE, folds=2, threads=1).probabilities,
    "as_digits": lambda images: as_digits(images, LABELS.tolist())[0],
    "DigitClassifier.fit": lambda images: DigitClassifier(RECIPE, threads=1).fit(images, LABELS).network_.W1,
    "DigitClassifier.predict": CLASSIFIER.predict,
}
EXPECTED = {door: enter(IMAGES) for door, enter in DOORS.items()}


def brought(name):
    for word, package in NEEDS.items():
        if word in name and importlib.util.find_spec(package) is None:
            pytest.skip(f"no {package} here")
    return READ[name]()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", READ)
def test_every_door_reads_it_alike(name, door):
    np.testing.assert_array_equal(DOORS[door](brought(name)), EXPECTED[door])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", REFUSED)
def test_every_door_refuses_it_in_one_line(name, door):
    make, message = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=message) as refusal:
        DOORS[door](make())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_warns_of_inverted_images(door):
    with pytest.warns(LevelsWarning, match="images: most pixels are ink.*invert them: 255 - level"):
        DOORS[door](255 - IMAGES)


def test_masks_and_black_images_are_read():
    mask = IMAGES > 127
    np.testing.assert_array_equal(PREDICTOR.predict(mask), PREDICTOR.predict(mask * np.uint8(255)))
    assert PREDICTOR.predict(np.zeros((3, 784), np.uint8)).shape == (3,)
    assert PREDICTOR.predict(np.full(784, 255, np.uint8) * (np.arange(784) > 400)) in range(10)


def test_one_image_as_a_series_in_another_order():
    row = FRAME.iloc[4]
    assert PREDICTOR.predict(row.iloc[SHUFFLED]) == PREDICTOR.predict(IMAGES[4])


def test_names_that_are_no_numbers_say_nothing():
    assert (
        column_order([f"{letter}{'x' * number}" for number in range(28) for letter in "abcdefghijklmnopqrstuvwxyzäö"])
        is None
    )


def test_pictures_in_memory(tmp_path):
    import base64

    path = tmp_path / "digit.png"
    Image.fromarray(255 - IMAGES[3].reshape(28, 28)).resize((140, 140)).save(path)
    content, expected = path.read_bytes(), preprocess(path)
    with path.open("rb") as file:
        np.testing.assert_array_equal(preprocess(file), expected)
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    for picture in (content, bytearray(content), url):
        np.testing.assert_array_equal(preprocess(picture), expected)
        assert PREDICTOR.predict(picture) == PREDICTOR.predict(expected)
    for wrong in ("data:image/png;base64,%%", "data:text/plain,hello", b"no picture"):
        with pytest.raises(ValueError, match=r"^not a (data: URL of a )?picture"):
            PREDICTOR.predict(wrong)
