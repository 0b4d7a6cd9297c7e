"""Standard input and output in the place of files, at each door."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from digit_files import IMAGES, LABELLED, TEST
from doors import DOORS, PREDICT, enter, expected
from shard_files import npz, zipped

from digitnn_fast.commands import app
from digitnn_fast.formats import DigitFile, spool
from digitnn_fast.kernels.machine import jit
from digitnn_fast.sample import load_sample

pytestmark = [
    pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python"),
    pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes"),
]
PIPED = "csv with semicolons", "Keras' npz", "Hugging Face's parquet"


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


@pytest.mark.parametrize("piped", [True, False])
@pytest.mark.parametrize("door", ["train", "evaluate", "submit", "predict", "submit a model", "validate"])
@pytest.mark.parametrize("name", ["csv", *(pytest.param(name, marks=pytest.mark.once) for name in PIPED)])
def test_standard_input(name, door, piped, here):
    (content,) = LABELLED[name]().values()
    if "csv" in name and door in PREDICT:
        content = TEST if name == "csv" else TEST.replace(b",", b";")
    wanted = expected(door)
    with standard_input(content, piped):
        assert enter(door, "-") == wanted


@pytest.mark.parametrize("door", ["train", "predict", "submit"])
def test_standard_input_of_many_megabytes_that_are_no_digits(door, here, capsys):
    """What follows the first one is not waited for."""
    text, _ = DOORS[door]
    with standard_input(b"<html>\n" * (1 << 19), piped=True):
        assert app.run(text.format(file="-").split()) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: standard input: line 1: the first line must be")


@pytest.mark.parametrize("piped", [True, False])
def test_a_zip_of_many_megabytes_is_read_to_its_end(piped, here):
    """Where its list of members is: what has come before tells nothing."""
    images, labels = load_sample().train_images, load_sample().train_labels
    header, rows = TEST.split(b"\n", 1)
    many = zipped(header + b"\n" + 12 * rows, "test.csv", zipfile.ZIP_STORED)
    arrays = npz(x_train=images, y_train=labels)
    assert min(len(many), len(arrays)) > spool.FIRST
    with standard_input(arrays, piped):
        for read, wanted in zip(DigitFile("-").read_labelled(train=True), (images, labels), strict=True):
            np.testing.assert_array_equal(read, wanted)
    with standard_input(many, piped):
        np.testing.assert_array_equal(DigitFile("-").read(), np.tile(IMAGES, (12, 1)))


def test_a_full_disk_names_the_temporary_folder(tmp_path):
    code = f"""if True:
        import resource
        from digitnn_fast.formats import DigitFile, FormatError, spool
        spool.IN_MEMORY = spool.FIRST
        resource.setrlimit(resource.RLIMIT_FSIZE, ({spool.FIRST}, {spool.FIRST}))
        try:
            DigitFile("-").read()
        except FormatError as error:
            print(error)"""
    header, rows = TEST.split(b"\n", 1)
    given = {"input": header + b"\n" + 12 * rows, "capture_output": True, "env": os.environ | {"TMPDIR": str(tmp_path)}}
    done = subprocess.run([sys.executable, "-c", code], **given)
    assert done.stdout.decode() == f"standard input, kept in {tmp_path}: File too large\n", done.stderr


SUBMISSIONS = {  # and what `validate` says of them
    "ImageId,Label\n1,7\n2,0\n": "valid  - (2 rows, ",
    "ImageId,Label\r\n1,7\r\n2,0\r\n": "valid  - (2 rows, ",
    "ImageId,Label\n2,7\n1,0\n": "valid  - (2 rows, ",
    "id,label\nb,7\na,0\n": "valid  - (2 rows, ",
    "ImageId,Label\n1,7\n2,x\n": "error: standard input: row 2 (line 3), column Label: 'x' is not a number",
}


@pytest.mark.parametrize("piped", [True, False])
@pytest.mark.parametrize("content", SUBMISSIONS)
def test_a_submission_on_standard_input(content, piped, here, capsys):
    with standard_input(content.encode(), piped):
        code = app.run(["validate", "-"])
    out, err = capsys.readouterr()
    said = SUBMISSIONS[content]
    assert (code, (err if code else out).startswith(said)) == (2 * said.startswith("error"), True), out + err


def test_standard_output(here):
    """What is predicted goes there, and the report to stderr; `-` is no file."""
    command = [sys.executable, "-m", "digitnn_fast", "predict", "--model", "net.npz", "--test", "-", "--out", "-"]
    done = subprocess.run(command, input=TEST, capture_output=True)
    assert (done.returncode, done.stdout) == (0, expected("predict")), done.stderr
    assert done.stderr.startswith(b"predicted ") and not os.path.exists("-")


def test_standard_input_is_one_file(here, capsys):
    for text in ("submit --train - --test -", "validate - --test -"):
        assert app.run(text.split()) == 2
        assert re.fullmatch(r"error: standard input can't be .*\n", capsys.readouterr().err)
    assert app.run(["train", "--train", "csv/train.csv", "--out", "-"]) == 2
    assert capsys.readouterr().err == "error: -: can't be written: not a file\n"
