"""Model files: what is saved comes back, and whatever else is given gets one clear line."""

import copy
import io
import json
import math
import pickle
import re
import subprocess
import sys
import tracemalloc
import zipfile
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitnn_fast.network import HISTORY_COLUMNS, Network, TrainingRecord, data_digest
from digitnn_fast.npz import ModelFileError
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.utils import initialize_parameters

NAMES = ", ".join(PREPROCESSINGS)
HISTORY = np.linspace(0, 1, 12).reshape(3, len(HISTORY_COLUMNS))
RECORD = TrainingRecord("fast", 7, "ab" * 32, 900, 100, 0.9, HISTORY, {"epochs": 3, "rate": 0.1, "loss": "ce"})
WRITTEN = {name: value for name, value in vars(RECORD).items() if name != "history" and value == value}  # no NaN
NETWORK = Network(*initialize_parameters(1, hidden=2), "deskewed", RECORD)
NOT_HELD_OUT = replace(RECORD, heldout_rows=0, heldout_accuracy=math.nan, history=HISTORY * [1, 1, np.nan, np.nan])


def saved(folder, network=NETWORK):
    network.save(folder / "model.npz")
    return (folder / "model.npz").read_bytes()


def refusal(path):
    """The message of a refused file without its name; it must be one line."""
    with pytest.raises(ModelFileError) as caught:
        Network.load(path)
    name, _, reason = str(caught.value).partition(": ")
    assert name == str(path) and reason and "\n" not in reason
    return reason


def assert_same(network, other):
    for name in ("W1", "b1", "W2", "b2"):
        array = getattr(network, name)
        np.testing.assert_array_equal(array, getattr(other, name))
        assert array.dtype == np.float32 and array.flags.c_contiguous and not array.flags.writeable
    assert network.preprocessing == other.preprocessing
    one, two = (dict(vars(n.training)) if n.training else {"history": 0} for n in (network, other))
    np.testing.assert_array_equal(one.pop("history"), two.pop("history"))
    assert str(one) == str(two)  # as text, because NaN differs from itself


