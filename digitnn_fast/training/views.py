"""What a network in training sees of its images: in each epoch distorted anew, and described."""

from __future__ import annotations

from threading import Barrier
from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.preprocessing import PREPROCESSINGS, picture_of, prepare, view_distorted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from digitnn_fast.training.recipes import Recipe

    Bytes = NDArray[np.uint8]
    Seen = tuple[Bytes, NDArray[np.int64] | None]


class Views:
    """What is seen of images (n, 784) with labels (n,), made by so many threads.

    That is the images, and readings of some of them as pictures; `rows` (m,) says of which image each is.
    """

    def __init__(self, images: Bytes, labels: Bytes, recipe: Recipe, threads: int) -> None:
        self.rows = np.arange(len(images))
        if recipe.pictures:
            from digitnn_fast.training.pictures import read_anew  # and so Pillow, which few recipes need

            rows, readings = read_anew(images, labels, recipe.pictures)
            self.rows, images = np.concatenate([self.rows, rows]), np.concatenate([images, readings])
        self.images = (picture_of if recipe.distortion else prepare)(images, recipe.preprocessing)
        self._limits = recipe.distortion.limits() if recipe.distortion else None
        self._preprocessing, self._threads = recipe.preprocessing, threads
        self._key, self._seen = -1, images[:0]

    def of(self, key: int) -> Seen:
        """Images (m, 784) of an epoch, and the limits within which the network's kernel has still to distort them."""
        if self._limits is None or not PREPROCESSINGS[self._preprocessing].view:
            return self.images, self._limits
        if key != self._key:  # of the epoch before
            self._key = key
            self._seen = view_distorted(self.images, self._preprocessing, key, self._limits, self._threads)
        return self._seen, None

    def stop(self) -> None:
        """Nobody waits here."""


class SharedViews(Views):
    """The same for trainings at the same time that ask for the same epochs: made once, as soon as all have asked."""

    def __init__(self, images: Bytes, labels: Bytes, recipe: Recipe, threads: int, trainings: int) -> None:
        super().__init__(images, labels, recipe, threads)
        self._met = Barrier(trainings, self._make)

    def of(self, key: int) -> Seen:
        """As `Views.of`; BrokenBarrierError after `stop`."""
        self._asked = key
        self._met.wait()
        return self._seen, None

    def _make(self) -> None:
        super().of(self._asked)

    def stop(self) -> None:
        """Let all trainings fail that wait, or will."""
        self._met.abort()


def shared(images: Bytes, labels: Bytes, recipe: Recipe, threads: int, trainings: int) -> Views | None:
    """Views for several trainings, at the same time if there are threads; None if there is nothing to be saved."""
    if not recipe.distortion or not PREPROCESSINGS[recipe.preprocessing].view:
        return None
    if threads == 1:
        return Views(images, labels, recipe, threads)
    return SharedViews(images, labels, recipe, threads, trainings)
