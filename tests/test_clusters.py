"""Many shards on real clusters, whose workers and clients are killed, and in other stores."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from digitnn_fast import Network, Predictor, cli
from digitnn_fast.clusters import PREDICTING, ClusterError, run_dask, run_local
from digitnn_fast.kernels._jit import DISABLE_JIT
from digitnn_fast.predictor import model_path
from digitnn_fast.sample import load_sample
from digitnn_fast.shards import Options, find_shards

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")
SHARDS, ROWS = 40, 4000
SLOW = "accurate"  # 20 times as wide as small: a shard lasts long enough for something to happen to it


def need(package: str):
    """The package, which a proof needs: in CI it must be there."""
    return __import__(package) if os.environ.get("CI") else pytest.importorskip(package)


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """40 shards of real digits, each in an order of its own."""
    folder, images = tmp_path_factory.mktemp("digits"), load_sample().train_images
    for number in range(SHARDS):
        order = np.random.default_rng(number).permutation(len(images))[:ROWS]
        np.save(folder / f"part-{number:02}.npy", images[order])
    return folder


@pytest.fixture(scope="module")
def local(digits, tmp_path_factory) -> dict[str, bytes]:
    """What the local loop makes of them: the results by name."""
    out = tmp_path_factory.mktemp("local")
    tasks = find_shards([str(digits)], str(out))
    outcomes = list(run_local(tasks, Predictor.load(SLOW, threads=1), Options()))
    assert sorted(one.task for one in outcomes) == sorted(tasks)
    assert [(one.rows, one.skipped, one.error) for one in outcomes] == [(ROWS, False, "")] * SHARDS
    return results(out)


def results(out: Path) -> dict[str, bytes]:
    """The results that are complete: those with a manifest."""
    return {path.name: path.read_bytes() for path in out.glob("*.csv") if Path(f"{path}.manifest.json").exists()}


def command(digits: Path, out: Path, *options: object) -> list[str]:
    arguments = ["shards", digits, "--out", out, "--model", SLOW, *options]
    return [sys.executable, "-m", "digitnn_fast", *map(str, arguments)]


def wait_for(true, seconds: float = 60, step: float = 0.005):
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(step)
    return value


def children(pid: int) -> list[int]:
    """Dask's workers among the children of a process, on Linux."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


# On this machine alone


