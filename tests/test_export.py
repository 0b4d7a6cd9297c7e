"""Exported networks, run where they belong: ONNX in onnxruntime, JavaScript in node; and the command around them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_int8 import EXTREMES
from test_preprocessings import HOSTILE

from digitnn_fast import Network, _export_commands, cli, kaggle
from digitnn_fast.export import EXPORTERS, Options, SelfTestError, Way, compare, export, options_of
from digitnn_fast.export._ways import Answers, float_answers, in_blocks, integer_answers
from digitnn_fast.export.onnx import EXACT, float32_model, int8_model, reach
from digitnn_fast.predictor import BUNDLED
from digitnn_fast.quantization import quantize
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

DIGITS = load_sample().test_images
SMALL = Network.load(BUNDLED["small"])
NETWORKS = {
    "small": SMALL,
    "raw": Network(*SMALL.parameters),
    "accurate": Network.load(BUNDLED["accurate"]),
    "one unit": Network(*initialize_parameters(3, 1), "deskewed"),
    "directions": Network(*initialize_parameters(5, 64), "directions"),
    "pooled": Network(*initialize_parameters(6, 64), "pooled"),
    "random": Network(*initialize_parameters(4, 100)),
}
WEB_FILES = {"draw.html", "digits.mjs", "digits.d.mts", "digits-int8.mjs", "digits-int8.d.mts"}


def needs(tool: str) -> None:
    """Skip without the tool; in CI it has to be there."""
    if not shutil.which(tool):
        assert "CI" not in os.environ, f"CI must have {tool}"
        pytest.skip(f"no {tool} here")


def ways_of(target: str, network: Network, folder: Path) -> list[Way]:
    exporter = EXPORTERS[target]
    list(exporter.write(network, folder, exporter.options()))
    return list(exporter.ways(network, folder, exporter.options()))


def assert_same(way: Way, network: Network, images: np.ndarray) -> None:
    assert way.run, way.missing
    difference = compare(way.run(images), way.wanted(network, images))
    assert difference.agrees, f"{way.name}: {difference.text}"
    if way.wanted is integer_answers:
        assert difference.integers_equal
    assert difference.probabilities is not None


@pytest.fixture
def command(capsys):
    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


# What is exported is the network


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_onnx_on_digits(network, tmp_path):
    for way in ways_of("onnx", network, tmp_path):
        assert_same(way, network, DIGITS[:500])


@pytest.mark.once
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_javascript_on_digits(network, tmp_path):
    needs("node")
    for way in ways_of("web", network, tmp_path):
        assert_same(way, network, DIGITS[:300])


@pytest.mark.parametrize("target", ["onnx", pytest.param("web", marks=pytest.mark.once)])
@pytest.mark.parametrize("name", ["small", "raw", "directions", "pooled"])
def test_hostile_images(target, name, tmp_path):
    if target == "web":
        needs("node")
    images = np.concatenate([*HOSTILE.values(), np.zeros((0, 784), np.uint8)])
    for way in ways_of(target, NETWORKS[name], tmp_path):
        assert_same(way, NETWORKS[name], images)


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("target", ["onnx", pytest.param("web", marks=pytest.mark.once)])
def test_any_number_of_images(target, rows, tmp_path):
    if target == "web":
        needs("node")
    for way in ways_of(target, SMALL, tmp_path):
        answers = way.run(DIGITS[:rows])
        assert answers.labels.shape == (rows,)
        assert answers.probabilities.shape == (rows, 10)
        assert_same(way, SMALL, DIGITS[:rows])


@pytest.mark.once
@pytest.mark.parametrize("target", ["onnx", "web"])
def test_all_of_kaggles_test_rows(target, kaggle_files, tmp_path):
    """28,000 rows: in float32 the labels, and probabilities within 1e-5; in int8 the integers of the specification."""
    if target == "web":
        needs("node")
    images = kaggle.read_test(kaggle_files[1])
    assert len(images) == 28_000
    for way in ways_of(target, SMALL, tmp_path):
        assert_same(way, SMALL, images)


# ONNX


def test_the_onnx_files():
    import onnx

    for model in (float32_model(SMALL), int8_model(SMALL)):
        loaded = onnx.load_from_string(model)
        onnx.checker.check_model(loaded, full_check=True)
        facts = {entry.key: entry.value for entry in loaded.metadata_props}
        assert facts["network"] == "784-64-10"
        assert facts["preprocessing"] == "deskewed"
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


# JavaScript


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("web") / "out"
    export(SMALL, "web", folder)
    return folder


def in_node(folder: Path, code: str) -> object:
    """The JSON value of an expression in which `digits` and `int8` are the modules."""
    script = f"""
    import * as digits from "./digits.mjs"; import * as int8 from "./digits-int8.mjs";
    console.log(JSON.stringify({code}))"""
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.once
def test_the_modules_answer_what_their_types_say(web):
    needs("node")
    made = in_node(
        web,
        """[digits, int8].map((module) => {
            const images = new Uint8Array(2 * 784), clamped = new Uint8ClampedArray(784);
            return [Object.keys(module).sort(), module.predict(images).constructor.name, module.predict(clamped).length,
                module.probabilities(images).constructor.name, module.probabilities(images).length,
                module.logits(images).constructor.name, module.logits(images).length];
        })""",
    )
    names = ["logits", "predict", "probabilities"]
    assert made[0] == [names, "Uint8Array", 1, "Float32Array", 20, "Float64Array", 20]
    assert made[1] == [names, "Uint8Array", 1, "Float32Array", 20, "Int32Array", 20]
    for name, logits in (("digits", "Float64Array"), ("digits-int8", "Int32Array")):
        types = (web / f"{name}.d.mts").read_text(encoding="utf-8")
        assert f"logits(images: Images): {logits};" in types
        assert "/*" not in types.replace("/**", "")


USE = """
import { predict, probabilities } from "./out/digits.mjs";
import { logits } from "./out/digits-int8.mjs";
const images = new Uint8Array(784);
const digits: Uint8Array = predict(images), shares: Float32Array = probabilities(new Uint8ClampedArray(784));
const integers: Int32Array = logits(images);
// @ts-expect-error
predict([1, 2]);
"""


@pytest.mark.once
def test_typescript_takes_the_types(web):
    needs("tsc")
    (web.parent / "use.mts").write_text(USE)
    command = ["tsc", "--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "use.mts"]
    done = subprocess.run(command, cwd=web.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.once
def test_wrong_arguments_in_javascript(web):
    needs("node")
    failures = in_node(
        web,
        """[new Uint8Array(783), new Float32Array(784), [1, 2], undefined].flatMap((images) =>
            ["predict", "probabilities", "logits"].map((name) => {
                try { return String(digits[name](images)); } catch (error) { return `${error.name}: ${error.message}`; }
            }))""",
    )
    assert set(failures[:3]) == {"RangeError: images must be 784 bytes each, but 783 were given"}
    assert all(text.startswith("TypeError: images must be a Uint8Array") for text in failures[3:]), failures


def test_the_modules_load_nothing(web):
    assert {path.name for path in web.iterdir()} == WEB_FILES
    for path in web.glob("*.mjs"):
        text = path.read_text(encoding="utf-8")
        assert "import " not in text.replace('import { predict, probabilities } from "./digits.mjs"', "")
        assert not any(word in text for word in ("fetch(", "http", "require(", "/*model*/", "/*about*/"))
    assert (web / "digits-int8.mjs").stat().st_size < 80_000


# The command


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
        assert code == _export_commands.FAILED
        assert not text
        assert error.count("\n") == 1
        assert "% lost, allowed are 0.5%" in error
        assert [path.name for path in tmp_path.iterdir()] == ["coarse.npz"]
    arguments = "--to", "onnx", "--out", tmp_path / "out", "--max-loss", 100
    code, text, _ = command("export", tmp_path / "coarse.npz", *arguments)
    assert code == 0
    assert "all integers equal" in text


BROKEN = {
    "fails": ("import sys; sys.exit('SyntaxError: not today')", "does not run in node: SyntaxError: not today"),
    "lies": (
        "import sys; n = 2000; names = {'predict': n, 'probabilities': 40 * n, 'logits': 40 * n}\n"
        "for name, size in names.items(): open(f'{sys.argv[-1]}/{name}', 'wb').write(bytes(size))",
        "the self-test failed",
    ),
}


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

    parameters = inspect.signature(_export_commands.export).parameters
    text = command("export", "--help")[1]
    for exporter in EXPORTERS.values():
        assert {field.name for field in fields(exporter.options)} <= {*parameters, "on_epoch"}
        assert exporter.name in text
        assert " ".join(exporter.summary.split()[:3]) in text


def test_options_of_another_target_are_refused():
    assert options_of("onnx", {}) == Options()
    for name in {field for exporter in EXPORTERS.values() for field in exporter.options.__dataclass_fields__} - {
        "on_epoch"
    }:
        with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} goes with --to .*, not with --to onnx"):
            options_of("onnx", {name: 1})


# The comparison


def answers(logits=None, probabilities=None, labels=(1, 2)):
    return Answers(np.array(labels), probabilities, None if logits is None else np.array(logits))


def test_compare():
    near = np.full((2, 10), 0.05)
    near[[0, 1], [1, 2]] = 0.3
    near[0, 5] = 0.3 - 1e-6
    same = compare(answers(probabilities=near), answers(probabilities=near))
    assert same == (2, 2, 0.0, None)
    assert same.agrees
    assert compare(answers(probabilities=near, labels=(5, 2)), answers(probabilities=near)).agrees  # a tie
    assert not compare(answers(probabilities=near, labels=(4, 2)), answers(probabilities=near)).agrees
    assert not compare(answers(probabilities=near + 2e-5), answers(probabilities=near)).agrees
    assert not compare(answers(probabilities=near * np.nan), answers(probabilities=near)).agrees
    logits = np.zeros((2, 10), np.int32)
    assert compare(answers(logits), answers(logits)).agrees
    assert not compare(answers(logits + 1), answers(logits)).agrees
    assert not compare(answers(logits, labels=(3, 2)), answers(logits)).agrees
    assert not compare(answers(logits[:1], labels=(1,)), answers(logits)).agrees


def test_blocks_are_seamless():
    whole = float_answers(SMALL, DIGITS[:50])
    parts = in_blocks(lambda images: float_answers(SMALL, images), DIGITS[:50], 7)
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, rtol=1e-12)
    assert parts.logits is None


def test_export_in_python(tmp_path):
    made = export(SMALL, "onnx", tmp_path / "out")
    assert [name for name, _ in made.files] == ["digits-float32.onnx", "digits-int8.onnx"]
    assert [name for name, _ in made.tests] == ["ONNX float32", "ONNX int8"]
    with pytest.raises(SelfTestError, match="lost, allowed are -1%"):
        export(SMALL, "onnx", tmp_path / "again", max_loss=-1)
    assert not (tmp_path / "again").exists()
