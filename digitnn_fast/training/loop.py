"""The loop that turns labelled images into a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from operator import index
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digitnn_fast.checks import counted
from digitnn_fast.inputs import as_digits
from digitnn_fast.kernels.layout import ADAM, MOMENTUM
from digitnn_fast.network import Network, TrainingRecord, data_digest, join
from digitnn_fast.predictor import Predictor
from digitnn_fast.preprocessing import PREPROCESSINGS, prepare
from digitnn_fast.record import MOST_SEED
from digitnn_fast.reference import cross_entropy
from digitnn_fast.threads import thread_count
from digitnn_fast.training import DEFAULT
from digitnn_fast.training.checkpoint import Checkpoint, State, remove
from digitnn_fast.training.descent import Descent, Schedule, descent_for
from digitnn_fast.training.recipes import Recipe, find_recipe
from digitnn_fast.training.views import Views
from digitnn_fast.utils import Parameters, get_accuracy, get_predictions, initialize_parameters

BETA1, BETA2 = 0.9, 0.999  # Adam's own
WARMUP = 0.02  # share of the steps


class EpochReport(NamedTuple):
    """One line of the history. Training values are those met while learning: on distorted images, weights in motion."""

    epoch: int
    epochs: int
    training_loss: float
    training_accuracy: float
    heldout_loss: float
    heldout_accuracy: float


def shown_as_part(on_epoch: Callable[[EpochReport], None], part: int, parts: int, report: EpochReport) -> None:
    """Pass on an epoch of one of several trainings as one of a long one."""
    on_epoch(report._replace(epoch=report.epoch + part * report.epochs, epochs=parts * report.epochs))


def train(
    images: Any,
    labels: ArrayLike,
    recipe: str | Recipe = DEFAULT,
    *,
    seed: int = 0,
    heldout: float = 0.1,
    threads: int | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    patience: int | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Network:
    """A network trained on images (n, 784) with labels (n,), but for a random share `heldout` of the rows.

    Images are what a Predictor takes: see `inputs.as_pixels`. The accuracy is measured on the rows held out. The same
    images, labels, recipe and seed give the same network for any number of threads. ValueError for labels outside
    0..9, an unknown recipe, too few rows, or a learning rate at which weights become infinite.

    In the file `checkpoint` the state is kept every minute, and at the end. A training that was killed goes on from
    there, with the same result; ValueError if the file belongs to another training. With `out` the network is saved
    there, and then the checkpoint is removed. Without, it stays: remove it when the network is safe.

    With `patience` it stops when the loss on the rows held out has not fallen for so many epochs. The last network
    stays, not the best on these rows: to choose by them would make their accuracy no estimate any more.

    >>> from digitnn_fast.sample import load_sample
    >>> digits = load_sample()
    >>> network = train(digits.train_images[:2000], digits.train_labels[:2000], "fast", seed=0)
    >>> network.training.training_rows, network.training.heldout_rows
    (1800, 200)
    >>> bool(network.training.heldout_accuracy > 0.9)
    True
    """
    pixels, digits = as_digits(images, labels)
    rows = split(len(digits), heldout, seed)
    if patience is not None and not (patience >= 1 and len(rows[1])):
        raise ValueError("patience must be 1 epoch or more, and there must be rows held out")
    network = train_on(pixels, digits, recipe, rows, seed, threads, on_epoch, checkpoint, patience)
    if out is not None:
        network.save(out)
        if checkpoint is not None:
            remove(checkpoint)
    return network


Split = tuple[NDArray[np.int64], NDArray[np.int64]]


def train_on(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    recipe: str | Recipe,
    rows: Split,
    seed: int,
    threads: int | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    patience: int | None = None,
    views: Views | None = None,
) -> Network:
    """As `train`, of uint8 images and labels, by the indices of the rows to learn from and of those that measure.

    The checkpoint stays. With `views` of all images, those to learn from are seen as in a training on all.
    """
    chosen, threads = find_recipe(recipe), thread_count(threads)
    seed = check_seed(seed)
    (learned, tested), digest = rows, data_digest(images, labels)
    kept = Checkpoint(checkpoint, _identity(chosen, seed, digest, learned, patience), chosen) if checkpoint else None
    state = (kept and kept.load()) or State()
    if views is None:
        views, known, within = Views(images[learned], labels[learned], chosen, threads), labels[learned], None
    else:
        known, within = labels, np.zeros(len(labels), bool)
        within[learned] = True
        within = within[views.rows]
    heldout = prepare(images[tested], chosen.preprocessing), labels[tested]
    for member in range(len(state.done), chosen.members):
        own_seed = seed + (member << 32)
        start = initialize_parameters(own_seed, chosen.hidden, chosen.deviation)
        start.W1[PREPROCESSINGS[chosen.preprocessing].never_ink] = 0  # nobody would ever change them
        descent = descent_for(chosen, start, views.images, known[views.rows], threads)
        descent.restore(state.descent)
        epochs = _epochs(chosen, descent, views, within, own_seed, len(state.history) - state.begun)
        for loss, accuracy in () if _stalled(state, patience) else epochs:
            network = _network(chosen, [descent.parameters()])
            state.history.append((loss, accuracy, *_measure(network, *heldout, threads)))
            if on_epoch is not None:
                on_epoch(EpochReport(len(state.history), chosen.epochs * chosen.members, *state.history[-1]))
            if kept:
                kept.save_if_due(state, descent)
            if _stalled(state, patience):
                break
        if kept and member == chosen.members - 1:
            kept.save(state, descent)  # until the caller has put the network in its place, it is here
        state.done.append(descent.parameters())
        state.begun, state.descent = len(state.history), ()
    network = _network(chosen, state.done)
    record = TrainingRecord(
        recipe=chosen.name,
        seed=seed,
        data_digest=digest,
        training_rows=len(learned),
        heldout_rows=len(tested),
        heldout_accuracy=_measure(network, *heldout, threads)[1],
        history=np.array(state.history),
        settings=chosen.settings(),
    )
    return network.trained(record)


def forget(
    checkpoint: str | os.PathLike[str],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    recipe: Recipe,
    rows: Split,
    seed: int,
) -> None:
    """Remove the checkpoint of a training by `train_on` whose result is safe, if that is what the file holds."""
    if os.path.exists(checkpoint):
        kept = Checkpoint(checkpoint, _identity(recipe, seed, data_digest(images, labels), rows[0], None), recipe)
        kept.remove_own()


def _identity(
    recipe: Recipe, seed: int, digest: str, learned: NDArray[np.int64], patience: int | None
) -> dict[str, int | float | str]:
    own: dict[str, int | float | str] = {"seed": seed, "data_digest": digest, "rows": rows_digest(learned)}
    return own | {"patience": patience or 0} | recipe.settings()


def _stalled(state: State, patience: int | None) -> bool:
    """Whether the lowest loss of the member that is trained is so many epochs ago; never without `patience`."""
    losses = [row[2] for row in state.history[state.begun :]]
    return patience is not None and bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience


def _network(recipe: Recipe, members: list[Parameters]) -> Network:
    joined = join(members)
    if not all(np.isfinite(array).all() for array in joined):
        raise ValueError(f"the training diverged: the learning rate of {recipe.learning_rate:g} is too high")
    network = Network(*joined, recipe.preprocessing)
    return network.rounded() if recipe.half else network.fixed_point()


def rows_digest(learned: NDArray[np.int64]) -> str:
    """SHA-256 of the indices of the rows to learn from."""
    import hashlib

    return hashlib.sha256(learned.astype("<i8").tobytes()).hexdigest()


def check_seed(seed: Any) -> int:
    """The seed as an int; ValueError for one that the record would refuse, after minutes."""
    if not hasattr(seed, "__index__") or not 0 <= seed <= MOST_SEED:
        raise ValueError(f"the seed must be an integer from 0 up, of {MOST_SEED.bit_length()} bits at most")
    return index(seed)


def split(rows: int, heldout: float, seed: int) -> Split:
    """Indices of the rows to learn from and of those held out, each in the order of the file."""
    if not 0 <= heldout < 1:
        raise ValueError(f"the share held out must be from 0 to less than 1, got {heldout}")
    tested = round(rows * heldout)
    if rows - tested < 1:
        raise ValueError(f"too few to learn from: {counted(rows, 'row')}, {tested} held out")
    order = np.random.default_rng((check_seed(seed), 1)).permutation(rows)
    return np.sort(order[tested:]), np.sort(order[:tested])


def _epochs(
    recipe: Recipe, descent: Descent, views: Views, within: NDArray[np.bool_] | None, seed: int, first: int
) -> Iterator[tuple[float, float]]:
    """Train from epoch `first` on, one epoch at a time; loss and accuracy of each. Only images `within` are used."""
    rows = len(descent.labels)
    used = rows if within is None else int(within.sum())
    schedule = Schedule.of_batches(used, recipe.batch or used)
    random, key = np.random.default_rng((seed, 2)), 0
    for epoch in range(recipe.epochs):
        set_rates(schedule, recipe, epoch)
        order = np.arange(rows) if recipe.batch is None else random.permutation(rows)
        drawn = int(random.integers(2**62))
        key = key if epoch % recipe.repeats else drawn
        if epoch < first:  # already done, but the random numbers go on
            continue
        descent.images, limits = views.of(key)
        order = order if within is None else order[within[order]]
        yield descent.epoch(ADAM if recipe.adam else MOMENTUM, order, schedule, key, limits)


def set_rates(schedule: Schedule, recipe: Recipe, epoch: int) -> None:
    """For each step of an epoch."""
    rates = schedule.rates
    rates.smooth[:] = rates.scale * recipe.smoothing / 10
    if not recipe.adam:
        rates.step_size[:] = recipe.learning_rate
        return
    total = recipe.epochs * schedule.batches
    step = epoch * schedule.batches + schedule.batch_of_block() + 1.0
    warm = np.minimum(1, step / (WARMUP * total))  # Adam's first steps are blind: its averages hold few gradients
    rate = recipe.learning_rate * warm * (1 + np.cos(np.pi * (step - 1) / total)) / 2
    with np.errstate(over="ignore"):  # a training that diverges says so in its own words
        rates.step_size[:] = rate / (1 - BETA1**step)
    rates.kept[:] = 1 - rate * recipe.weight_decay
    rates.decay[:], rates.second_decay[:] = BETA1, BETA2
    rates.correction[:] = 1 / np.sqrt(1 - BETA2**step)


def _measure(
    network: Network, prepared: NDArray[np.uint8], labels: NDArray[np.uint8], threads: int
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on images that are prepared for the network; NaN of no rows."""
    predictor = Predictor(Network(*network.parameters), threads=threads)
    probabilities = predictor.predict_readings(prepared[:, None])  # whatever their levels: some are no pictures
    return cross_entropy(probabilities, labels), get_accuracy(get_predictions(probabilities), labels)
