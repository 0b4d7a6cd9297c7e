"""Checkpoints: the file from which a killed training resumes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.network import FORMAT_VERSION
from digitnn_fast.npz import check_directory, read_array
from digitnn_fast.sizes import CLASSES
from digitnn_fast.training.descent import Descent
from digitnn_fast.utils import Parameters
from digitnn_fast.writing import replacing

EVERY = 60.0  # seconds
Kept = TypeVar("Kept")
STATE = ("weights", "moments", "squares", "output_bias")


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

    def _read(self) -> dict[str, NDArray[Any]]:
        with open(self._path, "rb") as file:
            check_directory(file)
            with ZipFile(file) as archive:
                return {name[:-4]: read_array(archive, name[:-4]) for name in archive.namelist()}

    def _load(self, unpack: Callable[[dict[str, NDArray[Any]]], Kept]) -> Kept | None:
        """The result of `unpack` on the arrays; None without a file, ValueError if it is damaged or another's."""
        if not self._path.exists():
            return None
        try:
            arrays = self._read()
            same, kept = arrays["identity"].item() == self._identity, unpack(arrays)
        except Exception as error:  # on hostile bytes zipfile and the .npy parser raise a dozen types
            raise ValueError(f"{self._path}: not a checkpoint, or damaged: {error}") from error
        if not same:
            raise ValueError(f"{self._path}: the checkpoint of another training (recipe, seed, data or rows held out)")
        return kept

    def _save(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the file, an older one replaced all at once."""
        with replacing(self._path, lasting=True) as file:
            np.savez(file, identity=np.array(self._identity), **arrays)  # type: ignore[arg-type]

    def remove(self) -> None:
        """Remove the file, if there is one."""
        self._path.unlink(missing_ok=True)


class Checkpoint(_File):
    """The state of one training."""

    def __init__(self, path: str | os.PathLike[str], identity: dict[str, int | float | str]) -> None:
        super().__init__(path, identity)
        self._due = time.monotonic() + EVERY

    def load(self) -> State | None:
        """The state kept in the file, None if there is no file; ValueError if it is damaged or another training's."""

        def unpack(arrays: dict[str, NDArray[Any]]) -> State:
            members = zip(*(arrays[name] for name in Parameters._fields), strict=True)
            history = [tuple(row) for row in arrays["history"].tolist()]
            done, begun = [Parameters(*member) for member in members], int(arrays["begun"])
            return State(done, history, begun, tuple(arrays[name] for name in STATE))

        return self._load(unpack)

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
        self._save(arrays | {"history": np.array(state.history), "begun": np.array(float(state.begun))})


class Folds(_File):
    """The probabilities (n, 10) by the networks of the folds that are done, NaN where none is yet."""

    def load(self, rows: int) -> NDArray[np.float32]:
        """The saved probabilities, or all NaN without a file; ValueError as above."""

        def unpack(arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
            kept = arrays["probabilities"]
            if kept.dtype != np.float32 or kept.shape != (rows, CLASSES):
                raise ValueError(f"probabilities of shape {kept.shape}")
            return kept.copy()

        kept = self._load(unpack)
        return np.full((rows, CLASSES), np.nan, np.float32) if kept is None else kept

    def save(self, probabilities: NDArray[np.float32]) -> None:
        """Save the probabilities."""
        self._save({"probabilities": probabilities})
