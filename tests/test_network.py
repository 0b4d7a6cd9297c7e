"""Networks and their files: what is saved comes back, and nobody changes it on the way."""

import copy
import math
import os
import pickle
import threading
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from model_files import HISTORY, NAMES, NETWORK, NOT_HELD_OUT, RECORD, assert_same, saved

from digitnn_fast.network import Network, data_digest
from digitnn_fast.npz import ModelFileError
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.reference.fixed_point import fixed_point
from digitnn_fast.utils import initialize_parameters


@pytest.mark.parametrize(
    ("hidden", "record"), [(1, None), (2, RECORD), (64, NOT_HELD_OUT), (300, replace(RECORD, history=HISTORY[:0]))]
)
@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_round_trip(tmp_path, hidden, record, preprocessing):
    network = Network(*initialize_parameters(0, hidden), preprocessing, record)
    content = saved(tmp_path, network)
    loaded = Network.load(tmp_path / "model.npz")
    assert_same(loaded, network)
    assert loaded.hidden == hidden
    assert saved(tmp_path, loaded) == content


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_is_the_same_and_read_only(duplicate):
    assert_same(duplicate(NETWORK), NETWORK)


def test_a_network_can_not_be_changed():
    parameters = initialize_parameters(1, 2)
    network = Network(parameters.W1, parameters.b1, np.asfortranarray(parameters.W2), parameters.b2)
    parameters.W1[:] = 0  # the caller's own array stays writable and is no longer the network's
    assert network.W1.any() and network.W2.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        network.W1[0, 0] = 0
    with pytest.raises(FrozenInstanceError):
        network.W1 = parameters.W1


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("W1", lambda a: a.T, r"W1 must have shape \(784, H\), got \(2, 784\)"),
        ("W1", lambda a: a[:, :0], "H must be 1 to 65,536, got 0"),
        ("W1", lambda a: np.broadcast_to(a[:, :1], (784, 65_537)), "H must be 1 to 65,536, got 65,537"),
        ("W1", lambda a: a.astype(np.float64), "W1 must be float32, got float64"),
        ("W1", lambda a: a.tolist(), "W1 must be an array, got list"),
        ("b1", lambda a: a[:1], r"b1 must have shape \(2,\), got \(1,\)"),
        ("W2", lambda a: a[:, :9], r"W2 must have shape \(2, 10\), got \(2, 9\)"),
        ("W2", lambda a: a * np.float32(np.nan), "W2 holds NaN or infinity"),
        ("b2", lambda a: a + np.float32(np.inf), "b2 holds NaN or infinity"),
        ("b2", lambda a: a[:, None], r"b2 must have shape \(10,\), got \(10, 1\)"),
        (
            "preprocessing",
            lambda _: "cropped",
            f"preprocessing must be one of {NAMES}; got 'cropped'",
        ),
    ],
)
def test_a_network_refuses(name, change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(NETWORK, **{name: change(getattr(NETWORK, name))})


def test_data_digest():
    images, labels = np.arange(784 * 3, dtype=np.uint8).reshape(3, 784), [1, 2, 3]
    digest = data_digest(images, labels)
    assert len(digest) == 64 and digest == data_digest(np.asfortranarray(images), np.uint8(labels))
    assert len({digest, data_digest(images[::-1], labels), data_digest(images, [1, 2, 4])}) == 3
    for bad in (images / 255, images[:2], images[:, :100]):
        with pytest.raises(ValueError, match=r"^images must"):
            data_digest(bad, labels)


@pytest.mark.parametrize("settings", [{"rate": math.inf}, {"note": "x" * 20_000}])
def test_a_failed_save_leaves_the_old_file(tmp_path, settings):
    content = saved(tmp_path)
    with pytest.raises(ValueError, match=r"JSON compliant|metadata are too many"):
        saved(tmp_path, replace(NETWORK, training=replace(RECORD, settings=settings)))
    assert (tmp_path / "model.npz").read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
def test_a_model_does_not_come_through_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[b""])
    writer.start()
    with pytest.raises(ModelFileError, match=r"pipe: a pipe; a model must be a file$"):
        Network.load(tmp_path / "pipe")
    writer.join()


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    content = saved(tmp_path)

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="No space left"):
        saved(tmp_path)
    assert (tmp_path / "model.npz").read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


def halved(array):
    return array.astype(np.float16).astype(np.float32)


def test_rounded_weights_are_stored_in_half_the_space(tmp_path):
    network = Network(*initialize_parameters(0, 64), "deskewed", RECORD)
    network.save(tmp_path / "full.npz")
    network.rounded().save(tmp_path / "half.npz")
    small = Network.load(tmp_path / "half.npz")
    assert (tmp_path / "half.npz").stat().st_size < 0.55 * (tmp_path / "full.npz").stat().st_size
    W1, *rest = network.parameters
    for array, original in zip(small.parameters, (fixed_point(halved(W1)), *map(halved, rest)), strict=True):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, original)
    assert small.training.recipe == RECORD.recipe
    small.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "half.npz").read_bytes()


def test_weights_beyond_float16_are_not_rounded():
    large = Network(*(array + np.float32(1e5) for array in NETWORK.parameters))
    with pytest.raises(ValueError, match="W1 holds NaN or infinity"):
        large.rounded()


@pytest.mark.parametrize("temperature", [0, -1.0, np.inf, np.nan])
def test_temperatures_that_cannot_be(temperature):
    with pytest.raises(ValueError, match=f"^the temperature must be more than 0 and finite, got {temperature}$"):
        NETWORK.tempered(temperature)
