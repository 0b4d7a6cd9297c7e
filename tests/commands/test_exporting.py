"""`digitnn-fast export`: what it says, what it refuses, and that nothing is left when it fails."""

from __future__ import annotations

import os
import re
import sys

import numpy as np
import pytest
from exports import BROKEN, SMALL

from digitnn_fast import Network
from digitnn_fast.commands import exporting
from digitnn_fast.export import EXPORTERS, Options, options_of


def test_the_command_says_what_it_wrote(command, tmp_path):
    out = tmp_path / "onnx"
    code, text, _ = command("export", "small", "--to", "onnx", "--out", out)
    assert code == 0
    sizes = {path.name: path.stat().st_size for path in out.iterdir()}
    assert set(sizes) == {"digits-float32.onnx", "digits-int8.onnx"}
    for name, size in sizes.items():
        assert re.search(rf"^{name} +{size:,} bytes$", text, re.MULTILINE)
    assert "test of ONNX int8" in text
    assert "2,000 of 2,000 labels, all integers equal" in text
    assert list(tmp_path.iterdir()) == [out]


def test_an_older_export_is_replaced_and_other_files_stay(command, tmp_path):
    (tmp_path / "digits-int8.onnx").write_bytes(b"old")
    (tmp_path / "mine.txt").write_text("mine")
    assert command("export", "small", "--to", "onnx", "--out", tmp_path)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"digits-float32.onnx", "digits-int8.onnx", "mine.txt"}
    assert (tmp_path / "digits-int8.onnx").stat().st_size > 50_000
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_an_export_that_loses_too_much_leaves_nothing(command, tmp_path):
    """One large weight where digits are black takes the quantised network all its precision."""
    W1, b1, W2, b2 = (np.array(array) for array in SMALL.parameters)
    W1[0] = 300 * np.abs(W1).max()
    Network(W1, b1, W2, b2).save(tmp_path / "coarse.npz")
    for target in ("onnx", "web"):
        code, text, error = command("export", tmp_path / "coarse.npz", "--to", target, "--out", tmp_path / "out")
        assert code == exporting.FAILED
        assert not text
        assert error.count("\n") == 1
        assert "% lost, allowed are 0.5%" in error
        assert [path.name for path in tmp_path.iterdir()] == ["coarse.npz"]
    arguments = "--to", "onnx", "--out", tmp_path / "out", "--max-loss", 100
    code, text, _ = command("export", tmp_path / "coarse.npz", *arguments)
    assert code == 0
    assert "all integers equal" in text


@pytest.mark.skipif(os.name != "posix", reason="a script as a program")
@pytest.mark.parametrize(("script", "message"), BROKEN.values(), ids=BROKEN)
def test_a_failed_self_test_leaves_nothing(command, tmp_path, monkeypatch, script, message):
    """Node itself is broken here."""
    (tmp_path / "bin").mkdir()
    node = tmp_path / "bin" / "node"
    node.write_text(f"#!{sys.executable}\n{script}\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(node.parent))
    code, _, error = command("export", "small", "--to", "web", "--out", tmp_path / "out")
    assert code == 1
    assert message in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_without_node_the_web_is_written_untested(command, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, text, _ = command("export", "small", "--to", "web", "--out", tmp_path / "out")
    assert code == 0
    assert "not run: there is no node here; by its specification 2,000 of 2,000 labels as in float32" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small", "--to", "fax", "--out", "{}/out"), "there is no target 'fax', but "),
        (("nothing.npz", "--to", "onnx", "--out", "{}/out"), "nothing.npz: No such file"),
        (("small", "--to", "onnx", "--out", "{}/no/where"), "there is no folder"),
        (("small", "--to", "onnx", "--out", __file__), "not a folder"),
        (("small", "--to", "onnx", "--out", "{}/out", "--max-loss", "101"), "--max-loss"),
        (("small", "--to", "onnx"), "--out"),
    ],
)
def test_users_mistakes(command, tmp_path, arguments, message):
    code, _, error = command("export", *(argument.format(tmp_path) for argument in arguments))
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_every_option_is_on_the_command_line(command):
    """And the help lists the targets."""
    import inspect
    from dataclasses import fields

    parameters = inspect.signature(exporting.export).parameters
    text = command("export", "--help")[1]
    for exporter in EXPORTERS.values():
        assert {field.name for field in fields(exporter.options)} <= {*parameters, "on_epoch"}
        assert exporter.name in text
        assert " ".join(exporter.summary.split()[:3]) in text


def test_options_of_another_target_are_refused():
    assert options_of("web", {}) == Options()
    for name in {field for exporter in EXPORTERS.values() for field in exporter.options.__dataclass_fields__} - {
        "on_epoch"
    }:
        with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} goes with --to .*, not with --to web"):
            options_of("web", {name: 1})
