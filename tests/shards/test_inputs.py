"""One shard in, one result out: every format, hostile files, memory."""

from __future__ import annotations

import gzip
import os
import pickle
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from shard_files import (
    ARRAYS,
    IMAGES,
    LABELS,
    NAMES,
    PLAIN,
    PREDICTOR,
    SQUARES,
    idx,
    npy,
    npz,
    parquet,
    pixel_columns,
    pngs,
    rows_of,
    table,
    zipped,
)

from digitnn_fast import kaggle
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.shards import Options, ShardError, Task, attempt_shard, predict_shard

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")


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
    "cut npy by columns": ("part.npy", lambda: npy(np.asfortranarray(IMAGES))[:-1], "cut off: .*"),
    "cut npy.gz by columns": (
        "part.npy.gz",
        lambda: gzip.compress(npy(np.asfortranarray(IMAGES))[:-1]),
        "cut off: it ends before image 600 of 600",
    ),
    "npy.gz by columns that claims terabytes": (
        "part.npy.gz",
        lambda: gzip.compress(HUGE.replace(b"False", b"True ") + bytes(784)),
        "stored by columns, and too large for that; .*",
    ),
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
    "npz of other arrays": (
        "part.npz",
        lambda: npz(a=IMAGES, b=LABELS),
        "there must be arrays x_test, or images; there are a, b",
    ),
    "npz with a pickle": ("part.npz", lambda: npz(x_test=np.array([{}] * 9)), "x_test: images must be .*, not object"),
    "cut npz": ("part.npz", lambda: npz(x_test=IMAGES)[:-99], "damaged or cut-off zip: .*"),
    "damaged npz": (
        "part.npz",
        lambda: npz(x_test=IMAGES)[:9000] + bytes(99) + npz(x_test=IMAGES)[9099:],
        "x_test: damaged: .*",
    ),
    "npz bomb": (
        "part.npz",
        lambda: npz(x_test=np.zeros((200_000, 784), np.uint8)),
        "unpacks to more than 200 times its size; .*",
    ),
    "npz by LZMA": (
        "part.npz",
        lambda: zipped(npy(IMAGES), "images.npy", zipfile.ZIP_LZMA),
        "compressed by another method than deflate; .*",
    ),
    "a true pickle": ("part.pkl", lambda: pickle.dumps(IMAGES), "a pickle, which could run any code; .*"),
    "HDF5": ("part.h5", lambda: b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5; .*"),
    "idx of labels": ("labels", lambda: idx(LABELS), "a file of labels, not of images"),
    "idx of other sizes": ("i", lambda: idx(np.zeros((5, 27, 28), np.uint8)), r"images must be .*, not \(5, 27, 28\)"),
    "idx of no type": ("i", lambda: b"\0\0\x07\x03" + bytes(99), "not a format that can be read"),
    "cut idx": ("i", lambda: idx(SQUARES)[:-5], "cut off: .*"),
    "idx cut in its header": ("i", lambda: idx(SQUARES)[:9], "cut off in its header"),
    "idx of 255 dimensions": ("i", lambda: b"\0\0\x08\xff" + bytes(4 * 255), "images must be .*"),
    "csv with a bad value": ("part.csv", lambda: PLAIN[:-2] + b"x\n", r"row 600 \(line 601\), column pixel783: .*"),
    "csv without pixels": (
        "part.csv",
        lambda: b"a,b\n1,2\n",
        r"line 1: the first line must be a header with pixel0 to pixel783, but is 'a,b'",
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
    "parquet of text": ("p", lambda: parquet({"pixels": ["a"]}), "column pixels: must be numbers, not .*"),
    "parquet of mixed scales": (
        "p",
        lambda: parquet(pixel_columns() | {"pixel5": [0.5] * 600}),
        r"images of float64 must lie in 0\.\.1, or be whole numbers up to 255, but hold 255\.0",
    ),
    "parquet of damaged pictures": (
        "p",
        lambda: parquet({"image": [{"bytes": pngs()[0][:50], "path": "/etc/passwd"}]}),
        "row 1, column image: (damaged|not a picture).*",
    ),
    "parquet of paths alone": (
        "p",
        lambda: parquet({"image": [{"bytes": b"12", "path": "a.png"}, {"bytes": None, "path": "/etc/passwd"}]}),
        "row 2, column image: null",
    ),
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


def test_iter_images_goes_on_where_the_plain_part_ends(folder):
    """The odd row comes after several blocks of plain ones."""
    many = np.tile(IMAGES, (12, 1))
    lines = table(NAMES, many.tolist()).splitlines(keepends=True)
    lines[7001] = lines[7001].replace(b"0,", b"0.0,", 1)
    (folder / "part.csv").write_bytes(b"".join(lines))
    parts = [(images.copy(), ids) for images, ids in kaggle.iter_images("part.csv")]
    assert len(parts) > 2 and all(ids is None for _, ids in parts)
    np.testing.assert_array_equal(np.concatenate([images for images, _ in parts]), many)
