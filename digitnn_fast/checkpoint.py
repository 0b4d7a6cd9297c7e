"""The file in which a long training keeps its state, so that it can go on after it was killed."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.descent import Descent
from digitnn_fast.npz import check_directory, read_array
from digitnn_fast.utils import Parameters, replacing

EVERY = 60.0  # seconds
STATE = ("weights", "moments", "squares", "output_bias")


@dataclass
class State:
    """Members that are trained, the history so far, and `Descent.state` of the member in training."""

    done: list[Parameters] = field(default_factory=list)
    history: list[tuple[float, float, float, float]] = field(default_factory=list)
    descent: tuple[NDArray[np.float32], ...] = ()


class Checkpoint:
    """The file `path` for one training; `identity` is what must be the same for a training to go on from it."""

    def __init__(self, path: str | os.PathLike[str], identity: dict[str, int | float | str]) -> None:
        self._path = Path(path)
        self._identity = json.dumps(identity)
        self._due = time.monotonic() + EVERY

    def load(self) -> State | None:
        """The state kept in the file, None if there is no file; ValueError if it is damaged or another training's."""
        if not self._path.exists():
            return None
        try:
            with open(self._path, "rb") as file:
                check_directory(file)
                with ZipFile(file) as archive:
                    arrays = {name[:-4]: read_array(archive, name[:-4]) for name in archive.namelist()}
            same = arrays["identity"].item() == self._identity
            done = [
                Parameters(*arrays_of) for arrays_of in zip(*(arrays[name] for name in Parameters._fields), strict=True)
            ]
            state = State(
                done, [tuple(row) for row in arrays["history"].tolist()], tuple(arrays[name] for name in STATE)
            )
        except Exception as error:  # on hostile bytes zipfile and the .npy parser raise a dozen types
            raise ValueError(f"{self._path}: not a checkpoint, or damaged: {error}") from error
        if not same:
            raise ValueError(f"{self._path}: the checkpoint of another training (recipe, seed, data or rows held out)")
        return state

    def save_if_due(self, state: State, descent: Descent) -> None:
        """Keep the state if the last time is a minute ago."""
        if time.monotonic() >= self._due:
            self.save(state, descent)
            self._due = time.monotonic() + EVERY

    def save(self, state: State, descent: Descent) -> None:
        """Write the file, an older one replaced all at once."""
        own = descent.parameters()
        done = (
            np.stack([getattr(member, name) for member in state.done]) if state.done else getattr(own, name)[None][:0]
            for name in Parameters._fields
        )
        arrays: dict[str, Any] = dict(zip(Parameters._fields, done, strict=True))
        arrays |= dict(zip(STATE, descent.state(), strict=True))
        with replacing(self._path) as file:
            np.savez(file, identity=np.array(self._identity), history=np.array(state.history), **arrays)

    def remove(self) -> None:
        """Remove the file, if there is one."""
        self._path.unlink(missing_ok=True)
