"""Competitions like Digit Recognizer, as Kannada MNIST: ids in the test file, and a submission of `id,label`."""

from __future__ import annotations

import re

import numpy as np
import pytest
from shard_files import NAMES, parquet, table

from digitnn_fast.kernels.machine import jit
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

pytestmark = pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")
IMAGES, LABELS = load_sample().train_images[:60], load_sample().train_labels[:60]
IDS = np.random.default_rng(0).permutation(60)
AGAIN = 1 + int(np.flatnonzero(IDS <= 1)[1])  # the row that is 0 once more where 1 becomes 0
TEST = table(["id", *NAMES], np.insert(IMAGES.astype(int), 0, IDS, axis=1).tolist())


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Network(*initialize_parameters(1, 4)).save("net.npz")
    (tmp_path / "train.csv").write_bytes(
        table(["label", *NAMES], np.insert(IMAGES.astype(int), 0, LABELS, axis=1).tolist())
    )
    (tmp_path / "plain.csv").write_bytes(table(NAMES, IMAGES.tolist()))
    (tmp_path / "test.csv").write_bytes(TEST)
    rows = np.insert(IMAGES.astype(int), 0, IDS, axis=1)
    np.savetxt("spaced.csv", rows, "%3d", ",", header=",".join(["id", *NAMES]), comments="")
    (tmp_path / "numbered.csv").write_bytes(TEST.replace(b"id,", b"ImageId,", 1).replace(b"\n0,", b"\n60,", 1))
    (tmp_path / "sample.csv").write_text("id,label\n" + "".join(f"{row},0\n" for row in sorted(IDS.tolist())))
    (tmp_path / "named.csv").write_text("name,digit\n" + "".join(f'"a,{row}",0\n' for row in range(60)))
    (tmp_path / "short.csv").write_text("id,label\n0,0\n")
    (tmp_path / "long.csv").write_text("id,label\n" + "".join(f"{row},0\n" for row in range(61)))
    (tmp_path / "other.csv").write_text("id,label\n" + "".join(f"{row},0\n" for row in range(1, 61)))
    (tmp_path / "again.csv").write_text("id,label\na,0\nb,0\na,0\n")
    (tmp_path / "twice.csv").write_bytes(TEST.replace(b"\n1,", b"\n0,", 1))
    return tmp_path


