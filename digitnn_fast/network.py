"""A trained network and its file: the four arrays, the pixels they expect, and how they were trained.

A model file is an uncompressed `.npz`: W1, b1, W2, b2, the training history, and `metadata`, a JSON text.
It holds no pickle: loading a stranger's file runs no code and needs no more memory than the file is long,
a few times over.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from digitnn_fast.bundled import MODELS
from digitnn_fast.checks import reason_of, require, shortened
from digitnn_fast.npz import Form, ModelFileError, accept, check_directory, read_arrays
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.record import ACCURACIES, HISTORY_COLUMNS, TrainingRecord, frozen, record_of
from digitnn_fast.reference.fixed_point import exponents_of, fixed_point
from digitnn_fast.sizes import CLASSES, MAX_HIDDEN, PIXELS
from digitnn_fast.utils import Parameters, check_labels
from digitnn_fast.writing import replacing

# zipfile, json and hashlib are imported where they are used: together they would add 15 ms to every start.
if TYPE_CHECKING:
    from collections.abc import Sequence
    from zipfile import ZipFile

    from numpy.typing import ArrayLike, NDArray

__all__ = ["ACCURACIES", "HISTORY_COLUMNS", "Network", "TrainingRecord", "data_digest", "join"]

FORMAT = "digitnn-fast network"
FORMAT_VERSION = 2  # 1: of digitnn-fast 0.1, whose deskewing and directions had other arithmetic
MAX_METADATA_CHARACTERS = 16_384

# What a model file holds; the history comes only with a training record.
WEIGHTS = ("float32", "float16")
FORMS = {
    "W1": Form(WEIGHTS, (PIXELS, "H")),
    "b1": Form(WEIGHTS, ("H",)),
    "W2": Form(WEIGHTS, ("H", CLASSES)),
    "b2": Form(WEIGHTS, (CLASSES,)),
}
HISTORY, METADATA = Form(("float64",), ("epochs", len(HISTORY_COLUMNS))), Form(("text",))


@dataclass(frozen=True, eq=False)
class Network:
    """W1 (784, H), b1 (H,), W2 (H, 10), b2 (10,): pixels 0..1 -> H ReLU units -> 10 softmax outputs.

    The arrays are float32, finite, and kept as read-only copies; ValueError in one line for anything else.
    `preprocessing` says which pixels they were trained on, `training` how.

    >>> from digitnn_fast.utils import initialize_parameters
    >>> network = Network(*initialize_parameters(seed=0, hidden=16), preprocessing="deskewed")
    >>> network
    <Network 784-16-10, deskewed>
    >>> network.save("model.npz")
    >>> bool((Network.load("model.npz").W1 == network.W1).all())
    True
    """

    W1: NDArray[np.float32]
    b1: NDArray[np.float32]
    W2: NDArray[np.float32]
    b2: NDArray[np.float32]
    preprocessing: str = "raw"
    training: TrainingRecord | None = None

    def __post_init__(self) -> None:
        """Check the arrays and freeze copies of them."""
        for name, array in self.parameters._asdict().items():
            require(isinstance(array, np.ndarray), f"{name} must be an array, got {type(array).__name__}")
            require(array.dtype == np.float32, f"{name} must be float32, got {array.dtype}")
            require(bool(np.isfinite(array).all()), f"{name} holds NaN or infinity")
        wide = self.W1.ndim == 2 and self.W1.shape[0] == PIXELS
        require(wide, f"W1 must have shape ({PIXELS}, H), got {self.W1.shape}")
        require(1 <= self.hidden <= MAX_HIDDEN, f"H must be 1 to {MAX_HIDDEN:,}, got {self.hidden:,}")
        for name, shape in (("b1", (self.hidden,)), ("W2", (self.hidden, CLASSES)), ("b2", (CLASSES,))):
            got = getattr(self, name).shape
            require(got == shape, f"{name} must have shape {shape}, got {got}")
        choices = ", ".join(PREPROCESSINGS)
        valid = self.preprocessing in list(PREPROCESSINGS)  # a hostile file may hold an unhashable value
        require(valid, f"preprocessing must be one of {choices}; got {shortened(repr(self.preprocessing))}")
        for name, array in self.parameters._asdict().items():
            object.__setattr__(self, name, frozen(array))

    def __repr__(self) -> str:
        recipe = f", recipe {self.training.recipe}" if self.training else ""
        return f"<Network {PIXELS}-{self.hidden}-{CLASSES}, {self.preprocessing}{recipe}>"

    def __reduce__(self) -> tuple[type[Network], tuple[Any, ...]]:
        """Pickle through the constructor: NumPy's own way would give writable arrays back."""
        return Network, (*self.parameters, self.preprocessing, self.training)

    @property
    def hidden(self) -> int:
        """Number of hidden units H."""
        return int(self.W1.shape[1])

    @property
    def parameters(self) -> Parameters:
        """W1 (784, H), b1 (H,), W2 (H, 10), b2 (10,) as the tuple that the reference takes."""
        return Parameters(self.W1, self.b1, self.W2, self.b2)

    def trained(self, record: TrainingRecord) -> Network:
        """The same network with another record."""
        return Network(*self.parameters, self.preprocessing, record)

    def tempered(self, temperature: float) -> Network:
        """The network with its logits divided by a temperature: the same digits, at other probabilities.

        ValueError for a temperature that is not more than 0, or infinite.
        """
        require(0 < temperature < math.inf, f"the temperature must be more than 0 and finite, got {temperature}")
        W1, b1, W2, b2 = self.parameters
        share = np.float32(1 / temperature)
        return Network(W1, b1, W2 * share, b2 * share, self.preprocessing, self.training)

    @cached_property
    def exponents(self) -> NDArray[np.int32] | None:
        """(H,) if W1 is in fixed point, as after `fixed_point`: see `reference.fixed_point.exponents_of`; else None."""
        return exponents_of(self.W1)

    def fixed_point(self) -> Network:
        """The network with W1 rounded to fixed point, 16 bits, in which predicting is exact and faster."""
        return Network(fixed_point(self.W1), *self.parameters[1:], self.preprocessing, self.training)

    def rounded(self) -> Network:
        """The network with weights rounded to float16, 11 bits, for a file of half the size; ValueError above 65504.

        W1 is in fixed point, too.
        """
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            W1, b1, W2, b2 = (array.astype(np.float16).astype(np.float32) for array in self.parameters)
        return Network(W1, b1, W2, b2, self.preprocessing, self.training).fixed_point()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file: the same bytes for the same network, an older file replaced all at once.

        The arrays are written as float16 if that loses nothing, as after `rounded`.
        OSError if that fails, the older file being as it was; ValueError if settings are NaN or too long.
        """
        arrays: dict[str, Any] = {"metadata": np.array(_metadata_text(self)), **compact(self.parameters)._asdict()}
        if self.training is not None:
            arrays["history"] = self.training.history
        with replacing(path, lasting=True) as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """The network of a model file; ModelFileError, one line, if it can't be read or is no such file."""
        if path == "":
            raise ModelFileError("an empty name is not a model file")
        try:
            with open(path, "rb") as file:
                return _read(file)
        except ModelFileError as error:
            raise ModelFileError(f"{os.fspath(path)}: {shortened(str(error), 200)}") from error
        except Exception as error:  # on hostile bytes zipfile and the .npy parser raise a dozen types
            if isinstance(error, OSError) and error.filename:  # without name: a seek to a damaged offset
                hint = f"; bundled are {' and '.join(MODELS)}" if isinstance(error, FileNotFoundError) else ""
                raise ModelFileError(f"{os.fspath(path)}: {error.strerror}{hint}") from error
            raise ModelFileError(f"{os.fspath(path)}: damaged: {reason_of(error)}") from error


