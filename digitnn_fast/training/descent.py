"""The state of a network in training, in the layout of the kernels in `kernels/descent/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.kernels import KERNELS
from digitnn_fast.kernels.arguments import Distortion
from digitnn_fast.kernels.descent.arguments import (
    EpochScratch,
    Examples,
    FullBatchScratch,
    Listing,
    Lists,
    Loss,
    Meeting,
    Parts,
    Rates,
    State,
    Worker,
)
from digitnn_fast.kernels.layout import NO_CLASS, TILE, TRAINING_BLOCK, TRAINING_TILE, aligned
from digitnn_fast.kernels.machine.arguments import allocate
from digitnn_fast.sizes import CLASSES, PIXELS
from digitnn_fast.threads import run_together
from digitnn_fast.training.recipes import Recipe
from digitnn_fast.utils import Parameters

ROWS = PIXELS + 1 + CLASSES  # of a tile: W1, b1 and W2 transposed


@dataclass(frozen=True)
class Schedule:
    """How an epoch steps: where each block of images begins, and how to step after it; see `arguments.Rates`."""

    starts: NDArray[np.int64]  # (blocks + 1,)
    rates: Rates

    @classmethod
    def of_batches(cls, images: int, batch: int) -> Schedule:
        """Batches of `batch` images, each in blocks that the kernel can hold; rates are still to be set."""
        blocks = [
            (start, start > first, start + TRAINING_BLOCK >= last, 1 / (last - first))
            for first in range(0, images, batch)
            for last in [min(first + batch, images)]
            for start in range(first, last, TRAINING_BLOCK)
        ]
        starts, goes_on, ends, scale = zip(*blocks, strict=True)
        rates = allocate(Rates, blocks=len(blocks))
        rates.goes_on[:], rates.ends[:], rates.scale[:] = goes_on, ends, scale
        rates.kept[:] = 1
        return cls(np.array([*starts, images]), rates)

    @property
    def batches(self) -> int:
        """Steps per epoch."""
        return int(self.rates.ends.sum())

    def batch_of_block(self) -> NDArray[np.int64]:
        """(blocks,): the batch that each block belongs to, from 0."""
        return np.cumsum(self.rates.ends, dtype=np.int64) - self.rates.ends


class Descent:
    """Weights, moments and scratch of one network while it learns from images (n, 784) and labels (n,)."""

    tile = TRAINING_TILE  # hidden units whose weights lie together

    def __init__(
        self, parameters: Parameters, images: NDArray[np.uint8], labels: NDArray[np.uint8], threads: int
    ) -> None:
        self.images, self.labels = images, labels
        self.hidden = parameters.W1.shape[1]
        self.tiles = -(-self.hidden // self.tile)
        self.threads = self._useful(threads)
        self.weights, self.moments, self.squares = (aligned((self.tiles, ROWS, self.tile)) for _ in range(3))
        self.output_bias = aligned((4, self.threads, 16))
        self._unpack(parameters)
        self._scratch(len(images))

    def _useful(self, threads: int) -> int:
        return min(threads, 2 * int(self.tiles))  # more would only wait for each other

    def _unpack(self, parameters: Parameters) -> None:
        W1, b1, W2, b2 = parameters
        rows = np.zeros((ROWS, self.tiles * self.tile), np.float32)
        rows[:, : self.hidden] = np.concatenate([W1, b1[None], W2.T])
        self.weights[...] = rows.reshape(ROWS, self.tiles, self.tile).transpose(1, 0, 2)
        self.output_bias[0] = NO_CLASS
        self.output_bias[0, :, :CLASSES] = b2

    def _scratch(self, images: int) -> None:
        block, threads = TRAINING_BLOCK, self.threads
        room = (PIXELS + 1) * block + 64  # entries of either list, which is written 64 at a time
        sizes = {"tile": self.tile, "tiles": self.tiles, "block": block, "threads": threads, "room": room}
        memory = allocate(EpochScratch, **sizes)
        # The gradient of the bias lies with its state, where checkpoints have it.
        self._memory: Any = memory._replace(bias_gradients=self.output_bias[3].ravel())
        self.outgoing = self._memory.outgoing.reshape(-1, 16)
        self._spread_outgoing()
        self._loss = allocate(Loss, n=images)

    def epoch(
        self,
        optimizer: int,
        order: NDArray[np.int64],
        schedule: Schedule,
        key: int = 0,
        distortion: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Learn from images[order] once; mean cross-entropy and accuracy, as measured while learning."""
        within = Distortion(key, np.zeros(0, np.int64) if distortion is None else distortion)
        examples = Examples(self.images, self.labels, order, schedule.starts)
        loss, (right, *_) = self._learn("minibatch", optimizer, examples, schedule.rates, within, *self._states())
        return loss, right / len(order)

    def _states(self) -> tuple[State, State]:
        hidden = State(self.weights.ravel(), self.moments.ravel(), self.squares.ravel())
        return hidden, State(*self.output_bias[:3].reshape(3, -1))

    def _learn(self, kind: str, optimizer: int, examples: Examples, *things: Any) -> tuple[float, list[int]]:
        """Mean cross-entropy of an epoch that all threads make together, and what each returns."""
        meeting = allocate(Meeting)
        calls = [
            KERNELS[f"descent.{kind}.epoch"].bind(
                Worker(thread, self.threads, optimizer), examples, *things, meeting, self._memory, self._loss
            )
            for thread in range(self.threads)
        ]
        right = run_together(calls, on_failure=lambda: meeting.stop.__setitem__(0, 1))
        met = slice(len(examples.order))
        losses = np.log(self._loss.sums[met], dtype=np.float64) - self._loss.margins[met]
        return float(losses.mean()), right

    def state(self) -> tuple[NDArray[np.float32], ...]:
        """A copy of the whole state: weights, moments, squares, and the same of the output bias."""
        arrays = self.weights, self.moments, self.squares, self.output_bias[:, 0]
        return tuple(array.copy() for array in arrays)

    def restore(self, state: tuple[NDArray[np.float32], ...]) -> None:
        """Resume from a `state`; without one nothing changes. ValueError if the shapes differ."""
        if not state:
            return
        for own, kept in zip((self.weights, self.moments, self.squares), state, strict=False):
            if own.shape != kept.shape:
                raise ValueError(f"the checkpoint's state {kept.shape} does not fit a network of {self.hidden} units")
            own[...] = kept
        self.output_bias[...] = state[3][:, None]
        self._spread_outgoing()

    def _spread_outgoing(self) -> None:
        """W2 once more, in rows of 16."""
        self.outgoing[:, :CLASSES] = self.weights[:, PIXELS + 1 :].transpose(0, 2, 1).reshape(-1, CLASSES)

    def parameters(self) -> Parameters:
        """The weights as they are now, copied."""
        rows = self.weights.transpose(1, 0, 2).reshape(ROWS, -1)[:, : self.hidden]
        W1, b1, W2 = np.split(rows, [PIXELS, PIXELS + 1])
        return Parameters(W1.copy(), b1[0].copy(), W2.T.copy(), self.output_bias[0, 0, :CLASSES].copy())


