"""Training on every row, with an honest estimate of the accuracy from a second training."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from digitnn_fast.inputs import as_digits
from digitnn_fast.network import Network
from digitnn_fast.threads import run_together, thread_count
from digitnn_fast.training import DEFAULT
from digitnn_fast.training.loop import EpochReport, shown_as_part, split, train_on
from digitnn_fast.training.recipes import Recipe, find_recipe
from digitnn_fast.training.views import shared

OnEpoch = Callable[[EpochReport], None]


def train_estimated(
    images: Any,
    labels: ArrayLike,
    recipe: str | Recipe = DEFAULT,
    *,
    heldout: float = 0.1,
    seed: int = 0,
    threads: int | None = None,
    on_epoch: OnEpoch | None = None,
) -> Network:
    """A network trained on all images (n, 784) with labels (n,), and what a share of the rows says of its recipe.

    Two networks are trained. The first one learns without a random share `heldout` of the rows and is measured on them:
    its accuracy is the estimate in the record of the second one, which learns from all rows and is returned. Nine
    tenths of the rows teach a little less than all, so the estimate is on the careful side. ValueError as by `train`.
    Both see the same distorted digits, made once, if the recipe describes what it distorts. With two threads or more
    both are trained at the same time, and `on_epoch` is called from both.
    """
    pixels, digits = as_digits(images, labels)
    chosen, threads = find_recipe(recipe), thread_count(threads)
    views = shared(pixels, digits, chosen, threads, trainings=2)

    def training(share: float, threads: int, show: OnEpoch | None) -> Callable[[], Network]:
        rows = split(len(digits), share, seed)
        return partial(train_on, pixels, digits, chosen, rows, seed, threads, show, views=views)

    if threads == 1:
        shows = [on_epoch and partial(shown_as_part, on_epoch, part, 2) for part in range(2)]
        measured, network = training(heldout, 1, shows[0])(), training(0, 1, shows[1])()
    else:  # at the same time: threads that share a training wait for each other after every batch
        turns = _Turns(on_epoch)
        both = training(heldout, threads // 2, turns.of(1)), training(0, threads - threads // 2, turns.of(0))

        def stop() -> None:
            turns.stop()
            if views:
                views.stop()

        measured, network = run_together(both, on_failure=stop)
    record, own = measured.training, network.training
    assert record is not None and own is not None
    if not record.heldout_rows:
        return network
    history = np.concatenate([own.history[:, :2], record.history[:, 2:]], axis=1)
    estimated = replace(
        own, history=history, estimated_rows=record.heldout_rows, estimated_accuracy=record.heldout_accuracy
    )
    return network.trained(estimated)


class _Turns:
    """Passes on the epochs of two trainings at the same time, one of each in turn, those of training 0 first."""

    def __init__(self, on_epoch: OnEpoch | None) -> None:
        self._on_epoch = on_epoch
        self._early: tuple[deque[EpochReport], ...] = deque(), deque()
        self._shown, self._stopped, self._lock = 0, False, Lock()

    def of(self, training: int) -> OnEpoch:
        """The callback for one of them."""
        return partial(self._show, self._early[training])

    def stop(self) -> None:
        """Let both trainings fail after their epoch."""
        self._stopped = True

    def _show(self, own: deque[EpochReport], report: EpochReport) -> None:
        with self._lock:
            if self._stopped:
                raise InterruptedError("the other training has failed")
            if self._on_epoch is None:
                return
            own.append(report)
            try:
                while early := self._early[self._shown % 2]:
                    self._shown += 1
                    self._on_epoch(early.popleft()._replace(epoch=self._shown, epochs=2 * report.epochs))
            except BaseException:
                self.stop()
                raise