def join(members: Sequence[Parameters]) -> Parameters:
    """One network as wide as all members together, whose logits are the mean of theirs: exact but for rounding."""
    if len(members) == 1:
        return members[0]
    W1, b1, W2, b2 = zip(*members, strict=True)
    share = np.float32(1 / len(members))
    return Parameters(np.concatenate(W1, axis=1), np.concatenate(b1), np.concatenate(W2) * share, np.sum(b2, 0) * share)


def compact(parameters: Parameters) -> Parameters:
    """The arrays as float16 if all of them lose nothing, else as they are."""
    with np.errstate(over="ignore"):
        halves = Parameters(*(array.astype(np.float16) for array in parameters))
    exact = all((half == array).all() for half, array in zip(halves, parameters, strict=True))
    return halves if exact else parameters


def data_digest(images: NDArray[np.uint8], labels: ArrayLike) -> str:
    """SHA-256 (64 hexadecimal digits) of uint8 images (n, 784) and labels (n,), whatever the labels' dtype.

    Hashed are the images row by row, then the labels, a byte each. ValueError for other images or labels.
    """
    import hashlib

    require(images.dtype == np.uint8, f"images must be uint8, got {images.dtype}")
    column = check_labels(labels).astype(np.uint8)
    fits = images.shape == (len(column), PIXELS)
    require(fits, f"images must have shape ({len(column)}, {PIXELS}), got {images.shape}")
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(column.data)
    return digest.hexdigest()


