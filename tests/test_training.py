"""Training against the float64 reference: its steps, its recipes, its distortions, and what it promises of itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitnn_fast import Predictor, deskewing, directions, distortion, pooling, reference, train
from digitnn_fast.descent import Descent, FullBatch, Schedule, descent_for
from digitnn_fast.kernels import ADAM, KERNELS, MOMENTUM
from digitnn_fast.network import Network, data_digest, join
from digitnn_fast.recipes import RECIPES, Distortion, Recipe
from digitnn_fast.sample import load_sample
from digitnn_fast.training import _set_rates, split
from digitnn_fast.utils import Parameters, get_accuracy, get_predictions, initialize_parameters

SAMPLE = load_sample()
IMAGES, LABELS = SAMPLE.train_images[:300], SAMPLE.train_labels[:300]
ORDER = np.random.default_rng(3).permutation(300)

# Distorted Adam in ragged batches of two blocks: whatever the recipe `fast` does, in little.
SMALL = Recipe("small", "", 40, 3, 0.008, batch=150, adam=True, distortion=Distortion(0.1, 0.07, 0.07, 1.0, 2.0))


def zeros_like(parameters):
    return Parameters(*(np.zeros(array.shape) for array in parameters))


class GradientDescent:
    """The reference's optimizers behind one door: step(parameters, gradients), with a state of their own."""

    kernel, decay = MOMENTUM, 0.0

    def __init__(self, parameters, recipe, steps):
        self.recipe, self.steps, self.taken = recipe, steps, 0
        self.velocity = zeros_like(parameters)

    def step(self, parameters, gradients):
        rate = self.recipe.learning_rate
        parameters, self.velocity = reference.momentum_step(parameters, gradients, self.velocity, rate, self.decay)
        return parameters


class Momentum(GradientDescent):
    decay = 0.9


class Adam(GradientDescent):
    kernel = ADAM

    def __init__(self, parameters, recipe, steps):
        super().__init__(parameters, recipe, steps)
        self.moments = reference.Moments(zeros_like(parameters), zeros_like(parameters))

    def step(self, parameters, gradients):
        self.taken += 1
        rate = reference.cosine_rate(self.taken, self.steps, self.recipe.learning_rate)
        parameters, self.moments = reference.adam_step(
            parameters, gradients, self.moments, self.taken, rate, weight_decay=self.recipe.weight_decay
        )
        return parameters


def reference_epoch(optimizer, parameters, images, labels, order):
    """Parameters after one epoch, and the loss and accuracy that were met on the way."""
    loss = right = 0.0
    batch, smoothing = optimizer.recipe.batch or len(order), optimizer.recipe.smoothing
    for rows in np.split(order, range(batch, len(order), batch)):
        probabilities = reference.forward(parameters, images[rows]).probabilities
        loss += reference.cross_entropy(probabilities, labels[rows]) * len(rows)
        right += get_accuracy(get_predictions(probabilities), labels[rows]) * len(rows)
        gradients = reference.backward(parameters, images[rows], labels[rows], smoothing)
        parameters = optimizer.step(parameters, gradients)
    return parameters, loss / len(order), right / len(order)


