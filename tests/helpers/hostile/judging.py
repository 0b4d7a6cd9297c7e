"""What must hold of every hostile input: it is refused in one line by the right exception, or it is read right."""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from digitnn_fast import kaggle
from digitnn_fast.commands.report import heldout_text, shape_text, training_facts
from digitnn_fast.export.c.source import Integers, sources
from digitnn_fast.export.card import card
from digitnn_fast.images import PictureError, cut_out, read_colours
from digitnn_fast.kaggle import KaggleFileError
from digitnn_fast.network import Network
from digitnn_fast.npz import ModelFileError
from digitnn_fast.predictor import Predictor
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.shards.inputs import Shard
from digitnn_fast.shards.store import ShardError
from digitnn_fast.training import checkpoint as checkpoints
from digitnn_fast.training import train
from digitnn_fast.training.recipes import Recipe
from digitnn_fast.utils import initialize_parameters
from hostile import making

LONGEST = 1000  # characters of a message besides the file's name: a line that a terminal can show
NAMES = [f"pixel{pixel}" for pixel in range(784)]
RECIPE = Recipe("hostile", "", hidden=4, epochs=2, learning_rate=0.01, batch=20, adam=True, members=2)
IMAGES, LABELS = making.SAMPLE.train_images[:50], making.SAMPLE.train_labels[:50]


class Kind(NamedTuple):
    """Makes an input, and judges it: whether it was accepted. An AssertionError, or any other exception, is a fault."""

    make: Callable[[Random], bytes]
    judge: Callable[[bytes, Path], bool]
    share: int  # of the inputs of a long run, in percent


def one_line(error: Exception, path: Path) -> None:
    """The message is one line of bearable length that names the file."""
    text = str(error)
    assert "\n" not in text and str(path) in text, text[:300]
    assert len(text) <= len(str(path)) + LONGEST, f"{len(text):,} characters: {text[:300]}"


