"""Many shards on real clusters, whose workers and clients are killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from many_shards import SHARDS, check_damaged, command, damage, in_the_middle, need, results, wait_for
from programs import HANGS

from digitnn_fast import Network
from digitnn_fast.commands import app
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.predictor import model_path
from digitnn_fast.shards import Options, find_shards
from digitnn_fast.shards.clusters import PREDICTING, ClusterError, run_dask

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")


def children(pid: int) -> list[int]:
    """Dask's workers among the children of a process, on Linux."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


@pytest.mark.once
def test_own_cluster_is_the_local_run_to_the_byte(digits, local, tmp_path):
    need("distributed")
    done = subprocess.run(
        command(digits, tmp_path, "--engine", "dask", "--workers", 2), capture_output=True, text=True, timeout=HANGS
    )
    assert (done.returncode, results(tmp_path) == local) == (0, True), done.stderr
    assert all("shards: " in line for line in done.stderr.splitlines())  # nothing of Dask's own


@pytest.mark.once
@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="finds the workers in Linux's /proc")
def test_a_worker_is_killed_in_the_middle(digits, local, tmp_path):
    need("distributed")
    options = "--engine", "dask", "--workers", 2
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def kill(out: Path) -> bool:
        with subprocess.Popen(command(digits, out, *options), **pipes) as running:
            wait_for(lambda: len(results(out)) >= 3)
            workers = children(running.pid)
            for worker in workers[:1]:
                os.kill(worker, signal.SIGKILL)
            there = len(results(out))
            text, errors = running.communicate(timeout=HANGS)
        assert running.returncode == 0, errors
        assert results(out) == local
        # What the worker had finished and not yet told when it died is there, and skipped when Dask repeats its task.
        assert sum(shards_told(text).values()) == SHARDS
        return bool(workers) and 3 <= there < SHARDS - 5

    in_the_middle(tmp_path, kill)


def shards_told(text: str) -> dict[str, int]:
    """How many shards the final table says were done, skipped and failed."""
    lines = [line.split() for line in text.splitlines()]
    return {words[0]: int(words[1]) for words in lines if words and words[0] in ("done", "skipped", "failed")}


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler with two workers, all processes of their own as on other machines."""
    need("distributed")
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "scheduler.json"
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(tmp_path / "log", "w"))

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard", "--scheduler-file", str(file)]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path / "elsewhere")
            stack.callback(end, process)
            return process

        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0")
        address = wait_for(lambda: scheduler.poll() is not None or address_in(file))
        assert scheduler.poll() is None, (tmp_path / "log").read_text()
        for name in "ab":
            start("worker", "--nthreads", "1", "--name", name)
        yield address


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and wait for it."""
    process.terminate()
    try:
        process.wait(HANGS)
    finally:
        process.kill()
        process.wait()


def address_in(file: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads(file.read_text())["address"]
    return None


@pytest.mark.once
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_the_client_is_killed_and_started_again(digits, local, cluster, tmp_path):
    options = "--engine", "dask", "--scheduler", cluster
    there = 0

    def kill(out: Path) -> bool:
        nonlocal there
        with subprocess.Popen(command(digits, out, *options)) as running:
            wait_for(lambda: len(results(out)) >= 3)
            running.kill()
        there = len(results(out))
        return 3 <= there < SHARDS

    out = in_the_middle(tmp_path, kill)
    done = subprocess.run(command(digits, out, *options), capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    assert results(out) == local
    told = shards_told(done.stdout)  # the workers outlive the client: they may have finished more by now
    assert told["skipped"] >= there and sum(told.values()) == SHARDS

    damaged = damage(digits, tmp_path / "in")
    relative = command(Path("in"), Path("bad"), *options)  # the workers are in another folder
    done = subprocess.run(relative, capture_output=True, text=True, timeout=HANGS, cwd=tmp_path)
    assert done.returncode == 2
    check_damaged(tmp_path / "bad", damaged, local, done.stdout, done.stderr)


@pytest.mark.once
def test_workers_of_another_version(cluster, digits, tmp_path, monkeypatch):
    monkeypatch.setattr("digitnn_fast.shards.clusters.VERSION", "9.9")
    tasks = find_shards([str(digits)], str(tmp_path / "out"))
    network = Network.load(model_path())
    with pytest.raises(
        ClusterError, match=r"^the workers have digitnn-fast 1.*; this is 9\.9: install the same everywhere$"
    ):
        next(run_dask(tasks, network, "float32", Options(), cluster))


@pytest.mark.once
def test_no_scheduler(digits, tmp_path, capsys, monkeypatch):
    need("distributed")
    monkeypatch.setattr("digitnn_fast.shards.clusters.CONNECT", "1s")
    address = "tcp://127.0.0.1:9"
    assert app.run(["shards", str(digits), "--out", str(tmp_path), "--engine", "dask", "--scheduler", address]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {address}: no Dask scheduler can be reached: ") and errors.count("\n") == 1


@pytest.mark.once
def test_kernels_are_compiled_once_in_a_node(digits, tmp_path):
    """Into an empty cache: each kernel by one process, although two workers start together; and no worker has numba."""
    need("distributed")
    code = """
import os, sys
from digitnn_fast import Network
from digitnn_fast.shards.clusters import ONE_THREAD, connected, run_on
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
    prepare = "from digitnn_fast.shards.clusters import prepare_worker; prepare_worker('worker')"
    workers = [subprocess.Popen([sys.executable, "-c", prepare], cwd=tmp_path, env=environment) for _ in range(2)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    subprocess.run([sys.executable, "job.py", str(digits)], cwd=tmp_path, env=environment, check=True, timeout=HANGS)
    assert sorted(log.read_text().split()) == sorted(PREDICTING)
