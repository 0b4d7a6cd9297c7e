"""Figures and networks that a folder keeps, so that a long measurement goes on where it was cut short."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from digitnn_fast import Network

Row = list[float]


class Kept:
    """Rows of figures, which a folder keeps, if there is one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def row(self, name: str, measure: Callable[[], Row]) -> Row:
        """The row of that name, measured unless it is there."""
        file = self._folder and self._folder / f"{name}.json"
        if file and file.exists():
            return list(json.loads(file.read_text()))
        row = measure()
        if file:
            file.write_text(json.dumps(row))
        print(name, row, flush=True)
        return row

    def network(self, name: str, learn: Callable[[], Network]) -> Network:
        """The same of a network."""
        file = self._folder and self._folder / f"{name}.npz"
        if file and file.exists():
            return Network.load(file)
        network = learn()
        if file:
            network.save(file)
        return network
