"""`python -m bench.shards [--data FOLDER]`: many shards on this machine, and what a billion images would take.

Results of all ways are compared to the byte before a time is printed; ways take turns, and medians are compared.
Writes bench/SHARDS.md and the block between the shards markers of digitnn_fast/shards/README.md; with --dry it only
prints.
"""

from __future__ import annotations

import argparse
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
from contextlib import ExitStack
from datetime import date
from importlib.metadata import version
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np

from bench.data import add_data_option, find
from bench.measure import HERE, amount, require
from digitnn_fast import Network, Predictor, __version__, kaggle
from digitnn_fast.benchmark import cpu_name
from digitnn_fast.predictor import model_path
from digitnn_fast.shards import Options, Outcome, find_shards, predict_shard
from digitnn_fast.shards.clusters import connected, run_local, run_on
from digitnn_fast.shards.store import STORE_BLOCK

SHARDS, ROWS, ROUNDS = 40, 50_000, 7
README = HERE.parent / "digitnn_fast" / "shards" / "README.md"
BEGIN, END = "<!-- shards -->\n", "<!-- /shards -->"
LIBRARIES = "numpy", "distributed", "pyarrow", "s3fs"
WHOLE = "All of it, with versions: [bench/SHARDS.md](../../bench/SHARDS.md), by `python -m bench.shards`."
BILLION = 10**9
LINK = 1.25e9  # bytes per second: 10 Gbit/s, what a machine of a cloud commonly has; an assumption

MEMORY = """
import sys
from digitnn_fast import Predictor
from digitnn_fast.shards import predict_shard
predict_shard(sys.argv[1], sys.argv[2], Predictor.load(threads=1))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""

SERVER = """
import threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""


class Cost(NamedTuple):
    """Of one way to keep and read images: seconds of a core, and bytes, for each image."""

    name: str
    seconds: float
    bytes: float
    written: float


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.shards", description="Measure many shards.")
    add_data_option(parser)
    parser.add_argument("--dry", action="store_true", help="only print")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = _images(arguments.data)
        speeds = _speeds(Path(folder), images)
        costs = _costs(Path(folder), images)
        memory = _memory(Path(folder), images)
    title = "## A billion images, on paper"
    text = "\n".join(["# Many shards", "", _about(), "", *speeds, "", *memory, "", title, "", *_plan(costs)])
    print(text)
    if not arguments.dry:
        (HERE / "SHARDS.md").write_text(text + "\n")
        before, _, rest = README.read_text().partition(BEGIN)
        block = "\n".join(_plan(costs, WHOLE))
        README.write_text(f"{before}{BEGIN}{block}\n{END}{rest.partition(END)[2]}")


def _images(data: Path) -> np.ndarray:
    """The 70,000 real digits of train.csv and test.csv."""
    train, test = (find(data, name) for name in ("train.csv", "test.csv"))
    return np.concatenate([kaggle.read_train(train)[0], kaggle.read_test(test)])


def _about() -> str:
    libraries = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    return (
        f"digitnn-fast {__version__}, {date.today()}, {cpu_name()}, {os.cpu_count()} CPUs, Python "
        f"{platform.python_version()}, {libraries}. By `python -m bench.shards`."
    )