def reference_train(recipe, images, labels, seed):
    """Parameters and history (epochs, 2) of a recipe; the streams of random numbers are part of what it promises."""
    random = np.random.default_rng((seed, 2))
    parameters = initialize_parameters(seed, recipe.hidden, recipe.deviation)
    beyond = {"directions": directions.describe, "pooled": pooling.pool}.get(recipe.preprocessing)
    if beyond is pooling.pool:
        parameters.W1[~pooling.INSIDE] = 0
    batch = recipe.batch or len(labels)
    optimizer = (Adam if recipe.adam else GradientDescent)(parameters, recipe, recipe.epochs * -(-len(labels) // batch))
    history = []
    if recipe.preprocessing != "raw":
        images = deskewing.deskew(images)
    for _ in range(recipe.epochs):
        order = random.permutation(len(labels)) if recipe.batch else np.arange(len(labels))
        key = int(random.integers(2**62))
        seen = distortion.distort(images, key, recipe.distortion.limits()) if recipe.distortion else images
        if beyond:
            seen = beyond(seen)
        parameters, *report = reference_epoch(optimizer, parameters, seen, labels, order)
        history.append(report)
    return parameters, np.array(history)


def differences(got, wanted):
    assert all(np.isfinite(array).all() for array in got)
    return np.concatenate([np.abs(a - b).ravel() for a, b in zip(got, wanted, strict=True)])


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
    _set_rates(schedule, recipe, 0)
    if kind is Momentum:
        schedule.rates[:, 1] = kind.decay

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
    schedule.rates[:, 0] = 0.1
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
        schedule.rates[:, 0] = 0.1
        descent = Descent(start, IMAGES, LABELS, 2)
        descent.epoch(MOMENTUM, order, schedule, key=77, distortion=limits)
        results.append(descent.parameters())
    assert differences(*results).max() < 1e-6
    seen = distortion.distort(IMAGES, 77, limits)
    wanted = reference.train(start, seen, LABELS, 1, 0.1)
    assert differences(results[0], wanted).max() < 1e-6


def test_seed_recipe_is_the_reference():
    """60 epochs of the original; its loss and accuracy are those before each step."""
    recipe = replace(RECIPES["seed"], epochs=60)
    images, labels = SAMPLE.train_images[:1000], SAMPLE.train_labels[:1000]
    network = train(images, labels, recipe, heldout=0)
    start = initialize_parameters(0, recipe.hidden, recipe.deviation)
    before = [start]
    wanted = reference.train(start, images, labels, 60, 0.1, lambda _, parameters: before.append(parameters))
    # 60 steps, each rounded to about 1e-9; 2e-8 seen. The weights themselves move by 0.03.
    assert differences(network.parameters, wanted).max() < 1e-6
    for epoch in (0, 1, 30, 59):
        probabilities = reference.forward(before[epoch], images).probabilities
        loss, accuracy, *heldout = network.training.history[epoch]
        assert loss == pytest.approx(reference.cross_entropy(probabilities, labels), rel=1e-6)
        assert accuracy == pytest.approx(get_accuracy(get_predictions(probabilities), labels), abs=2e-3)
        assert np.isnan(heldout).all()
    expected = get_predictions(reference.forward(wanted, SAMPLE.test_images).probabilities)
    assert get_accuracy(Predictor(network).predict(SAMPLE.test_images), expected) >= 0.999
    assert len(set(expected.tolist())) > 5  # it has learned something to disagree about


@pytest.mark.parametrize(
    "recipe",
    [
        SMALL,
        replace(SMALL, distortion=None, batch=64),
        replace(SMALL, preprocessing="deskewed", weight_decay=0.5, smoothing=0.1),
        replace(SMALL, preprocessing="directions"),
        replace(SMALL, preprocessing="directions", distortion=None, batch=64),
        replace(SMALL, preprocessing="pooled", weight_decay=0.5),
    ],
)
def test_adam_recipe_is_the_reference(recipe):
    network = train(IMAGES, LABELS, recipe, seed=4, heldout=0)
    wanted, history = reference_train(recipe, IMAGES, LABELS, seed=4)
    errors = differences(network.parameters, wanted)
    assert np.quantile(errors, 0.99) < 1e-4  # as above; 6 to 15 steps feed back what Adam made of rounding errors
    np.testing.assert_allclose(network.training.history[:, 0], history[:, 0], rtol=1e-4)
    np.testing.assert_allclose(network.training.history[:, 1], history[:, 1], atol=1.1 / 300)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_learn(name):
    recipe = replace(RECIPES[name], epochs=8, **({"learning_rate": 0.5} if name == "seed" else {}))
    history = train(SAMPLE.train_images[:3000], SAMPLE.train_labels[:3000], recipe).training.history
    assert history[-1, 0] < history[0, 0]
    assert history[-1, 3] > (0.2 if name == "seed" else 0.88)


@pytest.mark.parametrize("recipe", [SMALL, *(replace(SMALL, preprocessing=name) for name in ("directions", "pooled"))])
def test_deterministic(recipe, tmp_path):
    """The same model file for any number of threads; another seed gives another one."""
    contents = []
    for threads, seed in ((1, 0), (1, 0), (2, 0), (3, 0), (2, 1)):
        train(IMAGES, LABELS, recipe, seed=seed, heldout=0.2, threads=threads).save(tmp_path / "model.npz")
        contents.append((tmp_path / "model.npz").read_bytes())
    assert len(set(contents[:4])) == 1
    assert contents[4] != contents[0]


def test_heldout_rows_are_not_learned_from():
    learned, tested = split(300, 0.2, 7)
    assert sorted([*learned, *tested]) == list(range(300))
    assert len(tested) == 60
    honest = train(IMAGES, LABELS, SMALL, seed=7, heldout=0.2)

    images, labels = IMAGES.copy(), LABELS.copy()
    images[tested] = 255 - images[tested]
    labels[tested] = (labels[tested] + 1) % 10
    other = train(images, labels, SMALL, seed=7, heldout=0.2)
    for one, two in zip(honest.parameters, other.parameters, strict=True):
        assert one.tobytes() == two.tobytes()
    assert (honest.training.history[:, :2] == other.training.history[:, :2]).all()
    assert (honest.training.history[:, 2] != other.training.history[:, 2]).all()

    images = IMAGES.copy()
    images[learned[0], 400] ^= 255
    assert (train(images, LABELS, SMALL, seed=7, heldout=0.2).W1 != honest.W1).any()


def test_record_and_reports():
    reports = []
    network = train(IMAGES, LABELS, SMALL, seed=7, heldout=0.2, on_epoch=reports.append)
    record, (_, tested) = network.training, split(300, 0.2, 7)
    assert (record.recipe, record.seed, record.training_rows, record.heldout_rows) == ("small", 7, 240, 60)
    assert record.data_digest == data_digest(IMAGES, LABELS)
    assert record.settings == {
        "hidden": 40,
        "epochs": 3,
        "learning_rate": 0.008,
        "batch": 150,
        "adam": True,
        "distortion_rotation": 0.1,
        "distortion_scale": 0.07,
        "distortion_shear": 0.07,
        "distortion_shift": 1.0,
        "distortion_elastic": 2.0,
    }
    assert record.history.shape == (3, 4)
    assert [report[:2] for report in reports] == [(1, 3), (2, 3), (3, 3)]
    np.testing.assert_array_equal([report[2:] for report in reports], record.history)

    probabilities = reference.forward(network.parameters, IMAGES[tested]).probabilities
    assert record.history[-1, 2] == pytest.approx(reference.cross_entropy(probabilities, LABELS[tested]), rel=1e-5)
    assert record.heldout_accuracy == record.history[-1, 3]
    assert record.heldout_accuracy == get_accuracy(Predictor(network).predict(IMAGES[tested]), LABELS[tested])


def test_a_committee_is_one_wider_network():
    """The mean of its members' logits; its first member is what the recipe for one trains."""
    recipe = replace(SMALL, members=3, preprocessing="deskewed")
    reports = []
    network = train(IMAGES, LABELS, recipe, seed=7, heldout=0.2, on_epoch=reports.append)
    assert network.hidden == 3 * recipe.hidden
    assert (network.preprocessing, network.training.history.shape) == ("deskewed", (9, 4))
    assert [report[:2] for report in reports] == [(k, 9) for k in range(1, 10)]
    members = [
        Network(network.W1[:, part], network.b1[part], 3 * network.W2[part], 3 * network.b2)
        for part in (slice(0, 40), slice(40, 80), slice(80, 120))
    ]
    alone = train(IMAGES, LABELS, replace(recipe, members=1), seed=7, heldout=0.2)
    assert members[0].W1.tobytes() == alone.W1.tobytes() != members[1].W1.tobytes()
    np.testing.assert_allclose(members[0].W2, alone.W2, rtol=1e-6)

    separate = [alone.parameters, alone.parameters, members[1].parameters]
    logits = [reference.forward(parameters, IMAGES).logits for parameters in separate]
    joined = reference.forward(join(separate), IMAGES).logits
    np.testing.assert_allclose(joined, np.mean(logits, axis=0), atol=1e-5)
    _, tested = split(300, 0.2, 7)
    assert network.training.heldout_accuracy == get_accuracy(Predictor(network).predict(IMAGES[tested]), LABELS[tested])


def test_half_precision_weights():
    exact, half = (train(IMAGES, LABELS, replace(SMALL, half=half)) for half in (False, True))
    for one, two in zip(exact.parameters, half.parameters, strict=True):
        np.testing.assert_array_equal(one.astype(np.float16), two)


def test_nothing_held_out():
    record = train(IMAGES, LABELS, SMALL, heldout=0).training
    assert (record.training_rows, record.heldout_rows) == (300, 0)
    assert np.isnan(record.heldout_accuracy)
    assert np.isnan(record.history[:, 2:]).all()


@pytest.mark.parametrize("rows", [1, 2, 127, 129])
def test_few_rows(rows):
    network = train(IMAGES[:rows], LABELS[:rows], replace(SMALL, batch=128), heldout=0)
    wanted, _ = reference_train(replace(SMALL, batch=128), IMAGES[:rows], LABELS[:rows], seed=0)
    assert np.quantile(differences(network.parameters, wanted), 0.99) < 1e-4


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_layout_of_the_images(order):
    images = np.asarray(np.repeat(IMAGES, 2, axis=0), order=order)[::2]
    network = train(images, LABELS.astype(np.int64), SMALL)
    assert network.W1.tobytes() == train(IMAGES, LABELS, SMALL).W1.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "nope"}, f"no recipe 'nope': there are {', '.join(RECIPES)}"),
        ({"heldout": 1}, "the share held out must be from 0 to less than 1, got 1"),
        ({"heldout": -0.1}, "the share held out must be from 0 to less than 1, got -0.1"),
        ({"heldout": np.nan}, "the share held out must be from 0 to less than 1, got nan"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "0 rows are too few to learn from with 0 held out"),
        ({"images": IMAGES[:1], "labels": [0], "heldout": 0.9}, "1 rows are too few to learn from with 1 held out"),
        ({"labels": LABELS[:5]}, "images must be uint8 (5, 784), got uint8 (300, 784)"),
        ({"images": IMAGES / 255}, "images must be uint8 (300, 784), got float64 (300, 784)"),
        ({"images": IMAGES.reshape(-1, 28, 28)}, "images must be uint8 (300, 784), got uint8 (300, 28, 28)"),
        ({"labels": np.full(300, 10)}, "labels must be 0 to 9, got 10 at index 0"),
        ({"labels": LABELS / 2}, "labels must be integers, got float64"),
        ({"threads": 0}, "threads must be 1 or more, got 0"),
        ({"recipe": replace(SMALL, hidden=0)}, "hidden must be 1 to 65,536, got 0"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole message is compared
        train(**{"images": IMAGES, "labels": LABELS, "recipe": SMALL} | change)
    assert str(refusal.value) == message


# Distortion


def distorted(images, key, limits):
    out = np.full((len(images) + 2, 784), 77, np.uint8)
    padded, field = np.full(800, 77, np.uint8), np.full(512, 7777, np.int32)
    KERNELS["augment.distort_all"](images, key, np.array(limits, np.int64), padded, field, out[1:-1])
    assert (out[[0, -1]] == 77).all(), "wrote outside its output"
    return out[1:-1]


def test_random_numbers_are_splitmix64():
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]  # its first three from state 0
    assert distortion.hash64(np.arange(1, 4, dtype=np.uint64)).tolist() == published


