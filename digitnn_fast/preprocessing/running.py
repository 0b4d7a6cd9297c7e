"""How images are prepared by the preprocessings of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from digitnn_fast.kernels import KERNELS
from digitnn_fast.kernels.arguments import DistortScratch
from digitnn_fast.kernels.layout import aligned
from digitnn_fast.kernels.machine.arguments import allocate
from digitnn_fast.preprocessing.steps import NO_IMAGES
from digitnn_fast.preprocessing.table import PREPROCESSINGS
from digitnn_fast.sizes import PIXELS
from digitnn_fast.threads import run_together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]


# Images that are prepared together: 400 kB, which a cache of 1 MB holds until the network has read them. With 256, int8
# takes 1.07 times as long.
AT_ONCE = 512


def prepare(images: Bytes, preprocessing: str) -> Bytes:
    """Images (n, 784) as a network of that preprocessing sees them."""
    picture, view = picture_of(images, preprocessing), PREPROCESSINGS[preprocessing].view
    if view is None:
        return picture
    prepared = np.empty(images.shape, np.uint8)
    view.bind()(picture, prepared)
    return prepared


def picture_of(images: Bytes, preprocessing: str) -> Bytes:
    """The pictures (n, 784) that a network of that preprocessing looks at: they can be shown, and distorted."""
    picture = PREPROCESSINGS[preprocessing].picture
    if picture is None:
        return images
    prepared = np.empty(images.shape, np.uint8)
    picture.bind()(np.zeros(1, np.int64), np.ascontiguousarray(images), prepared)
    return prepared


def view_distorted(images: Bytes, preprocessing: str, key: int, limits: NDArray[np.int64], threads: int) -> Bytes:
    """What a network sees (n, 784) of `distortion.distort` (images (n, 784), key, limits).

    Only for a preprocessing that has a `view`.
    """
    step = PREPROCESSINGS[preprocessing].view
    assert step
    seen = np.empty(images.shape, np.uint8)
    starts = iter(range(0, len(images), AT_ONCE))  # next() of it is atomic: a thread takes what the others have not

    def work() -> None:
        scratch, distorted = allocate(DistortScratch), np.empty_like(seen[:AT_ONCE])
        view = step.bind()
        for start in starts:
            part = slice(start, start + AT_ONCE)
            some = distorted[: len(images[part])]
            # An image's random numbers come from key + index.
            KERNELS["distortion.distort_all"](key + start, limits, *scratch, images[part], some)
            view(some, seen[part])

    run_together([work] * threads)
    return seen


class PreparedCall:
    """A call that first prepares as many images as the CPU's cache can hold.

    Only for a preprocessing that has a `picture`.
    """

    def __init__(self, forward: Callable[..., object], preprocessing: str) -> None:
        self._forward = forward
        self._upright = self._seen = NO_IMAGES[1]
        self._own = np.zeros(1, np.int64)
        row = PREPROCESSINGS[preprocessing]
        assert row.picture
        self._picture = row.picture.bind()
        self._view = row.view.bind() if row.view else None

    def __call__(self, *last: Any) -> None:
        """As `Engine.call` says; without arguments the same again, for up to AT_ONCE images."""
        if not last:  # 20 us less for one image
            self._picture()
            if self._view:
                self._view()
            self._own[0] = 0
            self._forward()
            return
        taken, pixels, labels, probabilities = last
        self._make_room(min(len(pixels), AT_ONCE))
        ready, first = 0, self._picture(taken, pixels, self._upright) or 0
        while first < len(pixels):
            part = slice(first, first + len(self._upright))
            count = len(labels[part])
            seen = () if count == ready else (self._upright[:count], self._seen)  # else the same arrays as before
            if self._view:
                self._view(*seen)
            self._own[0] = 0
            self._forward(*(seen and (self._own, self._seen[:count])), labels[part], probabilities[part])
            ready, first = count, self._picture() or 0

    def _make_room(self, images: int) -> None:
        if len(self._upright) < images:
            self._upright = self._seen = aligned((images, PIXELS), np.uint8)
            if self._view:
                self._seen = aligned((images, PIXELS), np.uint8)
