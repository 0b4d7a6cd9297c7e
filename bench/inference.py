"""Throughput of the network itself: uint8 images in memory in, probabilities or labels out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench.measure import OURS, PAUSE, Case, Result, World, amount, race, ratio, require
from bench.peers import inference as peers
from digitnn_fast import Network, Predictor, kaggle, reference
from digitnn_fast.benchmark import check, in_turn
from digitnn_fast.export.onnx import float32_model
from digitnn_fast.predictor import model_path
from digitnn_fast.preprocessing import PREPROCESSINGS, prepare
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.threads import available_cpus

BATCHES = 1, 2, 4, 16, 64, 256, 1024, 4096, 28_000, 100_000
TUNED = 64, 256, 1024, 4096, 28_000  # batch sizes from which each rival gets its best
RUNS = 21

Predict = Callable[[np.ndarray], np.ndarray]


def float32_one_thread(network: Network, images: np.ndarray) -> Result:
    """Probabilities, ours from pixels; the rivals get what the network sees of them."""
    check(network, "float32", images)
    return _against(network, images, Predictor(network, threads=1).predict_proba, peers.FLOAT32)


def int8_one_thread(network: Network, images: np.ndarray) -> Result:
    check(network, "int8", images)
    return _against(network, images, Predictor(network, threads=1, precision="int8").predict, peers.INT8)


def whole_graph(world: World) -> Result:
    """Our own export in onnxruntime, which prepares the images, too: an image, and how many times as long as ours."""
    network, images = world.directions, world.images
    predictor = Predictor(network, threads=1)
    session = peers.session(float32_model(network), 1, output=1)
    require(np.abs(session(images) - predictor.predict_proba(images)).max() < 1e-4, "the export disagrees")
    theirs = "onnxruntime (batch 64)"
    works = {OURS: lambda: predictor.predict_proba(images), theirs: partial(_in_batches, session, images, 64)}
    times = race(works, 9)
    figure, detail = ratio(times)
    return Result(f"{amount(statistics.median(times[theirs]) / len(images))}; {figure}", detail)


def description(world: World) -> Result:
    """Deskewing and describing, against the description that OpenCV has: it does not deskew, and its values differ."""
    images = np.ascontiguousarray(world.images)
    require(
        np.array_equal(prepare(images, "directions"), PREPROCESSINGS["directions"].reference(images)),
        "the values are not those of the reference",
    )
    works = {OURS: lambda: prepare(images, "directions"), **peers.descriptions(images)}
    require(len(works) > 1, "a rival for describing is missing: install opencv-python-headless<5")
    return ratio(race(works, RUNS))


def two_threads(world: World) -> Result:
    """Of float32 probabilities; on a machine with one CPU there is nothing to see."""
    images = np.concatenate([world.images] * 3)
    one, two = (Predictor(world.network, threads=threads) for threads in (1, 2))
    require(
        np.array_equal(one.predict_proba(images), two.predict_proba(images)), "two threads give other bits than one"
    )
    works = {OURS: lambda: two.predict_proba(images), "one thread": lambda: one.predict_proba(images)}
    return ratio(race(works, RUNS))


def one_image(world: World) -> Result:
    """Latency of a call with one image; onnxruntime with one thread, which is faster than with more."""
    image = world.images[0]
    ours = Predictor(world.network)
    sessions = {name: peer(world.network, 1) for name, peer in {**peers.FLOAT32, **peers.INT8}.items()}
    wanted = ours.predict(image)
    for name, session in sessions.items():
        answer = session(image[None])
        require((answer.argmax() if answer.ndim == 2 else answer[0]) == wanted, f"{name} gives another digit")
    calls = 500
    works = {OURS: partial(_repeat, ours.predict, image, calls)}
    for name, session in sessions.items():
        works[name] = partial(_repeat, session, image[None], calls)
    times = race(works, RUNS)
    return ratio({name: [seconds / calls for seconds in runs] for name, runs in times.items()})


def int8_accuracy(world: World) -> Result:
    """Percentage points that int8 costs on the rows of train.csv that the network never saw."""
    record = world.network.training
    images, labels = world.heldout()
    right = [
        float((Predictor(world.network, precision=precision).predict(images) == labels).mean())
        for precision in ("float32", "int8")
    ]
    require(record and abs(right[0] - record.heldout_accuracy) < 1e-9, "these are not the rows that were held out")
    return Result(f"{100 * (right[0] - right[1]):.2f} points", f"float32 {right[0]:.2%}; int8 {right[1]:.2%}")


def batch_sizes(world: World) -> dict[str, dict[int, float]]:
    """Images per second of everybody for each batch size, with one thread and with all.

    Each has a process of its own, or the threads that one keeps ready would disturb the others; they take turns.
    """
    series: dict[str, dict[int, float]] = {}
    for threads in sorted({1, available_cpus()}):
        with ExitStack() as stack:
            pools = {
                f"{name}, {threads} thread{'s' * (threads > 1)}": stack.enter_context(
                    ProcessPoolExecutor(1, get_context("spawn"), _prepare, (name, world.network, world.test, threads))
                )
                for name in (*OWN, *peers.FLOAT32, *peers.INT8)
            }
            for batch in BATCHES:
                works = [partial(_in_process, pool, batch) for pool in pools.values()]
                for name, seconds in zip(pools, in_turn(works, 5), strict=True):
                    series.setdefault(name, {})[batch] = 1 / statistics.median(seconds)
    return series


OWN = {
    "digitnn-fast float32": lambda network, threads: Predictor(network, threads=threads).predict_proba,
    "digitnn-fast int8": lambda network, threads: Predictor(network, threads=threads, precision="int8").predict,
}
_prepared: list = []  # in a process of its own: predict, images


def _prepare(name: str, network: Network, test: Path, threads: int) -> None:
    predict = {**OWN, **peers.FLOAT32, **peers.INT8}[name](network, threads)
    _prepared[:] = predict, np.concatenate([kaggle.read_test(test)] * 4)


def _in_process(pool: ProcessPoolExecutor, batch: int) -> float:
    return pool.submit(_seconds_per_image, batch).result()


def _seconds_per_image(batch: int) -> float:
    predict, images = _prepared
    calls = max(1, 20_000 // batch) if batch < 1000 else 1
    time.sleep(PAUSE)
    start = time.perf_counter()
    _repeat(predict, images[:batch], calls)
    return (time.perf_counter() - start) / (calls * batch)


def _against(network: Network, images: np.ndarray, ours: Predict, rivals: dict) -> Result:
    """Our time for the images against that of each rival, one thread, in the batches that suit it best."""
    works = {OURS: lambda: ours(images)}
    seen = prepare(images, network.preprocessing)
    for name, peer in rivals.items():
        predict = peer(network, 1)
        _check(network, seen, name, predict(seen))
        best = min(TUNED, key=lambda size: _seconds(predict, seen, size))
        works[f"{name} (batch {best:,})"] = partial(_in_batches, predict, seen, best)
    return ratio(race(works, RUNS))


def _check(network: Network, seen: np.ndarray, name: str, answer: np.ndarray) -> None:
    if answer.ndim == 2:
        wanted = reference.forward(network.parameters, seen).probabilities
        require(np.abs(answer - wanted).max() < 1e-4, f"{name} gives other probabilities")
    else:
        labels = reference.forward_int8(quantize(network.parameters), seen).argmax(axis=1)
        require((answer == labels).mean() > 0.999, f"{name} gives other labels")


def _seconds(predict: Predict, images: np.ndarray, size: int) -> float:
    return min(race({"": partial(_in_batches, predict, images, size)}, 2)[""])


def _repeat(predict: Predict, images: np.ndarray, calls: int) -> None:
    for _ in range(calls):
        predict(images)


def _in_batches(predict: Predict, images: np.ndarray, size: int) -> None:
    for first in range(0, len(images), size):
        predict(images[first : first + size])


CASES = (
    Case(
        "784-64-10 on pixels: float32 probabilities of test.csv, one thread, against the best rival",
        *("3×", "4×"),
        lambda world: float32_one_thread(world.network, world.images),
    ),
    Case(
        "784-64-10 on pixels: int8 labels of test.csv, one thread, against onnxruntime",
        *("2.5×", "4×"),
        lambda world: int8_one_thread(world.network, world.images),
    ),
    Case(
        "784-64-10 on directions: float32 probabilities, ours from pixels, rivals from prepared values",
        *("0.5×", "1×"),
        lambda world: float32_one_thread(world.directions, world.images),
    ),
    Case(
        "784-64-10 on directions: int8 labels, ours from pixels, onnxruntime from prepared values",
        *("0.3×", "0.5×"),
        lambda world: int8_one_thread(world.directions, world.images),
    ),
    Case(
        "784-64-10 on directions from pixels: an image by our own export in onnxruntime, and against ours",
        *("≤ 15 µs", "≤ 8 µs"),
        whole_graph,
    ),
    Case(
        "784-1024-10 on directions: float32 probabilities, ours from pixels, rivals from prepared values",
        *("1×", "2×"),
        lambda world: float32_one_thread(Network.load(model_path("accurate")), world.images),
    ),
    Case("deskewing and describing, one thread, against OpenCV's HOGDescriptor", "5×", "", description),
    Case("two threads against one, float32, 84,000 images", "1.8×", "1.95×", two_threads),
    Case("one image through `Predictor.predict`, against the fastest rival's call", "1×", "2×", one_image),
    Case("accuracy that int8 costs, on rows held out", "≤ 0.03 points", "", int8_accuracy),
)
