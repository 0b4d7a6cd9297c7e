"""Shards and results in other stores than this machine's files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from many_shards import SLOW, need

from digitnn_fast import Predictor
from digitnn_fast.commands import app
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.sample import load_sample
from digitnn_fast.shards import Options, find_shards
from digitnn_fast.shards.clusters import run_local
from digitnn_fast.shards.store import ShardError, reached

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")


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
    assert app.run(arguments) == 0
    assert system.cat_file(f"{place}/out/one.csv") == local["part-00.csv"]
    assert system.cat_file(f"{place}/out/day=1/two.csv") == local["part-01.csv"]
    assert len(system.cat_file(f"{place}/out/three.csv").splitlines()) == 301
    tasks = find_shards([f"{store}/in/*.npy", f"{store}/in/*/*"], f"{store}/out")
    assert len(tasks) == 2
    assert len(find_shards([store], f"{store}/out")) == 3, "in `in`; not in `out`"
    assert all(one.skipped for one in run_local(tasks, Predictor.load(SLOW, threads=1), Options()))
    system.pipe_file(f"{place}/in/one.npy", (digits / "part-02.npy").read_bytes())
    assert app.run(arguments) == 0
    assert system.cat_file(f"{place}/out/one.csv") == local["part-02.csv"]
    assert app.run(["shards", f"{store}/in/none.npy", "--out", f"{store}/out"]) == 2
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
    assert app.run(["shards", "s3://nowhere/a.npy", "--out", f"{bucket}/out"]) == 2


def test_a_store_without_its_package(tmp_path, capsys):
    assert app.run(["shards", "nosuchstore://bucket/a.npy", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: nosuchstore://bucket/a.npy: ")


@pytest.mark.parametrize("text", ["red: \x1b[31m\nthere", "part.csv: red: \x1b[31m\nthere"])
def test_what_a_store_says_stays_on_one_line(text):
    with pytest.raises(ShardError, match=r"^part\.csv: red: \\x1b\[31m there$"), reached("part.csv"):
        raise ValueError(text)
