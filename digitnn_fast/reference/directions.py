"""The specification of the preprocessing "directions", in plain NumPy: the strength of edges by place and direction.

A kin of the histogram of oriented gradients (HOG). In integers throughout, but for a square root that is exact, so
that every language makes the same bytes of an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from digitnn_fast.sizes import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAINT = 8  # a smaller value is 0


class Cells(NamedTuple):
    """Rows and columns of cells, the directions that each of them tells, and where they lie; lengths in half pixels.

    Column c of cells is around the place left + pitch * (c + 1), and a pixel weighs the less the farther away it is.
    """

    rows: int
    columns: int
    directions: int
    pitch: int  # from a cell to the next one
    top: int
    left: int
    shift: int  # of the sums: by it, values of digits use all of 0 to 255, and a fiftieth of them is 255
    across: int  # values in each of the 28 rows of 28 that hold them; the others are 0

    @property
    def values(self) -> int:
        """How many there are."""
        return self.rows * self.columns * self.directions

    def windows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What a pixel's place along an axis weighs in a cell: (rows, 28) and (columns, 28)."""
        places = 2 * np.arange(SIDE)
        row, column = (
            np.maximum(0, self.pitch - np.abs(places - first - self.pitch * np.arange(1, count + 1)[:, None]))
            for first, count in ((self.top, self.rows), (self.left, self.columns))
        )
        return row, column

    def units(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """16 times the cosine and the sine of each direction."""
        cosines = np.rint(16 * np.cos(2 * np.pi * np.arange(self.directions) / self.directions)).astype(np.int64)
        return cosines, np.roll(cosines, self.directions // 4)

    def places(self) -> NDArray[np.intp]:
        """(values,): which of the 784 each value is."""
        return np.arange(SIDE * SIDE).reshape(SIDE, SIDE)[: self.values // self.across, : self.across].ravel()


# As many values as an image has pixels; a pixel weighs 1 3 5 5 3 1, and a cell is the 3 pixels in the middle.
FINE = Cells(rows=7, columns=7, directions=16, pitch=6, top=3, left=3, shift=1, across=28)
# For microcontrollers: less flash, and in float32 2 and 12% more wrong digits with 16 hidden units.
COARSE = Cells(rows=6, columns=5, directions=16, pitch=7, top=3, left=6, shift=2, across=20)
COARSER = Cells(rows=5, columns=5, directions=12, pitch=8, top=3, left=3, shift=3, across=20)


def describe(images: NDArray[np.uint8], cells: Cells = FINE) -> NDArray[np.uint8]:
    """Edges (n, 784) of images (n, 784): value 16 * cell + direction, for 7 by 7 cells, row by row, or for others.

    The gradient g = (x, y) at each pixel is a quarter of Sobel's; outside the image there is paper. It is split between
    the two of 16 directions u_k that enclose it, as in Liu, Nakashima, Sako and Fujisawa 2003: the part of u_k is
    max(0, min(u_{k-1} x g, g x u_{k+1})), with the cross product u x v = u_x v_y - u_y v_x. Parts are summed over
    the 6 by 6 pixels around a cell, those in the middle counting more. The value is the square root of the sum / 2,
    rounded down and at most 255, because roots keep faint edges visible; below 8 it is 0, which costs no accuracy
    and leaves a network less to do.

    A component of the gradient is at most 255, so a cross product is at most 255 * (11 + 11) = 5,610, within 16 bits;
    a part is at most 2,295, and a sum at most 18 * 18 * 2,295, below 2**20 (of the coarsest cells, below 2**22): exact
    in float32, too, in which NumPy's matrix product takes a tenth of the time.
    """
    levels = np.pad(images.reshape(-1, SIDE, SIDE).astype(np.int16), ((0, 0), (1, 1), (1, 1)))
    tall = levels[:, :-2] + 2 * levels[:, 1:-1] + levels[:, 2:]
    wide = levels[:, :, :-2] + 2 * levels[:, :, 1:-1] + levels[:, :, 2:]
    x, y = tall[:, :, 2:] - tall[:, :, :-2] + 2 >> 2, wide[:, 2:] - wide[:, :-2] + 2 >> 2
    sums = np.empty((len(images), *cells[:3]), np.int32)
    down, across = (window.astype(np.float32) for window in cells.windows())
    u_x, u_y = (unit.tolist() for unit in cells.units())
    for k in range(cells.directions):
        before, behind = k - 1, (k + 1) % cells.directions
        part = np.minimum(u_x[before] * y - u_y[before] * x, u_y[behind] * x - u_x[behind] * y)
        sums[..., k] = down @ np.maximum(part, 0).astype(np.float32) @ across.T
    roots = np.sqrt(sums >> cells.shift).astype(np.int64)  # of so small integers, never rounded up to the next one
    described = np.zeros((len(images), SIDE * SIDE), np.uint8)
    places = cells.places()
    described[:, places] = np.where(roots < FAINT, 0, np.minimum(roots, 255)).reshape(len(images), places.size)
    return described
