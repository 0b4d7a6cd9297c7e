"""Handwritten digits, fast, on a CPU: 784 values, H ReLU units, 10 softmax outputs.

A tour. Images are arrays (n, 784) or (n, 28, 28); integers are grey levels 0 (paper) to 255 (ink), floats 0 to 1.

>>> from digitnn_fast import Predictor
>>> from digitnn_fast.sample import load_sample  # 12,000 real digits that are built in
>>> digits = load_sample()
>>> predictor = Predictor.load()  # the bundled model `small`; or "accurate", or the path of a model file
>>> predictor.predict(digits.test_images[:5]).tolist()
[8, 1, 7, 2, 2]
>>> predictor.predict_proba(digits.test_images).shape
(2000, 10)

Train, save and load a network of your own:

>>> from digitnn_fast import Network, train
>>> network = train(digits.train_images[:2000], digits.train_labels[:2000], "fast", seed=0)
>>> network.save("model.npz")
>>> Predictor(Network.load("model.npz"))
Predictor(<Network 784-64-10, directions, recipe fast>, threads=..., precision='float32')

What else there is:

- `preprocess` makes an image of a photo or a scan; `Predictor.predict("three.jpg")` does so, too.
- `DigitClassifier` has scikit-learn's habits.
- `digitnn_fast.kaggle` reads Kaggle's files and writes submissions; `digitnn_fast.evaluation` measures.
- `digitnn_fast.utils` has the small functions of the network by their classic names.
- `digitnn-fast --help` lists the commands; `digitnn_fast/README.md` is the map of the package.
"""

from __future__ import annotations

from digitnn_fast.version import VERSION

TYPE_CHECKING = False  # as in `typing`, whose import takes longer than all of this: Ctrl-C would print a traceback
if TYPE_CHECKING:
    from typing import Any

    from digitnn_fast.classifier import DigitClassifier
    from digitnn_fast.images import preprocess
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import Predictor, predict
    from digitnn_fast.training import train

__version__ = VERSION
__all__ = ["DigitClassifier", "Network", "Predictor", "__version__", "predict", "preprocess", "train"]

_HOMES = {
    "DigitClassifier": "classifier",
    "Network": "network",
    "Predictor": "predictor",
    "predict": "predictor",
    "preprocess": "images",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `digitnn-fast --help` needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
