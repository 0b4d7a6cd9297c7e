"""The object that other scripts embed: its answers, and where it may be used."""

import copy
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import digitnn_fast
from digitnn_fast import Network, Predictor
from digitnn_fast.bundled import MODELS
from digitnn_fast.engines import ENGINES
from digitnn_fast.npz import ModelFileError
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

IMAGES = load_sample().test_images[:20]
SQUARES = IMAGES.reshape(-1, 28, 28)
NETWORK = Network(*initialize_parameters(1, 32))
PREDICTOR = Predictor(NETWORK, threads=2)
LABELS, PROBABILITIES = PREDICTOR.predict(IMAGES), PREDICTOR.predict_proba(IMAGES)


def test_the_images_are_not_changed_and_the_answers_are_the_callers():
    images = IMAGES.copy()
    probabilities, one = PREDICTOR.predict_proba(images), PREDICTOR.predict_proba(images[0])
    PREDICTOR.predict_proba(np.zeros((20, 784), np.uint8)), PREDICTOR.predict_proba(np.zeros(784, np.uint8))
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(probabilities, PROBABILITIES)
    np.testing.assert_array_equal(one, PROBABILITIES[0])


def test_one_image_after_another():
    """Each has its own answer, whatever was asked before and in between."""
    for image, label, row in zip(IMAGES, LABELS, PROBABILITIES, strict=True):
        assert PREDICTOR.predict(image) == label
        np.testing.assert_array_equal(PREDICTOR.predict_proba(image), row)
        PREDICTOR.predict(IMAGES[::-1])


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("duplicate", [lambda p: pickle.loads(pickle.dumps(p)), copy.copy, copy.deepcopy])
def test_copies_predict_the_same(duplicate, precision):
    predictor = Predictor(NETWORK, threads=3, precision=precision)
    twin = duplicate(predictor)
    assert (twin.threads, twin.precision) == (3, precision)
    assert twin.predict_proba(IMAGES).tobytes() == predictor.predict_proba(IMAGES).tobytes()
    assert twin.predict(IMAGES[0]) == predictor.predict(IMAGES[0])


@pytest.mark.parametrize("precision", ENGINES)
def test_shared_by_eight_threads(precision):
    predictor = Predictor(NETWORK, threads=2, precision=precision)
    images = load_sample().train_images[:1200]
    labels, probabilities = predictor.predict(images), predictor.predict_proba(images)
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        for first in range(number, 400, 40):
            last = first + 100 * number + 1
            np.testing.assert_array_equal(predictor.predict(images[first:last]), labels[first:last])
            np.testing.assert_array_equal(predictor.predict_proba(images[first:last]), probabilities[first:last])
            assert predictor.predict(images[first]) == labels[first]
            np.testing.assert_array_equal(predictor.predict_proba(images[first]), probabilities[first])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_used_in_forked_children_while_another_thread_predicts():
    predictor, images = Predictor(NETWORK, threads=2), load_sample().train_images[:3000]
    labels, probabilities = predictor.predict(images), predictor.predict_proba(images)
    stop = threading.Event()

    def predict_on_and_on():
        while not stop.is_set():
            predictor.predict(images)

    thread = threading.Thread(target=predict_on_and_on)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # a child that waits for a thread it does not have
                same = (
                    (predictor.predict(images) == labels).all()
                    and (predictor.predict_proba(images) == probabilities).all()
                    and predictor.predict(images[5]) == labels[5]
                    and (Predictor(NETWORK).predict(images) == labels).all()
                )
                os._exit(0 if same else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        thread.join()
    np.testing.assert_array_equal(predictor.predict(images), labels)


def test_made_from_a_network_or_a_file(tmp_path):
    NETWORK.save(tmp_path / "model.npz")
    for predictor in (
        Predictor.from_network(NETWORK, threads=1),
        Predictor.load(tmp_path / "model.npz"),
        Predictor.load(str(tmp_path / "model.npz"), threads=1),
    ):
        np.testing.assert_array_equal(predictor.predict_proba(IMAGES), PROBABILITIES)
    with pytest.raises(ModelFileError, match="No such file"):
        Predictor.load(tmp_path / "nothing.npz")
    with pytest.raises(ModelFileError, match=r"^an empty name is not a model file$"):
        Predictor.load("")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads must be an integer, 1 or more, got 0"),
        ({"threads": 2.5}, "threads must be an integer, 1 or more, got 2.5"),
        ({"precision": "int4"}, f"precision must be {' or '.join(ENGINES)}, got 'int4'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Predictor(NETWORK, **options)


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize(
    ("factors", "bias"),
    [((1e35, 1e30), 0), ((1, 1), -1e31), ((1e29, 1e29), 0), ((1, 1), 3e38)],
)
def test_weights_that_could_overflow_are_refused(factors, bias, precision):
    """Each of these made the kernel answer NaN, or digit 10."""
    W1, b1, W2, b2 = NETWORK.parameters
    network = Network(W1 * np.float32(factors[0]), b1, W2 * np.float32(factors[1]), b2 + np.float32(bias))
    with pytest.raises(ValueError, match=r"^the weights are too large: a sum could reach \d"):
        Predictor(network, precision=precision)


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("size", [0, 1e-38, 1e27])
def test_weights_of_any_other_size_give_digits_and_probabilities(size, precision):
    network = Network(*(array * np.float32(size) for array in NETWORK.parameters[:2]), *NETWORK.parameters[2:])
    predictor = Predictor(network, precision=precision)
    assert predictor.predict(IMAGES).max() <= 9
    probabilities = predictor.predict_proba(IMAGES)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_module_level_names(tmp_path):
    NETWORK.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(digitnn_fast.predict(IMAGES, tmp_path / "model.npz"), LABELS)
    assert digitnn_fast.predict(SQUARES[0], str(tmp_path / "model.npz")) == LABELS[0]

    Image.fromarray(SQUARES[0]).save(tmp_path / "digit.png")
    pixels = digitnn_fast.preprocess(tmp_path / "digit.png")
    assert (pixels.dtype, pixels.shape) == (np.uint8, (784,))
    assert digitnn_fast.predict(pixels, tmp_path / "model.npz") == PREDICTOR.predict(pixels)
    with pytest.raises(AttributeError, match=r"^module 'digitnn_fast' has no attribute 'nothing'$"):
        digitnn_fast.nothing  # noqa: B018
    assert set(digitnn_fast.__all__) <= set(dir(digitnn_fast))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ENGINES)
def test_the_bundled_models_read_digits(name, precision):
    """Their training data may hold these digits, so this says only that they work."""
    sample = load_sample()
    predictor = Predictor.load(name, precision=precision)
    assert predictor.network.training.recipe == name
    assert (predictor.predict(sample.test_images) == sample.test_labels).mean() > 0.99
    assert digitnn_fast.predict(sample.test_images[0], name) == sample.test_labels[0]


def test_small_is_the_default():
    assert Predictor.load().network.W1.tobytes() == Predictor.load("small").network.W1.tobytes()


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33])
def test_an_answer_stays_what_it_was(rows, precision):
    """Few images are answered from memory that the next call uses again: what was given out must not be that."""
    images = load_sample().test_images
    predictor = Predictor.load(precision=precision)
    wanted = predictor.predict(images[:500]), predictor.predict_proba(images[:500])
    answers = [
        (predictor.predict(images[at : at + rows]), predictor.predict_proba(images[at : at + rows]))
        for at in range(0, 5 * rows, rows)
    ]
    for got, expected in zip(zip(*answers, strict=True), wanted, strict=True):
        assert np.concatenate(got).tobytes() == expected[: 5 * rows].tobytes()
