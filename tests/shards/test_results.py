"""What is written for a shard: labels, probabilities, ids, and nothing if it can't be."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from shard_files import IMAGES, LABELS, NAMES, PREDICTOR, PROBABILITIES, npy, parquet, pixel_columns, rows_of, table

from digitnn_fast import Predictor
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.shards import Options, ShardError, Task, attempt_shard, predict_shard

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python")

IDS = [f'no. {number}, "{number}"' for number in range(len(IMAGES))]
WITH_ID = table(["id", *NAMES, "label"], [[name, *row, 7] for name, row in zip(IDS, IMAGES.tolist(), strict=True)])


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
