"""A training that was killed goes on to the same bytes; files that are no checkpoints are refused."""

from dataclasses import replace

import numpy as np
import pytest

from digitnn_fast import train
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.training import checkpoint
from digitnn_fast.training.crossvalidation import train_validated
from digitnn_fast.training.recipes import Distortion, Recipe

SAMPLE = load_sample()
IMAGES, LABELS = SAMPLE.train_images[:300], SAMPLE.train_labels[:300]
RECIPE = Recipe(
    "little", "", 40, 4, 0.008, 150, True, distortion=Distortion(0.1, 0.07, 0.07, 1.0, 2.0), weight_decay=0.1, members=2
)


class Killed(BaseException):
    """As abrupt as Ctrl-C."""


def kill_at(last):
    def on_epoch(report):
        if report.epoch == last:
            raise Killed

    return on_epoch


def network_bytes(network, path):
    network.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("killed_at", [1, 2, 4, 5, 8])
@pytest.mark.parametrize("threads", [(1, 1), (2, 1)])
def test_a_killed_training_goes_on_to_the_same_bytes(killed_at, threads, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    wanted = network_bytes(train(IMAGES, LABELS, RECIPE, seed=3), tmp_path / "wanted.npz")
    state = tmp_path / "state"
    for last, count in ((killed_at, threads[0]), (6, threads[1])):  # twice, unless the sixth is over already
        if killed_at < 8 or last == 8:
            with pytest.raises(Killed):
                train(IMAGES, LABELS, RECIPE, seed=3, threads=count, checkpoint=state, on_epoch=kill_at(last))
    epochs = []
    network = train(
        IMAGES, LABELS, RECIPE, seed=3, checkpoint=state, on_epoch=lambda report: epochs.append(report.epoch)
    )
    assert epochs[-1] == 8
    assert epochs[0] == (8 if killed_at == 8 else 6)  # the epoch of the kill was not kept yet
    assert network_bytes(network, tmp_path / "got.npz") == wanted
    assert not state.exists()


@pytest.mark.parametrize("killed_at", [None, 3, 8, 14])
def test_early_stopping(killed_at, tmp_path, monkeypatch):
    """A rate that is too high never gets better; each member stops by itself, killed or not."""
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    wild, state = replace(RECIPE, epochs=40, learning_rate=2.0), tmp_path / "state"
    wanted = train(IMAGES, LABELS, wild, heldout=0.3, patience=5)
    if killed_at:
        with pytest.raises(Killed):
            train(IMAGES, LABELS, wild, heldout=0.3, patience=5, checkpoint=state, on_epoch=kill_at(killed_at))
    network = train(IMAGES, LABELS, wild, heldout=0.3, patience=5, checkpoint=state)
    assert network_bytes(network, tmp_path / "a") == network_bytes(wanted, tmp_path / "b")
    losses = network.training.history[:, 2].tolist()
    assert 12 <= len(losses) < 80
    first = next(end for end in range(6, 41) if min(losses[:end]) < min(losses[end - 5 : end]))
    assert len(losses[first:]) - 1 - np.argmin(losses[first:]) == 5


@pytest.mark.parametrize(("patience", "heldout"), [(0, 0.1), (-1, 0.1), (5, 0)])
def test_patience_that_cannot_be(patience, heldout):
    with pytest.raises(ValueError, match=r"^patience must be 1 epoch or more, and there must be rows held out$"):
        train(IMAGES, LABELS, RECIPE, heldout=heldout, patience=patience)


def test_without_a_kill_nothing_is_left(tmp_path):
    network = train(IMAGES, LABELS, RECIPE, checkpoint=tmp_path / "state")
    assert network_bytes(network, tmp_path / "a") == network_bytes(train(IMAGES, LABELS, RECIPE), tmp_path / "b")
    assert not (tmp_path / "state").exists()


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    path = tmp_path / "state"
    with pytest.raises(Killed):
        train(IMAGES, LABELS, RECIPE, checkpoint=path, on_epoch=kill_at(3))
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"heldout": 0.2},
        {"patience": 5},
        {"labels": (LABELS + 1) % 10},
        {"recipe": replace(RECIPE, epochs=5)},
        {"recipe": replace(RECIPE, hidden=41)},
        {"recipe": replace(RECIPE, smoothing=0.1)},
    ],
)
def test_the_checkpoint_of_another_training_is_refused(change, state):
    before = state.read_bytes()
    with pytest.raises(ValueError, match=r"^.*state: the checkpoint of another training") as refusal:
        train(**{"images": IMAGES, "labels": LABELS, "recipe": RECIPE, "checkpoint": state} | change)
    assert "\n" not in str(refusal.value)
    assert state.read_bytes() == before