def test_local_command(digits, local, tmp_path, capsys):
    run = ["shards", str(digits), "--out", str(tmp_path), "--model", SLOW]
    assert cli.run(run) == 0
    out, err = capsys.readouterr()
    assert results(tmp_path) == local
    assert f"predicted  {SHARDS * ROWS:,} rows, " in out
    assert out.splitlines()[-1].split()[:3] == ["done", "40", f"{SHARDS * ROWS:,}"]
    assert err.splitlines()[-1].startswith(f"40 of 40 shards: {SHARDS * ROWS:,} images, ")
    assert cli.run([*run, "--workers", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == ["skipped", "40", f"{SHARDS * ROWS:,}"]


def test_failed_shards_are_listed_and_all_others_are_there(digits, local, tmp_path, capsys):
    damaged = damage(digits, tmp_path / "in")
    assert cli.run(["shards", str(damaged), "--out", str(tmp_path / "out"), "--model", SLOW]) == 2
    check_damaged(tmp_path / "out", damaged, local, *capsys.readouterr())


def damage(digits: Path, folder: Path) -> Path:
    shutil.copytree(digits, folder)
    path = folder / "part-17.npy"
    path.write_bytes(path.read_bytes()[:-1])
    return folder


def check_damaged(out: Path, damaged: Path, local: dict[str, bytes], text: str, errors: str) -> None:
    """39 results and one clear failure."""
    assert results(out) == {name: content for name, content in local.items() if name != "part-17.csv"}
    size = 128 + ROWS * 784
    reason = f"cut off: {size - 1:,} bytes instead of {size:,} for {ROWS:,} images"
    assert [line for line in errors.splitlines() if "error" in line] == [f"error: {damaged}/part-17.npy: {reason}"]
    lines = [line.split()[:3] for line in text.splitlines()[-2:]]
    assert lines == [["done", "39", f"{39 * ROWS:,}"], ["failed", "1", "0"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler goes with --engine dask"),
        (["--engine", "dask", "--scheduler", "a:1", "--workers", "2"], "--workers goes without --scheduler: .*"),
        (["--precision", "int4"], "precision must be float32 or int8, got 'int4'"),
        (["--engine", "slurm"], "Invalid value for '--engine'.*"),
        (["--model", "none.npz"], "none.npz: No such file or directory"),
    ],
)
def test_wrong_options(options, message, digits, tmp_path, capsys):
    assert cli.run(["shards", str(digits), "--out", str(tmp_path), *options]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1) and re.fullmatch(f"error: {message}", err.strip())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupted_and_started_again(digits, local, tmp_path):
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # who starts the tests with & ignores it
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command(digits, tmp_path), preexec_fn=listening, **pipes)
    wait_for(lambda: results(tmp_path))
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130 and errors.splitlines()[-1] == "interrupted"
    there = results(tmp_path)
    assert 0 < len(there) < SHARDS and not list(tmp_path.glob("*.tmp"))
    assert {name: local[name] for name in there} == there
    done = subprocess.run(command(digits, tmp_path), capture_output=True, text=True, check=True)
    assert results(tmp_path) == local
    assert f"skipped  {len(there):>6}" in done.stdout


# Dask


@pytest.mark.once
def test_own_cluster_is_the_local_run_to_the_byte(digits, local, tmp_path):
    need("distributed")
    done = subprocess.run(
        command(digits, tmp_path, "--engine", "dask", "--workers", 2), capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, results(tmp_path) == local) == (0, True), done.stderr
    assert all("shards: " in line for line in done.stderr.splitlines())  # nothing of Dask's own


@pytest.mark.once
@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="finds the workers in Linux's /proc")
def test_a_worker_is_killed_in_the_middle(digits, local, tmp_path):
    need("distributed")
    options = "--engine", "dask", "--workers", 2
    running = subprocess.Popen(
        command(digits, tmp_path, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: len(results(tmp_path)) >= 3)
    victim = children(running.pid)[0]
    os.kill(victim, signal.SIGKILL)
    there = len(results(tmp_path))
    text, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    assert 3 <= there < SHARDS - 5
    assert results(tmp_path) == local
    # What the worker had finished and not yet told when it died is there, and skipped when Dask repeats its task.
    assert sum(shards_told(text).values()) == SHARDS


def shards_told(text: str) -> dict[str, int]:
    """How many shards the final table says were done, skipped and failed."""
    lines = [line.split() for line in text.splitlines()]
    return {words[0]: int(words[1]) for words in lines if words and words[0] in ("done", "skipped", "failed")}


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler with two workers, all processes of their own as on other machines."""
    need("distributed")
    file, log = tmp_path / "scheduler.json", open(tmp_path / "log", "w")  # noqa: SIM115
    dask = [sys.executable, "-m", "dask"]
    (tmp_path / "elsewhere").mkdir()
    common = {"stdout": log, "stderr": log, "cwd": tmp_path / "elsewhere"}
    scheduler = [
        *dask,
        "scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        str(file),
    ]
    worker = [*dask, "worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard"]
    processes = [subprocess.Popen(scheduler, **common)]
    try:
        wait_for(file.exists)
        address = wait_for(lambda: address_in(file))
        processes += [subprocess.Popen([*worker, "--name", name], **common) for name in "ab"]
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(30)
        log.close()


def address_in(file: Path) -> str | None:
    with contextlib.suppress(ValueError):
        return json.loads(file.read_text())["address"]
    return None


@pytest.mark.once
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_the_client_is_killed_and_started_again(digits, local, cluster, tmp_path):
    out = tmp_path / "out"
    options = "--engine", "dask", "--scheduler", cluster
    running = subprocess.Popen(command(digits, out, *options))
    wait_for(lambda: out.exists() and len(results(out)) >= 3)
    running.kill()
    running.wait()
    there = len(results(out))
    assert 3 <= there < SHARDS
    done = subprocess.run(command(digits, out, *options), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert results(out) == local
    told = shards_told(done.stdout)  # the workers outlive the client: they may have finished more by now
    assert told["skipped"] >= there and sum(told.values()) == SHARDS

    damaged = damage(digits, tmp_path / "in")
    relative = command(Path("in"), Path("bad"), *options)  # the workers are in another folder
    done = subprocess.run(relative, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 2
    check_damaged(tmp_path / "bad", damaged, local, done.stdout, done.stderr)


@pytest.mark.once
def test_workers_of_another_version(cluster, digits, tmp_path, monkeypatch):
    monkeypatch.setattr("digitnn_fast.clusters.__version__", "9.9")
    tasks = find_shards([str(digits)], str(tmp_path / "out"))
    network = Network.load(model_path())
    with pytest.raises(
        ClusterError, match=r"^the workers have digitnn-fast 0.*; this is 9\.9: install the same everywhere$"
    ):
        next(run_dask(tasks, network, "float32", Options(), cluster))


@pytest.mark.once
def test_no_scheduler(digits, tmp_path, capsys, monkeypatch):
    need("distributed")
    monkeypatch.setattr("digitnn_fast.clusters.CONNECT", "1s")
    address = "tcp://127.0.0.1:9"
    assert cli.run(["shards", str(digits), "--out", str(tmp_path), "--engine", "dask", "--scheduler", address]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {address}: no Dask scheduler can be reached: ") and errors.count("\n") == 1


@pytest.mark.once
def test_kernels_are_compiled_once_in_a_node(digits, tmp_path):
    """Into an empty cache: each kernel by one process, although two workers start together; and no worker has numba."""
    need("distributed")
    code = """
import os, sys
from digitnn_fast import Network
from digitnn_fast.clusters import ONE_THREAD, connected, run_on
from digitnn_fast.predictor import model_path
from digitnn_fast.shards import Options, find_shards

def state():
    kept = {name: os.environ.get(name) for name in ("NUMBA_CACHE_DIR", *ONE_THREAD)}
    return kept, "numba" in sys.modules

if __name__ == "__main__":
    tasks = find_shards([sys.argv[1]], "out")[:4]
    with connected(None, 2) as client:
        outcomes = list(run_on(client, tasks, Network.load(model_path()), "float32", Options()))
        assert len(outcomes) == 4 and not any(one.error for one in outcomes), outcomes
        expected = {"NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"], **ONE_THREAD}
        states = client.run(state)
        assert len(states) == 2 and all(one == (expected, False) for one in states.values()), states