def oracle(content: bytes, labelled: bool) -> np.ndarray:
    """What pandas reads, as texts, and Python's float makes of them: (n, 784) or (n, 785).

    Texts, because pandas itself takes 1e4294967296 for 1.
    """
    import pandas

    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16").encode()
    content = re.sub(rb"[\r\n][,;\t \r\n]*\Z", b"\n", content)  # rows without values at the end, as of a spreadsheet
    how = {"dtype": object, "keep_default_na": False, "index_col": False, "encoding": "utf-8-sig"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = pandas.read_csv(io.BytesIO(content), header=None, **how)
    names = [str(name).strip() for name in table.iloc[0]]
    if all(name.isdecimal() for name in names):  # no header: MNIST's own order
        names = ["label"] * (len(names) - 784) + NAMES
    else:
        table = table.iloc[1:]
    names = [re.sub(r"(?i)\A(label|class)\Z", "label", name) for name in [names[0].lstrip("# "), *names[1:]]]
    names = [re.sub(r"\A(pixel\d+)\.0*(e-0)?\Z", r"\1", name) for name in names]  # a number, otherwise written
    if "pixel784" in names and "pixel0" not in names:  # from 1, as some have it
        names = [f"pixel{int(name[5:]) - 1}" if name.startswith("pixel") else name for name in names]
    places = [names.index(name) for name in ["label"] * labelled + NAMES]
    rows = table.to_numpy()[:, places].tolist()
    return np.array([[float(cell) for cell in row] for row in rows]).reshape(len(rows), 784 + labelled)


def _unpacked(content: bytes) -> bytes:
    import gzip

    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def judge_csv(content: bytes, path: Path) -> bool:
    """Read as both kinds of table; what is accepted is what pandas reads, and by `iter_images` the same."""
    path.write_bytes(content)
    accepted = False
    for labelled in (True, False):
        try:
            if labelled:
                images, labels = kaggle.read_train(path, 2)
                found = np.column_stack([labels, images])
            else:
                found = kaggle.read_test(path, 1)
        except KaggleFileError as error:
            one_line(error, path)
            continue
        accepted = True
        np.testing.assert_array_equal(found, oracle(_unpacked(content), labelled))
        blocks = [images.copy() for images, _ in kaggle.iter_images(path)]
        np.testing.assert_array_equal(np.concatenate(blocks), found[:, labelled:])
    try:
        kaggle.validate_submission(path)
    except KaggleFileError as error:
        one_line(error, path)
    return accepted


def judge_zip(content: bytes, path: Path) -> bool:
    """What is accepted is a table that is inside."""
    path.write_bytes(content)
    accepted = False
    for labelled in (True, False):
        try:
            found = np.column_stack(kaggle.read_train(path, 1)[::-1]) if labelled else kaggle.read_test(path, 1)
        except KaggleFileError as error:
            one_line(error, path)
            continue
        accepted = True
        inside = []
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.lower().endswith(".csv"):
                    try:
                        inside.append(oracle(_unpacked(archive.read(member)), labelled))
                    except Exception:  # not the one that was read
                        continue
        assert any(np.array_equal(found, table) for table in inside)
    return accepted


def judge_model(content: bytes, path: Path) -> bool:
    """What is accepted can be shown, predicted with, saved, and exported."""
    path.write_bytes(content)
    try:
        network = Network.load(path)
    except ModelFileError as error:
        one_line(error, path)
        return False
    assert all(np.isfinite(array).all() and array.dtype == np.float32 for array in network.parameters)
    lines = [shape_text(network), heldout_text(network.training), *card(network).values()]
    lines += [value for _, value in training_facts(network.training)]
    assert all(len(line) < 20_000 for line in lines)
    network.save(path)
    np.testing.assert_array_equal(Network.load(path).W1, network.W1)
    try:
        probabilities = Predictor(network, threads=1).predict_proba(IMAGES[:3])
    except ValueError as error:
        assert "too large" in str(error)
        return True
    assert np.isfinite(probabilities).all() and np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    try:
        integers = Integers(quantize(network.parameters), 8, network.preprocessing)
        assert "@" not in sources(integers)["digits.h"]
    except ValueError as error:
        assert "\n" not in str(error)
    return True


def judge_checkpoint(content: bytes, path: Path) -> bool:
    """What is accepted ends as a network."""
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # weights of 1e38 overflow, which the network's own checks then refuse
            network = train(IMAGES, LABELS, RECIPE, checkpoint=path, threads=1)
    except ModelFileError as error:
        one_line(error, path)
        return False
    except ValueError as error:  # such weights
        assert "\n" not in str(error) and len(str(error)) < LONGEST
        return False
    assert np.isfinite(network.W1).all()
    return True


def judge_picture(content: bytes, path: Path) -> bool:
    """What is accepted is 28x28 grey levels."""
    path.write_bytes(content)
    try:
        pixels = cut_out(read_colours(path)).pixels
    except PictureError as error:
        assert "\n" not in str(error) and len(str(error)) < LONGEST + len(str(path))
        return False
    assert pixels.shape == (784,) and pixels.dtype == np.uint8 and pixels.any()
    return True


def judge_shard(content: bytes, path: Path) -> bool:
    """What is accepted is blocks of grey levels."""
    path.write_bytes(content)
    try:
        with Shard(str(path)) as shard:
            rows = 0
            for images, ids, _ in shard.contents(None).blocks:
                assert images.dtype == np.uint8 and images.shape[1:] == (784,)
                assert ids is None or len(ids) == len(images)
                rows += len(images)
            assert len(shard.digest()) == 64
    except ShardError as error:
        one_line(error, path)
        return False
    return True


def _model_arrays(random: Random) -> dict[str, Any]:
    random_state = np.random.default_rng(random.randrange(10))
    hidden = random.choice([1, 2, 7])
    record = {
        "recipe": "fast",
        "seed": 1,
        "data_digest": "ab",
        "training_rows": 900,
        "heldout_rows": 100,
        "heldout_accuracy": 0.9,
        "settings": {"epochs": 3, "rate": 0.1, "loss": "ce"},
        "folds": random.choice([0, 5]),
        "cross_validated_accuracy": None,
        "temperature": 1.5,
        "estimated_rows": random.choice([0, 100]),
        "estimated_accuracy": None,
    }
    record["cross_validated_accuracy"] = 0.9 if record["folds"] else None
    record["estimated_accuracy"] = 0.8 if record["estimated_rows"] else None
    metadata = {"format": "digitnn-fast network", "version": 2, "preprocessing": "raw", "training": record}
    metadata["preprocessing"] = random.choice(["raw", "deskewed", "directions", "pooled", "directions480"])
    arrays = dict(initialize_parameters(hidden, hidden)._asdict())
    return {"metadata": np.array(json.dumps(metadata)), **arrays, "history": random_state.random((3, 4))}


def _checkpoint_arrays() -> dict[str, Any]:
    """A real checkpoint, from after the third of four epochs."""

    class StopError(Exception):
        pass

    def stop(report: Any) -> None:
        if report.epoch == 4:
            raise StopError

    every, checkpoints.EVERY = checkpoints.EVERY, 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "state")
            with suppress(StopError):
                train(IMAGES, LABELS, RECIPE, checkpoint=path, threads=1, on_epoch=stop)
            with np.load(path) as arrays:
                return dict(arrays)
    finally:
        checkpoints.EVERY = every


_KEPT: dict[str, Any] = {}


def _make_checkpoint(random: Random) -> bytes:
    if not _KEPT:
        _KEPT.update(_checkpoint_arrays())
    return making.checkpoint(random, _KEPT)


KINDS = {
    "csv": Kind(making.csv, judge_csv, 20),
    "zip": Kind(making.packed, judge_zip, 15),
    "model": Kind(lambda random: making.model(random, _model_arrays(random)), judge_model, 30),
    "checkpoint": Kind(_make_checkpoint, judge_checkpoint, 5),
    "picture": Kind(making.picture, judge_picture, 10),
    "shard": Kind(making.shard, judge_shard, 20),
}


class Result(NamedTuple):
    """How many inputs were tried and accepted, and the numbers of those that showed a fault, with what it was."""

    tried: int
    accepted: int
    failed: list[tuple[int, str]]


def try_inputs(kind: str, numbers: range, folder: Path) -> Result:
    """Make and judge the inputs of these numbers; each number is a seed."""
    accepted, failed = 0, []
    chosen, path = KINDS[kind], folder / f"hostile-{kind}-{os.getpid()}"
    for number in numbers:
        try:
            accepted += chosen.judge(chosen.make(Random(f"{kind} {number}")), path)
        except Exception as error:
            failed.append((number, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))
    path.unlink(missing_ok=True)
    return Result(len(numbers), accepted, failed)
