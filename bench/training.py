"""Time to learn: epochs over train.csv."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np

from bench.measure import OURS, Case, Result, Work, World, race, ratio, require
from digitnn_fast import reference
from digitnn_fast.kernels.layout import ADAM, MOMENTUM
from digitnn_fast.preprocessing import picture_of, prepare, view_distorted
from digitnn_fast.threads import available_cpus
from digitnn_fast.training import train
from digitnn_fast.training.descent import Descent, Schedule, descent_for
from digitnn_fast.training.recipes import RECIPES
from digitnn_fast.utils import Parameters, initialize_parameters

BATCH, RATE = 128, 0.001
FULL_BATCH_EPOCHS = 5


def narrow(world: World) -> Result:
    return _epoch(world, 64, 9)


def wide(world: World) -> Result:
    return _epoch(world, 1024, 5)


def full_batch(world: World) -> Result:
    """The recipe `seed`, of whose 500 equal epochs a few are timed; both must end with the same weights.

    What ours does once before the first, listing the pixels, takes as long as three of them.
    """
    images, labels = world.training_rows
    start = initialize_parameters(0, 64, 0.01)
    descent = descent_for(RECIPES["seed"], start, images, labels, available_cpus())
    schedule = Schedule.of_batches(len(labels), len(labels))
    schedule.rates.step_size[:] = RECIPES["seed"].learning_rate
    order = np.arange(len(labels))

    def ours() -> Parameters:
        for _ in range(FULL_BATCH_EPOCHS):
            descent.epoch(MOMENTUM, order, schedule)
        return descent.parameters()

    def numpys() -> Parameters:
        return reference.train(start, images, labels, FULL_BATCH_EPOCHS, RECIPES["seed"].learning_rate)

    distance = max(np.abs(a - b).max() for a, b in zip(ours(), numpys(), strict=True))
    require(distance < 1e-4, f"the weights are {distance:.1e} from the reference's")
    return ratio(race({OURS: ours, "NumPy reference": numpys}, 7))


def described(world: World) -> Result:
    return _described(world, 64, 9)


def described_wide(world: World) -> Result:
    return _described(world, 1024, 5)


def growth(world: World) -> dict[str, dict[int, float]]:
    """Seconds of an epoch as rows, hidden units and threads grow, and of whole trainings as epochs do."""
    images, labels = world.training_rows
    rows = {n: _seconds(_our_epoch(images[:n], labels[:n], 64)) for n in (2_625, 5_250, 10_500, 21_000, 42_000)}
    units = {hidden: _seconds(_our_epoch(images, labels, hidden)) for hidden in (16, 64, 256, 1024)}
    counts = sorted({1, 2, available_cpus()})
    threads = {count: _seconds(_our_epoch(images, labels, 256, count)) for count in counts if count <= available_cpus()}
    fast = RECIPES["fast"]
    epochs = {
        count: _seconds(partial(train, images, labels, replace(fast, epochs=count), heldout=0))
        for count in (5, 10, 20, 40)
    }
    return {
        "rows: an epoch, 64 hidden units": rows,
        "hidden units: an epoch, 42,000 rows": units,
        "threads: an epoch, 256 hidden units": threads,
        "epochs: a training by `fast`": epochs,
    }


def _seconds(work: Work) -> float:
    return statistics.median(race({"": work}, 5)[""])


def _described(world: World, hidden: int, runs: int) -> Result:
    """An epoch of the recipe `fast`: distorted, described, learned from; PyTorch's values were prepared once."""
    images, labels = world.training_rows
    recipe = replace(RECIPES["fast"], hidden=hidden, epochs=2)
    record = train(images, labels, recipe).training
    require(record and record.heldout_accuracy > 0.97, "two epochs do not learn what they should")
    require(find_spec("torch"), "a rival for training is missing: install torch")
    assert recipe.distortion
    limits, pictures = recipe.distortion.limits(), picture_of(images, "directions")
    learn, random = _our_descent(images, labels, hidden, available_cpus()), np.random.default_rng(0)

    def epoch() -> None:
        key = int(random.integers(2**62))
        learn(view_distorted(pictures, "directions", key, limits, available_cpus()))

    return ratio(race({OURS: epoch, "PyTorch": _torch_epoch(prepare(images, "directions"), labels, hidden)}, runs))


def _epoch(world: World, hidden: int, runs: int) -> Result:
    """One epoch of Adam in mini-batches of 128, all threads; what it learns in two epochs is checked."""
    images, labels = world.training_rows
    recipe = replace(RECIPES["pixels"], hidden=hidden, epochs=2, distortion=None, learning_rate=RATE)
    record = train(images, labels, recipe).training
    require(record and record.heldout_accuracy > 0.9, "two epochs do not learn what they should")
    works = {OURS: _our_epoch(images, labels, hidden)}
    if find_spec("torch"):
        works["PyTorch"] = _torch_epoch(images, labels, hidden)
    require(len(works) > 1, "a rival for training is missing: install torch")
    return ratio(race(works, runs))


def _our_epoch(images: np.ndarray, labels: np.ndarray, hidden: int, threads: int | None = None) -> Work:
    learn = _our_descent(images, labels, hidden, threads or available_cpus())
    return lambda: learn(images)


def _our_descent(images: np.ndarray, labels: np.ndarray, hidden: int, threads: int) -> Callable[[np.ndarray], None]:
    """A call makes an epoch over the images, which may be others of the same labels."""
    descent = Descent(initialize_parameters(0, hidden), images, labels, threads)
    schedule = Schedule.of_batches(len(labels), BATCH)
    rates = schedule.rates
    rates.step_size[:], rates.decay[:], rates.second_decay[:], rates.correction[:] = RATE, 0.9, 0.999, 1
    random = np.random.default_rng(0)

    def learn(seen: np.ndarray) -> None:
        descent.images = seen
        descent.epoch(ADAM, random.permutation(len(labels)), schedule)

    return learn


def _torch_epoch(images: np.ndarray, labels: np.ndarray, hidden: int) -> Work:
    import torch
    from torch.nn import CrossEntropyLoss, Linear, ReLU, Sequential

    torch.set_num_threads(available_cpus())
    torch.manual_seed(0)
    x, y = torch.from_numpy(images).float() / 255, torch.from_numpy(labels.astype(np.int64))
    model = Sequential(Linear(784, hidden), ReLU(), Linear(hidden, 10))
    optimizer, loss = torch.optim.Adam(model.parameters(), lr=RATE, fused=True), CrossEntropyLoss()

    def epoch() -> None:
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss(model(x[rows]), y[rows]).backward()
            optimizer.step()

    epoch()
    with torch.inference_mode():
        require((model(x).argmax(1) == y).float().mean() > 0.9, "PyTorch does not learn")
    return epoch


CASES = (
    Case("one training epoch, 784-64-10, batches of 128, against PyTorch, all threads", "5×", "10×", narrow),
    Case("one training epoch, 784-1024-10, batches of 128, against PyTorch, all threads", "2×", "4×", wide),
    Case(
        "one epoch of `fast`, distorted and described, against PyTorch on prepared values, all threads",
        *("3×", "5×"),
        described,
    ),
    Case("the same with 1,024 hidden units", "2×", "4×", described_wide),
    Case("full-batch epochs of the recipe `seed`, against the NumPy reference", "20×", "40×", full_batch),
)
