"""Epochs of both ways of descent against the reference's steps."""

from dataclasses import replace

import numpy as np
import pytest
from reference_training import IMAGES, LABELS, SAMPLE, SMALL, Adam, GradientDescent, differences, reference_epoch

from digitnn_fast import reference, train
from digitnn_fast.kernels.layout import ADAM, MOMENTUM
from digitnn_fast.reference import distortion
from digitnn_fast.training.descent import Descent, FullBatch, Schedule, descent_for
from digitnn_fast.training.loop import set_rates
from digitnn_fast.training.recipes import RECIPES, Recipe
from digitnn_fast.utils import initialize_parameters

ORDER = np.random.default_rng(3).permutation(300)


class Momentum(GradientDescent):
    decay = 0.9


@pytest.mark.parametrize("hidden", [10, 64, 100])
@pytest.mark.parametrize(("way", "batch"), [*((Descent, batch) for batch in (1, 70, 128, 200, 300)), (FullBatch, 300)])
@pytest.mark.parametrize("kind", [GradientDescent, Momentum, Adam])
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_an_epoch_is_the_reference_epoch(kind, way, batch, hidden, smoothing):
    rate, decay = (0.008, 3 * smoothing) if kind is Adam else (0.01, 0)
    recipe = Recipe("", "", hidden, 1, rate, batch, kind is Adam, weight_decay=decay, smoothing=smoothing)
    start = initialize_parameters(5, hidden)
    schedule = Schedule.of_batches(300, batch)
    assert schedule.batches == -(-300 // batch)
    set_rates(schedule, recipe, 0)
    if kind is Momentum:
        schedule.rates.decay[:] = kind.decay

    order = np.arange(300) if way is FullBatch else ORDER
    optimizer = kind(start, recipe, schedule.batches)
    wanted, loss, accuracy = reference_epoch(optimizer, start, IMAGES, LABELS, order)
    runs = []
    for threads in (1, 2, 3):
        descent = way(start, IMAGES, LABELS, threads)
        report = descent.epoch(optimizer.kernel, order, schedule)
        runs.append((report, [array.tobytes() for array in descent.parameters()]))
    assert runs[0] == runs[1] == runs[2], "other bits for other numbers of threads"

    assert report[0] == pytest.approx(loss, rel=1e-5)
    assert report[1] == pytest.approx(accuracy, abs=1.1 / 300)  # rounding may decide between two digits
    errors = differences(descent.parameters(), wanted)
    assert differences(start, wanted).max() > 5e-4  # it has moved much further than it may be off
    if kind is Adam:
        # Adam divides a gradient by its own size. Where it is the rounding error of terms that cancel, float32 may step
        # the other way, by the whole rate: all weights are bounded by that, and all but 1 in 1000 are close.
        assert np.quantile(errors, 0.999) < 1e-5
        assert errors.max() < 2 * recipe.learning_rate * schedule.batches
    else:
        # Weights about 0.1 are rounded to 4e-9 in each of up to 300 steps, and each rounding is fed back: 1e-6 seen.
        assert errors.max() < 1e-5


@pytest.mark.parametrize("rows", [1, 129, 2179])
def test_full_batch_is_the_reference_for_any_number_of_threads(rows):
    """More blocks than parts, with a last one that is not full; images without any pixel and with all of them."""
    images, labels = SAMPLE.train_images[:rows].copy(), SAMPLE.train_labels[:rows]
    images[5:9], images[rows // 2] = 0, 255
    start = initialize_parameters(5, 64)
    schedule = Schedule.of_batches(rows, rows)
    schedule.rates.step_size[:] = 0.1
    runs = []
    for threads in (1, 2, 3, 20):
        descent = FullBatch(start, images, labels, threads)
        reports = [descent.epoch(MOMENTUM, np.arange(rows), schedule) for _ in range(3)]
        runs.append((reports, [array.tobytes() for array in descent.parameters()]))
    assert all(run == runs[0] for run in runs)
    wanted = reference.train(start, images, labels, 3, 0.1)
    assert differences(start, wanted).max() > 5e-4
    assert differences(descent.parameters(), wanted).max() < 1e-6


def test_full_batch_lists_only_what_finds_room(monkeypatch):
    """Else the same training goes on without lists; only sums are rounded differently."""
    start, recipe = initialize_parameters(5, 40), replace(RECIPES["seed"], hidden=40, epochs=2)
    assert type(descent_for(recipe, start, IMAGES, LABELS, 1)) is FullBatch
    assert type(descent_for(replace(recipe, distortion=SMALL.distortion), start, IMAGES, LABELS, 1)) is Descent
    assert type(descent_for(replace(recipe, batch=300), start, IMAGES, LABELS, 1)) is Descent
    listed = train(IMAGES, LABELS, recipe).parameters
    monkeypatch.setattr(FullBatch, "ROOM", 12 * np.count_nonzero(IMAGES))
    assert type(descent_for(recipe, start, IMAGES, LABELS, 1)) is Descent
    assert 0 < differences(listed, train(IMAGES, LABELS, recipe).parameters).max() < 1e-6


@pytest.mark.parametrize("hidden", [10, 100])
def test_the_order_of_a_batch_is_immaterial(hidden):
    """Each image keeps its own distortion wherever it stands; only sums are rounded differently."""
    start, limits = initialize_parameters(1, hidden), SMALL.distortion.limits()
    results = []
    for order in (np.arange(300), ORDER):
        schedule = Schedule.of_batches(300, 300)
        schedule.rates.step_size[:] = 0.1
        descent = Descent(start, IMAGES, LABELS, 2)
        descent.epoch(MOMENTUM, order, schedule, key=77, distortion=limits)
        results.append(descent.parameters())
    assert differences(*results).max() < 1e-6
    seen = distortion.distort(IMAGES, 77, limits)
    wanted = reference.train(start, seen, LABELS, 1, 0.1)
    assert differences(results[0], wanted).max() < 1e-6


def test_the_memory_of_a_gradient_ends():
    """Else it stays a number below the smallest normal one, with which processors take a hundred times as long."""
    images = IMAGES.copy()
    images[:, 0], images[0, 0] = 0, 255
    schedule = Schedule.of_batches(300, 1)
    set_rates(schedule, Recipe("", "", 32, 8, 0.008, 1, adam=True), 4)
    descent = Descent(initialize_parameters(5, 32), images, LABELS, 1)
    descent.epoch(ADAM, np.roll(np.arange(300), -1), schedule)
    assert descent.moments[0, 0].any()
    for _ in range(4):
        descent.epoch(ADAM, np.arange(1, 300), Schedule(schedule.starts[:-1], schedule.rates))
    assert not descent.moments[0, 0].any()