class FullBatch(Descent):
    """A `Descent` in which all images make one batch, as they are: their pixels are listed once and not in each epoch.

    The lists take 12 bytes for each pixel that is not zero, and 90 for each image: 80 MB for Kaggle's 42,000.
    """

    tile = TILE
    PARTS = 16  # of the sum over all images: as many threads can help; each costs 0.2 MB and 10 us for 64 units
    ROOM = 1 << 29  # bytes: 270,000 digits

    @classmethod
    def fits(cls, images: NDArray[np.uint8], hidden: int) -> bool:
        """Whether lists and parts find room. It must not depend on the number of threads, or the weights would."""
        room = 12 * int(np.count_nonzero(images)) + 90 * len(images) + cls.PARTS * 4 * ROWS * hidden
        return room <= cls.ROOM

    def _useful(self, threads: int) -> int:
        self.parts = min(self.PARTS, -(-len(self.images) // TRAINING_BLOCK))
        return min(threads, self.parts)

    def _spread_outgoing(self) -> None:
        """The kernel does that, for each thread."""

    def _scratch(self, images: int) -> None:
        sizes = {"tile": self.tile, "tiles": self.tiles, "block": TRAINING_BLOCK, "threads": self.threads}
        self._lists = self._listed()
        self._parts = allocate(Parts, parts=self.parts, **sizes)
        self._memory = allocate(FullBatchScratch, **sizes)
        self._loss = allocate(Loss, n=images)

    def _listed(self) -> Lists:
        """The lists of all blocks, made by all threads."""
        blocks = [self.images[first : first + TRAINING_BLOCK] for first in range(0, len(self.images), TRAINING_BLOCK)]
        room = [int(np.count_nonzero(block)) + 64 for block in blocks]  # written by 64 at a time
        lists = allocate(Lists, blocks=len(blocks), block=TRAINING_BLOCK, entries=sum(room))
        lists.offsets[1:] = np.cumsum(room)
        taken = np.zeros(1, np.int64)
        calls = [
            KERNELS["descent.listing.list_blocks"].bind(
                Listing(taken, self.images, aligned(TRAINING_BLOCK * PIXELS + 64, np.uint8)), lists
            )
            for _ in range(self.threads)
        ]
        run_together(calls)
        return lists

    def epoch(
        self,
        optimizer: int,
        order: NDArray[np.int64],
        schedule: Schedule,
        key: int = 0,
        distortion: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """As `Descent.epoch`; the order is 0, 1, ... and the schedule one batch."""
        examples = Examples(self.images, self.labels, order, schedule.starts)
        things = schedule.rates, self._lists, *self._states(), self._parts
        loss, right = self._learn("fullbatch", optimizer, examples, *things)
        return loss, sum(right) / len(order)


def descent_for(
    recipe: Recipe, parameters: Parameters, images: NDArray[np.uint8], labels: NDArray[np.uint8], threads: int
) -> Descent:
    """The fastest `Descent` for that recipe on these images."""
    kind = FullBatch if recipe.full_batch and FullBatch.fits(images, recipe.hidden) else Descent
    return kind(parameters, images, labels, threads)
