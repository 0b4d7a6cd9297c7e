"""How fast a network runs on this CPU, in a few seconds; every result is checked before it is timed."""

from __future__ import annotations

import hashlib
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import reference
from digitnn_fast.network import Network
from digitnn_fast.predictor import Precision, Predictor
from digitnn_fast.preprocessing import prepare
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.sample import load_sample
from digitnn_fast.sizes import PIXEL_SCALE
from digitnn_fast.threads import available_cpus, run_together, thread_count

BATCHES = 1, 100, 10_000
ENOUGH = 0.02  # seconds that a measurement takes at least: a clock and a scheduler are not exact
RUNS = 7
HASHED = 20  # megabytes: 15 ms on a CPU with instructions for it, 60 without
CREDIBLE = 0.15  # spread; of a machine that does nothing else it is 0.02


class WrongResultError(RuntimeError):
    """A result differs from the reference, so nothing is timed."""


class Speed(NamedTuple):
    """Images per second of `predict`, `batch` of them at once, and the same of NumPy's matrix products.

    NumPy gets its images prepared: deskewed, for instance. Rates are medians; a spread is half the distance of the
    quartiles, as a share of the median. For `crowding` see the function of that name.
    """

    precision: Precision
    threads: int
    batch: int
    rate: float
    numpy_rate: float
    spread: float = 0.0
    numpy_spread: float = 0.0
    crowding: float = 1.0

    @property
    def credible(self) -> bool:
        """Whether both vary so little, on CPUs that do nothing else, that one can be divided by the other."""
        return max(self.spread, self.numpy_spread) <= CREDIBLE and self.crowding <= 1 + CREDIBLE


def measure(network: Network, threads: int | None = None) -> Iterator[Speed]:
    """Speeds with one thread and with `threads` (by default one per CPU), on the embedded digits."""
    images = load_sample().train_images
    peer, prepared = numpy_labels(network), prepare(images, network.preprocessing)
    for precision in ("float32", "int8"):
        check(network, precision, images)
        for count in sorted({1, thread_count(threads)}):
            predictor = Predictor(network, threads=count, precision=precision)
            for batch in BATCHES:
                some = images[0] if batch == 1 else images[:batch]
                seen = prepared[0] if batch == 1 else prepared[:batch]
                before = crowding()
                ours, numpys = in_turn([_timed(predictor.predict, some), _timed(peer, seen)], RUNS)
                rate, numpy_rate = (batch / statistics.median(seconds) for seconds in (ours, numpys))
                crowded = max(before, crowding())
                yield Speed(precision, count, batch, rate, numpy_rate, spread(ours), spread(numpys), crowded)


def spread(seconds: Sequence[float]) -> float:
    """Half the distance of the quartiles, as a share of the median."""
    first, middle, third = statistics.quantiles(seconds, n=4)
    return (third - first) / 2 / middle


def crowding() -> float:
    """How many times longer work takes than CPUs are busy with it, on all of them: 1 if they do nothing else.

    The work is hashing, for which Python lets all threads run at once.
    """
    used: list[float] = []
    content = bytes(1 << 20)

    def work() -> None:
        start = time.thread_time()
        for _ in range(HASHED):
            hashlib.sha256(content)
        used.append(time.thread_time() - start)

    start = time.perf_counter()
    run_together([work] * available_cpus())
    return longer(time.perf_counter() - start, used)


def longer(seconds: float, used: Sequence[float]) -> float:
    """How many times longer so many seconds are than what each thread used of its CPU, in the mean."""
    return seconds * len(used) / sum(used)


def check(network: Network, precision: Precision, images: NDArray[np.uint8]) -> None:
    """WrongResultError unless a Predictor's answers are the reference's: within 1e-5, or the same integers."""
    predictor, seen = Predictor(network, precision=precision), prepare(images, network.preprocessing)
    if precision == "float32":
        wanted = reference.forward(network.parameters, seen).probabilities
        if not np.abs(predictor.predict_proba(images) - wanted).max() <= reference.CLOSE:
            raise WrongResultError("probabilities are not those of the reference")
    elif (predictor.predict(images) != reference.forward_int8(quantize(network.parameters), seen).argmax(axis=1)).any():
        raise WrongResultError("int8 labels are not those of the reference")


def numpy_labels(network: Network) -> Callable[[NDArray[np.uint8]], NDArray[np.int64]]:
    """Labels by the same network as a NumPy user would write it: float32, with the pixels' scale folded into W1."""
    W1, b1, W2, b2 = network.parameters
    W1 = W1 * np.float32(PIXEL_SCALE)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.int64]:
        labels: NDArray[np.int64] = (np.maximum(images.astype(np.float32) @ W1 + b1, 0) @ W2 + b2).argmax(axis=-1)
        return labels

    return predict


def cpu_name() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(": ", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def in_turn(works: Sequence[Callable[[], float]], runs: int) -> list[list[float]]:
    """The results of each function, called `runs` times in turn, after one turn that does not count."""
    turns = [[work() for work in works] for _ in range(runs + 1)]
    return [list(results) for results in zip(*turns[1:], strict=True)]


def _timed(work: Callable[[NDArray[np.uint8]], object], images: NDArray[np.uint8]) -> Callable[[], float]:
    """Seconds of one call: of many, if it is short."""
    calls = 1
    while (seconds := _seconds(work, images, calls)) < ENOUGH:
        calls *= max(2, int(ENOUGH / max(seconds, 1e-9)))
    return lambda: _seconds(work, images, calls) / calls


def _seconds(work: Callable[[NDArray[np.uint8]], object], images: NDArray[np.uint8], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        work(images)
    return time.perf_counter() - start
