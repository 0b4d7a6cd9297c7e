"""Images that come in parts and are wanted in one array, which is never there beside all of them."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.sizes import PIXELS

Bytes = NDArray[np.uint8]

LARGE = 1 << 26  # bytes of pixels, after which memory goes back to the system at once: a freed array's rarely does
MAX_ROWS = 2_000_000  # 1.6 GB of pixels: a gzip of a few MB can hold more rows than memory


class Gathering:
    """The parts of a file of that name; the class `error`, in one line, for more rows than one array may have."""

    def __init__(self, name: str, error: type[ValueError]) -> None:
        self._name, self._error, self._rows = name, error, 0

    def keep(self, images: Bytes) -> Bytes:
        """A copy of the next part (m, 784)."""
        self._rows += len(images)
        if self._rows > MAX_ROWS:
            raise self._error(f"{self._name}: more than {MAX_ROWS:,} rows, which is too many for one array")
        if self._rows * PIXELS < LARGE or not images.size:
            return images.copy()
        kept: Bytes = np.frombuffer(mmap.mmap(-1, images.size), np.uint8).reshape(images.shape)
        kept[:] = images
        return kept


def joined(parts: list[Bytes]) -> Bytes:
    """Images (n, 784) of all parts. The list is empty then: each part goes when it has been copied."""
    images = np.empty((sum(map(len, parts)), PIXELS), np.uint8)
    done = 0
    parts.reverse()
    while parts:
        part = parts.pop()
        images[done : done + len(part)] = part
        done += len(part)
    return images
