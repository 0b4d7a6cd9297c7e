"""What people bring as images, as the pixels that a network takes: one place for all doors."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digitnn_fast.checks import counted
from digitnn_fast.columns import kaggle_names
from digitnn_fast.levels import check_levels
from digitnn_fast.sizes import PIXELS, SIDE
from digitnn_fast.utils import check_labels

NUMBERED = r"(\D*)(\d+)"  # pixel7
DIGITS = tuple("0123456789")
FORMS = "an array, a table, a picture or a list of them"
SHAPES = "(784,), (28, 28), (n, 784) or (n, 28, 28)"


def as_pixels(images: Any) -> NDArray[np.uint8]:
    """Grey levels (n, 784), or (784,) of one image.

    Arrays of NumPy, sparse ones of SciPy, or of any library that has `__array__` or DLPack, are (784,) or (28, 28) for
    one image, (n, 784) or (n, 28, 28) for many, and may have an axis of one channel. Tables of pandas, polars and
    PyArrow have a column for each pixel; columns with numbers in their names are put in that order. A list or a tuple
    holds any of these. A path, a Pillow image, an open file, its bytes or a `data:` URL is a picture, for `preprocess`.

    Integers are 0 (paper) to 255 (ink), booleans paper or ink. Floats are 0 to 1, or whole numbers up to 255.
    TypeError or ValueError, one line, for anything else. LevelsWarning if most pixels are ink, or all are faint.
    """
    if is_source(images):
        from digitnn_fast.images import preprocess  # 5 ms, which tables do not need

        return preprocess(images)
    if isinstance(images, (list, tuple)):
        return _join(images)
    array = _squeezed(images if type(images) is np.ndarray else _array(images))
    square = array.shape[-2:] == (SIDE, SIDE)
    if array.ndim - square not in (1, 2) or not (square or array.shape[-1] == PIXELS):
        raise ValueError(f"images must be {SHAPES}, not {array.shape}")
    levels = _grey_levels(array)
    pixels = np.ascontiguousarray(levels.reshape(*array.shape[:-2], PIXELS) if square else levels)
    check_levels(pixels)
    return pixels


def as_images(images: Any) -> NDArray[np.uint8]:
    """Grey levels (n, 784) of many images; ValueError for one."""
    pixels = as_pixels(images)
    if pixels.ndim != 2:
        raise ValueError(f"there must be many images (n, {PIXELS}); reshape one to (1, {PIXELS})")
    return pixels


def as_digits(images: Any, labels: ArrayLike) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Grey levels (n, 784) and labels (n,) 0..9, also as whole floats or texts; ValueError unless equally many."""
    pixels, digits = as_images(images), check_labels(_labels(labels)).astype(np.uint8)
    if len(pixels) != len(digits):
        raise ValueError(f"{counted(len(pixels), 'image')}, but {counted(len(digits), 'label')}")
    return pixels, digits


def _labels(labels: ArrayLike) -> NDArray[Any]:
    """Labels as people have them, `5.0`, `"5"` or in a column of their own, as integers; others as they are."""
    if np.ma.is_masked(labels):
        raise ValueError("labels have masked values; leave these rows out")
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind in "OU" and all(isinstance(label, str) and label in DIGITS for label in array.flat):
        return array.astype(np.int64)
    whole = array.dtype.kind == "f" and bool((array == np.rint(array)).all())
    return array.astype(np.int64) if whole and array.size else array


def column_order(names: Sequence[Any]) -> list[int] | None:
    """Where pixel 0, 1, ... are among columns of these names; None if the names are no numbers.

    Names are those that `kaggle_names` knows. ValueError for names that are almost these.
    """
    texts = kaggle_names([str(name) for name in names])
    numbered = [re.fullmatch(NUMBERED, text) for text in texts]
    prefixes = [match[1] for match in numbered if match]
    if len(prefixes) <= len(texts) // 2:
        odd = [text for text in texts if re.search(r"\d", text)]
        if len(odd) > len(texts) // 2:
            raise ValueError(f"images have columns such as {odd[0][:40]!r}, which do not tell the order of the pixels")
        return None
    prefix = max(set(prefixes), key=prefixes.count)
    found = [int(match[2]) if match and match[1] == prefix else None for match in numbered]
    at = {number: column for column, number in enumerate(found)}
    if None in at:
        raise ValueError(f"images have a column {texts[at[None]][:40]!r} among their pixels; leave it out")
    missing = next((number for number in range(PIXELS) if number not in at), None)
    if len(texts) != PIXELS or missing is not None:
        wrong = f"there are {len(texts):,}" if missing is None else f"pixel {missing} of 0 to {PIXELS - 1} is missing"
        raise ValueError(f"images must have {PIXELS} columns, one for each pixel, but {wrong}")
    return [at[number] for number in range(PIXELS)]


