"""The bundle that is pushed to Kaggle: this package as a dataset, and the notebook."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile

import pytest
from checkout import ROOT
from kaggle_commands import contents, read_json, run
from programs import HANGS

from digitnn_fast.commands import app
from digitnn_fast.kaggle import bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return bundle.write_bundle(tmp_path_factory.mktemp("bundle") / "out", "someone")


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
    assert app.run(["kaggle", "bundle", "--username", username, "--out", str(tmp_path / out)]) == 2
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
    shutil.copytree(ROOT / "kernel", source / "kernel", ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip"]
    for command in (["wheel", "-w", tmp_path, source], ["install", "--no-index", "--target", tmp_path / "installed"]):
        wheels = tmp_path.glob("*.whl")
        subprocess.run([*pip, *command, "-q", "--no-deps", *wheels], check=True, capture_output=True, timeout=HANGS)
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
