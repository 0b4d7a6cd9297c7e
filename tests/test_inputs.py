"""One table: what people bring as images, and each door that takes it. All doors read it alike, or refuse it alike."""

import importlib.util
import math
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
PAIRS = pd.MultiIndex.from_product([range(28), range(28)])
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


def sparse(kind):
    from scipy import sparse

    return getattr(sparse, kind)(IMAGES)


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
    "DataFrame of numbers from 1": lambda: pd.DataFrame(IMAGES, columns=range(1, 785)).iloc[:, SHUFFLED],
    "DataFrame of row and column": lambda: FRAME.set_axis([f"r{at // 28}c{at % 28}" for at in range(784)], axis=1),
    "DataFrame of pairs": lambda: FRAME.set_axis(PAIRS, axis=1).iloc[:, SHUFFLED],
    "DataFrame of x and y": lambda: FRAME.set_axis([f"x{at % 28}_y{at // 28}" for at in range(784)], axis=1).iloc[
        :, SHUFFLED
    ],
    "DataFrame of objects": lambda: FRAME.iloc[:, SHUFFLED].astype(object),
    "DataFrame, nullable": lambda: FRAME.iloc[:, SHUFFLED].astype("Int64"),
    "DataFrame, nullable floats": lambda: (FRAME / 255).astype("Float64"),
    "DataFrame of Arrow": lambda: FRAME.astype("uint8[pyarrow]"),
    "Series of arrays": lambda: pd.Series(list(IMAGES), index=range(7, 47)),
    "PyArrow table": arrow_table,
    "PyArrow tensors": arrow_tensors,
    "PyArrow lists": arrow_lists,
    "polars": polars_frame,
    "SciPy's rows": lambda: sparse("csr_array"),
    "SciPy's triples": lambda: sparse("coo_matrix"),
    "torch": torch_tensor,
    "by __array__": lambda: by_protocol("__array__"),
    "by DLPack": lambda: by_protocol("__dlpack__", "__dlpack_device__"),
}
NEEDS = {"PyArrow": "pyarrow", "polars": "polars", "torch": "torch", "SciPy": "scipy", "Arrow": "pyarrow"}
REFUSED = {
    "a label among the pixels": (lambda: FRAME.assign(label=LABELS), "images have a column 'label' among their pixels"),
    "a pixel missing": (lambda: FRAME.drop(columns="pixel5"), "but pixel 5 of 0 to 783 is missing"),
    "no number": (lambda: FRAME.rename(columns={"pixel5": "pixel#"}), "images have a column 'pixel#' among"),
    "almost a name": (lambda: FRAME.rename(columns={"pixel5": "pixel 5"}), "images have a column 'pixel 5' among"),
    "a pixel twice": (lambda: FRAME.rename(columns={"pixel5": "pixel6"}), "but pixel 5 of 0 to 783 is missing"),
    "names without an order": (
        lambda: FRAME.set_axis([f"a{at % 7}b{at}c{at % 5}" for at in range(784)], axis=1),
        "images have columns such as 'a0b0c0', which do not tell the order of the pixels",
    ),
    "masked": (lambda: np.ma.array(IMAGES, mask=IMAGES == 9), "images have masked pixels; fill them"),
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


DOUBTFUL = {
    "some inverted": (lambda: np.concatenate([IMAGES[:30], 255 - IMAGES[30:]]), r"in \d+% of the images most .*invert"),
    "in a frame": (lambda: np.where(FRAMED, 0, 255 - IMAGES), ".*most pixels are ink.*invert"),
    "faint": (lambda: IMAGES // 64, "no level is above 3; 255 is ink, so multiply them"),
}
FRAMED = np.pad(np.zeros((26, 26), bool), 1, constant_values=True).reshape(784)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", DOUBTFUL)
def test_every_door_warns_of_what_is_hardly_meant_so(name, door):
    make, message = DOUBTFUL[name]
    with pytest.warns(LevelsWarning, match=f"^images: {message}"):
        DOORS[door](make())


LEARNERS = {
    "train": lambda labels: train(IMAGES, labels, RECIPE, threads=1).W1,
    "cross_validate": lambda labels: cross_validate(IMAGES, labels, RECIPE, folds=2, threads=1).probabilities,
    "DigitClassifier": lambda labels: DigitClassifier(RECIPE, threads=1).fit(IMAGES, labels).network_.W1,
}
SAME_LABELS = {
    "lists": LABELS.tolist(),
    "floats": LABELS.astype(float),
    "texts": LABELS.astype(str),
    "categories of texts": pd.Series(LABELS.astype(str), dtype="category"),  # as scikit-learn's fetch_openml has them
    "a column": pd.DataFrame({"label": LABELS}),
    "another index": pd.Series(LABELS, index=range(7, 47)),
}


@pytest.mark.parametrize("door", LEARNERS)
@pytest.mark.parametrize("name", SAME_LABELS)
def test_every_door_reads_labels_alike(name, door):
    np.testing.assert_array_equal(LEARNERS[door](SAME_LABELS[name]), LEARNERS[door](LABELS))


@pytest.mark.parametrize(
    "labels",
    [
        LABELS / 2,
        np.ma.array(LABELS, mask=LABELS == 3),
        [*LABELS[1:].tolist(), math.nan],
        np.eye(10)[LABELS],
        ["", *LABELS[1:].astype(str)],
    ],
    ids=["halves", "masked", "NaN", "one-hot", "empty text"],
)
def test_labels_that_are_none(labels):
    with pytest.raises(ValueError, match=r"^labels "):
        train(IMAGES, labels, RECIPE, threads=1)


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
        assert PREDICTOR.predict(picture) == PREDICTOR.predict(path)
    for wrong in (url[22:], "https://host/a.png", "a\nb"):
        with pytest.raises(ValueError, match="is neither a path nor a data: URL of a picture"):
            PREDICTOR.predict(wrong)
    for wrong in ("data:image/png;base64,%%", "data:text/plain,hello", b"no picture"):
        with pytest.raises(ValueError, match=r"^not a (data: URL of a )?picture"):
            PREDICTOR.predict(wrong)
