"""The commands that drive Kaggle's own client, against a server on loopback."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import zlib

import numpy as np
import pytest
from checkout import ROOT
from kaggle_cells import zipped
from kaggle_commands import PYTHON, contents, read_json, run
from kaggle_server import Kaggle

from digitnn_fast import kaggle
from digitnn_fast.kaggle import client

needs_client = pytest.mark.skipif(
    not (PYTHON / "kaggle").exists() and not os.environ.get("CI"), reason="Kaggle's client is not installed"
)


def readme_commands():
    """The commands of kernel/README.md, word by word."""
    section = (ROOT / "kernel" / "README.md").read_text("utf-8")
    lines = "".join(re.findall(r"```sh\n(.*?)```", section, re.S)).splitlines()
    return [shlex.split(line.replace("NAME", "someone"), comments=True) for line in lines]


@pytest.fixture
def server(tmp_path_factory):
    with Kaggle(tmp_path_factory.mktemp("server")) as running:
        yield running
        running.shutdown()


@needs_client
@pytest.mark.once
def test_the_commands_that_bundle_prints(server, tmp_path):
    """They stand in kernel/README.md. Kaggle's client takes both folders, and asks for a kernel without internet."""
    bundle_it, create, push, *_ = readme_commands()
    out = run(*bundle_it, home=tmp_path)
    assert out.returncode == 0, out.stderr
    printed = [re.search(rf"^{name} +(kaggle .*)$", out.stdout, re.M)[1] for name in ("first", "then")]
    assert [shlex.split(line) for line in printed] == [create, push]
    for command in (create, push):
        done = run(*command, home=tmp_path, **server.signed_in)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "does not resolve" not in done.stdout
    asked = dict(server.calls)
    [wheel] = (tmp_path / "bundle" / "dataset").glob("*.whl")
    assert server.uploads == [wheel.read_bytes()]
    assert asked["StartBlobUpload"]["name"] == wheel.name
    assert asked["CreateDataset"]["slug"] == "digitnn-fast-wheel"
    assert asked["CreateDataset"]["isPrivate"]
    kernel = asked["SaveKernel"]
    for name in ("enableInternet", "enableGpu", "enableTpu"):
        assert not kernel[name], f"{name} must be said, and be false"
    assert kernel["competitionDataSources"] == ["digit-recognizer"]
    assert kernel["datasetDataSources"] == ["someone/digitnn-fast-wheel"]
    assert len(json.loads(kernel["text"])["cells"]) == len(read_json(ROOT / "kernel/digit-recognizer.ipynb")["cells"])


@needs_client
@pytest.mark.once
@pytest.mark.parametrize("arguments", [["download", "--out", "here"], ["submit", "submission.csv"]])
def test_without_credentials_one_line_says_how_to_get_them(arguments, server, tmp_path):
    kaggle.write_submission(tmp_path / "submission.csv", np.zeros(28_000, int))
    done = run("digitnn-fast", "kaggle", *arguments, home=tmp_path, **server.settings)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {client.CREDENTIALS}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]


def table(rows, columns):
    row = ",".join(["7"] * (len(columns.split(",")) - 1) + ["200"])
    return "\r\n".join([columns, *[row] * rows]).encode()


PIXELS = ",".join(f"pixel{i}" for i in range(784))


@needs_client
@pytest.mark.once
def test_download(server, tmp_path):
    files = {"train.csv": table(3, f"label,{PIXELS}"), "test.csv": table(2, PIXELS), "../../outside": b"!"}
    server.pack(files)
    *_, command, _ = readme_commands()
    done = run(*command, home=tmp_path, **server.signed_in)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^train.csv +3 rows", done.stdout, re.M), done.stdout
    good = contents(tmp_path / "data")
    assert good == {name: files[name] for name in ("train.csv", "test.csv")}, "and nothing else, nowhere else"

    for archive, status, said in [
        ({"train.csv": files["train.csv"]}, 200, "Kaggle sent no archive with test.csv in it"),
        (files | {"test.csv": b"pixel0\n1\n"}, 200, "test.csv"),
        (files, 401, client.CREDENTIALS),
        (files, 403, client.RULES),
        (files, 500, "Kaggle answers 500"),
    ]:
        server.pack(archive)
        server.status = status
        done = run(*command, home=tmp_path, **server.signed_in)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert contents(tmp_path / "data") == good, "older files stay"


@needs_client
@pytest.mark.once
def test_submit(server, tmp_path):
    submission = tmp_path / "submission.csv"
    kaggle.write_submission(submission, np.arange(28_000) % 10)
    *_, command = readme_commands()
    done = run(*command, home=tmp_path, **server.signed_in)
    assert done.returncode == 0, done.stderr
    assert "Successfully submitted to Digit Recognizer" in done.stdout
    assert server.uploads == [submission.read_bytes()]
    asked = dict(server.calls)
    assert asked["CreateSubmission"]["submissionDescription"] == "784-64-10"
    assert asked["CreateSubmission"]["competitionName"] == "digit-recognizer"

    server.broken = True
    done = run(*command, home=tmp_path, **server.signed_in)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "error: Could not submit to competition")
    server.calls.clear()
    kaggle.write_submission(submission, np.zeros(27_999, int))
    done = run(*command, home=tmp_path, **server.signed_in)
    assert (done.returncode, server.calls) == (2, []), "not sent"
    assert done.stderr == "error: submission.csv: 27,999 rows instead of 28,000\n"


def test_without_the_client_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    kaggle.write_submission(tmp_path / "submission.csv", np.zeros(28_000, int))
    monkeypatch.setitem(sys.modules, "kaggle", None)
    with pytest.raises(client.KaggleError, match="pip install 'digitnn-fast\\[kaggle\\]'"):
        client.submit(tmp_path / "submission.csv", "")


DAMAGES = {
    "not deflated": lambda content: content[:38] + b"\xff" * 9 + content[47:],  # behind the member's name
    "cut off": lambda content: content[:-30],
    "a wrong sum": lambda content: content.replace(zlib.crc32(b"7" * 9999).to_bytes(4, "little"), b"\0\0\0\0"),
    "encrypted": lambda content: content.replace(b"\x14\0\0\0\x08\0", b"\x14\0\1\0\x08\0"),
    "no such file": lambda content: content.replace(b"test.csv", b"mist.csv"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_download_is_refused_in_one_line(damage, tmp_path):
    whole = zipped({"test.csv": b"7" * 9999})
    (tmp_path / "whole.zip").write_bytes(whole)
    client._unpack(tmp_path / "whole.zip", "test.csv")
    assert (tmp_path / "test.csv").read_bytes() == b"7" * 9999
    (tmp_path / "test.csv").unlink()
    damaged = DAMAGES[damage](whole)
    assert damaged != whole
    (tmp_path / "damaged.zip").write_bytes(damaged)
    with pytest.raises(client.KaggleError, match=r"^Kaggle sent no archive with test.csv in it: .+$"):
        client._unpack(tmp_path / "damaged.zip", "test.csv")
