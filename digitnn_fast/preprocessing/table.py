"""The table `PREPROCESSINGS`: all that a network may see of an image. Kernels, exports, tests and help go by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from digitnn_fast.kernels import FORWARD
from digitnn_fast.preprocessing.steps import DESCRIBE, DESKEW, POOL, Step
from digitnn_fast.reference.directions import CELLS, DIRECTIONS
from digitnn_fast.reference.pooling import INSIDE
from digitnn_fast.sizes import PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]


class UnitPicture(NamedTuple):
    """A unit as a picture: which of the 784 values each place shows, what red means, how many units, and in a row."""

    places: NDArray[np.intp] = np.arange(PIXELS).reshape(28, 28)
    red: str = "red ink, and no ink where it is blue"
    units: int = 64  # those with the largest weights
    across: int = 10


def discs(side: int = 25) -> NDArray[np.intp]:
    """Which value of `directions.describe` each place of a picture shows: a disc in each cell, -1 around it."""
    y, x = np.mgrid[:side, :side] - side // 2
    sector = np.rint(np.arctan2(y, x) * DIRECTIONS / (2 * np.pi)).astype(int) % DIRECTIONS
    cells = DIRECTIONS * np.arange(CELLS**2).reshape(CELLS, 1, CELLS, 1)
    disc = np.hypot(x, y)[:, None] < side / 2
    return np.where(disc, cells + sector[:, None], -1).reshape(CELLS * side, -1)


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
            UnitPicture(discs(), "edges with ink where a disc is red, and none where it is blue", 20, 5),
            inputs=("7x7x16", "edges"),
        ),
        Preprocessing(
            "pooled",
            "the upright digit in 16x16 pixels",
            "or those in fewer pixels",
            DESKEW,
            POOL,
            never_ink=np.flatnonzero(~INSIDE),
            inputs=("16x16", "tiny"),
        ),
    )
}


def predicting(preprocessing: str, *precisions: str, table: bool = True) -> tuple[str, ...]:
    """The kernels that a network's answers need, to a `table` of text; what takes longest to compile comes first."""
    preparing = (step.kernel for step in reversed(PREPROCESSINGS[preprocessing].steps))
    return (*(FORWARD[precision] for precision in precisions), *preparing, *["csv.parse_rows"] * table)
