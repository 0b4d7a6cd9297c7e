"""Networks exported to ONNX, run in onnxruntime."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from corners import EXTREMES, HOSTILE
from exports import DIGITS, NETWORKS, SMALL, assert_same, ways_of
from programs import HANGS, new_environment

from digitnn_fast import Network
from digitnn_fast.commands import app
from digitnn_fast.export import EXPORTERS, SelfTestError, compare
from digitnn_fast.export.onnx import EXACT, float32_model, int8_model, reach
from digitnn_fast.export.runtimes import ONNXRUNTIME
from digitnn_fast.export.ways import Answers, float_answers, integer_answers
from digitnn_fast.reference.quantization import quantize


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_onnx_on_digits(network, tmp_path):
    for way in ways_of("onnx", network, tmp_path):
        assert_same(way, network, DIGITS[:500])


@pytest.mark.once
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_openvino(network, tmp_path):
    exporter = EXPORTERS["onnx"]
    exporter.write(network, tmp_path, exporter.options())
    images = np.concatenate([DIGITS, *HOSTILE.values(), DIGITS[:0]])
    for way in exporter.further_ways(network, tmp_path, exporter.options()):
        difference = compare(way.run(images), way.wanted(network, images))
        assert difference.agrees, f"{way.name}: {difference.text}"


OLDEST = """
import sys
import numpy as np
import onnxruntime

assert onnxruntime.__version__.startswith("1.15.")
for kind in ("float32", "int8"):
    session = onnxruntime.InferenceSession(f"digits-{kind}.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answers = session.run(names, {"images": np.load(sys.argv[1])})
    np.savez(f"{kind}.npz", **dict(zip(names, answers)))
"""


@pytest.mark.once
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="onnxruntime 1.15 has no wheels for this Python")
def test_the_oldest_onnxruntime(tmp_path):
    python = new_environment(tmp_path / "oldest", sys.executable, "onnxruntime==1.15.*", "numpy<2")
    images = np.concatenate([DIGITS[:500], *HOSTILE.values()])
    np.save(tmp_path / "images.npy", images)
    for name, network in NETWORKS.items():
        folder = tmp_path / name
        folder.mkdir()
        ways_of("onnx", network, folder)
        subprocess.run([python, "-c", OLDEST, tmp_path / "images.npy"], cwd=folder, check=True, timeout=HANGS)
        for kind, wanted in (("float32", float_answers), ("int8", integer_answers)):
            with np.load(folder / f"{kind}.npz") as answers:
                difference = compare(Answers(**answers), wanted(network, images))
            assert difference.agrees, f"{name}, {kind}: {difference.text}"
            assert kind == "float32" or difference.integers_equal


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (ONNXRUNTIME._replace(package="no_such_engine"), "no_such_engine is not installed"),
        (ONNXRUNTIME._replace(oldest=(9999, 1)), "it needs onnxruntime 9999.1 or newer, this is "),
    ],
)
def test_an_engine_that_cannot_be_asked(engine, reason, tmp_path):
    way = engine.way("float32", float_answers, tmp_path / "digits.onnx")
    assert way.run is None
    assert way.missing.startswith(reason)


def test_a_file_that_the_engine_does_not_take(tmp_path):
    (tmp_path / "digits.onnx").write_bytes(b"no graph")
    with pytest.raises(SelfTestError, match=r"^digits\.onnx does not load in onnxruntime: "):
        ONNXRUNTIME.way("float32", float_answers, tmp_path / "digits.onnx")


def test_the_onnx_files():
    import onnx

    for model in (float32_model(SMALL), int8_model(SMALL)):
        loaded = onnx.load_from_string(model)
        onnx.checker.check_model(loaded, full_check=True)
        facts = {entry.key: entry.value for entry in loaded.metadata_props}
        assert facts["network"] == "784-64-10"
        assert facts["preprocessing"] == SMALL.preprocessing
        assert facts["recipe"] == "small"
        assert facts["data_digest"] == SMALL.training.data_digest
        assert json.loads(facts["settings"]) == SMALL.training.settings
        assert float(facts["cross_validated_accuracy"]) == pytest.approx(
            SMALL.training.cross_validated_accuracy, abs=1e-4
        )
    assert int8_model(SMALL) == int8_model(SMALL)
    bare = onnx.load_from_string(float32_model(NETWORKS["random"]))
    assert {entry.key for entry in bare.metadata_props} == {"made by", "network", "preprocessing"}


@pytest.mark.parametrize("optimised", [True, False])
def test_int8_is_exact_however_onnxruntime_runs_it(optimised):
    """Also by the letter of the standard, with floats in place of the integer kernels."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert reach(quantize(SMALL.parameters)) < EXACT
    session = onnxruntime.InferenceSession(int8_model(SMALL), options, ["CPUExecutionProvider"])
    white = np.full((1, 784), 255, np.uint8)
    wild = np.random.default_rng(1).integers(0, 2, (200, 784)).astype(np.uint8) * 255
    for images in (DIGITS, white, wild):
        (logits,) = session.run(["logits"], {"images": images})
        np.testing.assert_array_equal(logits, integer_answers(SMALL, images).logits)


@pytest.mark.parametrize("parameters", EXTREMES.values(), ids=EXTREMES)
def test_extreme_networks_are_exact_or_refused(parameters, tmp_path):
    network = Network(*(np.asarray(array, np.float32) for array in parameters))
    images = np.concatenate([np.full((1, 784), 255, np.uint8), DIGITS[:200]])
    (int8,) = (way for way in ways_of("onnx", network, tmp_path) if way.wanted is integer_answers)
    exact = compare(int8.run(images), integer_answers(network, images)).integers_equal
    assert exact or reach(quantize(network.parameters)) >= EXACT


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_the_opset_that_was_asked_for(tmp_path, capsys, opset):
    import onnx

    assert app.run(["export", "small", "--to", "onnx", "--out", str(tmp_path / "out"), "--opset", str(opset)]) == 0
    files = {path.stem: onnx.load(path) for path in (tmp_path / "out").iterdir()}
    assert set(files) == {"digits-float32", "digits-int8"}
    assert {entry.version for model in files.values() for entry in model.opset_import} == {opset}
    assert "2,000 of 2,000 labels, all integers equal" in capsys.readouterr().out


@pytest.mark.parametrize(("opset", "reason"), [(12, "--opset must be 13 or newer"), (9999, "needs a newer onnx")])
def test_an_opset_that_cannot_be(tmp_path, capsys, opset, reason):
    assert app.run(["export", "small", "--to", "onnx", "--out", str(tmp_path / "out"), "--opset", str(opset)]) == 2
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