def _speeds(folder: Path, images: np.ndarray) -> list[str]:
    """Local threads and Dask's workers, one and two, on shards of real digits, each in an order of its own."""
    for number in range(SHARDS):
        order = np.random.default_rng(number).permutation(len(images))[:ROWS]
        np.save(folder / f"part-{number:02}.npy", images[order])
    network, predictor = Network.load(model_path()), Predictor.load(threads=1)
    tasks = find_shards([str(folder)], str(folder / "out"))
    with ExitStack() as stack:
        works: dict[str, Callable[[], list[Outcome]]] = {}
        for count in (1, 2):
            works[f"local, {count}"] = lambda count=count: list(run_local(tasks, predictor, Options(), count))  # type: ignore[misc]
        start = time.perf_counter()
        clients = {count: stack.enter_context(connected(None, count)) for count in (1, 2)}
        starting = (time.perf_counter() - start) / len(clients)
        for count, client in clients.items():
            works[f"dask, {count}"] = lambda client=client: list(run_on(client, tasks, network, "float32", Options()))  # type: ignore[misc]
        expected = _checked(works["local, 1"], folder / "out")
        for name, work in works.items():
            require(_checked(work, folder / "out") == expected, f"{name} disagrees with the local loop")
        seconds: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                seconds[name].append(_timed(work, folder / "out"))
    shutil.rmtree(folder / "out")
    median = {name: statistics.median(times) for name, times in seconds.items()}
    overhead = statistics.median(d / own - 1 for d, own in zip(seconds["dask, 1"], seconds["local, 1"], strict=True))
    faster = statistics.median(one / two for one, two in zip(seconds["dask, 1"], seconds["dask, 2"], strict=True))
    return [
        f"{SHARDS} shards `.npy` of {ROWS:,} real digits, model `small`; medians of {ROUNDS} rounds, all in turn:",
        "",
        "| engine, threads or workers | seconds | images/s |",
        "|---|---|---|",
        *(f"| {name} | {s:.2f} | {SHARDS * ROWS / s:,.0f} |" for name, s in median.items()),
        "",
        "| what | asked | measured (medians of the rounds' ratios) |",
        "|---|---|---|",
        f"| two Dask workers against one | ≥ 1.7× | **{faster:.2f}×** |",
        f"| Dask's overhead: one worker against the local loop | ≤ 15% | **{overhead:+.1%}** |",
        f"| starting a cluster of this machine, once | – | {starting:.1f} s |",
    ]


def _checked(work: Callable[[], list[Outcome]], out: Path) -> dict[str, bytes]:
    """The results of all shards, made anew."""
    shutil.rmtree(out, ignore_errors=True)
    outcomes = work()
    require([one.rows for one in outcomes if not one.skipped] == [ROWS] * SHARDS, "a shard is not complete")
    return {path.name: path.read_bytes() for path in out.glob("*.csv")}


def _timed(work: Callable[[], list[Outcome]], out: Path) -> float:
    shutil.rmtree(out, ignore_errors=True)
    time.sleep(0.2)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _costs(folder: Path, images: np.ndarray) -> list[Cost]:
    """Seconds of processor time for each image: other work on the machine does not count in them."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    some, fast = images[:ROWS], {"compresslevel": 6}
    header = ",".join(f"pixel{number}" for number in range(784))
    lines = "\n".join([header, *(",".join(map(str, row)) for row in some.tolist())]) + "\n"
    np.save(folder / "a.npy", some)
    with gzip.open(folder / "b.npy.gz", "wb", **fast) as file:
        np.save(file, some)
    rows = arrow.FixedSizeListArray.from_arrays(arrow.array(some.reshape(-1)), 784)
    parquet.write_table(arrow.table({"pixels": rows}), folder / "c.parquet", compression="zstd", use_dictionary=False)
    (folder / "d.csv").write_text(lines)
    with gzip.open(folder / "e.csv.gz", "wt", **fast) as text:
        text.write(lines)
    ways: list[tuple[str, str, str, Any]] = [
        ("`.npy`", "a.npy", "small", "float32"),
        ("`.npy`, int8", "a.npy", "small", "int8"),
        ("`.npy`, model `accurate`", "a.npy", "accurate", "float32"),
        ("`.npy`, model `accurate`, int8", "a.npy", "accurate", "int8"),
        ("`.npy.gz`", "b.npy.gz", "small", "float32"),
        ("Parquet, lists, zstd", "c.parquet", "small", "float32"),
        ("CSV", "d.csv", "small", "float32"),
        ("`.csv.gz`", "e.csv.gz", "small", "float32"),
    ]
    return [*(_cost(folder, *way) for way in ways), _cost_of_store(folder)]


def _cost_of_store(folder: Path) -> Cost:
    """The same when a client reads it from a server that speaks S3; the server's own time does not count."""
    import s3fs

    command = [sys.executable, "-c", SERVER]
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            system = s3fs.S3FileSystem()
            system.mkdir("digits")
            system.put_file(str(folder / "a.npy"), "digits/a.npy")
            cost = _cost(folder, "`.npy` from S3 (loopback, no TLS)", "s3://digits/a.npy", "small", "float32")
            return cost._replace(bytes=(folder / "a.npy").stat().st_size / ROWS)
        finally:
            server.kill()


