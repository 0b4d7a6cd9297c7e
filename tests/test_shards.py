"""One shard in, one result out: every format, hostile files, manifests, memory."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from digitnn_fast import Network, Predictor, kaggle, preprocess
from digitnn_fast.kernels._jit import DISABLE_JIT
from digitnn_fast.sample import load_sample
from digitnn_fast.shards import Options, ShardError, Task, attempt_shard, find_shards, predict_shard, sweep
from digitnn_fast.utils import initialize_parameters

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")

IMAGES = load_sample().test_images[:600]
PREDICTOR = Predictor.load(threads=1)
LABELS, PROBABILITIES = PREDICTOR.predict_both(IMAGES)
NAMES = [f"pixel{number}" for number in range(784)]
IDS = [f'no. {number}, "{number}"' for number in range(len(IMAGES))]


def table(names, rows) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    return text.getvalue().encode()


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def idx(array, kind=8) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def zipped(content, name="part.csv") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def parquet(columns, **options) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    file = io.BytesIO()
    pq.write_table(arrow.table(columns), file, **options)
    return file.getvalue()


def fixed_lists():
    arrow = pytest.importorskip("pyarrow")
    return arrow.FixedSizeListArray.from_arrays(arrow.array(IMAGES.reshape(-1)), 784)


def pixel_columns(images=IMAGES):
    return dict(zip(NAMES, images.T, strict=True))


PLAIN = table(NAMES, IMAGES.tolist())
WITH_ID = table(["id", *NAMES, "label"], [[name, *row, 7] for name, row in zip(IDS, IMAGES.tolist(), strict=True)])
SQUARES = IMAGES.reshape(-1, 28, 28)

# The file's name and content; results have row numbers.
ARRAYS = {
    "csv": lambda: ("part.csv", PLAIN),
    "csv.gz": lambda: ("part.csv.gz", gzip.compress(PLAIN)),
    "csv in a zip": lambda: ("part.csv.zip", zipped(PLAIN)),
    "csv with labels": lambda: ("part.csv", table(["label", *NAMES], np.insert(IMAGES, 0, LABELS, axis=1).tolist())),
    "csv, quoted": lambda: (
        "part.csv",
        table(NAMES, [[f'"{v}"' for v in row] for row in IMAGES.tolist()]).replace(b'"""', b'"'),
    ),
    "npy": lambda: ("part.npy", npy(IMAGES)),
    "npy.gz": lambda: ("part.npy.gz", gzip.compress(npy(IMAGES))),
    "npy of squares": lambda: ("part.npy", npy(SQUARES)),
    "npy of floats": lambda: ("part.npy", npy((SQUARES / 255).astype(np.float32))),
    "npy of big-endian integers": lambda: ("part.npy", npy(IMAGES.astype(">i4"))),
    "idx": lambda: ("part-idx3-ubyte", idx(SQUARES)),
    "idx.gz": lambda: ("part-idx3-ubyte.gz", gzip.compress(idx(SQUARES))),
    "idx of rows": lambda: ("part.idx", idx(IMAGES)),
    "idx of doubles": lambda: ("part.idx", idx(SQUARES / 255, kind=14)),
    "a wrong ending": lambda: ("part.csv", npy(IMAGES)),
    "parquet of columns": lambda: ("part.parquet", parquet(pixel_columns())),
    "parquet in small groups": lambda: ("part.parquet", parquet(pixel_columns(), row_group_size=7)),
    "parquet of fixed lists": lambda: ("part.parquet", parquet({"label": LABELS, "pixels": fixed_lists()})),
    "parquet of lists": lambda: ("part.parquet", parquet({"image": list(IMAGES)})),
    "parquet of squares": lambda: ("part.parquet", parquet({"image": [list(square) for square in SQUARES]})),
    "parquet of bytes": lambda: ("part.parquet", parquet({"pixels": [row.tobytes() for row in IMAGES]})),
    "parquet of floats": lambda: ("part.parquet", parquet({"pixels": list(IMAGES / 255)})),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(path) -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("make", ARRAYS.values(), ids=ARRAYS)
def test_every_format(make, folder):
    name, content = make()
    (folder / name).write_bytes(content)
    outcome = predict_shard(name, "out/part.csv", PREDICTOR)
    assert (outcome.rows, outcome.skipped, outcome.error) == (600, False, "")
    header, *rows = rows_of("out/part.csv")
    assert header == ["row", "label"]
    assert rows == [[str(number), str(label)] for number, label in enumerate(LABELS, 1)]
    assert sorted(os.listdir("out")) == ["part.csv", "part.csv.manifest.json"]


