"""The state of a network in training, laid out as the kernels `training.epoch` and `fullbatch.epoch` want it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast._threads import run_together
from digitnn_fast.kernels import CLASSES, KERNELS, NO_CLASS, PIXELS, TILE, TRAINING_BLOCK, TRAINING_TILE, aligned
from digitnn_fast.recipes import Recipe
from digitnn_fast.utils import Parameters

ROWS = PIXELS + 1 + CLASSES  # of a tile: W1, b1 and W2 transposed


@dataclass(frozen=True)
class Schedule:
    """How an epoch steps: blocks of images, and the numbers of each block that the kernel reads.

    starts (blocks + 1,): where each block begins. rates (blocks, 9): step size, decay of the moments,
    decay of the squares, correction of the squares, whether the batch goes on from the block before, whether it ends
    here, 1 / images in the batch, share of each weight that a step keeps, and by 1 / images what the target of a class
    is that is not the label.
    """

    starts: NDArray[np.int64]
    rates: NDArray[np.float32]

    @classmethod
    def of_batches(cls, images: int, batch: int) -> Schedule:
        """Batches of `batch` images, each in blocks that the kernel can hold; rates are still to be set."""
        blocks = [
            (start, start > first, start + TRAINING_BLOCK >= last, 1 / (last - first))
            for first in range(0, images, batch)
            for last in [min(first + batch, images)]
            for start in range(first, last, TRAINING_BLOCK)
        ]
        rates = np.zeros((len(blocks), 9), np.float32)
        rates[:, 4:7] = [block[1:] for block in blocks]
        rates[:, 7] = 1
        return cls(np.array([block[0] for block in blocks] + [images]), rates)

    @property
    def batches(self) -> int:
        """Steps per epoch."""
        return int(self.rates[:, 5].sum())

    def batch_of_block(self) -> NDArray[np.int64]:
        """(blocks,): the batch that each block belongs to, from 0."""
        return np.cumsum(self.rates[:, 5]).astype(np.int64) - self.rates[:, 5].astype(np.int64)


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
        block, tile, threads = TRAINING_BLOCK, self.tile, self.threads
        self.gradients = aligned(self.weights.shape)
        self.outgoing = aligned((self.tiles * tile, 16))
        self._spread_outgoing()
        room = (PIXELS + 1) * block + 64  # entries of either list, which is written 64 at a time
        self.margins, self.sums = aligned(images), aligned(images)
        self._arrays: tuple[NDArray[Any], ...] = (
            aligned((threads, PIXELS + 16), np.uint8),  # padded
            aligned((threads, 512), np.int32),  # fields
            aligned((2 * block, PIXELS), np.uint8),  # seen: one block while the other is prepared
            aligned((threads, 64 * block), np.uint8),  # turned
            aligned((threads, room), np.uint8),  # bytes
            *(aligned((threads, room), np.uint16), aligned((threads, room))),  # places, values
            aligned((threads, block + 1), np.int64),  # spans
            *(aligned((threads, room), np.uint16), aligned((threads, room))),  # rows, pixels
            aligned((threads, PIXELS + 2), np.int64),  # pixel_spans
            aligned(self.tiles * block * tile),  # hidden
            aligned((2, self.tiles * block * 16)),  # logits
            aligned((threads, block * 16)),  # errors
            aligned((threads, block * tile)),  # deltas
        )

    def epoch(
        self,
        optimizer: int,
        order: NDArray[np.int64],
        schedule: Schedule,
        key: int = 0,
        distortion: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Learn from images[order] once; mean cross-entropy and accuracy as they were on the way."""
        meetings = np.zeros(2, np.int64)  # how many have come; whether to stop
        limits = np.zeros(0, np.int64) if distortion is None else distortion
        calls = [
            KERNELS["training.epoch"].bind(
                *(thread, self.threads, optimizer, self.images, self.labels, order, schedule.starts, schedule.rates),
                *(key, limits, self.weights.ravel(), self.moments.ravel(), self.squares.ravel()),
                *(self.gradients.ravel(), self.outgoing.ravel(), self.output_bias.reshape(4, -1), meetings),
                *(*self._arrays, self.margins, self.sums),
            )
            for thread in range(self.threads)
        ]
        right, *_ = run_together(calls, on_failure=lambda: meetings.__setitem__(1, 1))
        losses = np.log(self.sums, dtype=np.float64) - self.margins
        return float(losses.mean()), right / len(order)

    def state(self) -> tuple[NDArray[np.float32], ...]:
        """All that decides how it goes on: weights, moments, squares, and the same of the output bias; copied."""
        arrays = self.weights, self.moments, self.squares, self.output_bias[:, 0]
        return tuple(array.copy() for array in arrays)

    def restore(self, state: tuple[NDArray[np.float32], ...]) -> None:
        """Go on from a `state`, or stay as it is without one; ValueError if the shapes differ."""
        if not state:
            return
        for own, kept in zip((self.weights, self.moments, self.squares), state, strict=False):
            if own.shape != kept.shape:
                raise ValueError(f"a state of shape {kept.shape} does not fit a network of {self.hidden} units")
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

    The lists take 12 bytes for each pixel that is not zero, and 90 for each image: 79 MB for Kaggle's 42,000.
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
        block, tile, threads = TRAINING_BLOCK, self.tile, self.threads
        self.margins, self.sums = aligned(images), aligned(images)
        self._lists = self._listed()
        self._partial = aligned((self.parts, self.weights.size)), aligned((self.parts, 16))
        self._arrays = (
            aligned((threads, self.tiles * tile * 16)),  # outgoing
            aligned((threads, self.tiles * block * tile)),  # hidden
            aligned((threads, block * 16)),  # logits
            aligned((threads, block * 16)),  # errors
        )

    def _listed(self) -> tuple[NDArray[Any], ...]:
        """Offsets, and the lists of all blocks, made by all threads."""
        blocks = [self.images[first : first + TRAINING_BLOCK] for first in range(0, len(self.images), TRAINING_BLOCK)]
        room = [np.count_nonzero(block) + 64 for block in blocks]  # written by 64 at a time
        offsets = np.array([0, *np.cumsum(room)])
        lists = [
            (aligned(offsets[-1], np.uint16), aligned(offsets[-1]), aligned((len(blocks), ends), np.int64))
            for ends in (2 * TRAINING_BLOCK + 1, 3 * PIXELS // 2 + 1)
        ]
        taken = np.zeros(1, np.int64)
        calls = [
            KERNELS["listing.list_blocks"].bind(
                *(taken, self.images, offsets, aligned(TRAINING_BLOCK * PIXELS + 64, np.uint8), *lists[0], *lists[1])
            )
            for _ in range(self.threads)
        ]
        run_together(calls)
        return offsets, *lists[0], *lists[1]

    def epoch(
        self,
        optimizer: int,
        order: NDArray[np.int64],
        schedule: Schedule,
        key: int = 0,
        distortion: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """As `Descent.epoch`; the order is 0, 1, ... and the schedule one batch."""
        meetings = np.zeros(3, np.int64)
        calls = [
            KERNELS["fullbatch.epoch"].bind(
                *(thread, self.threads, optimizer, self.labels, order, schedule.rates, *self._lists),
                *(self.weights.ravel(), self.moments.ravel(), self.squares.ravel()),
                *(self.output_bias.reshape(4, -1), *self._partial, meetings, *self._arrays, self.margins, self.sums),
            )
            for thread in range(self.threads)
        ]
        right = run_together(calls, on_failure=lambda: meetings.__setitem__(1, 1))
        losses = np.log(self.sums, dtype=np.float64) - self.margins
        return float(losses.mean()), sum(right) / len(order)


def descent_for(
    recipe: Recipe, parameters: Parameters, images: NDArray[np.uint8], labels: NDArray[np.uint8], threads: int
) -> Descent:
    """The fastest way to train by that recipe on these images."""
    kind = FullBatch if recipe.full_batch and FullBatch.fits(images, recipe.hidden) else Descent
    return kind(parameters, images, labels, threads)