def _metadata_text(network: Network) -> str:
    """The JSON text of everything that is not an array."""
    import json

    record = None
    if network.training is not None:
        record = {name: value for name, value in vars(network.training).items() if name != "history"}
        for name in ACCURACIES:
            record[name] = None if math.isnan(record[name]) else record[name]  # JSON has no NaN
    text = json.dumps(
        {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "preprocessing": network.preprocessing,
            "training": record,
        },
        allow_nan=False,
    )
    require(len(text) <= MAX_METADATA_CHARACTERS, f"{len(text):,} characters of metadata are too many")
    return text


def _read(file: BinaryIO) -> Network:
    """The network of an open model file; ModelFileError if it is none, and any exception if it is damaged."""
    from zipfile import ZipFile

    accept(file.seekable(), "a pipe; a model must be a file")
    check_directory(file)
    with ZipFile(file) as archive:
        metadata = _read_metadata(archive)
        record = None
        if metadata["training"] is not None:
            history = read_arrays(archive, {"history": HISTORY})["history"]
            record = record_of(metadata["training"], _final(history))
        arrays = read_arrays(archive, FORMS).values()
        W1, b1, W2, b2 = (_final(array.astype(np.float32, copy=False)) for array in arrays)
        return Network(W1, b1, W2, b2, metadata["preprocessing"], record)


def _final(array: NDArray[Any]) -> NDArray[Any]:
    """The array, which nobody else has, made read-only where it lies: a copy would take as much memory again."""
    array.setflags(write=False)
    return array


def _read_metadata(archive: ZipFile) -> dict[str, Any]:
    """The metadata of the model file; ModelFileError if it is foreign or newer."""
    import json

    accept("metadata.npy" in archive.namelist(), "not a digitnn-fast model: it has no metadata")
    small = archive.getinfo("metadata.npy").file_size <= 4 * MAX_METADATA_CHARACTERS + 2**10
    accept(small, "not a digitnn-fast model: its metadata are no short text")
    metadata = json.loads(read_arrays(archive, {"metadata": METADATA})["metadata"].item())
    accept(isinstance(metadata, dict) and "format" in metadata, "not a digitnn-fast model: it does not say what it is")
    accept(metadata["format"] == FORMAT, f"not a digitnn-fast model but {shortened(repr(metadata['format']))}")
    version = metadata.get("version")
    accept(type(version) is int and version >= 1, "damaged: its version is no number")
    newer = f"made by a newer digitnn-fast, format {version}; this one reads up to {FORMAT_VERSION}"
    accept(version <= FORMAT_VERSION, newer)
    complete = {"preprocessing", "training"} <= set(metadata)
    accept(complete, "damaged: its metadata are incomplete")
    pixels = metadata["preprocessing"]
    other = f"made by digitnn-fast 0.1, whose pixels {shortened(str(pixels))} were computed otherwise: train it again"
    accept(version > 1 or pixels == "raw", other)
    return dict(metadata)