def test_ids_of_a_csv(folder):
    (folder / "part.csv").write_bytes(WITH_ID)
    predict_shard("part.csv", "out.csv", PREDICTOR)
    assert rows_of("out.csv") == [
        ["id", "label"],
        *([name, str(label)] for name, label in zip(IDS, LABELS, strict=True)),
    ]
    predict_shard("part.csv", "out.csv", PREDICTOR, Options(id_column="label"))
    assert rows_of("out.csv") == [["label", "label"], *(["7", str(label)] for label in LABELS)]
    with pytest.raises(ShardError, match=r"^part\.csv: line 1, column name: missing$"):
        predict_shard("part.csv", "out.csv", PREDICTOR, Options(id_column="name"))


def test_parquet_in_and_out(folder):
    arrow, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (folder / "part.parquet").write_bytes(parquet({"id": arrow.array(range(7, 607), arrow.int32()), **pixel_columns()}))
    options = Options(format="parquet", probabilities=True)
    predict_shard("part.parquet", "out.parquet", PREDICTOR, options)
    result = pq.read_table("out.parquet")
    assert result.schema.names == ["id", "label", *(f"p{digit}" for digit in range(10))]
    assert result.schema.types == [arrow.int32(), arrow.uint8(), *[arrow.float32()] * 10]
    np.testing.assert_array_equal(result["id"], np.arange(7, 607))
    np.testing.assert_array_equal(result["label"], LABELS)
    np.testing.assert_array_equal(np.stack([result[f"p{digit}"] for digit in range(10)], axis=1), PROBABILITIES)
    first = (folder / "out.parquet").read_bytes()
    predict_shard("part.parquet", "again.parquet", PREDICTOR, options)
    assert (folder / "again.parquet").read_bytes() == first
    (folder / "part.csv").write_bytes(WITH_ID)
    predict_shard("part.csv", "text.parquet", PREDICTOR, Options(format="parquet"))
    assert pq.read_table("text.parquet")["id"].to_pylist() == IDS
    (folder / "part.npy").write_bytes(npy(IMAGES))
    predict_shard("part.npy", "rows.parquet", PREDICTOR, Options(format="parquet"))
    assert pq.read_table("rows.parquet")["row"].to_pylist() == list(range(1, 601))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_probabilities(precision, folder):
    predictor = Predictor.load(threads=1, precision=precision)
    (folder / "part.npy").write_bytes(npy(IMAGES))
    predict_shard("part.npy", "out.csv", predictor, Options(probabilities=True))
    header, *rows = rows_of("out.csv")
    assert header == ["row", "label", *(f"p{digit}" for digit in range(10))]
    values = np.array(rows, np.float64)
    np.testing.assert_array_equal(values[:, 1], predictor.predict(IMAGES))
    np.testing.assert_allclose(values[:, 2:], predictor.predict_proba(IMAGES), rtol=1e-5)


def test_more_rows_than_a_block(folder):
    many = np.tile(IMAGES, (17, 1))[:10_001]
    (folder / "part.npy").write_bytes(npy(many))
    (folder / "part.csv").write_bytes(table(NAMES, many[:3000].tolist()))
    predict_shard("part.npy", "array.csv", PREDICTOR)
    predict_shard("part.csv", "table.csv", PREDICTOR)
    expected = [["row", "label"], *([str(row), str(label)] for row, label in enumerate(PREDICTOR.predict(many), 1))]
    assert rows_of("array.csv") == expected
    assert rows_of("table.csv") == expected[:3001]


def test_no_rows(folder):
    (folder / "part.npy").write_bytes(npy(IMAGES[:0]))
    assert predict_shard("part.npy", "out.csv", PREDICTOR).rows == 0
    assert rows_of("out.csv") == [["row", "label"]]


