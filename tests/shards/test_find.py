"""Which shards a folder or a pattern holds, and what their results are called."""

from __future__ import annotations

import pytest

from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.shards import ShardError, find_shards

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")


def found(*inputs, **options):
    return [tuple(task) for task in find_shards(inputs, "out", **options)]


def test_finding_shards(folder):
    for name in (
        "a/x.npy",
        "a/day=1/p.parquet",
        "a/day=2/p.parquet",
        "a/_SUCCESS",
        "a/.p.crc",
        "a/notes.txt",
        "a/pics/_1.png",
        "a/.thumbnails/1.png",
        "a/._x.png",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    expected = [
        ("a/day=1/p.parquet", "out/day=1/p.csv"),
        ("a/day=2/p.parquet", "out/day=2/p.csv"),
        ("a/x.npy", "out/x.csv"),
        ("a/pics", "out/pics.csv"),
    ]
    assert found("a") == found("a/") == expected
    assert found("a/*/*.parquet") == expected[:2]
    assert found("a/**/*.npy") == expected[2:3]
    assert found("a/x.npy", "a/x.npy", "b/t10k-images-idx3-ubyte.gz", "c.csv.gz", format="parquet") == [
        ("a/x.npy", "out/x.parquet"),
        ("b/t10k-images-idx3-ubyte.gz", "out/t10k-images-idx3-ubyte.parquet"),
        ("c.csv.gz", "out/c.parquet"),
    ]
    assert found("a/pics") == [("a/pics", "out/pics.csv")]


@pytest.mark.parametrize("given", ["a", "a/*", "a/**/*.*", "."])
def test_results_of_an_earlier_run_are_no_shards(given, folder):
    for name in ("a/x.npy", "a/b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    first = find_shards([given], "a/out")
    for task in first:
        (folder / task.result).parent.mkdir(parents=True, exist_ok=True)
        (folder / task.result).write_bytes(b"")
        (folder / f"{task.result}.manifest.json").write_bytes(b"")
    assert len(first) == 2 and find_shards([given], "a/out") == first
    assert found("a/out/x.csv") == [("a/out/x.csv", "out/x.csv")], "named itself"


@pytest.mark.parametrize("given", ["a", "a/*", "a/**/*.*"])
def test_results_beside_their_shards_are_no_shards(given, folder):
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("a/x.npy", "a/b/y.npy", "a/b/unfinished.csv"):
        (folder / name).write_bytes(b"")
    first = find_shards([given], "a", format="parquet")
    assert first
    for task in first:
        (folder / task.result).write_bytes(b"")
        (folder / f"{task.result}.manifest.json").write_bytes(b"")
    assert find_shards([given], "a", format="parquet") == first
    assert found(given, format="parquet") == [(task.source, task.result.replace("a/", "out/", 1)) for task in first]


def test_labels_beside_their_images_are_no_shards(folder):
    (folder / "a" / "x_1").mkdir(parents=True)
    images = "t10k-images-idx3-ubyte", "x_1/X_test.npy", "x_4.csv", "y_3.npy", "y_4.csv"
    for name in (*images, "t10k-labels-idx1-ubyte.gz", "x_1/y_test.npy"):
        (folder / "a" / name).write_bytes(b"")
    assert [source for source, _ in found("a")] == [f"a/{name}" for name in images]


def test_this_folder_as_a_picture_shard(folder, monkeypatch):
    (folder / "scans").mkdir()
    (folder / "scans" / "1.png").write_bytes(b"")
    monkeypatch.chdir("scans")
    assert found(".") == [(".", "out/scans.csv")]


def test_shards_that_cannot_be_told_apart_or_found(folder):
    (folder / "empty").mkdir()
    for inputs, message in (
        (["a/x.npy", "b/x.npy"], r"b/x\.npy: its result would be called as that of a/x\.npy: out.x\.csv"),
        (["out/x.csv"], r"out/x\.csv: its result would take its place; give another folder"),
        (["empty"], "empty: there are no shards in this folder, and no pictures"),
        (["*.npy"], r"\*\.npy: no file fits this pattern"),
    ):
        with pytest.raises(ShardError, match=f"^{message}$"):
            find_shards(inputs, "out")
