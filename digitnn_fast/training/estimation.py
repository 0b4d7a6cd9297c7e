"""Training on every row, with an honest estimate of the accuracy from a second training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from digitnn_fast.inputs import as_digits
from digitnn_fast.network import Network
from digitnn_fast.training import DEFAULT
from digitnn_fast.training.loop import EpochReport, shown_as_part, train
from digitnn_fast.training.recipes import Recipe


def train_estimated(
    images: Any,
    labels: ArrayLike,
    recipe: str | Recipe = DEFAULT,
    *,
    heldout: float = 0.1,
    seed: int = 0,
    threads: int | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> Network:
    """A network trained on all images (n, 784) with labels (n,), and what a share of the rows says of its recipe.

    Two networks are trained. The first one learns without a random share `heldout` of the rows and is measured on them:
    its accuracy is the estimate in the record of the second one, which learns from all rows and is returned. Nine
    tenths of the rows teach a little less than all, so the estimate is on the careful side. ValueError as by `train`.
    """
    images, labels = as_digits(images, labels)
    parts = [on_epoch and partial(shown_as_part, on_epoch, part, 2) for part in range(2)]
    measured, network = (
        train(images, labels, recipe, heldout=share, seed=seed, threads=threads, on_epoch=show)
        for share, show in zip((heldout, 0), parts, strict=True)
    )
    record, own = measured.training, network.training
    assert record is not None and own is not None
    if not record.heldout_rows:
        return network
    history = np.concatenate([own.history[:, :2], record.history[:, 2:]], axis=1)
    estimated = replace(
        own, history=history, estimated_rows=record.heldout_rows, estimated_accuracy=record.heldout_accuracy
    )
    return network.trained(estimated)