def test_pictures(folder):
    (folder / "scans" / "more").mkdir(parents=True)
    for number in range(3):
        Image.fromarray(255 - SQUARES[number]).resize((112, 112)).save(folder / "scans" / f"{number}.png")
    names = ["0.png", "1.png", "2.png"]
    labels = [str(PREDICTOR.predict(preprocess(folder / "scans" / name))) for name in names]
    expected = [["file", "label"], *([name, label] for name, label in zip(names, labels, strict=True))]
    predict_shard("scans", "out.csv", PREDICTOR)
    assert rows_of("out.csv") == expected
    assert predict_shard("scans", "out.csv", PREDICTOR).skipped
    (folder / "scans" / "list.txt").write_text("2.png\n\n0.png\n")
    predict_shard("scans/list.txt", "list.csv", PREDICTOR)
    assert rows_of("list.csv") == [expected[0], expected[3], expected[1]]
    predict_shard("scans/1.png", "one.csv", PREDICTOR)
    assert rows_of("one.csv") == [expected[0], expected[2]]
    Image.new("L", (30, 30), 255).save(folder / "scans" / "3.png")
    with pytest.raises(ShardError, match=r"^scans.3\.png: nothing is written on it$"):
        predict_shard("scans", "out.csv", PREDICTOR)
    assert rows_of("out.csv") == expected


HUGE = (
    b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999, 784), }".ljust(117)
    + b"\n"
)


def changed(value, dtype):
    images = (IMAGES / 255 if np.dtype(dtype).kind == "f" else IMAGES).astype(dtype)
    images[599, 300] = value
    return images


