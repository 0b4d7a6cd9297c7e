"""The network as a scikit-learn classifier, which does not need scikit-learn."""

from __future__ import annotations

import sys
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digitnn_fast.checks import counted
from digitnn_fast.inputs import as_images, holds_pictures, is_source
from digitnn_fast.network import Network
from digitnn_fast.predictor import Precision, Predictor
from digitnn_fast.sizes import CLASSES, PIXELS
from digitnn_fast.training import DEFAULT, train
from digitnn_fast.training.recipes import Recipe, find_recipe

OVERRIDES = "hidden", "epochs", "learning_rate", "batch", "weight_decay", "smoothing", "pictures"


def _many(X: Any) -> Any:
    """Images X (n, 784), or the list of pictures, each of which a predictor reads in two ways; ValueError for one."""
    return X if holds_pictures(X) and not is_source(X) else as_images(X)


def _classes(targets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The classes (k,), sorted, and the place (n,) of each target among them; ValueError for what are no classes."""
    if targets.dtype.kind == "f" and not (np.isfinite(targets).all() and (targets == np.rint(targets)).all()):
        raise ValueError("y must be classes, none of them missing, not continuous values")
    try:
        if targets.dtype.kind == "O" and any(target != target for target in targets):  # NaN
            raise TypeError
        return np.unique(targets, return_inverse=True)
    except TypeError:  # also of None, pandas' NA, or numbers among texts
        raise ValueError("y must be all numbers or all texts, and none of them missing") from None


class NotFittedError(ValueError, AttributeError):
    """`predict` before `fit`; where scikit-learn is loaded, its own exception of that name is raised."""


class DigitClassifier:
    """A classifier of images (n, 784), as grey levels 0..255 or floats 0..1, into up to ten classes of any kind.

    `recipe` is a name of `RECIPES` or a Recipe; what else is not None takes the place of its own setting. The same
    data, parameters and `seed` give the same network for any number of `threads` (by default one per CPU; 1 is best
    where joblib starts processes). After `fit`: `classes_` (k,) sorted, `network_`, `n_features_in_`.

    >>> from digitnn_fast.sample import load_sample
    >>> digits = load_sample()
    >>> words = np.array(["even", "odd"])[digits.train_labels[:2000] % 2]
    >>> classifier = DigitClassifier(epochs=5).fit(digits.train_images[:2000], words)
    >>> classifier.classes_.tolist()
    ['even', 'odd']
    >>> classifier.predict(digits.test_images[:3]).tolist()
    ['even', 'odd', 'odd']
    """

    _estimator_type = "classifier"  # for scikit-learn before 1.6

    def __init__(
        self,
        recipe: str | Recipe = DEFAULT,
        *,
        seed: int = 0,
        hidden: int | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch: int | None = None,
        weight_decay: float | None = None,
        smoothing: float | None = None,
        pictures: float | None = None,
        threads: int | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.recipe = recipe
        self.seed = seed
        self.hidden = hidden
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch = batch
        self.weight_decay = weight_decay
        self.smoothing = smoothing
        self.pictures = pictures
        self.threads = threads
        self.precision = precision

    def __repr__(self) -> str:
        usual = signature(type(self)).parameters
        changed = (f"{name}={value!r}" for name, value in self.get_params().items() if value != usual[name].default)
        return f"{type(self).__name__}({', '.join(changed)})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters of the constructor; `deep` changes nothing, as none of them has parameters."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **params: Any) -> DigitClassifier:
        """Change some parameters; ValueError for an unknown name."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"no parameter {name!r}: there are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def fit(self, X: Any, y: ArrayLike) -> DigitClassifier:
        """Train on images X (n, 784) with classes y (n,), numbers or texts; ValueError unless there are 1 to 10."""
        if np.ma.is_masked(y):
            raise ValueError("y has masked values; leave these rows out")
        pixels, targets = as_images(X), np.asarray(y)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]
        if targets.shape != (len(pixels),):
            raise ValueError(f"y must be ({len(pixels)},), one class for each image, not {targets.shape}")
        if not len(pixels):
            raise ValueError("there are no images to learn from")
        classes, codes = _classes(targets)
        if len(classes) > CLASSES:
            raise ValueError(f"y has {len(classes):,} classes, and the network {CLASSES} outputs")
        recipe = self._recipe()
        network = train(pixels, codes.astype(np.uint8), recipe, seed=self.seed, heldout=0.0, threads=self.threads)
        self.classes_, self.network_, self.n_features_in_ = classes, network, PIXELS
        self.__dict__.pop("_ready", None)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Classes (n,) of images X (n, 784)."""
        if len(self._fitted().classes_) < CLASSES:
            return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
        return np.asarray(self.classes_[self._predictor().predict(_many(X))])

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probabilities (n, k) of images X (n, 784), in the order of `classes_`; each row adds up to 1."""
        classes = len(self._fitted().classes_)
        probabilities = self._predictor().predict_proba(_many(X))
        if classes == CLASSES:
            return probabilities
        seen = np.maximum(probabilities[:, :classes], np.finfo(np.float32).tiny)  # outputs that no class uses
        return np.asarray(seen / seen.sum(axis=1, keepdims=True))

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy 0..1 on images X (n, 784) whose classes are y (n,)."""
        answers, true = self.predict(X), np.asarray(y).reshape(-1)
        if len(answers) != len(true):
            raise ValueError(f"{counted(len(answers), 'image')}, but y has {len(true):,}")
        right = answers == true
        return float(np.average(right, weights=None if sample_weight is None else np.asarray(sample_weight)))

    def _recipe(self) -> Recipe:
        changes = {name: value for name in OVERRIDES if (value := getattr(self, name)) is not None}
        return replace(find_recipe(self.recipe), **changes)

    def _fitted(self) -> DigitClassifier:
        if hasattr(self, "network_"):
            return self
        sklearn = sys.modules.get("sklearn.exceptions")
        raise getattr(sklearn, "NotFittedError", NotFittedError)(
            "this DigitClassifier is not fitted yet: call fit first"
        )

    def _predictor(self) -> Predictor:
        """The predictor, made once for each network and set of parameters."""
        network: Network = self.network_
        made_for = network, self.threads, self.precision
        ready = self.__dict__.get("_ready")
        if ready is None or ready[0] != made_for:
            ready = made_for, Predictor(network, threads=self.threads, precision=self.precision)
            self._ready = ready
        predictor: Predictor = ready[1]
        return predictor

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_ready"}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        """Tags for scikit-learn 1.6 and newer. Only scikit-learn calls this, so it can be imported here."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(positive_only=True),
        )