def _cost(folder: Path, name: str, file: str, model: str, precision: Any) -> Cost:
    predictor = Predictor.load(model, threads=1, precision=precision)
    source, result = file if "://" in file else str(folder / file), folder / "cost.csv"
    times = []
    for _ in range(ROUNDS):
        result.unlink(missing_ok=True)
        start = time.process_time()
        outcome = predict_shard(source, str(result), predictor)
        times.append(time.process_time() - start)
        require(outcome.rows == ROWS and not outcome.skipped, f"{name} is not complete")
    size = 0 if "://" in file else (folder / file).stat().st_size
    return Cost(name, statistics.median(times) / ROWS, size / ROWS, result.stat().st_size / ROWS)


def _memory(folder: Path, images: np.ndarray) -> list[str]:
    """Peak memory by size of the shard, each in a process of its own."""
    lines = ["| `.npy` of | peak memory |", "|---|---|"]
    for gigabytes in (0.02, 0.2, 2):
        count = int(gigabytes * 1e9 / 784)
        path = folder / "memory.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, 784))
        for first in range(0, count, len(images)):
            array[first : first + len(images)] = images[: count - first]
        array.flush()
        del array
        command = [sys.executable, "-c", MEMORY, str(path), str(folder / "memory.csv")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        lines.append(f"| {gigabytes:g} GB | {int(done.stdout) / 1024:.0f} MB |")
        path.unlink()
    return lines


def _plan(costs: list[Cost], whole: str = "") -> list[str]:
    """What a billion images would take: core time and bytes measured here, the network's speed assumed.

    `whole` says where all of it is, for who reads but this part.
    """
    plain, stored = costs[0], costs[-1]
    packed = min(costs[:-1], key=lambda cost: cost.bytes)
    hours, terabytes = BILLION / 3600, BILLION / 1e12
    table = [
        "| shards of real digits | core time per image | core-hours | to read | cores that 10 Gbit/s feed |",
        "|---|---|---|---|---|",
    ]
    for cost in costs:
        times = f"{amount(cost.seconds)} | {hours * cost.seconds:.2f}"
        feeds = LINK * cost.seconds / cost.bytes
        table.append(f"| {cost.name} | {times} | {terabytes * cost.bytes:.2f} TB | {feeds:.1f} |")
    link = f"{BILLION * stored.bytes / LINK / 60:.0f} minutes for the {terabytes * stored.bytes:.2f} TB"
    about = (
        f"Measured on one core of {cpu_name()}: processor time from file to result, model `small` in float32 if "
        f"nothing else is said, shards of {ROWS:,}. Assumed: an object store that gives each machine 10 Gbit/s."
    )
    answer = (
        "The limit is reading. From a store, a billion images in `.npy` cost "
        f"{hours * stored.seconds:.2f} core-hours, but one machine's link needs {link} and feeds "
        f"{LINK * stored.seconds / stored.bytes:.1f} cores; more cores in it wait. So add machines, whose links add "
        f"up, until the store's own limit. {packed.name} is {plain.bytes / packed.bytes:.1f} times smaller for "
        f"{packed.seconds / plain.seconds:.1f} times the core time: worth it where cores wait for the link. "
        f"In shards of {ROWS:,} that is {BILLION // ROWS:,} shards, "
        "twice as many requests to write (result and manifest), at least "
        f"{BILLION * plain.bytes / STORE_BLOCK:,.0f} to read, and {BILLION * plain.written / 1e9:.0f} GB of labels."
    )
    return [fill(f"{about} {whole}", 120), "", *table, "", fill(answer, 120)]


if __name__ == "__main__":
    main()
