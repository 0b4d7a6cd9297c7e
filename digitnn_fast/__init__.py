"""The fastest, smallest and most honest handwritten-digit predictor: 784 pixels, H ReLU units, 10 softmax outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digitnn_fast.version import VERSION

if TYPE_CHECKING:
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
