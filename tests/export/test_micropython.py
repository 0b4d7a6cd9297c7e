"""The file for MicroPython: the integers of the specification, in this Python and in MicroPython itself."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from c_export import HOSTILE, integers
from exports import DIGITS, SMALL
from programs import needs

from digitnn_fast import Network
from digitnn_fast.commands import app
from digitnn_fast.export import export, micropython
from digitnn_fast.export.c.source import Integers
from digitnn_fast.export.micropython import ways
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.reference import softmax_uint8
from digitnn_fast.reference.quantization import LARGEST, quantize

IMAGES = np.concatenate([DIGITS[:12], HOSTILE[::4]])


def loaded(network):
    """The names of an exported file."""
    names = {}
    exec(micropython.source(network), names)
    return names


@pytest.mark.parametrize("bits", LARGEST)
@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_the_same_integers(bits, preprocessing):
    network = integers(bits, preprocessing, 21)
    digits, wanted = loaded(network), network.logits(IMAGES)
    got = [digits["logits"](image.tobytes()) for image in IMAGES]
    np.testing.assert_array_equal(got, wanted)
    assert [digits["predict"](image.tobytes()) for image in IMAGES[:9]] == wanted[:9].argmax(axis=1).tolist()
    shares = [list(digits["probabilities"](logits)) for logits in got]
    np.testing.assert_array_equal(shares, softmax_uint8(wanted, network.quantized.scale))


@pytest.mark.parametrize("hidden", [1, 3, 16, 64])
@pytest.mark.parametrize("bits", LARGEST)
def test_any_width(bits, hidden):
    network = integers(bits, "raw", hidden)
    digits = loaded(network)
    np.testing.assert_array_equal([digits["logits"](image.tolist()) for image in IMAGES], network.logits(IMAGES))


def test_largest_sums():
    """White paper and the largest weights: no sum runs into its neighbour."""
    W1 = np.tile(np.float32([1, -1, 1, 1, 1]), (784, 1))
    W2, b = np.eye(5, 10, dtype=np.float32), np.zeros(10, np.float32)
    for bits in LARGEST:
        network = Integers(quantize(Network(W1, b[:5], W2, b).parameters, bits), bits, "raw")
        np.testing.assert_array_equal(loaded(network)["logits"](bytes([255] * 784)), network.logits(HOSTILE[1:2])[0])


def test_what_is_no_image_is_refused():
    digits = loaded(integers(2, "pooled", 8))
    for image in (bytes(783), bytes(785), b"", [300] * 784, [-1] * 784):
        with pytest.raises(ValueError, match=r"784|range"):
            digits["logits"](image)


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    model = tmp_path / "model.npz"
    Network(SMALL.W1[:, :8], SMALL.b1[:8], SMALL.W2[:8], SMALL.b2, SMALL.preprocessing).save(model)
    command = ["export", str(model), "--to", "micropython", "--out", str(tmp_path / "out"), "--max-loss", "1"]
    assert app.run(command) == 0
    text = capsys.readouterr().out
    assert re.search(r"Python, for MicroPython +50 of 50 labels, all integers equal; [\d,]+ of 2,000 labels", text)
    assert "there is no micropython here" in text
    assert "there is no mpy-cross here" in text
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["digits.py"]
    assert app.run([*command, "--layout", "arduino"]) == 2
    assert capsys.readouterr().err == "error: --layout goes with --to c, not with --to micropython\n"


@pytest.fixture
def boards_python(monkeypatch):
    """MicroPython and its compiler on PATH: the extra `once` has them, beside this Python."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"])
    needs("micropython", "mpy-cross")


@pytest.mark.once
@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_in_micropython(tmp_path, boards_python, preprocessing):
    network = Network(*SMALL.parameters, preprocessing)
    made = export(network, "micropython", tmp_path / "out", max_loss=100)
    assert [name for name, _ in made.tests] == ["Python, for MicroPython", "MicroPython", "MicroPython, compiled"]
    for way in ways(network, tmp_path / "out", micropython.EXPORTER.options()):
        answers, wanted = way.run(IMAGES), way.wanted(network, IMAGES)
        np.testing.assert_array_equal(answers.logits, wanted.logits)
        np.testing.assert_array_equal(answers.labels, wanted.labels)


@pytest.mark.once
def test_a_micropython_that_fails(tmp_path, capsys, monkeypatch):
    (tmp_path / "micropython").write_text(f"#!{sys.executable}\nimport sys; sys.exit('MemoryError: not today')\n")
    (tmp_path / "micropython").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert app.run(["export", "small", "--to", "micropython", "--out", str(tmp_path / "out")]) == 1
    assert "MemoryError: not today; nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
