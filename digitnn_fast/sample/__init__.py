"""The embedded sample: 12,000 real digits of MNIST (the README beside this file says where they come from)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from digitnn_fast.home import HOME

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Sample(NamedTuple):
    """Digits to train on and digits to test on; uint8, pixels 0..255, no image twice."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def load_sample() -> Sample:
    """Images (10000, 784) with labels (10000,), and test images (2000, 784) with labels (2000,); uint8.

    Images are grey levels 0 (paper) to 255 (ink), labels digits 0..9; each call reads the file anew.

    >>> digits = load_sample()
    >>> digits.train_images.shape, digits.test_labels[:5].tolist()
    ((10000, 784), [8, 1, 7, 2, 2])
    """
    with np.load(HOME / "sample" / "digits.npz") as arrays:
        return Sample(*(arrays[name] for name in Sample._fields))
