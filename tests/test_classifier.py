"""DigitClassifier: alone, and as scikit-learn's tools use it, on real digits."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from digitnn_fast import DigitClassifier, Predictor
from digitnn_fast.classifier import NotFittedError
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.sample import load_sample
from digitnn_fast.training import train
from digitnn_fast.training.recipes import RECIPES
from digitnn_fast.utils import get_accuracy

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")

SAMPLE = load_sample()
X, Y = SAMPLE.train_images[:2000], SAMPLE.train_labels[:2000]
X_TEST, Y_TEST = SAMPLE.test_images, SAMPLE.test_labels
WORDS = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
QUICK = DigitClassifier(epochs=8, hidden=32)


@pytest.fixture(scope="module")
def fitted() -> DigitClassifier:
    return DigitClassifier(epochs=8, hidden=32).fit(X, Y)


def test_fit_and_predict(fitted):
    assert fitted.classes_.tolist() == list(range(10)) and fitted.n_features_in_ == 784
    probabilities = fitted.predict_proba(X_TEST)
    assert probabilities.shape == (2000, 10) and np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    labels = fitted.predict(X_TEST)
    np.testing.assert_array_equal(labels, probabilities.argmax(axis=1))
    assert labels.dtype == Y.dtype
    assert fitted.score(X_TEST, Y_TEST) == get_accuracy(labels, Y_TEST) > 0.85
    right, weights = labels == Y_TEST, np.arange(2000)
    assert fitted.score(X_TEST, Y_TEST, weights) == pytest.approx(np.average(right, weights=weights))


def test_it_is_the_training_of_the_recipe(fitted):
    from dataclasses import replace

    network = train(X, Y, replace(RECIPES["fast"], epochs=8, hidden=32), heldout=0.0)
    for own, other in zip(fitted.network_.parameters, network.parameters, strict=True):
        np.testing.assert_array_equal(own, other)
    again = DigitClassifier(epochs=8, hidden=32, threads=1).fit(X / 255, Y.astype(float))
    np.testing.assert_array_equal(again.network_.W1, network.W1)


def test_texts_as_classes(fitted):
    words = DigitClassifier(epochs=8, hidden=32).fit(pd.DataFrame(X), pd.Series(WORDS[Y]))
    assert words.classes_.tolist() == sorted(WORDS)
    assert words.score(X_TEST, WORDS[Y_TEST]) > 0.85
    assert set(words.predict(X_TEST)) <= set(WORDS)
    np.testing.assert_array_equal(words.classes_[words.predict_proba(X_TEST).argmax(axis=1)], words.predict(X_TEST))


@pytest.mark.parametrize("digits", [(3, 8), (1, 4, 7), (5,)])
def test_only_the_classes_that_were_seen(digits):
    rows, tested = np.isin(Y, digits), np.isin(Y_TEST, digits)
    model = DigitClassifier(epochs=8, hidden=32).fit(X[rows], Y[rows])
    assert model.classes_.tolist() == list(digits)
    probabilities = model.predict_proba(X_TEST)  # of digits that it has never seen, too
    assert probabilities.shape == (2000, len(digits)) and np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert set(model.predict(X_TEST)) <= set(digits)
    assert model.score(X_TEST[tested], Y_TEST[tested]) > 0.93


def test_pictures_are_read_as_a_predictor_reads_them(fitted):
    pictures = [Image.fromarray(255 - image.reshape(28, 28)).resize((90, 90)) for image in X_TEST[:3]]
    wanted = Predictor(fitted.network_).predict_proba(pictures)
    np.testing.assert_array_equal(fitted.predict_proba(pictures), wanted)
    np.testing.assert_array_equal(fitted.predict(pictures), wanted.argmax(axis=1))
    with pytest.raises(ValueError, match=r"^there must be many images"):
        fitted.predict(pictures[0])


def test_a_score_needs_a_class_of_each_image(fitted):
    with pytest.raises(ValueError, match=r"^3 images, but y has 2$"):
        fitted.score(X_TEST[:3], Y_TEST[:2])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", 0, "epochs must be an integer, 1 or more, got 0"),
        ("batch", -1, "batch must be an integer, 1 or more, got -1"),
        ("hidden", 2.5, r"hidden must be an integer, 1 or more, got 2\.5"),
        ("hidden", 10**6, "hidden must be 1 to 65,536, got 1,000,000"),
        ("learning_rate", -1.0, r"the learning rate must be more than 0, got -1\.0"),
        ("learning_rate", "fast", "the learning rate must be more than 0, got fast"),
        ("weight_decay", np.inf, "the weight decay must be 0 or more, got inf"),
        ("pictures", -1, r"pictures must be a share from 0 to less than 1, got -1"),
        ("smoothing", 1.5, r"the smoothing must be from 0 to less than 1, got 1\.5"),
    ],
)
def test_settings_that_nothing_can_be_trained_with(name, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        DigitClassifier(**{name: value}).fit(X[:20], Y[:20])


@pytest.mark.parametrize("change", [{"pictures": np.float32(0.25)}, {"learning_rate": np.float64(0.01)}])
def test_settings_may_be_numbers_of_numpy(change):
    network = DigitClassifier(epochs=np.int64(1), hidden=8, **change).fit(X[:200], Y[:200]).network_
    assert network.training.settings | change == network.training.settings


def test_int8(fitted):
    model = DigitClassifier(epochs=8, hidden=32, precision="int8").fit(X, Y)
    assert np.mean(model.predict(X_TEST) == fitted.predict(X_TEST)) > 0.99
    model.set_params(precision="float32")
    np.testing.assert_array_equal(model.predict(X_TEST), fitted.predict(X_TEST))


def test_parameters():
    model = DigitClassifier("small", seed=3, threads=2)
    assert model.get_params() == model.get_params(deep=False)
    assert model.get_params()["recipe"] == "small" and model.get_params()["seed"] == 3
    assert repr(model) == "DigitClassifier(recipe='small', seed=3, threads=2)"
    assert model.set_params(epochs=5, batch=32) is model
    assert (model.epochs, model.batch, model.seed) == (5, 32, 3)
    with pytest.raises(ValueError, match=r"^no parameter 'depth': there are recipe, seed, hidden, "):
        model.set_params(depth=3)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (X, Y[:-1], r"y must be \(2000,\), one class for each image, not \(1999,\)"),
        (X[0], Y[:1], r"there must be many images \(n, 784\); .*"),
        (X[:, 1:], Y, r"images must be .*, not \(2000, 783\)"),
        (X / 255 + np.nan, Y, "images of float64 must lie in 0..1, .* but hold NaN"),
        (X[:0], Y[:0], "there are no images to learn from"),
        (X, Y + 0.5, "y must be classes, none of them missing, not continuous values"),
        (X, np.array([1, None] * 1000), "y must be all numbers or all texts, and none of them missing"),
        (X, np.array([1, "a"] * 1000, object), "y must be all numbers or all texts, and none of them missing"),
        (X, np.array([1, np.nan] * 1000, object), "y must be all numbers or all texts, and none of them missing"),
        (X, np.ma.masked_equal(Y, 1), "y has masked values; leave these rows out"),
        (X, np.arange(2000), "y has 2,000 classes, and the network 10 outputs"),
    ],
)
def test_what_cannot_be_learned_from(images, labels, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        QUICK.fit(images, labels)
    with pytest.raises(ValueError, match=r"^no recipe 'slow': there are "):
        DigitClassifier("slow").fit(X, Y)


def test_not_fitted_without_scikit_learn():
    """And nothing of it loads scikit-learn."""
    code = """