def is_source(image: Any) -> bool:
    """Whether it is a picture for `preprocess`: a path, a Pillow image, an open file or its bytes; without Pillow."""
    known = str, os.PathLike, bytes, bytearray
    return isinstance(image, known) or hasattr(image, "getbands") or hasattr(image, "read")


def holds_pictures(images: Any) -> bool:
    """Whether it is a picture, or a list or a tuple in which there are some."""
    if type(images) is np.ndarray:
        return False
    return any(map(is_source, images)) if isinstance(images, list | tuple) else is_source(images)


def _array(images: Any) -> NDArray[Any]:
    """An array of what some library calls a table, a column or an array, without importing that library to ask."""
    if np.ma.is_masked(images):
        raise ValueError("images have masked pixels; fill them, as images.filled(0) does")
    names = getattr(images, "column_names", getattr(images, "columns", None))  # PyArrow's; pandas' and polars'
    if names is not None:
        return _table(images, list(names))
    if hasattr(images, "to_numpy_ndarray"):  # PyArrow's tensors of one shape
        return np.asarray(images.to_numpy_ndarray())
    if hasattr(images, "combine_chunks"):  # PyArrow's columns
        return _array(images.combine_chunks())
    if hasattr(images, "to_pylist"):  # PyArrow's lists
        return _stacked(np.asarray(images))
    if hasattr(images, "to_numpy"):  # pandas' and polars' Series
        array = _stacked(np.asarray(images.to_numpy()))
        order = column_order(images.index) if hasattr(images, "iloc") and array.shape == (PIXELS,) else None
        return array if order is None else array[order]
    if hasattr(images, "detach"):  # torch's tensors, which may belong to a GPU and a gradient
        images = images.detach().cpu()
    if hasattr(images, "toarray"):  # SciPy's sparse matrices, as LIBSVM's MNIST is read
        return np.asarray(images.toarray())
    if hasattr(images, "__array__"):
        return np.asarray(images)
    if hasattr(images, "__dlpack__"):
        return np.asarray(np.from_dlpack(images))
    raise TypeError(f"images must be {FORMS}, not {type(images).__name__}")


def _table(table: Any, names: list[Any]) -> NDArray[Any]:
    """The table's columns (n, k), put in order if their names are numbers."""
    order = column_order(names)
    if hasattr(table, "iloc"):  # pandas
        chosen = table if order is None else table.iloc[:, order]
        array = np.asarray(chosen.to_numpy())
        numbers = array.dtype == object and all(getattr(kind, "kind", "O") in "biuf" for kind in chosen.dtypes)
        return np.asarray(chosen.to_numpy(np.float64, na_value=np.nan)) if numbers else array  # of nullable columns
    columns = [table[names[at]] for at in (range(len(names)) if order is None else order)]
    if not columns:
        return np.empty((len(table), 0), np.uint8)
    return np.stack([np.asarray(column.to_numpy()) for column in columns], axis=1)


def _stacked(column: NDArray[Any]) -> NDArray[Any]:
    """A column of images as one array."""
    if column.dtype == object and column.size and np.ndim(column[0]):
        return np.stack([np.asarray(one) for one in column])
    return column


def _squeezed(array: NDArray[Any]) -> NDArray[Any]:
    """The array without the axis of a single channel, at its end or before the rows."""
    if array.ndim > 2 and array.shape[-1] == 1 and array.shape[-3:-1] == (SIDE, SIDE):
        return array[..., 0]
    return array[:, 0] if array.ndim == 4 and array.shape[1:] == (1, SIDE, SIDE) else array


def _join(images: Sequence[Any]) -> NDArray[np.uint8]:
    if not images:
        return np.empty((0, PIXELS), np.uint8)
    if all(getattr(image, "shape", ()) or is_source(image) for image in images):
        return np.concatenate([np.atleast_2d(as_pixels(image)) for image in images])
    try:
        return as_pixels(np.asarray(images))  # lists of numbers, which may be NumPy's
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise ValueError("images in lists must be equally long, and numbers") from error
        raise


def _grey_levels(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == object:
        numbers = np.array(array.tolist())
        array = numbers if numbers.dtype.kind in "biuf" else array
    kind = array.dtype.kind
    if kind == "b":
        return array * np.uint8(255)
    if kind not in "iuf":
        raise TypeError(f"images must hold integers 0..255 or floats 0..1, not {array.dtype}")
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if kind == "f" and low >= 0 and high <= 1:
        return np.rint(array * 255.0).astype(np.uint8)
    if low >= 0 and high <= 255 and (kind != "f" or (array == np.rint(array)).all()):
        return array.astype(np.uint8)
    wrong = "NaN" if np.isnan(low) else low if low < 0 else high
    limits = "0..1, or be whole numbers up to 255" if kind == "f" else "0..255"
    raise ValueError(f"images of {array.dtype} must lie in {limits}, but hold {wrong}")