# A command that predicts, with {out}.
DOORS = {
    "predict": "predict --model net.npz --out s.csv",
    "submit": "submit --train train.csv --recipe pixels --epochs 1 --out s.csv",
    "submit a model": "submit --model net.npz --out s.csv",
}
# Options, the header of the submission, and its ids.
FORMS = {
    "ids of its own": ("--test test.csv", "id,label", IDS),
    "ids of its own, and a sample": ("--test test.csv --sample sample.csv", "id,label", IDS),
    "ids with spaces, as by savetxt": ("--test spaced.csv", "id,label", IDS),
    "ids with spaces, and a sample": ("--test spaced.csv --sample sample.csv", "id,label", IDS),
    "ids of the sample": ("--test plain.csv --sample sample.csv", "id,label", range(60)),
    "quoted ids": ("--test plain.csv --sample named.csv", "name,digit", [f'"a,{row}"' for row in range(60)]),
    "ImageId": ("--test numbered.csv", "ImageId,Label", [row or 60 for row in IDS.tolist()]),
    "none": ("--test plain.csv", "ImageId,Label", range(1, 61)),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", FORMS)
def test_ids_go_into_the_submission_under_their_header(name, door, here, command):
    options, header, ids = FORMS[name]
    assert command(*DOORS[door].split(), "--test", "plain.csv").code == 0
    expected = [line.rpartition(",")[2] for line in (here / "s.csv").read_text().splitlines()[1:]]
    outcome = command(*DOORS[door].split(), *options.split())
    assert outcome.code == 0, outcome.err
    if "submit" in door:
        assert ("-c COMPETITION" in outcome.fact("upload")) == (header != "ImageId,Label")
    lines = [f"{text},{label}" for text, label in zip(ids, expected, strict=True)]
    assert (here / "s.csv").read_text().splitlines() == [header, *lines]
    outcome = command("validate", "s.csv", *options.split())
    assert (outcome.code, outcome.err) == (0, "")


def test_probabilities_have_the_ids(here, command):
    assert command(*DOORS["predict"].split(), "--test", "test.csv", "--probabilities").code == 0
    header, *lines = (here / "s.csv").read_text().splitlines()
    assert header.startswith("id,Probability0,")
    assert [int(line.split(",")[0]) for line in lines] == IDS.tolist()


@pytest.mark.parametrize("door", DOORS)
def test_levels_are_checked_with_ids_too(door, here, command):
    (here / "mask.csv").write_bytes(
        table(["id", *NAMES], np.insert(IMAGES.astype(int) // 128, 0, IDS, axis=1).tolist())
    )
    outcome = command(*DOORS[door].split(), "--test", "mask.csv")
    assert (outcome.code, (here / "s.csv").exists()) == (2, False)
    assert outcome.err.startswith("error: mask.csv: images: no level is above 1, but")


def test_ids_in_parquet(here, command):
    (here / "test.parquet").write_bytes(parquet({"id": IDS, "pixels": list(IMAGES)}))
    expected = command(*DOORS["predict"].split(), "--test", "test.csv") and (here / "s.csv").read_bytes()
    assert command(*DOORS["predict"].split(), "--test", "test.parquet").code == 0
    assert (here / "s.csv").read_bytes() == expected


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "  ", "x" * 201, None])
def test_ids_that_no_submission_can_hold(text, here, command):
    (here / "test.parquet").write_bytes(parquet({"id": ["1", text], "pixels": list(IMAGES[:2])}))
    outcome = command(*DOORS["predict"].split(), "--test", "test.parquet")
    assert outcome == (2, "", "error: test.parquet: row 2, column id: this can't be an id\n")


def test_validate_without_a_test_file(here, command):
    (here / "s.csv").write_text("id,label\n7,1\n5,2\n")
    warning = "WARNING: 2 rows, but Kaggle's own test.csv has 5,000\n"
    assert command("validate", "s.csv") == (0, "valid  s.csv (2 rows, not compared with a test.csv)\n", warning)


WRONG = {
    "another header": ("ImageId,Label\n1,1\n", "--test test.csv", "line 1: the header must be id,label"),
    "none of both": ("a,b\n1,1\n", "", "line 1: the header must be ImageId,Label or id,label"),
    "twice": ("id,label\n1,1\n1,2\n", "", r"row 2 \(line 3\), column id: 1 occurs twice"),
    "unknown": ("id,label\n99,1\n", "--sample sample.csv", r"row 1 .*, column id: there is no '99' in the test file"),
    "missing": ("id,label\n1,1\n", "--sample sample.csv", "1 rows, but no id 0"),
    "ten": ("id,label\n1,10\n", "--sample sample.csv", ".*, column label: 10 is outside 0-9"),
    "no id": ("id,label\n,1\n", "", ".*, column id: empty"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_kaggle_would_refuse(name, here, command):
    content, options, reason = WRONG[name]
    (here / "s.csv").write_text(content)
    outcome = command("validate", "s.csv", *options.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert re.fullmatch(f"error: s.csv: {reason}\n", outcome.err), outcome.err


@pytest.mark.parametrize("door", DOORS)
def test_ids_are_checked_before_a_training(door, here, command):
    (here / "wide.csv").write_text("id,a,b\n1,2,3\n")
    for options, reason in (
        ("--test plain.csv --sample short.csv", "the sample submission has 1 row, but the test file 60"),
        ("--test test.csv --sample short.csv", "the sample submission has 1 row, but the test file 60"),
        ("--test test.csv --sample long.csv", "the sample submission has 61 rows, but the test file 60"),
        ("--test test.csv --sample other.csv", "the test file's id 0 is not in the sample submission"),
        ("--test twice.csv", f"twice.csv: row {AGAIN}, column id: 0 occurs twice"),
        ("--test test.csv --sample again.csv", "again.csv: row 3 (line 4), column id: a occurs twice"),
        ("--test test.csv --sample wide.csv", "wide.csv: line 1: a sample submission has two columns, but this has 3"),
        ("--test test.csv --sample none.csv", "none.csv: no such file"),
    ):
        outcome = command(*DOORS[door].split(), *options.split())
        assert outcome.code == 2
        assert outcome.err == f"error: {reason}\n", "and no epoch before it"
        assert not (here / "s.csv").exists()


def test_validate_wants_as_many_ids_in_the_sample(here, command):
    command(*DOORS["predict"].split(), "--test", "test.csv")
    assert command("validate", "s.csv", "--test", "test.csv", "--sample", "sample.csv").code == 0
    outcome = command("validate", "s.csv", "--test", "test.csv", "--sample", "long.csv")
    assert (outcome.code, outcome.err) == (2, "error: the sample submission has 61 rows, but the test file 60\n")
