"""Checkpoints: the file from which a killed training resumes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import reason_of, require
from digitnn_fast.network import FORMAT_VERSION
from digitnn_fast.npz import MAX_FILE_BYTES, Form, ModelFileError, check_directory, read_arrays
from digitnn_fast.record import HISTORY_COLUMNS, check_history
from digitnn_fast.sizes import CLASSES, PIXELS
from digitnn_fast.training.descent import Descent
from digitnn_fast.training.recipes import Recipe
from digitnn_fast.utils import Parameters
from digitnn_fast.writing import replacing

EVERY = 60.0  # seconds
Kept = TypeVar("Kept")
STATE = ("weights", "moments", "squares", "output_bias")
NUMBERS = ("float32",)
IDENTITY = {"identity": Form(("text",))}
FORMS = {
    "W1": Form(NUMBERS, ("members", PIXELS, "H")),
    "b1": Form(NUMBERS, ("members", "H")),
    "W2": Form(NUMBERS, ("members", "H", CLASSES)),
    "b2": Form(NUMBERS, ("members", CLASSES)),
    **dict.fromkeys(STATE[:3], Form(NUMBERS, ("tiles", "rows", "tile"))),
    "output_bias": Form(NUMBERS, (4, 16)),
    "history": Form(("float64",), ("epochs", len(HISTORY_COLUMNS))),
    "begun": Form(("float64",)),
}


def remove(path: str | os.PathLike[str]) -> None:
    """Remove the file, if there is one; of a symbolic link what it leads to, as it was written through it."""
    Path(os.path.realpath(path)).unlink(missing_ok=True)


class OtherTrainingError(ModelFileError):
    """A checkpoint of another training than that which is to go on from it."""


@dataclass
class State:
    """Members that are trained, the history so far, where in it the next member begins, and its `Descent.state`."""

    done: list[Parameters] = field(default_factory=list)
    history: list[tuple[float, float, float, float]] = field(default_factory=list)
    begun: int = 0
    descent: tuple[NDArray[np.float32], ...] = ()


class _File:
    """Arrays in the file `path`; `identity` is what must be the same for a training to go on from them."""

    def __init__(self, path: str | os.PathLike[str], identity: dict[str, int | float | str]) -> None:
        self._path = Path(path)
        self._identity = json.dumps({"format": FORMAT_VERSION, **identity})  # which says what pixels are, too

    def _load(
        self, forms: Mapping[str, Form], sizes: Mapping[str, int], unpack: Callable[[dict[str, NDArray[Any]]], Kept]
    ) -> Kept | None:
        """The result of `unpack` on the arrays; None without a file, ModelFileError if it is damaged or another's."""
        if not self._path.exists():
            return None
        try:
            with open(self._path, "rb") as file:
                check_directory(file, 4 * MAX_FILE_BYTES, "checkpoint")  # weights, two moments, members that are done
                with ZipFile(file) as archive:
                    same = read_arrays(archive, IDENTITY)["identity"].item() == self._identity
                    kept = unpack(read_arrays(archive, forms, sizes)) if same else None
        except Exception as error:  # on hostile bytes zipfile and the .npy parser raise a dozen types
            reason = reason_of(error)
            raise ModelFileError(f"{self._path}: not a checkpoint, or damaged: {reason}") from error
        if not same:
            text = "the checkpoint of another training (recipe, seed, data or rows held out)"
            raise OtherTrainingError(f"{self._path}: {text}")
        return kept

    def _save(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the file, an older one replaced all at once."""
        with replacing(self._path, lasting=True) as file:
            np.savez(file, identity=np.array(self._identity), **arrays)  # type: ignore[arg-type]


class Checkpoint(_File):
    """The state of one training."""

    def __init__(self, path: str | os.PathLike[str], identity: dict[str, int | float | str], recipe: Recipe) -> None:
        super().__init__(path, identity)
        self._recipe, self._due = recipe, time.monotonic() + EVERY

    def load(self) -> State | None:
        """The state kept in the file, None without one; ModelFileError if it is damaged or another training's."""
        return self._load(FORMS, {"H": self._recipe.hidden}, self._unpacked)

    def remove_own(self) -> None:
        """Remove the file if it is this training's; ModelFileError if it is damaged."""
        with suppress(OtherTrainingError):
            self.load()
            remove(self._path)

    def _unpacked(self, arrays: dict[str, NDArray[Any]]) -> State:
        for name, array in arrays.items():
            require(name == "history" or bool(np.isfinite(array).all()), f"{name} holds NaN or infinity")
        require(bool((arrays["squares"] >= 0).all()), "squares are negative")
        check_history(arrays["history"], known=False)
        members = [Parameters(*member) for member in zip(*(arrays[name] for name in Parameters._fields), strict=True)]
        history, begun = [tuple(row) for row in arrays["history"].tolist()], arrays["begun"].item()
        possible = begun.is_integer() and 0 <= begun <= len(history) <= begun + self._recipe.epochs
        require(possible and len(members) <= self._recipe.members, "more epochs than there are")
        return State(members, history, int(begun), tuple(arrays[name] for name in STATE))

    def save_if_due(self, state: State, descent: Descent) -> None:
        """Save the state if the last save was a minute ago."""
        if time.monotonic() >= self._due:
            self.save(state, descent)
            self._due = time.monotonic() + EVERY

    def save(self, state: State, descent: Descent) -> None:
        """Save the state."""
        own = descent.parameters()
        done = (
            np.stack([getattr(member, name) for member in state.done]) if state.done else getattr(own, name)[None][:0]
            for name in Parameters._fields
        )
        arrays: dict[str, Any] = dict(zip(Parameters._fields, done, strict=True))
        arrays |= dict(zip(STATE, descent.state(), strict=True))
        self._save(arrays | {"history": np.reshape(state.history, (-1, 4)), "begun": np.array(float(state.begun))})


class Folds(_File):
    """The probabilities (n, 10) by the networks of the folds that are done, NaN where none is yet."""

    def load(self, rows: int) -> NDArray[np.float32]:
        """The saved probabilities, or all NaN without a file; ModelFileError as above."""

        def unpack(arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
            found = arrays["probabilities"]
            possible = np.isnan(found).all(axis=1) | ((found >= 0) & (found <= 1)).all(axis=1)
            require(bool(possible.all()), "probabilities that can't be")
            return found

        kept = self._load({"probabilities": Form(NUMBERS, ("rows", CLASSES))}, {"rows": rows}, unpack)
        return np.full((rows, CLASSES), np.nan, np.float32) if kept is None else kept

    def save(self, probabilities: NDArray[np.float32]) -> None:
        """Save the probabilities."""
        self._save({"probabilities": probabilities})
