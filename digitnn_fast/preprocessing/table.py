"""The table `PREPROCESSINGS`: all that a network may see of an image. Kernels, exports, tests and help go by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from digitnn_fast.preprocessing.steps import DESCRIBE, DESCRIBE_COARSE, DESCRIBE_COARSER, DESKEW, POOL, Step
from digitnn_fast.reference.directions import COARSE, COARSER, FINE, Cells
from digitnn_fast.reference.pooling import INSIDE
from digitnn_fast.sizes import PIXELS, SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]


class UnitPicture(NamedTuple):
    """A unit as a picture: the cells that it shows, or its pixels; what red means, how many units, and in a row."""

    cells: Cells | None = None
    red: str = "red ink, and no ink where it is blue"
    units: int = 64  # those with the largest weights
    across: int = 10

    @property
    def places(self) -> NDArray[np.intp]:
        """Which of the 784 values each place of the picture shows."""
        return discs(cells=self.cells) if self.cells else np.arange(PIXELS).reshape(SIDE, SIDE)


def discs(side: int = 25, cells: Cells = FINE) -> NDArray[np.intp]:
    """Which value of `directions.describe` each place of a picture shows: a disc in each cell, -1 around it."""
    y, x = np.mgrid[:side, :side] - side // 2
    sector = np.rint(np.arctan2(y, x) * cells.directions / (2 * np.pi)).astype(int) % cells.directions
    each = cells.places().reshape(cells[:3])[:, :, sector].transpose(0, 2, 1, 3)
    return np.where((np.hypot(x, y) < side / 2)[:, None], each, -1).reshape(cells.rows * side, -1)


@dataclass(frozen=True)
class Preprocessing:
    """A step that makes a picture of an image, then one that makes of it what the network sees; both may be missing.

    The picture can be shown, and training distorts it. ValueError for a view without a picture: it is the picture
    that shares images among threads.
    """

    name: str
    summary: str
    comment: str = ""  # in C, behind whether this is the one
    picture: Step | None = None
    view: Step | None = None
    units: UnitPicture = field(default_factory=UnitPicture)
    never_ink: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))  # where values are always 0
    inputs: tuple[str, str] | None = None  # what `export --inputs` calls it, and the recipe that trains for it

    def __post_init__(self) -> None:
        """ValueError for what can't be run."""
        if self.view and not self.picture:
            raise ValueError(f"preprocessing {self.name} has a view of no picture")

    @property
    def steps(self) -> tuple[Step, ...]:
        """From the image to what the network sees."""
        return tuple(step for step in (self.picture, self.view) if step)

    def reference(self, images: Bytes) -> Bytes:
        """The specification: what a network sees (n, 784) of images (n, 784)."""
        for step in self.steps:
            images = step.reference(images)
        return images


def _discs(cells: Cells) -> UnitPicture:
    return UnitPicture(cells, "edges with ink where a disc is red, and none where it is blue", 20, 5)


def _unused(cells: Cells) -> NDArray[np.intp]:
    used = np.zeros(PIXELS, np.bool_)
    used[cells.places()] = True
    return np.flatnonzero(~used)  # not np.setdiff1d, for which NumPy loads its masked arrays: 7 ms at each start


PREPROCESSINGS = {
    row.name: row
    for row in (
        Preprocessing("raw", "the pixels as they are"),
        Preprocessing(
            "deskewed",
            "the digit upright and in the middle",
            "whether the network wants its digits upright and in the middle,",
            DESKEW,
            inputs=("28x28", "deskewed"),
        ),
        Preprocessing(
            "directions",
            "the edges of the upright digit, in 16 directions for each of 7x7 cells",
            "or the edges of those,",
            DESKEW,
            DESCRIBE,
            _discs(FINE),
            inputs=("7x7x16", "edges"),
        ),
        Preprocessing(
            "pooled",
            "the upright digit in 16x16 pixels",
            "or those in fewer pixels,",
            DESKEW,
            POOL,
            never_ink=np.flatnonzero(~INSIDE),
            inputs=("16x16", "tiny"),
        ),
        Preprocessing(
            "directions480",
            "the same edges in 6x5 cells: 480 values",
            "or the edges in fewer cells,",
            DESKEW,
            DESCRIBE_COARSE,
            _discs(COARSE),
            _unused(COARSE),
            inputs=("6x5x16", "edges"),
        ),
        Preprocessing(
            "directions300",
            "the same edges in 5x5 cells of 12 directions: 300 values",
            "or in fewer cells and directions",
            DESKEW,
            DESCRIBE_COARSER,
            _discs(COARSER),
            _unused(COARSER),
            inputs=("5x5x12", "edges"),
        ),
    )
}


def predicting(preprocessing: str, *forward: str, table: bool = True) -> tuple[str, ...]:
    """The kernels that answers need by those of the network, to a `table` of text: the slowest to compile first."""
    preparing = (step.kernel for step in reversed(PREPROCESSINGS[preprocessing].steps))
    return (*forward, *preparing, *["csv.parse_rows"] * table)