BAD = {
    "nothing": ("part.npy", lambda: b"", "the file is empty"),
    "no format": ("part.npy", lambda: b"\x7fELF" + bytes(99), r"line 1: .*"),
    "cut npy": ("part.npy", lambda: npy(IMAGES)[:-1], r"cut off: 470,527 bytes instead of 470,528 for 600 images"),
    "long npy": ("part.npy", lambda: npy(IMAGES) + b"x", r"longer than its header says: .*"),
    "cut npy.gz": ("part.npy.gz", lambda: gzip.compress(npy(IMAGES)[:-1]), "cut off: it ends before image 600 of 600"),
    "long npy.gz": (
        "part.npy.gz",
        lambda: gzip.compress(npy(IMAGES) + b"x"),
        "longer than its header says: more than 600 images",
    ),
    "cut gzip": ("part.npy.gz", lambda: gzip.compress(npy(IMAGES))[:-900], "cut off: its compressed data has no end"),
    "damaged gzip": ("part.npy.gz", lambda: gzip.compress(npy(IMAGES))[:-8] + bytes(8), "damaged: CRC check failed.*"),
    "damaged deflate": ("part.npy.gz", lambda: gzip.compress(npy(IMAGES))[:30] + b"\xff" * 900, "damaged: .*"),
    "npy that claims terabytes": ("part.npy", lambda: HUGE + bytes(784), "cut off: .*"),
    "npy.gz that claims terabytes": ("part.npy.gz", lambda: gzip.compress(HUGE + bytes(784)), "cut off: .*"),
    "gzip bomb": (
        "part.npy.gz",
        lambda: gzip.compress(HUGE) + 8 * gzip.compress(bytes(2**24)),
        "unpacks to more than 200 times its size; .*",
    ),
    "idx bomb": (
        "b.gz",
        lambda: gzip.compress(b"\0\0\x08\x03\xff\xff\xff\xff\0\0\0\x1c\0\0\0\x1c") + 8 * gzip.compress(bytes(2**24)),
        "unpacks to more than 200 times its size; .*",
    ),
    "pickle": ("part.npy", lambda: npy(np.array([{"a": 1}] * 784)[None]), "images must be .*, not object"),
    "structured": ("part.npy", lambda: npy(np.zeros((3, 784), [("a", "u1")])), "images must be integers .*"),
    "text": ("part.npy", lambda: npy(IMAGES[:3].astype(str)), "images must be integers .*, not <U3"),
    "booleans": ("part.npy", lambda: npy(IMAGES > 0), "images must be integers .*, not bool"),
    "by columns": ("part.npy", lambda: npy(np.asfortranarray(IMAGES)), "stored by columns; .*"),
    "npy of version 2": ("part.npy", lambda: npy(IMAGES).replace(b"NUMPY\1", b"NUMPY\2"), r"\.npy format 2\.0 .*"),
    "wrong shape": (
        "part.npy",
        lambda: npy(IMAGES[:, 1:]),
        r"images must be \(n, 784\) or \(n, 28, 28\), not \(600, 783\)",
    ),
    "one image": ("part.npy", lambda: npy(SQUARES[0]), r"images must be \(n, 784\) or \(n, 28, 28\), not \(28, 28\)"),
    "damaged header": ("part.npy", lambda: npy(IMAGES).replace(b"descr", b"desc\\"), "damaged: .*"),
    "pixel 256": (
        "part.npy",
        lambda: npy(changed(256, ">i2")),
        r"row 600, pixel300: images of >i2 must lie in 0\.\.255, .*",
    ),
    "NaN": ("part.npy", lambda: npy(changed(np.nan, "f4")), r"row 600, pixel300: images of float32 .*, but hold NaN"),
    "npz": ("part.npz", lambda: zipped(npy(IMAGES), "images.npy"), r"this zip must hold one CSV file .*images\.npy"),
    "idx of labels": ("labels", lambda: idx(LABELS), "an IDX file of labels, not of images"),
    "idx of other sizes": ("i", lambda: idx(np.zeros((5, 27, 28), np.uint8)), r"images must be .*, not \(5, 27, 28\)"),
    "idx of no type": ("i", lambda: b"\0\0\x07\x03" + bytes(99), "not a format that can be read"),
    "cut idx": ("i", lambda: idx(SQUARES)[:-5], "cut off: .*"),
    "idx cut in its header": ("i", lambda: idx(SQUARES)[:9], "cut off in its header"),
    "idx of 255 dimensions": ("i", lambda: b"\0\0\x08\xff" + bytes(4 * 255), "images must be .*"),
    "csv with a bad value": ("part.csv", lambda: PLAIN[:-2] + b"x\n", r"row 600 \(line 601\), column pixel783: .*"),
    "csv without pixels": (
        "part.csv",
        lambda: b"a,b\n1,2\n",
        r"line 1: the first line must be a header with pixel0 to pixel783",
    ),
    "csv with a pixel missing": (
        "part.csv",
        lambda: table(NAMES[1:], IMAGES[:2, 1:].tolist()),
        "line 1, column pixel0: missing",
    ),
    "cut csv.gz": ("part.csv.gz", lambda: gzip.compress(PLAIN)[:-900], "the file is cut off: .*"),
    "csv bomb": (
        "part.csv.gz",
        lambda: gzip.compress(table(NAMES, [])) + 100 * gzip.compress(1000 * (b"0," * 783 + b"0\n")),
        "unpacks to more than 200 times its size; .*",
    ),
    "damaged parquet": ("p", lambda: b"PAR1" + bytes(99) + b"PAR1", "damaged Parquet: .*|Parquet needs pyarrow: .*"),
    "cut parquet": ("p", lambda: parquet(pixel_columns())[:-99], "damaged Parquet: .*"),
    "parquet without pixels": ("p", lambda: parquet({"a": [1], "b": [2]}), "there must be columns .*; there are a, b"),
    "parquet with null": (
        "p",
        lambda: parquet(pixel_columns() | {"pixel5": [1] * 598 + [None, 2]}),
        "row 599, column pixel5: null",
    ),
    "parquet, null image": ("p", lambda: parquet({"pixels": [*IMAGES[:5], None]}), "row 6, column pixels: null"),
    "parquet, null in image": (
        "p",
        lambda: parquet({"pixels": [[1] * 784, [None] + [1] * 783]}),
        "row 2, column pixels: null",
    ),
    "parquet, short image": (
        "p",
        lambda: parquet({"pixels": [[1] * 784, [1]]}),
        "row 2, column pixels: 1 values instead of 784",
    ),
    "parquet, one too long, one too short": (
        "p",
        lambda: parquet({"pixels": [[1] * 785, [1] * 783]}),
        "row 2, column pixels: 783 values instead of 785",
    ),
    "parquet of images of 9": (
        "p",
        lambda: parquet({"pixels": [[1] * 9] * 3}),
        "row 1, column pixels: 9 values instead of 784",
    ),
    "parquet of few bytes": ("p", lambda: parquet({"pixels": [b"12"]}), "row 1, column pixels: 2 bytes instead of 784"),
    "parquet of text": ("p", lambda: parquet({"pixels": ["a"]}), "column pixels: images must hold numbers, not .*"),
    "parquet of mixed kinds": ("p", lambda: parquet(pixel_columns() | {"pixel5": [0.5] * 600}), "some columns hold .*"),
    "parquet with pixel 256": ("p", lambda: parquet(pixel_columns(changed(256, "i2"))), r"row 600, pixel300: .*"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=BAD)
def test_bad_shards_are_refused_in_one_line(name, content, message, folder):
    """Nothing is half written, and an older result stays."""
    (folder / name).write_bytes(content())
    (folder / "out").mkdir()
    (folder / "out" / "r.csv").write_text("older")
    for result in ("out/r.csv", "out/r.parquet"):
        if result.endswith("parquet"):
            pytest.importorskip("pyarrow")
        with pytest.raises(ShardError) as refusal:
            predict_shard(name, result, PREDICTOR, Options(format=result.rpartition(".")[2]))
        assert "\n" not in str(refusal.value)
        assert re.fullmatch(rf"{name}( \(.*\))?: (?:{message})", str(refusal.value)), refusal.value
        outcome = attempt_shard(Task(name, result), PREDICTOR, Options())
        assert (outcome.rows, outcome.error) == (0, str(refusal.value))
    assert os.listdir("out") == ["r.csv"] and (folder / "out" / "r.csv").read_text() == "older"


def test_a_missing_shard_and_results_that_cannot_be_written(folder):
    (folder / "part.npy").write_bytes(npy(IMAGES))
    (folder / "file").write_bytes(b"")
    with pytest.raises(ShardError, match=r"^no\.npy: no such file$"):
        predict_shard("no.npy", "out.csv", PREDICTOR)
    with pytest.raises(ShardError, match=r"^file.out\.csv: "):
        predict_shard("part.npy", "file/out.csv", PREDICTOR)
    with pytest.raises(ShardError, match=r"^part\.npy: arrays have no column name$"):
        predict_shard("part.npy", "out.csv", PREDICTOR, Options(id_column="name"))
    assert attempt_shard(Task("file/x.npy", "out.csv"), PREDICTOR, Options()).error == "file/x.npy: Not a directory"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk(folder):
    (folder / "part.npy").write_bytes(npy(IMAGES))
    (folder / "out").mkdir()
    code = """
import resource, sys
from digitnn_fast import Predictor
from digitnn_fast.shards import *
predictor = Predictor.load(threads=1)
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
print(attempt_shard(Task("part.npy", "out/r.csv"), predictor, Options()).error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "out/r.csv: can't be written: File too large\n"
    assert os.listdir("out") == []


# Manifests


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
    for name, age in (("r.csv.123-0123abcd.tmp", 3600), ("r.csv.124-0123abcd.tmp", 0), ("mine.tmp", 3600)):
        (folder / name).write_text("")
        os.utime(folder / name, (time.time() - age,) * 2)
    sweep(str(folder))
    assert sorted(os.listdir()) == ["mine.tmp", "r.csv.124-0123abcd.tmp"]


# Finding


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
        "a/pics/1.png",
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


# Memory


MEMORY = """
import sys
from digitnn_fast import Predictor
from digitnn_fast.shards import Options, predict_shard
print(predict_shard(sys.argv[1], "r.csv", Predictor.load(threads=1), Options(probabilities=len(sys.argv) > 2)).rows)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.once
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_shard(folder):
    """Two gigabytes of .npy, of which the disk holds only the header."""
    rows = 2**31 // 784
    with open("part.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (rows, 784)})
        file.truncate(file.tell() + 784 * rows)
    done = subprocess.run([sys.executable, "-c", MEMORY, "part.npy"], capture_output=True, text=True, check=True)
    predicted, kilobytes = map(int, done.stdout.split())
    assert predicted == rows
    assert kilobytes < 300_000


def test_a_bomb_is_given_up_early(folder):
    """A gigabyte, as 64 gzips behind each other."""
    (folder / "bomb.npy.gz").write_bytes(gzip.compress(HUGE) + 64 * gzip.compress(bytes(1 << 24)))
    with pytest.raises(ShardError, match="unpacks to more than 200 times its size"):
        predict_shard("bomb.npy.gz", "r.csv", PREDICTOR)
    assert os.listdir() == ["bomb.npy.gz"]


# The reader behind it


def test_iter_images_goes_on_where_the_plain_part_ends(folder):
    """The odd row comes after several blocks of plain ones."""
    many = np.tile(IMAGES, (12, 1))
    lines = table(NAMES, many.tolist()).splitlines(keepends=True)
    lines[7001] = lines[7001].replace(b"0,", b"0.0,", 1)
    (folder / "part.csv").write_bytes(b"".join(lines))
    parts = [(images.copy(), ids) for images, ids in kaggle.iter_images("part.csv")]
    assert len(parts) > 2 and all(ids is None for _, ids in parts)
    np.testing.assert_array_equal(np.concatenate([images for images, _ in parts]), many)
