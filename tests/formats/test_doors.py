"""One table: the files that people have, and each command that reads them: the same digits, or refused alike."""

from __future__ import annotations

import gzip
from functools import partial

import numpy as np
import pytest
from digit_files import ALONE, IMAGES, LABELLED, LABELS, REFUSED, REFUSED_LABELS
from doors import DOORS, LEARN, PREDICT, enter, expected, put, refused
from shard_files import NAMES, idx, npy, npz, parquet, table

from digitnn_fast.commands import app
from digitnn_fast.formats import DigitFile
from digitnn_fast.kernels.machine import jit
from digitnn_fast.sample import load_sample

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")


@pytest.mark.parametrize("door", ["train", "evaluate", "submit"])
@pytest.mark.parametrize("name", LABELLED)
def test_labelled_digits_are_the_same_at_every_door(name, door, here):
    assert expected(door) == enter(door, put(LABELLED[name]()))


@pytest.mark.once
@pytest.mark.parametrize("door", ["report", "verify"])
@pytest.mark.parametrize("name", ["csv", "Keras' npz", "IDX", "Hugging Face's parquet"])
def test_the_slow_doors(name, door, here):
    enter(door, put(LABELLED[name]()))


@pytest.mark.parametrize("door", PREDICT)
@pytest.mark.parametrize("name", ALONE)
def test_images_to_predict_are_the_same_at_every_door(name, door, here):
    made = enter(door, put(ALONE[name]()))
    assert made is None or made == expected("predict")


@pytest.mark.parametrize("door", ["predict", "submit a model"])
@pytest.mark.parametrize("name", ALONE)
def test_every_file_is_predicted_by_threads(name, door, here, capsys, monkeypatch):
    """Who starts some asks how many there may be."""
    monkeypatch.setenv("DIGITNN_THREADS", "many")
    refused(door, ALONE[name](), "DIGITNN_THREADS must be 1 or more, got 'many'", capsys)


MANY = load_sample().train_images[:9000]  # more than two blocks of an array
LARGE = {
    "csv": lambda: table(NAMES, MANY.tolist()),
    "npy": lambda: npy(MANY),
    "npy by columns": lambda: npy(np.asfortranarray(MANY)),
    "npz": lambda: npz(x_test=MANY),
    "IDX, packed": lambda: gzip.compress(idx(MANY)),
    "parquet": lambda: parquet({"pixels": [row.tobytes() for row in MANY]}),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("read", [DigitFile.read, partial(DigitFile.map, function=lambda images: images[:, 0])])
def test_how_far_a_file_is_read_is_told(read, name, here):
    content, told = LARGE[name](), []
    read(DigitFile(put({"a": content})), progress=lambda *far: told.append(far))
    done, sizes = zip(*told, strict=True)
    assert len(done) > 2 and list(done) == sorted(done) and 0 < done[0] <= done[-1] <= len(content)
    assert set(sizes) == {len(content)}


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
    assert enter("train", "a", "--labels", "b") == expected("train")
    assert app.run(["evaluate", "--data", "a", "--labels", "none"]) == 2
    assert capsys.readouterr().err == "error: none: no such file\n"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", REFUSED)
def test_every_door_refuses_it_in_one_line(name, door, here, capsys):
    make, message = REFUSED[name]
    refused(door, make(), message, capsys)


@pytest.mark.parametrize("door", ["train", "evaluate", "submit", "report"])
@pytest.mark.parametrize("name", REFUSED_LABELS)
def test_every_door_refuses_such_labels_in_one_line(name, door, here, capsys):
    make, message = REFUSED_LABELS[name]
    refused(door, make(), message, capsys)