import sys
from digitnn_fast import DigitClassifier, Predictor
from digitnn_fast.classifier import NotFittedError
from digitnn_fast.sample import load_sample
sample = load_sample()
model = DigitClassifier(epochs=1)
try:
    model.predict(sample.test_images)
except NotFittedError as error:
    print(error)
model.fit(sample.train_images[:500], sample.train_labels[:500]).score(sample.test_images, sample.test_labels)
print("sklearn" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "this DigitClassifier is not fitted yet: call fit first\nFalse\n"
    assert issubclass(NotFittedError, ValueError) and issubclass(NotFittedError, AttributeError)


def test_pickled(fitted):
    twin = pickle.loads(pickle.dumps(fitted))
    assert twin.predict_proba(X_TEST).tobytes() == fitted.predict_proba(X_TEST).tobytes()
    assert re.fullmatch(r"DigitClassifier\(hidden=32, epochs=8\)", repr(twin))


# With the real scikit-learn


@pytest.fixture(scope="module")
def sklearn():
    if not os.environ.get("CI"):
        pytest.importorskip("sklearn", "1.6")
    import sklearn

    return sklearn


@pytest.mark.once
def test_clone_and_tags(sklearn, fitted):
    from sklearn.base import clone, is_classifier
    from sklearn.exceptions import NotFittedError as TheirError
    from sklearn.utils.validation import check_is_fitted

    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params() and not hasattr(twin, "network_")
    assert is_classifier(twin)
    check_is_fitted(fitted)
    for check in (check_is_fitted, lambda model: model.predict(X_TEST)):
        with pytest.raises(TheirError):
            check(twin)


@pytest.mark.once
def test_pipeline(sklearn, fitted):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

    pipeline = make_pipeline(FunctionTransformer(lambda images: images / 255), DigitClassifier(epochs=8, hidden=32))
    assert pipeline.fit(X, WORDS[Y]).score(X_TEST, WORDS[Y_TEST]) > 0.85
    np.testing.assert_array_equal(pipeline.predict_proba(X_TEST).sum(axis=1).round(4), 1)
    pipeline = make_pipeline(MinMaxScaler(), DigitClassifier(epochs=8, hidden=32))
    assert pipeline.fit(X, Y).score(X, Y) > 0.85
    assert pipeline.set_params(digitclassifier__epochs=3).get_params()["digitclassifier__epochs"] == 3


@pytest.mark.once
@pytest.mark.parametrize("jobs", [1, 2])
def test_cross_validation_and_search_in_processes(sklearn, jobs):
    from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score

    model = DigitClassifier(epochs=6, threads=1)
    scores = cross_val_score(model, X, WORDS[Y], cv=3, n_jobs=jobs)
    assert len(scores) == 3 and scores.min() > 0.85
    shares = cross_val_predict(model, X, Y, cv=2, method="predict_proba", n_jobs=jobs)
    assert np.mean(shares.argmax(axis=1) == Y) > 0.85
    search = GridSearchCV(model, {"hidden": [2, 48], "seed": [0]}, cv=2, n_jobs=jobs, error_score="raise").fit(X, Y)
    assert search.best_params_ == {"hidden": 48, "seed": 0}
    assert search.score(X_TEST, Y_TEST) > 0.85
    assert search.best_estimator_.network_.hidden == 48


@pytest.mark.once
def test_scorers_and_calibration(sklearn, fitted):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import VotingClassifier
    from sklearn.metrics import get_scorer

    for name in ("accuracy", "neg_log_loss", "roc_auc_ovr", "f1_macro"):
        assert np.isfinite(get_scorer(name)(fitted, X_TEST, Y_TEST))
    vote = VotingClassifier([("a", DigitClassifier(epochs=4)), ("b", DigitClassifier(epochs=4, seed=1))], voting="soft")
    assert vote.fit(X, Y).score(X_TEST, Y_TEST) > 0.85
    calibrated = CalibratedClassifierCV(DigitClassifier(epochs=4), cv=2)
    assert calibrated.fit(X, Y).score(X_TEST, Y_TEST) > 0.8
