"""The same 600 digits in every format that a shard may have."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from digitnn_fast import Predictor
from digitnn_fast.sample import load_sample

IMAGES = load_sample().test_images[:600]
PREDICTOR = Predictor.load(threads=1)
LABELS, PROBABILITIES = PREDICTOR.predict_both(IMAGES)
NAMES = [f"pixel{number}" for number in range(784)]


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


def npz(**arrays) -> bytes:
    """As Keras' mnist.npz."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def pngs(images=IMAGES) -> list[bytes]:
    """As Hugging Face keeps MNIST: each a PNG of 28x28 pixels, white ink on black."""
    files = [io.BytesIO() for _ in images]
    for file, image in zip(files, images.reshape(-1, 28, 28), strict=True):
        Image.fromarray(image).save(file, "PNG")
    return [file.getvalue() for file in files]


def zipped(content, name="part.csv", method=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
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
    "parquet of integers and floats": lambda: (
        "part.parquet",
        parquet(pixel_columns() | {"pixel5": IMAGES[:, 5] * 1.0, "pixel300": IMAGES[:, 300].astype(np.float32)}),
    ),
    "Hugging Face's parquet": lambda: (
        "part.parquet",
        parquet({"image": [{"bytes": png, "path": "a.png"} for png in pngs()], "label": LABELS.astype(np.int64)}),
    ),
    "parquet of pictures": lambda: ("part.parquet", parquet({"image": pngs()})),
    "Keras' npz": lambda: ("part.npz", npz(x_train=SQUARES[:9], y_train=LABELS[:9], x_test=SQUARES, y_test=LABELS)),
    "npz of one array": lambda: ("part.npz", npz(arr_0=IMAGES)),
    "csv in UTF-16": lambda: ("part.csv", PLAIN.decode().encode("utf-16")),
    "csv with semicolons": lambda: ("part.csv", b"sep=;\n" + PLAIN.replace(b",", b";")),
    "parquet of floats": lambda: ("part.parquet", parquet({"pixels": list(IMAGES / 255)})),
}


def rows_of(path) -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file))
