"""What holds of every exported way to predict, and how ways are compared."""

from __future__ import annotations

import numpy as np
import pytest
from corners import HOSTILE
from exports import DIGITS, NETWORKS, SMALL, assert_same, ways_of
from programs import needs

from digitnn_fast import kaggle
from digitnn_fast.export import SelfTestError, compare, export
from digitnn_fast.export.ways import Answers, float_answers, in_blocks


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
    for labels in ((1, 10), (1, -8), (1, 255)):
        assert compare(answers(probabilities=near, labels=labels), answers(probabilities=near)).same_labels == 1
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
