"""A training that was killed goes on to the same bytes; files that are no checkpoints are refused."""

from dataclasses import replace

import numpy as np
import pytest

from digitnn_fast import train
from digitnn_fast.network import Network
from digitnn_fast.npz import ModelFileError
from digitnn_fast.sample import load_sample
from digitnn_fast.training import checkpoint
from digitnn_fast.training.crossvalidation import train_validated
from digitnn_fast.training.recipes import Distortion, Recipe

SAMPLE = load_sample()
IMAGES, LABELS = SAMPLE.train_images[:300], SAMPLE.train_labels[:300]
RECIPE = Recipe(
    "little", "", 40, 4, 0.008, 150, True, distortion=Distortion(0.1, 0.07, 0.07, 1.0, 2.0), weight_decay=0.1, members=2
)
TWICE = replace(RECIPE, preprocessing="directions", repeats=2)


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
@pytest.mark.parametrize("recipe", [RECIPE, TWICE], ids=["anew", "twice"])
def test_a_killed_training_goes_on_to_the_same_bytes(recipe, killed_at, threads, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    wanted = network_bytes(train(IMAGES, LABELS, recipe, seed=3), tmp_path / "wanted.npz")
    state = tmp_path / "state"
    for last, count in ((killed_at, threads[0]), (6, threads[1])):  # twice, unless the sixth is over already
        if killed_at < 8 or last == 8:
            with pytest.raises(Killed):
                train(IMAGES, LABELS, recipe, seed=3, threads=count, checkpoint=state, on_epoch=kill_at(last))
    epochs, out = [], tmp_path / "out.npz"
    network = train(
        IMAGES, LABELS, recipe, seed=3, checkpoint=state, on_epoch=lambda report: epochs.append(report.epoch), out=out
    )
    assert epochs[-1] == 8
    assert epochs[0] == (8 if killed_at == 8 else 6)  # the epoch of the kill was not kept yet
    assert network_bytes(network, tmp_path / "got.npz") == wanted == out.read_bytes()
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
    again = train(IMAGES, LABELS, wild, heldout=0.3, patience=5, checkpoint=state, on_epoch=never)
    assert network_bytes(again, tmp_path / "c") == network_bytes(wanted, tmp_path / "b")
    losses = network.training.history[:, 2].tolist()
    assert 12 <= len(losses) < 80
    first = next(end for end in range(6, 41) if min(losses[:end]) < min(losses[end - 5 : end]))
    assert len(losses[first:]) - 1 - np.argmin(losses[first:]) == 5


@pytest.mark.parametrize(("patience", "heldout"), [(0, 0.1), (-1, 0.1), (5, 0)])
def test_patience_that_cannot_be(patience, heldout):
    with pytest.raises(ValueError, match=r"^patience must be 1 epoch or more, and there must be rows held out$"):
        train(IMAGES, LABELS, RECIPE, heldout=heldout, patience=patience)


def test_without_a_kill_nothing_is_left(tmp_path):
    network = train(IMAGES, LABELS, RECIPE, checkpoint=tmp_path / "state", out=tmp_path / "out")
    assert network_bytes(network, tmp_path / "a") == network_bytes(train(IMAGES, LABELS, RECIPE), tmp_path / "b")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "a").read_bytes()
    assert not (tmp_path / "state").exists()


def never(report):
    raise AssertionError("this is trained already")