def test_damaged_files_are_refused(state, tmp_path):
    good = state.read_bytes()
    Network(*(np.zeros(shape, np.float32) for shape in ((784, 1), (1,), (1, 10), (10,)))).save(tmp_path / "model.npz")
    model = (tmp_path / "model.npz").read_bytes()
    for content in (b"", b"text", good[:-1], good[: len(good) // 2], good[:200] + b"?" + good[201:], model):
        state.write_bytes(content)
        with pytest.raises(ValueError, match=r"^.*state: not a checkpoint, or damaged: ") as refusal:
            train(IMAGES, LABELS, RECIPE, checkpoint=state)
        assert "\n" not in str(refusal.value)


def test_no_flipped_byte_changes_the_result(state, tmp_path):
    wanted = network_bytes(train(IMAGES, LABELS, RECIPE), tmp_path / "wanted.npz")
    good, random, refused = state.read_bytes(), np.random.default_rng(0), 0
    for place in random.integers(len(good), size=30):
        content = bytearray(good)
        content[place] ^= 255
        state.write_bytes(content)
        try:
            network = train(IMAGES, LABELS, RECIPE, checkpoint=state)
        except ValueError:
            refused += 1
        else:  # such as the date of an array
            assert network_bytes(network, tmp_path / "got.npz") == wanted
    assert refused > 20


@pytest.mark.parametrize("killed_at", [3, 9, 14, 20, 24])  # of 8 epochs in each of 2 folds and in the last training
def test_a_killed_cross_validation_goes_on_to_the_same_bytes(killed_at, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    wanted, expected = train_validated(IMAGES, LABELS, RECIPE, folds=2, seed=3)
    state = tmp_path / "state"
    with pytest.raises(Killed):
        train_validated(IMAGES, LABELS, RECIPE, folds=2, seed=3, checkpoint=state, on_epoch=kill_at(killed_at))
    epochs = []
    network, validation = train_validated(
        IMAGES, LABELS, RECIPE, folds=2, seed=3, checkpoint=state, on_epoch=lambda report: epochs.append(report.epoch)
    )
    assert epochs == list(range(killed_at, 25))
    assert network_bytes(network, tmp_path / "got.npz") == network_bytes(wanted, tmp_path / "wanted.npz")
    np.testing.assert_array_equal(validation.probabilities, expected.probabilities)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got.npz", "wanted.npz"]


def test_another_fold_or_other_folds_are_another_training(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    state = tmp_path / "state"
    with pytest.raises(Killed):
        train_validated(IMAGES, LABELS, RECIPE, folds=2, checkpoint=state, on_epoch=kill_at(11))
    for folds, name in ((3, "state.folds"), (2, "state")):
        with pytest.raises(ValueError, match=rf"^.*{name}: the checkpoint of another training"):
            train_validated(IMAGES, LABELS, RECIPE, folds=folds, checkpoint=state)
        (tmp_path / "state.folds").unlink(missing_ok=True)  # the first fold, again, with the state of the second
    state.unlink()
    (tmp_path / "state.folds").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"^.*state.folds: not a checkpoint, or damaged: "):
        train_validated(IMAGES, LABELS, RECIPE, folds=2, checkpoint=state)