"""
    (tmp_path / "job.py").write_text(code)
    cache = tmp_path / "cache"
    log = tmp_path / "compilers"
    # Each process that numba compiles in leaves a line with the kernels that it was given.
    spy = "import sys\nif 'KERNELS[name].emit()' in ' '.join(sys.orig_argv): open({!r}, 'a').write({})\n"
    (tmp_path / "sitecustomize.py").write_text(spy.format(str(log), "sys.orig_argv[3] + chr(10)"))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(tmp_path)}
    prepare = "from digitnn_fast.clusters import prepare_worker; prepare_worker('worker')"
    workers = [subprocess.Popen([sys.executable, "-c", prepare], cwd=tmp_path, env=environment) for _ in range(2)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    subprocess.run([sys.executable, "job.py", str(digits)], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert sorted(log.read_text().split()) == sorted(PREDICTING)


# Other stores


def check_store(store: str, digits: Path, local: dict[str, bytes], tmp_path: Path) -> None:
    """Shards and results in a store, in all formats; what is done there is skipped."""
    import fsspec

    system, place = fsspec.core.url_to_fs(store)
    if system.protocol[0] == "file":
        system.makedirs(f"{place}/in/day=1")
    images = load_sample().test_images[:300]
    system.pipe_file(f"{place}/in/one.npy", (digits / "part-00.npy").read_bytes())
    system.pipe_file(f"{place}/in/day=1/two.npy.gz", gzip.compress((digits / "part-01.npy").read_bytes(), 1))
    names = ",".join(f"pixel{number}" for number in range(784))
    text = "\n".join([names, *(",".join(map(str, row)) for row in images.tolist())]) + "\n"
    system.pipe_file(f"{place}/in/three.csv.gz", gzip.compress(text.encode()))
    arguments = ["shards", f"{store}/in", "--out", f"{store}/out", "--model", SLOW]
    assert cli.run(arguments) == 0
    assert system.cat_file(f"{place}/out/one.csv") == local["part-00.csv"]
    assert system.cat_file(f"{place}/out/day=1/two.csv") == local["part-01.csv"]
    assert len(system.cat_file(f"{place}/out/three.csv").splitlines()) == 301
    tasks = find_shards([f"{store}/in/*.npy", f"{store}/in/*/*"], f"{store}/out")
    assert len(tasks) == 2
    assert all(one.skipped for one in run_local(tasks, Predictor.load(SLOW, threads=1), Options()))
    system.pipe_file(f"{place}/in/one.npy", (digits / "part-02.npy").read_bytes())
    assert cli.run(arguments) == 0
    assert system.cat_file(f"{place}/out/one.csv") == local["part-02.csv"]
    assert cli.run(["shards", f"{store}/in/none.npy", "--out", f"{store}/out"]) == 2
    assert sorted(name.rpartition("/")[2] for name in system.find(f"{place}/out")) == sorted(
        name + end for name in ("one.csv", "two.csv", "three.csv") for end in ("", ".manifest.json")
    )


@pytest.mark.once
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_stores_of_fsspec(kind, digits, local, tmp_path):
    need("fsspec")
    store = tmp_path.as_uri() if kind == "file" else "memory://bucket"
    check_store(store, digits, local, tmp_path)


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of a server on loopback that speaks S3."""
    need("s3fs")
    need("moto")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("digits")
    yield "s3://digits"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.once
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_s3(bucket, digits, local, tmp_path):
    check_store(bucket, digits, local, tmp_path)
    assert cli.run(["shards", "s3://nowhere/a.npy", "--out", f"{bucket}/out"]) == 2


def test_a_store_without_its_package(tmp_path, capsys):
    assert cli.run(["shards", "nosuchstore://bucket/a.npy", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: nosuchstore://bucket/a.npy: ")
