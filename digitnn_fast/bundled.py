"""The models that come with the package: the table `MODELS`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from digitnn_fast.home import HOME


class Bundled(NamedTuple):
    """A model that comes with the package; its card lies beside its file.

    It was made by the recipe of its name, with `changes`: it has to read pictures, too, of which recipes know nothing.
    """

    name: str
    summary: str
    changes: Mapping[str, float]

    @property
    def file(self) -> Path:
        """The model file."""
        return HOME / "models" / f"{self.name}.npz"


MODELS = {
    model.name: model
    for model in (
        Bundled(
            "small",
            "64 hidden units: the fastest, and the one for small devices",
            {"epochs": 300, "pictures": 0.1},
        ),
        Bundled("accurate", "1,024 hidden units on directions: the fewest mistakes", {"pictures": 0.2}),
    )
}
DEFAULT = next(iter(MODELS))
NAMES_AND_DEFAULT = ", ".join(f"{name} (the default)" if name == DEFAULT else name for name in MODELS)
