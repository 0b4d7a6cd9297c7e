"""Files that are no models, or no longer: each gets one clear line, and little memory."""

import io
import json
import pickle
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_files import NAMES, NETWORK, RECORD, assert_same, claim, npy, npz, refusal, saved, zip_of

from digitnn_fast.network import Network
from digitnn_fast.npz import ModelFileError

WRITTEN = {name: value for name, value in vars(RECORD).items() if name != "history" and value == value}  # no NaN


def test_no_file_and_no_ordinary_file(tmp_path):
    assert refusal(tmp_path / "none.npz") == "No such file or directory; bundled are small and accurate"
    assert refusal(tmp_path) == "Is a directory"


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
