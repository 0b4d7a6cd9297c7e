"""One table: the files that people have, and each command that reads them: the same digits, or refused alike."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from shard_files import NAMES, idx, npy, npz, parquet, pngs, table, zipped

from digitnn_fast.commands import app
from digitnn_fast.kernels.machine import jit
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")
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
    "csv by savetxt": lambda: {"a.csv": b"# " + CSV},
    "csv with semicolons": lambda: {"a.csv": b"sep=;\n" + CSV.replace(b",", b";")},
    "csv with tabs": lambda: {"a.tsv": CSV.replace(b",", b"\t")},
    "csv with BOM": lambda: {"a.csv": b"\xef\xbb\xbf" + CSV},
    "csv in UTF-16": lambda: {"a.csv": CSV.decode().encode("utf-16")},
    "csv of a spreadsheet": lambda: {"a.csv": CSV + 2 * (784 * b"," + b"\n")},
    "Keras' npz": lambda: {"mnist.npz": npz(x_train=SQUARES, y_train=LABELS, x_test=SQUARES, y_test=LABELS)},
    "npz of images and labels": lambda: {"a.npz": npz(images=IMAGES / 255, labels=LABELS.astype(np.int64))},
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
}
ALONE = {  # images without labels
    "test.csv": lambda: {"a.csv": TEST},
    "test.csv with semicolons": lambda: {"a.csv": TEST.replace(b",", b";")},
    "npy": lambda: {"a.npy": npy(SQUARES)},
    "npy with a channel": lambda: {"a.npy": npy(SQUARES[..., None])},
    "npy.gz": lambda: {"a.npy.gz": gzip.compress(npy(IMAGES))},
    "IDX": lambda: {"images": idx(SQUARES)},
    "npz": lambda: {"a.npz": npz(x_test=SQUARES)},
    "parquet": lambda: {"a.parquet": parquet({"image": pngs(IMAGES)})},
    "parquet of numbers": lambda: {"a.parquet": parquet({str(at): IMAGES[:, at] for at in reversed(range(784))})},
    "csv of pandas' numbers": lambda: {"a.csv": table([str(at) for at in range(784)], IMAGES.tolist())},
}
PIPED = "csv with semicolons", "Keras' npz", "Hugging Face's parquet"
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
    "too few": (lambda: {"images": idx(SQUARES), "labels": idx(LABELS[1:])}, r"images and labels: there are 59 .*"),
    "too few in an npz": (lambda: {"a.npz": npz(x=IMAGES, y=LABELS[1:])}, r"a\.npz: there are 59 labels, .*"),
    "ten": (lambda: {"a.npz": npz(x=IMAGES, y=LABELS + 1)}, r"a\.npz: y: row \d+: 10 is not a digit from 0 to 9"),
    "halves": (lambda: {"a.npz": npz(x=IMAGES, y=LABELS / 2)}, r"a\.npz: y: row \d+: \S+ is not a digit .*"),
    "a matrix": (lambda: {"a.npz": npz(x=IMAGES, y=np.eye(60))}, r"a\.npz: y: labels must be \(n,\), not \(60, 60\)"),
    "none in parquet": (lambda: {"a.parquet": parquet(COLUMNS)}, r"a\.parquet: there must be one column of digits, .*"),
    "null in parquet": (
        lambda: {"a.parquet": parquet({"label": [None, *LABELS[1:].tolist()], **COLUMNS})},
        r"a\.parquet: row 1, column label: null",
    ),
}
# What a command makes of {file}: the name of what it writes, or "" for what it prints.
LEARN = {
    "train": ("train --train {file} --recipe pixels --epochs 1 --out m.npz", "m.npz"),
    "evaluate": ("evaluate --data {file} --model net.npz", ""),
    "submit": ("submit --train {file} --test test.csv --recipe pixels --epochs 1 --out s.csv", "s.csv"),
    "report": ("report net.npz --data {file} --out r.html", ""),
    "verify": ("verify net.npz --data {file}", None),
}
PREDICT = {
    "predict": ("predict --test {file} --model net.npz --out s.csv", "s.csv"),
    "submit a model": ("submit --model net.npz --test {file} --out s.csv", "s.csv"),
    "validate": ("validate known.csv --test {file}", None),
    "shards": ("shards {file} --model net.npz --out results", "results"),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Network(*initialize_parameters(1, 4)).save("net.npz")
    (tmp_path / "test.csv").write_bytes(TEST)
    (tmp_path / "known.csv").write_text("ImageId,Label\n" + "".join(f"{row},1\n" for row in range(1, 61)))
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "train.csv").write_bytes(CSV)
    return tmp_path


def put(files: dict) -> str:
    """Write the files; the name of the one that is given: the last one that is none, else the first."""
    for name, content in files.items():
        if content is None:
            return name
        with open(name, "wb") as file:
            file.write(content)
    return next(iter(files))


def enter(text: str, made: str | None, file: str, capsys) -> object:
    """What the command wrote or said."""
    assert app.run(text.format(file=file).split()) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    if made is None:
        return None
    if made == "results":
        (result,) = (name for name in os.listdir(made) if name.endswith(".csv"))
        made = f"results/{result}"
    if not made:
        return re.sub(r"time .*\n", "", printed)
    with open(made, "rb") as result:
        return result.read().replace(b"row,label", b"ImageId,Label")


@pytest.mark.parametrize("door", ["train", "evaluate", "submit"])
@pytest.mark.parametrize("name", LABELLED)
def test_labelled_digits_are_the_same_at_every_door(name, door, here, capsys):
    expected = enter(*LEARN[door], "csv/train.csv", capsys)
    assert enter(*LEARN[door], put(LABELLED[name]()), capsys) == expected


@pytest.mark.once
@pytest.mark.parametrize("door", ["report", "verify"])
@pytest.mark.parametrize("name", ["csv", "Keras' npz", "IDX", "Hugging Face's parquet"])
def test_the_slow_doors(name, door, here, capsys):
    text, _ = LEARN[door]
    assert enter(text, "", put(LABELLED[name]()), capsys)


@pytest.mark.parametrize("door", PREDICT)
@pytest.mark.parametrize("name", ALONE)
def test_images_to_predict_are_the_same_at_every_door(name, door, here, capsys):
    text, made = PREDICT[door]
    expected = enter(*PREDICT["predict"], "test.csv", capsys) if made else None
    assert enter(text, made, put(ALONE[name]()), capsys) == expected


@pytest.mark.parametrize("door", ["train", "evaluate", "submit", "report"])
def test_labels_that_are_all_the_same_are_pointed_out(door, here, capsys):
    """As of a table without a header that has its labels last."""
    put({"a.csv": table([], np.insert(IMAGES, 784, LABELS, axis=1).tolist()).lstrip()})
    text, _ = LEARN[door]
    assert app.run(text.format(file="a.csv").split()) == 0
    assert "WARNING: a.csv: every label is 0; are these the labels? " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["IDX", "npy in two files"])
def test_labels_by_name(name, here, capsys):
    images, labels = LABELLED[name]().values()
    put({"a": images, "b": labels})
    expected = enter(*LEARN["train"], "csv/train.csv", capsys)
    text, made = LEARN["train"]
    assert enter(text + " --labels b", made, "a", capsys) == expected
    assert app.run(["evaluate", "--data", "a", "--labels", "none"]) == 2
    assert capsys.readouterr().err == "error: none: no such file\n"


@pytest.mark.parametrize("door", [*LEARN, *PREDICT])
@pytest.mark.parametrize("name", REFUSED)
def test_every_door_refuses_it_in_one_line(name, door, here, capsys):
    make, message = REFUSED[name]
    refused(door, make, message, capsys)


@pytest.mark.parametrize("door", ["train", "evaluate", "submit", "report"])
@pytest.mark.parametrize("name", REFUSED_LABELS)
def test_every_door_refuses_such_labels_in_one_line(name, door, here, capsys):
    make, message = REFUSED_LABELS[name]
    refused(door, make, message, capsys)


@contextmanager
def standard_input(content: bytes, piped: bool):
    """Let it be a pipe that holds this, or a file."""
    before = os.dup(0)
    if piped:
        reading, writing = os.pipe()
    else:
        with open("stdin", "wb") as file:
            file.write(content)
        reading = os.open("stdin", os.O_RDONLY)
    os.dup2(reading, 0)
    os.close(reading)
    writer = threading.Thread(target=lambda: piped and write_all(writing, content))
    writer.start()
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        writer.join()


def write_all(number: int, content: bytes) -> None:
    with suppress(BrokenPipeError), open(number, "wb") as file:
        file.write(content)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
@pytest.mark.parametrize("piped", [True, False])
@pytest.mark.parametrize("door", ["train", "evaluate", "submit", "predict", "submit a model", "validate"])
@pytest.mark.parametrize("name", ["csv", *(pytest.param(name, marks=pytest.mark.once) for name in PIPED)])
def test_standard_input(name, door, piped, here, capsys):
    text, made = {**LEARN, **PREDICT}[door]
    (content,) = LABELLED[name]().values()
    if "csv" in name and door in PREDICT:
        content = TEST if name == "csv" else TEST.replace(b",", b";")
    expected = enter(text, made, "csv/train.csv" if door in LEARN else "test.csv", capsys)
    with standard_input(content, piped):
        assert enter(text, made, "-", capsys) == expected


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
@pytest.mark.parametrize("door", ["train", "predict", "submit"])
def test_standard_input_of_many_megabytes_that_are_no_digits(door, here, capsys):
    """What follows the first one is not waited for."""
    text, _ = {**LEARN, **PREDICT}[door]
    with standard_input(b"<html>\n" * (1 << 19), piped=True):
        assert app.run(text.format(file="-").split()) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: standard input: line 1: the first line must be")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
def test_standard_output(here):
    """What is predicted goes there, and the report to stderr; `-` is no file."""
    command = [sys.executable, "-m", "digitnn_fast", "predict", "--model", "net.npz", "--test", "-", "--out", "-"]
    done = subprocess.run(command, input=TEST, capture_output=True)
    enter_file = [*command[:3], *["predict", "--model", "net.npz", "--test", "test.csv", "--out", "s.csv"]]
    subprocess.run(enter_file, check=True, capture_output=True)
    with open("s.csv", "rb") as file:
        assert (done.returncode, done.stdout) == (0, file.read()), done.stderr
    assert done.stderr.startswith(b"predicted ") and not os.path.exists("-")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
def test_standard_input_is_one_file(here, capsys):
    for text in ("submit --train - --test -", "validate - --test -"):
        assert app.run(text.split()) == 2
        assert re.fullmatch(r"error: standard input can't be .*\n", capsys.readouterr().err)
    assert app.run(["train", "--train", "csv/train.csv", "--out", "-"]) == 2
    assert capsys.readouterr().err == "error: -: can't be written: not a file\n"


def refused(door, make, message, capsys) -> None:
    text, _ = {**LEARN, **PREDICT}[door]
    file, before = put(make()), set(os.listdir())
    assert app.run(text.format(file=file).split()) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(f"error: {message}", error), error
    assert set(os.listdir()) - {"results"} == before
