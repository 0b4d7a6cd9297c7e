"""`digitnn-fast kaggle`: the bundle as Kaggle's own client takes it, files down and a submission up."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from kaggle_server import Kaggle

import digitnn_fast
from digitnn_fast import bundle, cli, kaggle, kaggle_client

ROOT = Path(digitnn_fast.__file__).parents[1]
PYTHON = Path(sys.executable).parent
needs_client = pytest.mark.skipif(
    not (PYTHON / "kaggle").exists() and not os.environ.get("CI"), reason="Kaggle's client is not installed"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return bundle.write_bundle(tmp_path_factory.mktemp("bundle") / "out", "someone")


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_json(path):
    return json.loads(path.read_text("utf-8"))


def run(program, *arguments, home, **environment):
    """A command of this environment, with nobody's credentials but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("KAGGLE", "REQUESTS"))}
    settings = kept | {"HOME": str(home), "KAGGLE_CONFIG_DIR": str(home), **environment}
    command = [str(PYTHON / program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=settings, cwd=home, timeout=100)


def readme_commands():
    """The commands of README's section, word by word."""
    section = (ROOT / "README.md").read_text("utf-8").partition("## On Kaggle\n")[2].partition("\n## ")[0]
    lines = "".join(re.findall(r"```sh\n(.*?)```", section, re.S)).splitlines()
    return [shlex.split(line.replace("NAME", "someone"), comments=True) for line in lines]


# The bundle


def test_bundle_holds_what_is_to_be_pushed(made):
    kernel, dataset = read_json(made.kernel / "kernel-metadata.json"), read_json(made.dataset / "dataset-metadata.json")
    assert made.size <= 6_000_000
    assert made.size == sum(map(len, contents(made.dataset.parent).values()))
    assert [kernel[f"enable_{what}"] for what in ("internet", "gpu", "tpu")] == [False, False, False]
    assert kernel["competition_sources"] == ["digit-recognizer"]
    assert kernel["dataset_sources"] == [dataset["id"]] == ["someone/digitnn-fast-wheel"]
    assert kernel["id"].startswith("someone/")
    assert "USERNAME" not in json.dumps(kernel)
    notebook = (made.kernel / kernel["code_file"]).read_bytes()
    assert notebook == (ROOT / "kernel" / kernel["code_file"]).read_bytes(), "what people read is what is pushed"


def test_bundle_twice_is_the_same_and_replaces_only_a_bundle(made, tmp_path):
    again = bundle.write_bundle(tmp_path / "out", "someone")
    assert contents(again.dataset.parent) == contents(made.dataset.parent)
    bundle.write_bundle(tmp_path / "out", "other")
    assert read_json(again.kernel / "kernel-metadata.json")["id"].startswith("other/")
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing is left beside it"
    (tmp_path / "out" / "mine.txt").touch()
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="something else in this folder"):
        bundle.write_bundle(tmp_path / "out", "someone")
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("username", "out", "said"),
    [
        ("some/one", "out", "'some/one' is not a Kaggle user name"),
        ("", "out", "'' is not a Kaggle user name"),
        ("someone", "nowhere/out", "there is no folder"),
        ("someone", "file", "not a folder"),
    ],
)
def test_bundle_says_what_is_wrong_in_one_line(username, out, said, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert cli.run(["kaggle", "bundle", "--username", username, "--out", str(tmp_path / out)]) == 2
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert said in output.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("check", "change", "said"),
    [
        ("kernel", {"title": "Digit"}, "does not resolve to its slug"),
        ("kernel", {"title": "x" * 51}, "5 to 50 characters"),
        ("kernel", {"id": "no-owner"}, "must be owner/slug"),
        ("kernel", {"enable_internet": "maybe"}, "enable_internet must be true or false"),
        ("dataset", {"title": "wheel"}, "title must have 6 to 50"),
        ("dataset", {"id": "someone/" + "x" * 51}, "slug must have 6 to 50"),
        ("dataset", {"subtitle": "short"}, "subtitle must have 20 to 80"),
        ("dataset", {"licenses": []}, "exactly one licence"),
    ],
)
def test_what_kaggle_would_refuse_is_refused(check, change, said, made, tmp_path):
    folder = shutil.copytree(getattr(made, check), tmp_path / check)
    getattr(bundle, f"check_{check}")(folder)
    metadata = folder / f"{check}-metadata.json"
    metadata.write_text(json.dumps(read_json(metadata) | change))
    with pytest.raises(ValueError, match=said):
        getattr(bundle, f"check_{check}")(folder)


def test_a_notebook_with_pictures_in_it_is_too_large(made, tmp_path):
    folder = shutil.copytree(made.kernel, tmp_path / "kernel")
    with open(folder / "digit-recognizer.ipynb", "ab") as file:
        file.write(b" " * (1 << 20))
    with pytest.raises(ValueError, match="of which Kaggle takes"):
        bundle.check_kernel(folder)


@pytest.mark.once
def test_wheel_holds_what_pip_would_put_into_it(made, tmp_path):
    """Bundled from an installation by pip, and from this one, which is editable and has no list of its files."""
    source = tmp_path / "source"  # not the checkout, where pip would leave its own files
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "digitnn_fast", source / "digitnn_fast", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip"]
    for command in (["wheel", "-w", tmp_path, source], ["install", "--no-index", "--target", tmp_path / "installed"]):
        wheels = tmp_path.glob("*.whl")
        subprocess.run([*pip, *command, "-q", "--no-deps", *wheels], check=True, capture_output=True, timeout=300)
    command = "-m", "digitnn_fast", "kaggle", "bundle", "--username", "someone", "--out", "out"
    done = run("python", *command, home=tmp_path, PYTHONPATH=str(tmp_path / "installed"))
    assert done.returncode == 0, done.stderr
    [theirs], [ours] = (
        [{name: archive.read(name) for name in archive.namelist()} for archive in map(zipfile.ZipFile, paths)]
        for paths in (tmp_path.glob("*.whl"), tmp_path.glob("out/dataset/*.whl"))
    )
    assert ours.keys() == theirs.keys() == set(zipfile.ZipFile(made.wheel).namelist())
    differ = {name.rpartition("/")[2] for name in ours if ours[name] != theirs[name]}
    assert differ <= {"WHEEL", "RECORD"}, "who made it, and in which order its files are listed"


# Kaggle's client


@pytest.fixture
def server(tmp_path_factory):
    with Kaggle(tmp_path_factory.mktemp("server")) as running:
        yield running
        running.shutdown()


@needs_client
@pytest.mark.once
def test_the_commands_that_bundle_prints(server, tmp_path):
    """They stand in README. Kaggle's client takes both folders, and asks Kaggle for a kernel without internet."""
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
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {kaggle_client.CREDENTIALS}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]


def table(rows, columns):
    return "\r\n".join([columns, *[",".join(["7"] * len(columns.split(",")))] * rows]).encode()


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
        (files, 401, kaggle_client.CREDENTIALS),
        (files, 403, kaggle_client.RULES),
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
    with pytest.raises(kaggle_client.KaggleError, match="pip install 'digitnn-fast\\[kaggle\\]'"):
        kaggle_client.submit(tmp_path / "submission.csv", "")