@given(
    key=st.integers(0, 2**63 - 1),
    limits=st.lists(st.integers(0, 2**17) | st.integers(0, 2**24), min_size=4, max_size=4),
    elastic=st.integers(0, 2**20),
    first=st.integers(0, 290),
)
def test_distortion_is_its_twin(key, limits, elastic, first):
    limits = [*limits, elastic]
    images = IMAGES[first : first + 10]
    np.testing.assert_array_equal(distorted(images, key, limits), distortion.distort(images, key, limits))


def test_the_elastic_field_is_smooth_and_as_strong_as_said():
    """Its root mean square is 0.28 of the limit, and neighbours move nearly alike."""
    keys = np.arange(3000, dtype=np.uint64) << np.uint64(6)
    field = distortion.elastic_field(keys, 3 << 16) / 65536
    assert field.shape == (2, 3000, 784)
    assert np.abs(field).max() < 3
    for axis in field:
        assert np.abs(axis.mean(axis=0)).max() < 0.1
        assert np.sqrt(np.mean(axis**2)) == pytest.approx(0.28 * 3, rel=0.03)
        squares = axis.reshape(-1, 28, 28)
        assert max(np.abs(np.diff(squares, axis=1)).max(), np.abs(np.diff(squares, axis=2)).max()) < 0.6
        far = np.corrcoef(squares[:, 0, 0], squares[:, 27, 27])[0, 1]
        near = np.corrcoef(squares[:, 13, 13], squares[:, 15, 15])[0, 1]
        assert abs(far) < 0.1 < 0.8 < near
    assert abs(np.corrcoef(field[0, :, 400], field[1, :, 400])[0, 1]) < 0.1


