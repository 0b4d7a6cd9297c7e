"""The command `export --to c` with fewer bits or other inputs: what it learns from, and what it keeps."""

import re
from dataclasses import replace

import numpy as np
import pytest
from command_line import write_table
from programs import needs

from digitnn_fast import Network
from digitnn_fast.commands import exporting
from digitnn_fast.export import learning
from digitnn_fast.export.c.source import Integers
from digitnn_fast.predictor import Predictor
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.sample import load_sample
from digitnn_fast.training import finetuning
from digitnn_fast.training.finetuning import FineTuning
from digitnn_fast.training.recipes import RECIPES

SAMPLE = load_sample()


@pytest.fixture
def quick(monkeypatch, no_boards):
    """Fine-tuning of a second: what it reaches is tested elsewhere."""
    for bits, tuning in finetuning.FINE_TUNINGS.items():
        monkeypatch.setitem(finetuning.FINE_TUNINGS, bits, FineTuning(bits, 200, 0.003, tuning.spared))


@pytest.mark.parametrize("bits", [4, 2])
def test_fewer_bits_are_fine_tuned_and_the_network_is_kept(command, quick, tmp_path, bits):
    needs("gcc")
    code, text, error = command("small", "--out", tmp_path / "c", "--bits", bits, "--max-loss", 5)
    assert code == 0
    assert f"to {bits} bits, on 10,000 rows of the embedded sample" in text
    assert "all integers equal" in text
    assert "training loss" in error
    predictor = Predictor.load(tmp_path / "c" / "digits.npz")
    same = predictor.predict(SAMPLE.test_images) == Predictor.load("small").predict(SAMPLE.test_images)
    assert f"{same.sum():,} of 2,000 labels as in float32" in text or same.mean() > 0.95  # W2 is rounded in the C


def test_the_samples_test_digits_are_never_fine_tuned_on(command, quick, tmp_path):
    """They tell the loss, and a train.csv may hold them."""
    images = np.concatenate([SAMPLE.train_images[:1000], SAMPLE.test_images[:50]])
    write_table(tmp_path / "rows.csv", images, np.concatenate([SAMPLE.train_labels[:1000], SAMPLE.test_labels[:50]]))
    arguments = "--bits", 2, "--train", tmp_path / "rows.csv", "--max-loss", 50
    assert f"on 1,000 rows of {tmp_path}/rows.csv" in command("small", "--out", tmp_path / "c", *arguments)[1]
    write_table(tmp_path / "rows.csv", SAMPLE.test_images[:50], SAMPLE.test_labels[:50])
    code, _, error = command("small", "--out", tmp_path / "d", *arguments)
    assert code == 2
    assert "there are no digits to learn from" in error
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("inputs", "hidden", "bits"),
    [("16x16", None, 8), ("16x16", None, 2), ("16x16", 16, 2), ("7x7x16", 16, 8), ("6x5x16", 8, 2), ("5x5x12", 16, 2)],
)
def test_other_inputs_are_trained_and_the_network_is_kept(command, quick, tmp_path, monkeypatch, inputs, hidden, bits):
    needs("gcc")
    recipe = RECIPES[learning.INPUTS[inputs].inputs[1]]
    monkeypatch.setitem(RECIPES, recipe.name, replace(recipe, epochs=10))
    write_table(tmp_path / "rows.csv", SAMPLE.train_images[:3000], SAMPLE.train_labels[:3000])
    arguments = ["--inputs", inputs, "--bits", bits, "--train", tmp_path / "rows.csv", "--max-loss", 15]
    arguments += ["--hidden", hidden] if hidden else []
    code, text, error = command("small", "--out", tmp_path / "c", *arguments)
    assert code == 0, error
    wide = hidden or 64
    assert f"for {inputs} inputs, {wide} hidden units, on 3,000 rows of {tmp_path}/rows.csv" in text
    assert f"784-{wide}-10" in text, "the network that was trained, not the one that was given"
    assert ("fine-tuned" in text) == (bits == 2)
    assert ("3, with training losses of" in text) == (wide <= 16)
    assert "all integers equal" in text
    network = Network.load(tmp_path / "c" / "digits.npz")
    assert (network.hidden, network.preprocessing) == (wide, learning.INPUTS[inputs].name)
    integers = Integers(quantize(network.parameters, bits), bits, network.preprocessing)
    right = integers.logits(SAMPLE.test_images).argmax(axis=1) == SAMPLE.test_labels
    assert f"{right.mean():.2%} of the sample's 2,000 test digits" in text


def test_of_several_seeds_the_one_that_learned_best_is_kept(command, quick, tmp_path, monkeypatch):
    needs("gcc")
    recipe = RECIPES["tiny"]
    monkeypatch.setitem(RECIPES, recipe.name, replace(recipe, epochs=3))
    write_table(tmp_path / "rows.csv", SAMPLE.train_images[:1000], SAMPLE.train_labels[:1000])
    arguments = ["--inputs", "16x16", "--hidden", 2, "--train", tmp_path / "rows.csv", "--max-loss", 100]
    code, text, _ = command("small", "--out", tmp_path / "c", *arguments, "--seeds", 4, "--seed", 7)
    assert code == 0
    found = re.search(r"4, with training losses of ([\d., ]+); kept is that of seed (\d+)", text)
    losses = [float(loss) for loss in found[1].split(", ")]
    record = Network.load(tmp_path / "c" / "digits.npz").training
    assert len(set(losses)) == 4
    assert int(found[2]) == record.seed == 7 + losses.index(min(losses))
    assert f"{record.history[-1][0]:.4f}" == f"{min(losses):.4f}"


def test_too_much_lost(command, quick, tmp_path):
    code, _, error = command("small", "--out", tmp_path / "c", "--bits", 2, "--max-loss", 0)
    assert code == exporting.FAILED
    assert "lost, allowed are 0%; nothing was written" in error
    assert not list(tmp_path.iterdir())
