"""A trained network and its file: the four arrays, the pixels they expect, and how they were trained.

A model file is an uncompressed `.npz`: W1, b1, W2, b2, the training history, and `metadata`, a JSON text.
It holds no pickle: loading a stranger's file runs no code and needs no more memory than the file is long,
a few times over.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from digitnn_fast.checks import require
from digitnn_fast.npz import ModelFileError, accept, check_directory, read_array
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.sizes import CLASSES, MAX_HIDDEN, PIXELS
from digitnn_fast.utils import Parameters, check_labels
from digitnn_fast.writing import replacing

# zipfile, json and hashlib are imported where they are used: together they would add 15 ms to every start.
if TYPE_CHECKING:
    from collections.abc import Sequence
    from zipfile import ZipFile

    from numpy.typing import ArrayLike, NDArray

ACCURACIES = ("heldout_accuracy", "cross_validated_accuracy", "estimated_accuracy")
HISTORY_COLUMNS = ("training_loss", "training_accuracy", "heldout_loss", "heldout_accuracy")

FORMAT = "digitnn-fast network"
FORMAT_VERSION = 2  # 1: of digitnn-fast 0.1, whose deskewing and directions had other arithmetic
MAX_METADATA_CHARACTERS = 16_384


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """How a network was trained; ValueError for an impossible field.

    `history` is float64 (epochs, 4) with HISTORY_COLUMNS, losses in nats, accuracies 0..1. Without held-out
    rows `heldout_accuracy` and the held-out columns are NaN. `settings` are the recipe's hyperparameters.
    `cross_validated_accuracy` is that of the recipe on these rows, by so many `folds`; NaN without.
    `estimated_accuracy` is that of another network, of the same recipe, which learned without `estimated_rows` of
    these rows and was measured on them; NaN without. Its held-out columns are then those of the history.
    `temperature` has already divided the network's logits.
    """

    recipe: str
    seed: int
    data_digest: str
    training_rows: int
    heldout_rows: int
    heldout_accuracy: float
    history: NDArray[np.float64]
    settings: dict[str, int | float | str] = field(default_factory=dict)
    folds: int = 0
    cross_validated_accuracy: float = math.nan
    temperature: float = 1.0
    estimated_rows: int = 0
    estimated_accuracy: float = math.nan

    def __post_init__(self) -> None:
        """Check the fields and freeze the history."""
        for name in ("recipe", "data_digest"):
            require(isinstance(getattr(self, name), str), f"{name} must be text")
        for name in ("seed", "training_rows", "heldout_rows", "folds", "estimated_rows"):
            value = getattr(self, name)
            require(isinstance(value, int) and value >= 0, f"{name} must be an int from 0 up, got {value!r}")
        known = self.heldout_rows > 0 or self.estimated_rows > 0
        for name, count, what in (
            ("heldout_accuracy", self.heldout_rows, "held-out rows"),
            ("cross_validated_accuracy", self.folds, "folds"),
            ("estimated_accuracy", self.estimated_rows, "rows to estimate it by"),
        ):
            accuracy = getattr(self, name)
            require(isinstance(accuracy, float), f"{name} must be a float, got {accuracy!r}")
            possible = 0 <= accuracy <= 1 if count else math.isnan(accuracy)
            require(possible, f"{name} can't be {accuracy} with {count} {what}")
        warm = isinstance(self.temperature, float) and 0 < self.temperature < math.inf
        require(warm, f"temperature must be a positive float, got {self.temperature!r}")
        for key, value in self.settings.items():
            require(isinstance(value, int | float | str), f"settings: {key} must be a number or text")
        object.__setattr__(self, "settings", dict(self.settings))

        history, columns = self.history, len(HISTORY_COLUMNS)
        require(history.dtype == np.float64, f"history must be float64, got {history.dtype}")
        fits = history.ndim == 2 and history.shape[1] == columns
        require(fits, f"history must have shape (epochs, {columns}), got {history.shape}")
        finite = np.isfinite(history if known else history[:, :2]).all()
        require(bool(finite), "history holds NaN or infinity")
        object.__setattr__(self, "history", _frozen(history))

    @property
    def heldout_standard_error(self) -> float:
        """Standard error of the held-out accuracy p of n rows, sqrt(p (1 - p) / n); NaN without such rows."""
        p, n = self.heldout_accuracy, self.heldout_rows
        return math.sqrt(p * (1 - p) / n) if n else math.nan

    @property
    def estimated_standard_error(self) -> float:
        """The same of the estimated accuracy; NaN without such rows."""
        p, n = self.estimated_accuracy, self.estimated_rows
        return math.sqrt(p * (1 - p) / n) if n else math.nan

    @property
    def cross_validated_standard_error(self) -> float:
        """The same of the cross-validated accuracy, which all training rows take part in; NaN without folds."""
        p = self.cross_validated_accuracy
        return math.sqrt(p * (1 - p) / self.training_rows)


@dataclass(frozen=True, eq=False)
class Network:
    """W1 (784, H), b1 (H,), W2 (H, 10), b2 (10,): pixels 0..1 -> H ReLU units -> 10 softmax outputs.

    The arrays are float32, finite, and kept as read-only copies; ValueError in one line for anything else.
    `preprocessing` says which pixels they were trained on, `training` how.
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
        require(valid, f"preprocessing must be one of {choices}; got {self.preprocessing!r}")
        for name, array in self.parameters._asdict().items():
            object.__setattr__(self, name, _frozen(array))

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
        """The network with its logits divided by a temperature: the same digits, at other probabilities."""
        W1, b1, W2, b2 = self.parameters
        share = np.float32(1 / temperature)
        return Network(W1, b1, W2 * share, b2 * share, self.preprocessing, self.training)

    def rounded(self) -> Network:
        """The network with weights rounded to float16, 11 bits, for a file of half the size; ValueError above 65504."""
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            W1, b1, W2, b2 = (array.astype(np.float16).astype(np.float32) for array in self.parameters)
        return Network(W1, b1, W2, b2, self.preprocessing, self.training)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file: the same bytes for the same network, an older file replaced all at once.

        The arrays are written as float16 if that loses nothing, as after `rounded`.
        OSError if that fails, the older file being as it was; ValueError if settings are NaN or too long.
        """
        arrays: dict[str, Any] = {"metadata": np.array(_metadata_text(self)), **_compact(self.parameters)._asdict()}
        if self.training is not None:
            arrays["history"] = self.training.history
        with replacing(path, lasting=True) as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """The network of a model file; ModelFileError, one line, if it can't be read or is no such file."""
        try:
            with open(path, "rb") as file:
                return _read(file)
        except ModelFileError as error:
            raise ModelFileError(f"{os.fspath(path)}: {error}") from error
        except Exception as error:  # on hostile bytes zipfile and the .npy parser raise a dozen types
            if isinstance(error, OSError) and error.filename:  # without name: a seek to a damaged offset
                raise ModelFileError(f"{os.fspath(path)}: {error.strerror}") from error
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ModelFileError(f"{os.fspath(path)}: damaged: {reason}") from error


