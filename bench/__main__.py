"""`python -m bench [--data FOLDER]`: whole commands against the usual pandas + NumPy scripts, and our own speed.

Every result is checked before a time is printed; ours and the peer run in turn, and the median of each is compared.
Writes bench/RESULTS.md and the block between the bench markers of README.md.
"""

from __future__ import annotations

import gzip
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from digitnn_fast import Network, Predictor, __version__, kaggle, reference
from digitnn_fast.predictor import BUNDLED

HERE = Path(__file__).parent
CLI = [sys.executable, "-m", "digitnn_fast"]
RUNS = 9

Row = tuple[str, str, str, str]


def main(data: Path) -> None:
    """Measure, print, and write the results."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train, test = (_unpacked(data, folder, kind) for kind in ("train", "test"))
        rows = [_predict(test, folder), _submit(train, test, folder), *_inference(kaggle.read_test(test))]
    table = [
        "| what | least | measured | times |",
        "|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    about = (
        f"digitnn-fast {__version__}, {date.today()}, {_cpu()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}, NumPy {np.__version__}. Ratios of medians in one run of "
        "`python -m bench`; more than 1 means that we are faster."
    )
    text = "\n".join([about, "", *table])
    (HERE / "RESULTS.md").write_text(f"# Results\n\n{text}\n")
    readme = HERE.parent / "README.md"
    before, _, rest = readme.read_text().partition("<!-- bench -->\n")
    readme.write_text(f"{before}<!-- bench -->\n{text}\n<!-- /bench -->{rest.partition('<!-- /bench -->')[2]}")
    print(text)


def _predict(test: Path, folder: Path) -> Row:
    ours, peer, model = folder / "ours.csv", folder / "peer.csv", folder / "raw.npz"
    _raw_network().save(model)
    commands = (
        [*CLI, "predict", "--model", str(model), "--test", str(test), "--out", str(ours)],
        [sys.executable, str(HERE / "peers" / "predict_pandas_numpy.py"), str(model), str(test), str(peer)],
    )
    for command in commands:
        _process(command)
    labels = [np.loadtxt(path, np.int64, delimiter=",", skiprows=1)[:, 1] for path in (ours, peer)]
    _require(
        np.mean(labels[0] == labels[1]) > 0.9999, "predict and its peer disagree"
    )  # a tie in float32 may fall apart
    times = _in_turn([lambda: _process(commands[0])[0], lambda: _process(commands[1])[0]], RUNS)
    return _row("`predict` on test.csv, whole process, against pandas + NumPy", "2.5×", times)


def _submit(train: Path, test: Path, folder: Path) -> Row:
    """The peer gets the 97.8 % that we have to reach at least, and stops as soon as it has them."""
    ours, model, peer = folder / "submit.csv", folder / "submit.npz", folder / "submit-peer.csv"
    files = ["--train", str(train), "--test", str(test), "--out", str(ours), "--model-out", str(model)]
    script = [str(HERE / "peers" / "submit_pandas_numpy.py"), str(train), str(test), str(peer)]
    record = None
    times: list[list[float]] = [[], []]
    memory = 0
    for _ in range(3):
        seconds, memory, _ = _process([*CLI, "submit", *files])
        record = Network.load(model).training
        _require(record is not None and record.heldout_accuracy >= 0.978, "submit is below 97.8 %")
        times[0].append(seconds)
    accuracy = record.heldout_accuracy if record else 0.0
    seconds, _, output = _process([sys.executable, *script, f"{accuracy:.6f}", "60", str(os.cpu_count())])
    times[1].append(seconds)
    reached, epochs = output.split()
    name = f"`submit`: {accuracy:.2%} held out, {memory:.0f} MB; pandas + NumPy: {float(reached):.2%}, {epochs} epochs"
    return _row(name, "5×", times)


def _raw_network() -> Network:
    """The weights of the bundled model, but for pixels as they are: the peers do not deskew."""
    return Network(*Network.load(BUNDLED["small"]).parameters)


def _inference(images: np.ndarray) -> list[Row]:
    network = _raw_network()
    wanted = reference.forward(network.parameters, images).probabilities
    W1, b1, W2, b2 = network.parameters

    def with_numpy() -> np.ndarray:
        z = np.maximum(images * np.float32(1 / 255) @ W1 + b1, 0) @ W2 + b2
        z = np.exp(z - z.max(axis=1, keepdims=True))
        return z / z.sum(axis=1, keepdims=True)

    rows = []
    one, two = (Predictor.from_network(network, threads=threads) for threads in (1, 2))
    fast = Predictor.from_network(network, threads=1, precision="int8")
    _require(np.abs(one.predict_proba(images) - wanted).max() < 1e-5, "probabilities are off")
    _require(np.mean(fast.predict(images) == wanted.argmax(axis=1)) > 0.999, "int8 labels are off")
    for name, least, ours, peer in (
        ("float32 probabilities, 1 thread, against NumPy (its own threads)", "-", one.predict_proba, with_numpy),
        ("int8 labels against float32 labels, 1 thread", "-", fast.predict, lambda: one.predict(images)),
        ("float32 probabilities, 2 threads against 1", "1.8×", two.predict_proba, lambda: one.predict_proba(images)),
    ):
        rows.append(_row(name, least, _in_turn([_timed(partial(ours, images)), _timed(peer)], 3 * RUNS)))
    rate = len(images) / statistics.median(_in_turn([_timed(lambda: one.predict_proba(images))], RUNS)[0]) / 1e6
    rows.append(("float32 probabilities, 1 thread", "-", f"{rate:.1f} million images/s", "-"))
    return rows


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run


def _in_turn(works: list[Callable[[], float]], runs: int) -> list[list[float]]:
    """Seconds of each work, which take turns, after one turn that does not count."""
    turns = [[work() for work in works] for _ in range(runs + 1)]
    return [list(times) for times in zip(*turns[1:], strict=True)]


def _row(name: str, least: str, times: list[list[float]]) -> Row:
    ours, peer = (statistics.median(seconds) for seconds in times)
    return name, least, f"**{peer / ours:.1f}×**", f"{ours:.3g} s, {peer:.3g} s"


def _process(command: list[str]) -> tuple[float, float, str]:
    """Seconds and peak megabytes of a command, and what it prints; an error ends the benchmark."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    _require(status == 0, f"failed: {' '.join(command)}")
    return seconds, usage.ru_maxrss / 1024, output


def _require(true: object, otherwise: str) -> None:
    if not true:
        sys.exit(f"bench: {otherwise}; no time is shown")


def _unpacked(data: Path, folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.csv"
    if (plain := data / path.name).exists():
        return plain
    with gzip.open(data / f"{kind}.csv.gz") as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


if __name__ == "__main__":
    given = sys.argv[2] if sys.argv[1:2] == ["--data"] else HERE.parent.parent / "shared" / "data"
    main(Path(given))