@pytest.mark.parametrize("hidden", [1, 64, 300])
@pytest.mark.parametrize("record", [RECORD, NOT_HELD_OUT, replace(RECORD, history=HISTORY[:0]), None])
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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": -1}, "seed must be an int from 0 up, of 128 bits at most, got -1"),
        ({"training_rows": 1.5}, "training_rows must be an int from 0 up, of 63 bits at most, got 1.5"),
        ({"recipe": None}, "recipe must be text"),
        ({"heldout_accuracy": 97.8}, "heldout_accuracy can't be 97.8 with 100 held-out rows"),
        ({"heldout_accuracy": math.nan}, "heldout_accuracy can't be nan with 100 held-out rows"),
        ({"heldout_rows": 0}, "heldout_accuracy can't be 0.9 with 0 held-out rows"),
        ({"history": HISTORY[:, :3]}, r"history must have shape \(epochs, 4\), got \(3, 3\)"),
        ({"history": HISTORY.astype(np.float32)}, "history must be float64, got float32"),
        ({"history": HISTORY * np.nan}, "history holds NaN or infinity"),
        ({"settings": {"layers": [64]}}, "settings: layers must be a number or text"),
    ],
)
def test_a_record_refuses(fields, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(RECORD, **fields)


def test_heldout_standard_error():
    assert RECORD.heldout_standard_error == pytest.approx(0.03)  # sqrt(0.9 * 0.1 / 100)
    assert math.isnan(NOT_HELD_OUT.heldout_standard_error)


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


def test_no_file_and_no_ordinary_file(tmp_path):
    assert refusal(tmp_path / "none.npz") == "No such file or directory"
    assert refusal(tmp_path) == "Is a directory"


def npz(compressed=False, **arrays):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zip_of(members, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def claim(shape, descr="<f4"):
    """An .npy file that claims a shape or dtype and holds 16 bytes."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(16)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"P", "not an .npz file"),
        (b"ImageId,Label\r\n1,2\r\n", "not an .npz file"),
        (pickle.dumps(NETWORK), "not an .npz file"),
        (npy(NETWORK.W1), "not an .npz file"),
        (b"PK\3\4" + bytes(100), "it does not end in a zip directory"),
        (npz(W1=NETWORK.W1), "it has no metadata"),
        (npz(metadata=np.arange(3.0)), "metadata must hold text, not float64"),
        (npz(metadata=np.array("x" * 20_000)), "its metadata are no short text"),
        (npz(metadata=np.array(None)), "metadata must hold text, not object"),
        (npz(metadata=np.array("hello")), "damaged: Expecting value: line 1 column 1 (char 0)"),
        (npz(metadata=np.array("[" * 10_000)), "recursion"),
        (npz(metadata=np.array('{"format": "onnx"}')), "not a digitnn-fast model but 'onnx'"),
        (npz(compressed=True, metadata=np.array("{}")), "metadata is compressed or too long"),
        (npz(**{f"array{i}": np.zeros(1) for i in range(17)}), "a zip of 17 files"),
        (
            zip_of({"metadata.npy": bytes(10_000_000)}, compression=zipfile.ZIP_DEFLATED),
            "its metadata are no short text",
        ),
        (zip_of({"metadata.npy": bytes(60_000)}, compression=zipfile.ZIP_DEFLATED), "is compressed"),
        (zip_of({"metadata.npy": claim((2**40,), "<U9")}), "metadata must have shape (), got (1099511627776,)"),
        (zip_of({"metadata.npy": claim((-1, -4))}), "metadata must hold text, not float32"),
        (zip_of({"metadata.npy": b"\x93NUMPY\1\0\x05\0{(((\n"}), "damaged: "),
    ],
)
def test_foreign_files(tmp_path, content, reason):
    (tmp_path / "model.npz").write_bytes(content)
    tracemalloc.start()
    message = refusal(tmp_path / "model.npz")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reason in message
    assert most < 4_000_000  # bytes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"W1": None}, "damaged: the array W1 is missing"),
        ({"history": None}, "damaged: the array history is missing"),
        ({"W1": npy(NETWORK.W1.T)}, "damaged: W1 must have shape (784, H), got (2, 784)"),
        ({"W1": npy(NETWORK.W1.astype(">f4"))}, "damaged: W1 must hold float32 or float16, not >f4"),
        ({"W2": npy(np.full((2, 10), np.nan, np.float32))}, "damaged: W2 holds NaN or infinity"),
        ({"b2": npy(np.arange(10))}, "damaged: b2 must hold float32 or float16, not int64"),
        ({"b2": npy(np.array([None] * 10))}, "damaged: b2 must hold float32 or float16, not object"),
        ({"b2": npy(np.zeros(10, "f4,f4"))}, "damaged: b2 must hold float32 or float16, not [("),
        ({"b1": claim((2**40,))}, "damaged: b1 must have shape (2,), got (1099511627776,)"),
        ({"b1": claim((2,)) + b"more"}, "damaged: b1 is not as long as its header says"),
        ({"b1": b"no array"}, "damaged: the magic string is not correct"),
        ({"version": 3}, "made by a newer digitnn-fast, format 3; this one reads up to 2"),
        (
            {"version": 1, "preprocessing": "directions"},
            "made by digitnn-fast 0.1, whose pixels directions were computed",
        ),
        ({"version": "1"}, "damaged: its version is no number"),
        ({"version": True}, "damaged: its version is no number"),
        (
            {"preprocessing": ["raw"]},
            f"damaged: preprocessing must be one of {NAMES}; got ['raw']",
        ),
        ({"preprocessing": "x" * 9000}, "damaged: preprocessing must be one of raw"),
        (
            {"preprocessing": "cropped"},
            f"damaged: preprocessing must be one of {NAMES}; got 'cropped'",
        ),
        ({"training": 5}, "damaged: the training record is no list of fields"),
        ({"training": {"heldout_accuracy": 0.5, "colour": "red"}}, "damaged: the training record has a field 'colour'"),
        ({"training": {"recipe": "fast"}}, "damaged: the training record has no seed"),
        *(
            ({"training": {**WRITTEN, **change}}, f"damaged: {reason}")
            for change, reason in (
                ({"seed": -1}, "seed must be an int from 0 up, of 128 bits at most, got -1"),
                ({"seed": True}, "seed must be an int"),
                ({"seed": 10**400}, "seed must be an int"),
                ({"training_rows": 10**400}, "training_rows must be an int"),
                ({"training_rows": 0, "folds": 5, "cross_validated_accuracy": 0.5}, "5 folds can't be of 0 training"),
                ({"estimated_rows": 10**9, "estimated_accuracy": 0.5}, "estimated_rows can't be 1000000000 of"),
                ({"recipe": 5}, "recipe must be text"),
                ({"settings": [1]}, "settings must be a dict"),
                ({"temperature": "warm"}, "temperature must be a positive float"),
            )
        ),
        ({"history": npy(np.full((3, 4), 2.0))}, "damaged: history holds a loss or an accuracy that can't be"),
        ({"history": npy(np.array("x" * 9))}, "damaged: history must hold float64, not <U9"),
        ({"W1": npy(np.full((784, 2), "x"))}, "damaged: W1 must hold float32 or float16, not <U1"),
        ({"b2": npy(np.float32(1))}, "damaged: b2 must have shape (10,), got ()"),
    ],
)
def test_files_with_a_wrong_part(tmp_path, changes, reason):
    with np.load(io.BytesIO(saved(tmp_path))) as arrays:
        members = {name: npy(arrays[name]) for name in arrays.files}
        metadata = json.loads(arrays["metadata"].item())
    for name, change in changes.items():
        if name in metadata:
            metadata[name] = change
        else:
            members[name] = change
    members["metadata"] = npy(np.array(json.dumps(metadata)))
    kept = {f"{name}.npy": content for name, content in members.items() if content is not None}
    (tmp_path / "model.npz").write_bytes(zip_of(kept))
    assert refusal(tmp_path / "model.npz").startswith(reason)


def test_a_newer_file_may_look_different_otherwise(tmp_path):
    metadata = json.dumps({"format": "digitnn-fast network", "version": 3})
    (tmp_path / "model.npz").write_bytes(npz(metadata=np.array(metadata), layers=np.arange(3)))
    assert refusal(tmp_path / "model.npz").startswith("made by a newer digitnn-fast, format 3")


def test_every_truncation_is_refused(tmp_path):
    content = saved(tmp_path)
    path = tmp_path / "model.npz"
    for length in reversed(range(len(content))):
        with open(path, "r+b") as file:
            file.truncate(length)
        refusal(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return folder / "damaged.npz", saved(folder)


@given(data=st.data())
def test_flipped_bits_are_refused_or_do_not_matter(model, data):
    path, content = model
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        # Half of the flips at the end: the zip directory, where nothing is covered by a checksum.
        first = data.draw(st.sampled_from([0, len(content) - 450]))
        damaged[data.draw(st.integers(first, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    try:
        network = Network.load(path)
    except ModelFileError as error:
        assert re.fullmatch(rf"{path}: (damaged|truncated|not a digitnn-fast model)\b.+", str(error))
    else:
        assert_same(network, NETWORK)  # a date or an attribute of the zip


def test_import_is_light():
    code = "import sys, digitnn_fast.network; print({'numba', 'pandas', 'numpy.typing'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_rounded_weights_are_stored_in_half_the_space(tmp_path):
    network = Network(*initialize_parameters(0, 64), "deskewed", RECORD)
    network.save(tmp_path / "full.npz")
    network.rounded().save(tmp_path / "half.npz")
    small = Network.load(tmp_path / "half.npz")
    assert (tmp_path / "half.npz").stat().st_size < 0.55 * (tmp_path / "full.npz").stat().st_size
    for array, original in zip(small.parameters, network.parameters, strict=True):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, original.astype(np.float16))
    assert small.training.recipe == RECORD.recipe
    small.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "half.npz").read_bytes()


def test_weights_beyond_float16_are_not_rounded():
    large = Network(*(array + np.float32(1e5) for array in NETWORK.parameters))
    with pytest.raises(ValueError, match="W1 holds NaN or infinity"):
        large.rounded()