def test_distortion_of_no_image():
    assert distorted(IMAGES[:0], 1, [1, 2, 3, 4, 5]).shape == distortion.distort(IMAGES[:0], 1, [1, 2, 3, 4, 5]).shape


def test_zero_limits_change_nothing():
    """But in the last row and column, which have no neighbour to be mixed with."""
    inner = IMAGES.reshape(-1, 28, 28).copy()
    inner[:, -1] = inner[:, :, -1] = 0
    np.testing.assert_array_equal(distorted(inner.reshape(-1, 784), 5, [0] * 5), inner.reshape(-1, 784))


def test_distortion_depends_on_key_and_index_alone():
    limits = SMALL.distortion.limits()
    whole = distorted(IMAGES, 9, limits)
    assert (whole != IMAGES).any(axis=1).all()
    np.testing.assert_array_equal(distorted(IMAGES[:50], 9, limits), whole[:50])
    others = IMAGES.copy()
    others[::2] = 0
    np.testing.assert_array_equal(distorted(others, 9, limits)[1::2], whole[1::2])
    assert (distorted(IMAGES, 10, limits) != whole).any(axis=1).all()


def centres(images):
    """Centre of mass (n, 2) in pixels: row, column."""
    squares = images.reshape(-1, 28, 28).astype(float)
    rows, columns = squares.sum(axis=2), squares.sum(axis=1)
    return np.stack([rows @ np.arange(28) / rows.sum(axis=1), columns @ np.arange(28) / columns.sum(axis=1)], axis=1)