@pytest.mark.parametrize("out", [None, "none/out"])
def test_the_checkpoint_stays_until_the_model_is_in_its_place(out, tmp_path):
    """Whoever gets the network, or an error because it could not be saved, can have it again at once."""
    wanted = network_bytes(train(IMAGES, LABELS, RECIPE), tmp_path / "wanted")
    if out:
        with pytest.raises(OSError, match="there is no folder"):
            train(IMAGES, LABELS, RECIPE, checkpoint=tmp_path / "state", out=tmp_path / out)
    else:
        train(IMAGES, LABELS, RECIPE, checkpoint=tmp_path / "state")
    for _ in range(2):
        network = train(IMAGES, LABELS, RECIPE, checkpoint=tmp_path / "state", on_epoch=never)
        assert network_bytes(network, tmp_path / "got") == wanted
    train(IMAGES, LABELS, RECIPE, checkpoint=tmp_path / "state", on_epoch=never, out=tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got", "out", "wanted"]


def test_a_kill_while_a_fold_is_put_away(tmp_path, monkeypatch):
    """Between the fold's answers and its checkpoint's removal: the next run knows that this fold is done."""
    kept, folds = tmp_path / "state", tmp_path / "state.folds"
    wanted, _ = train_validated(IMAGES, LABELS, RECIPE, folds=2)
    save = checkpoint.Folds.save

    def save_and_die(self, probabilities):
        save(self, probabilities)
        raise Killed

    for _ in range(2):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(checkpoint.Folds, "save", save_and_die)
            train_validated(IMAGES, LABELS, RECIPE, folds=2, checkpoint=kept)
        assert kept.exists() and folds.exists()
    network, _ = train_validated(IMAGES, LABELS, RECIPE, folds=2, checkpoint=kept, out=tmp_path / "out")
    assert network_bytes(network, tmp_path / "a") == network_bytes(wanted, tmp_path / "b")
    assert not kept.exists() and not folds.exists()


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


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("W1", lambda a: a[:, :10], r"W1 must have shape \(members, 784, 40\)"),
        ("b1", lambda a: np.zeros((5, 40), np.float32), r"b1 must have shape \(0, 40\)"),
        ("b1", lambda a: a.astype(float), "b1 must hold float32, not float64"),
        ("begun", lambda a: np.array(7.0), "more epochs than there are"),
        ("begun", lambda a: np.array(-1.0), "more epochs than there are"),
        ("begun", lambda a: np.array(0.5), "more epochs than there are"),
        ("begun", lambda a: np.array(np.nan), "begun holds NaN"),
        ("begun", lambda a: np.zeros(1), r"begun must have shape \(\), got \(1,\)"),
        ("history", lambda a: a[:, :3], r"history must have shape \(epochs, 4\)"),
        ("history", lambda a: np.repeat(a, 10, axis=0), "more epochs than there are"),
        ("history", lambda a: a + np.inf, "history holds NaN or infinity"),
        ("squares", lambda a: a - 1, "squares are negative"),
        ("weights", lambda a: a * np.nan, "weights holds NaN or infinity"),
        ("weights", lambda a: a.astype(str), "weights must hold float32, not <U"),
        ("output_bias", lambda a: a[:3], r"output_bias must have shape \(4, 16\)"),
    ],
)
def test_arrays_that_cannot_be(name, change, reason, state):
    with np.load(state) as arrays:
        members = dict(arrays)
    members[name] = change(members[name])
    with open(state, "wb") as file:
        np.savez(file, **members)
    with pytest.raises(ModelFileError, match=f"^.*state: not a checkpoint, or damaged: {reason}"):
        train(IMAGES, LABELS, RECIPE, checkpoint=state)


@pytest.mark.parametrize("value", [2.0, -1.0, np.inf])
def test_answers_of_folds_that_cannot_be(value, tmp_path):
    with pytest.raises(Killed):
        train_validated(IMAGES, LABELS, RECIPE, folds=2, checkpoint=tmp_path / "state", on_epoch=kill_at(9))
    with np.load(tmp_path / "state.folds") as arrays:
        members = dict(arrays)
    members["probabilities"][np.isfinite(members["probabilities"])] = value
    with open(tmp_path / "state.folds", "wb") as file:
        np.savez(file, **members)
    with pytest.raises(ModelFileError, match=r"^.*state.folds: not a checkpoint, or damaged: probabilities"):
        train_validated(IMAGES, LABELS, RECIPE, folds=2, checkpoint=tmp_path / "state")


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
        *(IMAGES, LABELS, RECIPE),
        folds=2,
        seed=3,
        checkpoint=state,
        on_epoch=lambda report: epochs.append(report.epoch),
        out=tmp_path / "out",
    )
    assert epochs == list(range(killed_at, 25))
    assert network_bytes(network, tmp_path / "got.npz") == network_bytes(wanted, tmp_path / "wanted.npz")
    np.testing.assert_array_equal(validation.probabilities, expected.probabilities)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got.npz", "out", "wanted.npz"]


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
