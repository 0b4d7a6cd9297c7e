"""The manifest beside a result: what is done is skipped, and what does not hold is done again."""

from __future__ import annotations

import json
import os
import threading
import time

import numpy as np
import pytest
from shard_files import ARRAYS, IMAGES, PREDICTOR, rows_of

from digitnn_fast import Network, Predictor
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.shards import Options, Task, attempt_shard, predict_shard, sweep
from digitnn_fast.utils import initialize_parameters

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")


def settle(path) -> None:
    """As if it had been written a minute ago."""
    os.utime(path, (time.time() - 60, time.time() - 60))


@pytest.fixture
def done(folder):
    """part.npy with its result r.csv; the manifest."""
    np.save("part.npy", IMAGES)
    settle("part.npy")
    predict_shard("part.npy", "r.csv", PREDICTOR)
    return json.loads((folder / "r.csv.manifest.json").read_text())


def test_manifest(done, folder):
    import hashlib

    assert done["format"] == "digitnn-fast shard 1" and done["rows"] == 600 and done["seconds"] > 0
    for part, name in (("input", "part.npy"), ("result", "r.csv")):
        content = (folder / name).read_bytes()
        assert (done[part]["name"], done[part]["bytes"]) == (name, len(content))
        assert done[part]["sha256"] == hashlib.sha256(content).hexdigest()
    assert done["options"] == {"probabilities": False, "format": "csv", "id_column": None, "precision": "float32"}
    assert len(done["model_sha256"]) == 64


@pytest.mark.parametrize(
    "make", [ARRAYS[name] for name in ("csv.gz", "csv in a zip", "csv, quoted", "npy.gz", "parquet of columns")]
)
def test_the_digest_is_that_of_the_file_in_whatever_order_it_is_read(make, folder):
    import hashlib

    name, content = make()
    (folder / name).write_bytes(content)
    predict_shard(name, "r.csv", PREDICTOR)
    assert (
        json.loads((folder / "r.csv.manifest.json").read_text())["input"]["sha256"]
        == hashlib.sha256(content).hexdigest()
    )


def again(**options):
    return predict_shard("part.npy", "r.csv", PREDICTOR, Options(**options)).skipped


def test_what_is_done_is_skipped(done, folder):
    before = (folder / "r.csv").stat().st_mtime_ns
    outcome = predict_shard("part.npy", "r.csv", PREDICTOR)
    assert (outcome.rows, outcome.skipped) == (600, True)
    assert again(verify=True)
    os.utime("part.npy")  # another time, the same content
    assert again()
    assert (folder / "r.csv").stat().st_mtime_ns == before


def test_what_does_not_hold_is_done_again(done, folder):
    twin = Predictor(Network(*initialize_parameters(5)), threads=1)
    assert not predict_shard("part.npy", "r.csv", twin).skipped
    assert not again()
    assert not again(probabilities=True)
    assert not again()
    (folder / "r.csv").write_text("row,label\n")
    assert not again()
    (folder / "r.csv").unlink()
    assert not again()
    content = (folder / "r.csv").read_bytes()
    (folder / "r.csv").write_bytes(content[:-2] + b"?\n")  # as long as it was
    assert not again()
    assert (folder / "r.csv").read_bytes() == content
    for damage in (b"", b"{", b"[]", b'{"format": 3}', b"[" * 60_000, bytes(99), b"1" * 70_000):
        (folder / "r.csv.manifest.json").write_bytes(damage)
        assert not again()
        assert again()


def test_an_input_of_the_same_size_is_not_taken_for_the_old_one(done, folder):
    other = IMAGES[::-1]
    np.save("part.npy", other)
    assert not again()  # it was written right now: its time says little
    np.save("part.npy", IMAGES)
    assert not again()
    settle("part.npy")
    assert again()
    np.save("part.npy", other)
    settle("part.npy")
    assert not again()
    assert [row[1] for row in rows_of("r.csv")[1:]] == [str(label) for label in PREDICTOR.predict(other)]


def test_only_verify_sees_a_change_behind_the_clocks_back(done, folder):
    times = (folder / "part.npy").stat()
    np.save("part.npy", IMAGES[::-1])
    os.utime("part.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert again()
    assert not again(verify=True)


def test_the_same_shard_twice_at_once(folder):
    np.save("part.npy", np.tile(IMAGES, (20, 1)))
    start = threading.Barrier(6)
    failures = []

    def work():
        start.wait()
        outcome = attempt_shard(Task("part.npy", "r.csv"), PREDICTOR, Options())
        failures.extend([outcome.error] * bool(outcome.error))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(os.listdir()) == ["part.npy", "r.csv", "r.csv.manifest.json"]
    assert len(rows_of("r.csv")) == 12_001


def test_what_killed_processes_left_is_swept(folder):
    ours = ".digitnn-fast-00000000-123-0123abcd.tmp"
    (folder / "sub").mkdir()
    for name in (f"sub/{ours}", ours, "thesis.backup.12345-deadbeef.tmp", "mine.tmp"):
        (folder / name).write_text("")
        os.utime(folder / name, (0, 0))
    (folder / "sub" / "dangling").symlink_to("none")
    sweep(str(folder))
    assert sorted(os.listdir()) == ["mine.tmp", "sub", "thesis.backup.12345-deadbeef.tmp"]
    assert os.listdir("sub") == ["dangling"]