@pytest.mark.parametrize("shift", [0.5, 1, 3])
def test_shift_moves_the_centre_of_mass(shift):
    moved = centres(distorted(IMAGES, 3, [0, 0, 0, int(shift * 65536), 0])) - centres(IMAGES)
    assert np.abs(moved).max() < shift + 0.05  # rounding of grey levels
    assert moved.max(axis=0).min() > 0.9 * shift
    assert moved.min(axis=0).max() < -0.9 * shift
    assert np.abs(moved.mean(axis=0)).max() < 0.15 * shift


@pytest.mark.parametrize(("number", "name"), [(0, "rotation"), (1, "scale"), (2, "shear")])
def test_the_other_limits_leave_the_centre_where_it_is(number, name):
    """A disc in the middle keeps its centre, and a rotated one its size."""
    row, column = np.mgrid[:28, :28] - 13.5
    disc = np.where(np.hypot(row, column) < 7, 200, 0).astype(np.uint8).reshape(1, 784).repeat(100, axis=0)
    limits = [0] * 5
    limits[number] = 6554
    images = distorted(disc, 3, limits)
    assert np.abs(centres(images) - 13.5).max() < 0.05
    ink = images.sum(axis=1) / disc.sum(axis=1)
    assert np.ptp(ink) > 0.1 if name == "scale" else np.abs(ink - 1).max() < 0.02
