"""Training against the float64 reference: its recipes, and what it promises of itself."""

from dataclasses import replace

import numpy as np
import pytest
from reference_training import IMAGES, LABELS, SAMPLE, SMALL, Adam, GradientDescent, differences, reference_epoch

from digitnn_fast import Predictor, reference, train
from digitnn_fast.network import Network, data_digest, join
from digitnn_fast.reference import deskewing, directions, distortion, pooling
from digitnn_fast.training.loop import split, train_on
from digitnn_fast.training.recipes import RECIPES
from digitnn_fast.training.views import Views
from digitnn_fast.utils import get_accuracy, get_predictions, initialize_parameters


def reference_train(recipe, images, labels, seed, learned=None):
    """Parameters and history (epochs, 2) of a recipe; the streams of random numbers are part of what it promises.

    With `learned` only these rows of a training on all are learned from.
    """
    random = np.random.default_rng((seed, 2))
    parameters = initialize_parameters(seed, recipe.hidden, recipe.deviation)
    beyond = {"directions": directions.describe, "pooled": pooling.pool}.get(recipe.preprocessing)
    if beyond is pooling.pool:
        parameters.W1[~pooling.INSIDE] = 0
    rows = len(labels) if learned is None else len(learned)
    batch = recipe.batch or rows
    optimizer = (Adam if recipe.adam else GradientDescent)(parameters, recipe, recipe.epochs * -(-rows // batch))
    history = []
    if recipe.preprocessing != "raw":
        images = deskewing.deskew(images)
    for epoch in range(recipe.epochs):
        order = random.permutation(len(labels)) if recipe.batch else np.arange(len(labels))
        order = order if learned is None else order[np.isin(order, learned)]
        key = int(random.integers(2**62))
        if epoch % recipe.repeats == 0:
            seen = distortion.distort(images, key, recipe.distortion.limits()) if recipe.distortion else images
            if beyond:
                seen = beyond(seen)
        parameters, *report = reference_epoch(optimizer, parameters, seen, labels, order)
        history.append(report)
    return parameters, np.array(history)


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
        replace(SMALL, preprocessing="directions", repeats=2),
        replace(SMALL, repeats=2, epochs=4),
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


@pytest.mark.parametrize("batch", [SMALL.batch, 50])
def test_views_of_all_images_for_a_training_on_some(batch):
    recipe = replace(SMALL, preprocessing="directions", batch=batch)
    learned, tested = split(300, 0.2, 7)
    network = train_on(IMAGES, LABELS, recipe, (learned, tested), 4, views=Views(IMAGES, LABELS, recipe, 1))
    wanted, history = reference_train(recipe, IMAGES, LABELS, 4, learned)
    assert np.quantile(differences(network.parameters, wanted), 0.99) < 1e-4
    np.testing.assert_allclose(network.training.history[:, 0], history[:, 0], rtol=1e-4)
    assert (network.training.training_rows, network.training.heldout_rows) == (240, 60)


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
    images[tested] = images[tested, ::-1]
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
        np.testing.assert_array_equal(two, two.astype(np.float16))
        np.testing.assert_allclose(two, one, rtol=2.0**-11, atol=2.0**-14 * np.abs(one).max())


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
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "too few to learn from: 0 rows, 0 held out"),
        ({"images": IMAGES[:1], "labels": [0], "heldout": 0.9}, "too few to learn from: 1 row, 1 held out"),
        ({"labels": LABELS[:5]}, "300 images, but 5 labels"),
        ({"images": IMAGES[0]}, "there must be many images (n, 784); reshape one to (1, 784)"),
        ({"labels": np.full(300, 10)}, "labels must be 0 to 9, got 10 at index 0"),
        ({"labels": LABELS / 2}, "labels must be integers, got float64"),
        ({"threads": 0}, "threads must be an integer, 1 or more, got 0"),
        ({"seed": None}, "the seed must be an integer from 0 up, of 128 bits at most"),
        *(
            (
                {"recipe": replace(SMALL, learning_rate=rate)},
                f"the training diverged: the learning rate of {rate:g} is too high",
            )
            for rate in (1e30, 1e38)
        ),
    ],
)
def test_bad_arguments_are_refused(change, message):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole message is compared
        train(**{"images": IMAGES, "labels": LABELS, "recipe": SMALL} | change)
    assert str(refusal.value) == message