def join(members: Sequence[Parameters]) -> Parameters:
    """One network as wide as all members together, whose logits are the mean of theirs: exact but for rounding."""
    if len(members) == 1:
        return members[0]
    W1, b1, W2, b2 = zip(*members, strict=True)
    share = np.float32(1 / len(members))
    return Parameters(np.concatenate(W1, axis=1), np.concatenate(b1), np.concatenate(W2) * share, np.sum(b2, 0) * share)


def _compact(parameters: Parameters) -> Parameters:
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


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A C-contiguous read-only copy, so that no caller can change a network behind its checks."""
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


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

    check_directory(file)
    with ZipFile(file) as archive:
        metadata = _read_metadata(archive)
        record = metadata["training"]
        if record is not None:
            unknown = {name: math.nan for name in ACCURACIES if record.get(name) is None}
            record |= {**unknown, "history": read_array(archive, "history")}
            record = TrainingRecord(**record)
        arrays = (read_array(archive, name) for name in Parameters._fields)
        W1, b1, W2, b2 = (array.astype(np.float32) if array.dtype == np.float16 else array for array in arrays)
        return Network(W1, b1, W2, b2, metadata["preprocessing"], record)


def _read_metadata(archive: ZipFile) -> dict[str, Any]:
    """The metadata of the model file; ModelFileError if it is foreign or newer."""
    import json

    accept("metadata.npy" in archive.namelist(), "not a digitnn-fast model: it has no metadata")
    array = read_array(archive, "metadata")
    text = array.dtype.kind == "U" and array.shape == () and array.nbytes <= 4 * MAX_METADATA_CHARACTERS
    accept(text, "not a digitnn-fast model: its metadata are no short text")
    metadata: dict[str, Any] = json.loads(array.item())
    accept(metadata["format"] == FORMAT, f"not a digitnn-fast model but {metadata['format']!r}")
    version = metadata["version"]
    newer = f"made by a newer digitnn-fast, format {version}; this one reads up to {FORMAT_VERSION}"
    accept(version <= FORMAT_VERSION, newer)
    pixels = metadata["preprocessing"]
    other = f"made by digitnn-fast 0.1, whose pixels {pixels} were computed otherwise: train it again"
    accept(version > 1 or pixels == "raw", other)
    return metadata
