"""`Predictor`, which other scripts embed: images in, digits or probabilities out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.bundled import DEFAULT, MODELS
from digitnn_fast.engines import ENGINES, Engine, engine_for
from digitnn_fast.inputs import as_pixels, holds_pictures, is_source
from digitnn_fast.network import Network
from digitnn_fast.sizes import CLASSES, PIXELS
from digitnn_fast.threads import run_together, thread_count
from digitnn_fast.utils import Parameters

Precision = Literal["float32", "int8"]
Picture = str | os.PathLike[str] | bytes | bytearray  # one digit, however it is written
FEW = 32  # images at most that are worth copying: then no addresses are looked up, which takes 10 us
ALONE = 1024  # images for each thread, at least: 0.2 to 0.4 ms, of which it takes 0.05 until it runs
LEAST = 1e-12  # probability, whose logarithm is to be finite
SURER = 1.1  # times the logarithms' mean: two readings that agree are surer than one; see bench/ACCURACY.md
LARGEST = 1e30  # float32 ends at 3e38; -1e30 is kernels.NO_CLASS, which every logit must exceed


class Predictor:
    """Digits of handwritten images, by one network.

    Images are arrays of shape (784,) or (28, 28) for one, (n, 784) or (n, 28, 28) for many, a table of 784 pixel
    columns, a list of these, or pictures: see `inputs.as_pixels`. Integers are grey levels 0 (paper) to 255 (ink).
    Floats are 0 to 1 and are rounded to the nearest of the 256 levels. TypeError or ValueError for anything else.
    A picture is read in two ways, by `images.readings`; `predict_readings` makes one answer of these.

    May be shared between threads, pickled, and used after a fork.

    >>> from digitnn_fast.sample import load_sample
    >>> images = load_sample().test_images[:3]
    >>> predictor = Predictor.load("accurate", threads=1)
    >>> predictor.predict(images).tolist()
    [8, 1, 7]
    >>> predictor.predict(images[0])
    8
    >>> predictor.predict_proba(images).round(2).max(axis=1).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, network: Network, *, threads: int | None = None, precision: Precision = "float32") -> None:
        """`precision` "int8" is faster, and its labels are the same on every machine; see `quantization`."""
        if precision not in ENGINES:
            raise ValueError(f"precision must be {' or '.join(ENGINES)}, got {precision!r}")
        self.network = network
        self.threads = thread_count(threads)
        self.precision = precision
        _check_reach(network.parameters)
        self._engine = engine_for(network, precision)
        self._own = threading.local()  # calls, whose memory serves one thread at a time
        # Loads the kernels now: if a fork came while another thread does, the child would wait for that thread forever.
        self.predict_proba(np.zeros((1, PIXELS), np.uint8))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
        precision: Precision = "float32",
    ) -> Predictor:
        """The predictor for a model file or for a bundled model, "small" or "accurate"; by default for "small".

        ModelFileError if the file can't be read.
        """
        return cls(Network.load(model_path(path)), threads=threads, precision=precision)

    @classmethod
    def from_network(
        cls, network: Network, *, threads: int | None = None, precision: Precision = "float32"
    ) -> Predictor:
        """The predictor for a network; it uses all CPUs unless told otherwise."""
        return cls(network, threads=threads, precision=precision)

    def __repr__(self) -> str:
        return f"Predictor({self.network!r}, threads={self.threads}, precision={self.precision!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the network; the rest is made from it."""
        return _restore, (self.network, self.threads, self.precision)

    @overload
    def predict(self, images: Picture) -> int: ...
    @overload
    def predict(self, images: Any) -> int | NDArray[np.uint8]: ...
    def predict(self, images: Any) -> int | NDArray[np.uint8]:
        """Digits (n,) uint8 of n images; the int of one image."""
        if holds_pictures(images):
            labels = self.predict_proba(images).argmax(axis=-1)
            return labels.astype(np.uint8) if labels.ndim else int(labels)
        pixels = as_pixels(images)
        if pixels.ndim == 1:
            return int(self._few(pixels[None], probabilities=False).labels[0])
        if 0 < len(pixels) <= FEW:
            return self._few(pixels, probabilities=False).labels.copy()
        labels = np.empty(len(pixels), np.uint8)
        self._run(pixels, labels, np.empty((0, CLASSES), np.float32))
        return labels

    def predict_many(self, images: Any) -> NDArray[np.uint8]:
        """Digits (n,) of n images; a single image counts as n = 1."""
        return np.atleast_1d(np.asarray(self.predict(images), np.uint8))

    def predict_proba(self, images: Any) -> NDArray[np.float32]:
        """Probabilities (n, 10) of n images; (10,) of one image."""
        if holds_pictures(images):
            if is_source(images):
                from digitnn_fast.images import readings  # 5 ms, which tables do not need

                return self.predict_readings(readings(images)[None]).reshape(CLASSES)
            return np.concatenate([np.atleast_2d(self.predict_proba(one)) for one in images])
        pixels = as_pixels(images)
        return self._shares(pixels[None]).reshape(CLASSES) if pixels.ndim == 1 else self._shares(pixels)

    def predict_both(self, images: Any) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Digits (n,) and probabilities (n, 10) of n images, in one pass; a single image counts as n = 1."""
        if holds_pictures(images):
            shares = np.atleast_2d(self.predict_proba(images))
            return shares.argmax(axis=1).astype(np.uint8), shares
        pixels = np.atleast_2d(as_pixels(images))
        labels, probabilities = np.empty(len(pixels), np.uint8), np.full((len(pixels), CLASSES), np.nan, np.float32)
        self._run(pixels, labels, probabilities)
        return labels, probabilities

    def predict_readings(self, readings: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (n, 10) of n digits that were each read in k ways, (n, k, 784), as `images.readings` does.

        Those of one way are as they are.
        """
        n, k, _ = readings.shape
        shares = self._shares(readings.reshape(n * k, PIXELS))
        if k == 1:
            return shares
        each = shares.astype(np.float64).reshape(n, k, CLASSES)
        together = np.exp(SURER * np.log(np.maximum(each, LEAST)).mean(axis=1))
        return np.asarray(together / together.sum(axis=1, keepdims=True), np.float32)

    def _shares(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (n, 10) of pixels (n, 784), whatever their levels."""
        if 0 < len(pixels) <= FEW:
            return self._few(pixels, probabilities=True).probabilities.copy()
        probabilities = np.full((len(pixels), CLASSES), np.nan, np.float32)
        self._run(pixels, np.empty(len(pixels), np.uint8), probabilities)
        return probabilities

    def _run(self, pixels: NDArray[np.uint8], labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
        """Fill labels and, unless it has no rows, probabilities: each thread takes images while there are any."""
        threads = max(1, min(self.threads, len(pixels) // ALONE))
        arguments = np.zeros(1, np.int64), pixels, labels, probabilities
        run_together([partial(self._call(number), *arguments) for number in range(threads)])

    def _call(self, number: int) -> Callable[..., object]:
        """The call of this number among those that the calling thread has for itself and its helpers."""
        if not hasattr(self._own, "calls"):
            self._own.calls = []
        while len(self._own.calls) <= number:
            self._own.calls.append(self._engine.call())
        call: Callable[..., object] = self._own.calls[number]
        return call

    def _few(self, pixels: NDArray[np.uint8], *, probabilities: bool) -> _Few:
        """Labels and, if wanted, probabilities of 1 to FEW images."""
        wanted = len(pixels), probabilities
        try:
            few: _Few = self._own.few[wanted]
        except (AttributeError, KeyError):
            few = _Few(self._engine, *wanted)
            self._own.__dict__.setdefault("few", {})[wanted] = few
        few(pixels)
        return few


class _Few:
    """A call for so many images, with arrays of its own: to give it others takes longer than to copy the images."""

    def __init__(self, engine: Engine, images: int, probabilities: bool) -> None:
        self.labels = np.zeros(images, np.uint8)
        self.probabilities = np.zeros((images if probabilities else 0, CLASSES), np.float32)
        self._pixels, self._taken = np.zeros((images, PIXELS), np.uint8), np.zeros(1, np.int64)
        self._call = engine.call(images)
        self._call(self._taken, self._pixels, self.labels, self.probabilities)

    def __call__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels[:] = pixels
        self._taken[0] = 0
        self._call()


def model_path(model: str | os.PathLike[str] | None = None) -> str | os.PathLike[str]:
    """The file of the bundled model of that name, of "small" without a name; else `model` itself, a path."""
    if model is None:
        model = DEFAULT
    return MODELS[model].file if isinstance(model, str) and model in MODELS else model


@overload
def predict(images: Picture, model: str | os.PathLike[str] | None = None) -> int: ...
@overload
def predict(images: Any, model: str | os.PathLike[str] | None = None) -> int | NDArray[np.uint8]: ...
def predict(images: Any, model: str | os.PathLike[str] | None = None) -> int | NDArray[np.uint8]:
    """Digits (n,) uint8 of n images, or the int of one, by a model file or a bundled model, by default "small".

    Images and errors are those of `Predictor`, which is faster if there are several calls.

    >>> from digitnn_fast.sample import load_sample
    >>> predict(load_sample().test_images[:3]).tolist()
    [8, 1, 7]
    """
    answer: int | NDArray[np.uint8] = Predictor.load(model).predict(images)
    return answer


def _check_reach(parameters: Parameters) -> None:
    """ValueError if any image could make a sum overflow float32: the answer might be digit 10 or NaN."""
    b1, W2, b2 = (np.abs(array, dtype=np.float64) for array in parameters[1:])
    hidden, rows = b1.copy(), max(1, 2**18 // len(b1))
    for first in range(0, PIXELS, rows):  # of a wide network not all at once, which would take 400 MB
        hidden += np.abs(parameters.W1[first : first + rows], dtype=np.float64).sum(axis=0)
    reach = max(hidden.max(), (hidden @ W2 + b2).max())
    if reach > LARGEST:
        raise ValueError(f"the weights are too large: a sum could reach {reach:.0e}, more than {LARGEST:.0e}")


def _restore(network: Network, threads: int, precision: Precision) -> Predictor:
    return Predictor(network, threads=threads, precision=precision)
