"""The files that people have: with labels, without, and those that are refused; each is made when it is asked for."""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest
from shard_files import NAMES, idx, npy, npz, parquet, pngs, table, zipped

from digitnn_fast.sample import load_sample

IMAGES, LABELS = load_sample().train_images[:60], load_sample().train_labels[:60]
SQUARES, ROWS = IMAGES.reshape(-1, 28, 28), np.insert(IMAGES, 0, LABELS, axis=1).tolist()
CSV, TEST = table(["label", *NAMES], ROWS), table(NAMES, IMAGES.tolist())
COLUMNS = dict(zip(NAMES, IMAGES.T, strict=True))
FLOATS = {name: column * 1.0 if at % 3 else column for at, (name, column) in enumerate(COLUMNS.items())}
ROW_NAMES = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]


def tar(content: bytes) -> bytes:
    whole, member = io.BytesIO(), tarfile.TarInfo("train.csv")
    member.size = len(content)
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def categories(labels):
    """As pandas writes a column of categories."""
    return pytest.importorskip("pyarrow").array(labels.astype(str)).dictionary_encode()


# The first file's name is given to the command; the others lie beside it.
LABELLED = {
    "csv": lambda: {"a.csv": CSV},
    "csv.gz": lambda: {"a.csv.gz": gzip.compress(CSV)},
    "csv in a zip": lambda: {"a.zip": zipped(CSV, "train.csv")},
    "csv without a header": lambda: {"a.csv": CSV.split(b"\n", 1)[1]},
    "csv of rows and columns": lambda: {"a.csv": table(["label", *ROW_NAMES], ROWS)},
    "csv of row and column": lambda: {"a.csv": table(["label", *(f"{at // 28}x{at % 28}" for at in range(784))], ROWS)},
    "csv of pandas' numbers": lambda: {"a.csv": table([str(at) for at in range(785)], ROWS)},
    "csv of an index, label, numbers": lambda: {
        "a.csv": table(["", "label", *map(str, range(784))], [[at, *row] for at, row in enumerate(ROWS)])
    },
    "csv of floats 0 to 1": lambda: {
        "a.csv": table(["label", *NAMES], [[row[0], *(level / 255 for level in row[1:])] for row in ROWS])
    },
    "csv with Label": lambda: {"a.csv": CSV.replace(b"label", b"Label")},
    "csv with Y": lambda: {"a.csv": CSV.replace(b"label", b"Y")},
    "csv by savetxt": lambda: {"a.csv": b"# " + CSV},
    "csv with semicolons": lambda: {"a.csv": b"sep=;\n" + CSV.replace(b",", b";")},
    "csv with tabs": lambda: {"a.tsv": CSV.replace(b",", b"\t")},
    "csv with BOM": lambda: {"a.csv": b"\xef\xbb\xbf" + CSV},
    "csv in UTF-16": lambda: {"a.csv": CSV.decode().encode("utf-16")},
    "csv of a spreadsheet": lambda: {"a.csv": CSV + 2 * (784 * b"," + b"\n")},
    "Keras' npz": lambda: {"mnist.npz": npz(x_train=SQUARES, y_train=LABELS, x_test=SQUARES, y_test=LABELS)},
    "npz of images and labels": lambda: {"a.npz": npz(images=IMAGES / 255, labels=LABELS.astype(np.int64))},
    "npz with digits as texts": lambda: {"a.npz": npz(images=IMAGES, labels=LABELS.astype(str))},
    "npz of data and target": lambda: {"a.npz": npz(data=IMAGES, target=LABELS)},
    "npz in two files": lambda: {"k-imgs.npz": npz(arr_0=SQUARES), "k-labels.npz": npz(arr_0=LABELS)},
    "npy in two files": lambda: {"X_train.npy": npy(IMAGES), "y_train.npy": npy(LABELS[:, None].astype("i8"))},
    "IDX": lambda: {"train-images-idx3-ubyte": idx(SQUARES), "train-labels-idx1-ubyte": idx(LABELS)},
    "IDX, packed": lambda: {
        "t10k-images-idx3-ubyte.gz": gzip.compress(idx(SQUARES)),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS)),
    },
    "IDX, half packed": lambda: {"a-images.idx3": gzip.compress(idx(SQUARES)), "a-labels.idx1": idx(LABELS)},
    "Hugging Face's parquet": lambda: {
        "0.parquet": parquet({"image": [{"bytes": png, "path": None} for png in pngs(IMAGES)], "label": LABELS})
    },
    "parquet of columns": lambda: {"a.parquet": parquet({"label": LABELS.astype(float), **COLUMNS})},
    "parquet of integers and floats": lambda: {"a.parquet": parquet({"label": LABELS, **FLOATS})},
    "parquet of OpenML's classes": lambda: {"a.parquet": parquet({"class": categories(LABELS), **COLUMNS})},
    "parquet with digits as texts": lambda: {"a.parquet": parquet({"label": LABELS.astype(str), **COLUMNS})},
    "parquet with Class": lambda: {"a.parquet": parquet({"Class": LABELS, **COLUMNS})},
}
ALONE = {  # images without labels
    "test.csv": lambda: {"a.csv": TEST},
    "test.csv with semicolons": lambda: {"a.csv": TEST.replace(b",", b";")},
    "npy": lambda: {"a.npy": npy(SQUARES)},
    "npy with a channel": lambda: {"a.npy": npy(SQUARES[..., None])},
    "npy of a pandas table": lambda: {"a.npy": npy(np.asfortranarray(IMAGES.astype(np.int64)))},
    "npy of a pandas table, floats, packed": lambda: {"a.npy.gz": gzip.compress(npy(np.asfortranarray(IMAGES / 255)))},
    "npy of squares by columns": lambda: {"a.npy": npy(np.asfortranarray(SQUARES))},
    "npy.gz": lambda: {"a.npy.gz": gzip.compress(npy(IMAGES))},
    "IDX": lambda: {"images": idx(SQUARES)},
    "npz": lambda: {"a.npz": npz(x_test=SQUARES)},
    "parquet": lambda: {"a.parquet": parquet({"image": pngs(IMAGES)})},
    "parquet of numbers": lambda: {"a.parquet": parquet({str(at): IMAGES[:, at] for at in reversed(range(784))})},
    "csv of pandas' numbers": lambda: {"a.csv": table([str(at) for at in range(784)], IMAGES.tolist())},
}
NO_LABELS = r"a\.\w+(\.gz)?: there are no labels with these images; give them with --labels, .*"
REFUSED = {  # what every door says of it
    "a pickle": (lambda: {"a.pkl": pickle.dumps(IMAGES)}, r"a\.pkl: a pickle, which could run any code; .*"),
    "HDF5": (lambda: {"a.h5": b"\x89HDF\r\n\x1a\n" + bytes(99)}, r"a\.h5: HDF5; save its images as .*"),
    "a picture": (lambda: {"a.bin": pngs(IMAGES)[0]}, r"a\.bin: a picture; `digitnn-fast image` reads pictures"),
    "a workbook": (lambda: {"a.xlsx": zipped(b"", "[Content_Types].xml")}, r"a\.xlsx: an Excel workbook; .*"),
    "a web page": (lambda: {"a.csv": b"<html>"}, r"a\.csv: line 1: the first line must be .*; it is a web page, .*"),
    "a pointer": (lambda: {"a.csv": b"version https://git-lfs"}, r"a\.csv: line 1: .*: run `git lfs pull`"),
    "JSON": (lambda: {"a.json": b'[{"label":0,"pixel0":0}]'}, r"a\.json: line 1: .*: save it as CSV"),
    "ARFF": (lambda: {"a.arff": b"@RELATION mnist_784\n"}, r"a\.arff: line 1: .*; it is ARFF, .*: save it as CSV"),
    "bzip2": (lambda: {"a.csv.bz2": bz2.compress(CSV)}, r"a\.csv\.bz2: packed as neither \.gz nor \.zip; unpack it"),
    "twice": (lambda: {"a.gz": gzip.compress(gzip.compress(CSV))}, r"a\.gz: packed twice; unpack the \.gz"),
    "tar.gz": (lambda: {"a.tgz": gzip.compress(tar(CSV))}, r"a\.tgz: a \.tar; unpack it"),
    "PyTorch": (lambda: {"a.pt": zipped(b"", "archive/data.pkl")}, r"a\.pt: a file of PyTorch, a pickle, .*"),
    "MATLAB": (lambda: {"a": b"MATLAB 5.0 MAT-file"}, r"a: a file of MATLAB; save its images as \.npy or CSV"),
    "nothing": (lambda: {"a.csv": b""}, r"a\.csv: the file is empty"),
    "a cut npz": (lambda: {"a.npz": npz(x_train=IMAGES)[:-99]}, r"a\.npz: damaged or cut-off zip: .*"),
    "an npz with a pickle": (
        lambda: {"a.npz": npz(images=np.array([{}] * 9), labels=LABELS)},
        r"a\.npz: images: images must be integers 0\.\.255 or floats 0\.\.1, not object",
    ),
    "an npz of other arrays": (lambda: {"a.npz": npz(a=IMAGES, b=LABELS)}, r"a\.npz: there must be .*; there are a, b"),
    "a cut IDX": (lambda: {"images": idx(SQUARES)[:-1], "labels": idx(LABELS)}, r"images: cut off: .*"),
    "levels of 0 and 1": (
        lambda: {"a.npz": npz(images=IMAGES // 128, labels=LABELS)},
        r"a\.npz: images: no level is above 1, .*multiply by 255",
    ),
    "no such file": (lambda: {"a.txt": b"", "none": None}, r"none: no such file"),
}
REFUSED_LABELS = {
    "none": (lambda: {"a.npy": npy(IMAGES)}, NO_LABELS),
    "too few": (lambda: {"images": idx(SQUARES), "labels": idx(LABELS[1:])}, r"images and labels: 59 labels, .*"),
    "too few in an npz": (lambda: {"a.npz": npz(x=IMAGES, y=LABELS[1:])}, r"a\.npz: 59 labels, .*"),
    "ten": (lambda: {"a.npz": npz(x=IMAGES, y=LABELS + 1)}, r"a\.npz: y: row \d+: 10 is not a digit from 0 to 9"),
    "halves": (lambda: {"a.npz": npz(x=IMAGES, y=LABELS / 2)}, r"a\.npz: y: row \d+: \S+ is not a digit .*"),
    "words": (
        lambda: {"a.npz": npz(x=IMAGES, y=["1"] * 59 + ["six"])},
        r"a\.npz: y: row 60: six is not a digit from 0 to 9",
    ),
    "objects": (
        lambda: {"a.npz": npz(x=IMAGES, y=LABELS.astype(object))},
        r"a\.npz: y: labels must be numbers or texts, not object",
    ),
    "a matrix": (lambda: {"a.npz": npz(x=IMAGES, y=np.eye(60))}, r"a\.npz: y: labels must be \(n,\), not \(60, 60\)"),
    "none in parquet": (lambda: {"a.parquet": parquet(COLUMNS)}, r"a\.parquet: there must be one column of digits, .*"),
    "ten in parquet": (
        lambda: {"a.parquet": parquet({"Digit": LABELS + 1, **COLUMNS})},
        r"a\.parquet: column Digit: row \d+: 10 is not a digit from 0 to 9",
    ),
    "two in parquet": (
        lambda: {"a.parquet": parquet({"digit": LABELS, "Class": LABELS, **COLUMNS})},
        r"a\.parquet: there must be one column of digits, called label",
    ),
    "words in parquet": (
        lambda: {"a.parquet": parquet({"label": ["1"] * 59 + ["one"], **COLUMNS})},
        r"a\.parquet: column label: row 60: one is not a digit from 0 to 9",
    ),
    "null in parquet": (
        lambda: {"a.parquet": parquet({"label": [None, *LABELS[1:].tolist()], **COLUMNS})},
        r"a\.parquet: row 1, column label: null",
    ),
}
