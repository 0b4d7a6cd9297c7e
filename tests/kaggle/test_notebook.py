"""The Kaggle kernel: its notebook as a file, and executed from the first to the last cell as Kaggle does it."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from programs import HANGS, new_environment

from digitnn_fast import kaggle
from digitnn_fast.kaggle import bundle

HERE = Path(__file__).parent
NOTEBOOK = ROOT / "kernel" / "digit-recognizer.ipynb"
FULL = "DIGITNN_FULL_KERNEL"  # set it to execute the notebook with QUICK = False, and in the older image too
FIGURES = {
    *("cover", "data", "ink", "steps", "seen", "distorted", "curves", "sums", "evaluation", "calibration", "mistakes"),
    *("rivals", "units", "submission"),
}
IMAGES = ["kaggle_image.txt", *(["kaggle_image_older.txt"] if os.environ.get(FULL) else [])]
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


def read_cells(path):
    return json.loads(path.read_text("utf-8"))["cells"]


def test_notebook_is_kept_without_its_outputs():
    cells = read_cells(NOTEBOOK)
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert all(re.fullmatch("[a-z-]+", cell["id"]) for cell in cells), "ids are names, and not new ones at each save"
    for cell in cells:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None), cell["id"]


def test_notebook_is_short_and_asks_for_nothing():
    source = ["".join(cell["source"]) for cell in read_cells(NOTEBOOK) if cell["cell_type"] == "code"]
    text = "\n".join(source)
    assert text.count("QUICK = False") == 1, "what is committed is the full setting"
    assert sum(1 for line in text.splitlines() if line.strip()) <= 237, "it calls the package and does not contain it"
    assert not re.search(r"\binput\(|https?://|!pip|%pip", text)


def find_python():
    """Python 3.12, as Kaggle has it, or this one."""
    candidates = ["python3.12"]
    if shutil.which("pyenv"):
        prefix = subprocess.run(
            ["pyenv", "prefix", "3.12"], capture_output=True, text=True, env=clean(PYENV_VERSION="")
        )
        candidates.append(f"{prefix.stdout.strip()}/bin/python")
    for candidate in candidates:  # pyenv's python3.12 is there even when it can't start
        if shutil.which(candidate) and not subprocess.run([candidate, "-V"], capture_output=True).returncode:
            return candidate
    return sys.executable


def clean(**settings):
    return {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")} | settings


@pytest.fixture(scope="module", params=IMAGES)
def image(request, tmp_path_factory):
    """A virtual environment with the image's packages and nothing of ours; its bin folder."""
    return new_environment(tmp_path_factory.mktemp("image"), find_python(), "-r", HERE / request.param).parent


@pytest.mark.once
def test_the_kernel_runs_on_kaggle(image, kaggle_files, tmp_path):
    """The whole way: bundle, Kaggle's folders, the notebook's cells in the image's Python, and a valid submission."""
    made = bundle.write_bundle(tmp_path / "bundle", "someone")
    attached = tmp_path / "input" / "datasets" / "someone" / "digitnn-fast-wheel"
    files = tmp_path / "input" / "competitions" / "digit-recognizer"
    files.mkdir(parents=True)
    for path in kaggle_files:
        (files / path.name).symlink_to(path.resolve())
    shutil.copytree(made.dataset, attached, ignore=shutil.ignore_patterns(bundle.DATASET_METADATA))
    working = tmp_path / "working"
    working.mkdir()
    notebook = made.kernel / NOTEBOOK.name
    if not os.environ.get(FULL):
        notebook.write_text(notebook.read_text("utf-8").replace("QUICK = False", "QUICK = True"), "utf-8")

    nowhere = "http://127.0.0.1:9"
    offline = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "PIP_INDEX_URL"), nowhere)
    settings = clean(KAGGLE_INPUT=str(tmp_path / "input"), PATH=f"{image}{os.pathsep}{os.environ['PATH']}", **offline)
    command = [str(image / "python"), "-c", EXECUTE, str(notebook), str(tmp_path / "executed.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, env=settings, cwd=working, timeout=7200)
    assert done.returncode == 0, done.stderr[-3000:]

    assert kaggle.validate_submission(working / "submission.csv", 28_000) == 28_000
    answers, accurate = (
        np.loadtxt(path, np.int64, delimiter=",", skiprows=1)[:, 1]
        for path in (working / "submission.csv", ROOT / "submission" / "submission.csv")
    )
    assert (answers == accurate).mean() > 0.97, "the answers belong to these rows"
    cells = {cell["id"]: cell.get("outputs", []) for cell in read_cells(tmp_path / "executed.ipynb")}
    said = "".join("".join(output.get("text", "")) for outputs in cells.values() for output in outputs)
    print(said)
    accuracy = re.search(r"held-out accuracy (\d+\.\d+)%", said)
    assert accuracy
    assert float(accuracy[1]) >= 98.0
    assert "submission.csv: valid, 28,000 rows" in said
    drawn = {
        name: output["data"]["image/png"] for name, outputs in cells.items() for output in outputs if is_png(output)
    }
    assert drawn.keys() == FIGURES
    for name, png in drawn.items():
        assert np.asarray(read_png(png)).std() > 5, f"{name} is not blank"

    older = tmp_path / "older"  # the layout of Kaggle's folder until 2025
    older.mkdir()
    files.rename(older / "digit-recognizer")
    attached.rename(older / "digitnn-fast-wheel")
    beginning = json.loads(notebook.read_text("utf-8"))
    names = [cell["id"] for cell in beginning["cells"]]
    beginning["cells"] = beginning["cells"][: names.index("data") + 1]
    notebook.write_text(json.dumps(beginning), "utf-8")
    done = subprocess.run(
        command, capture_output=True, text=True, env=settings | {"KAGGLE_INPUT": str(older)}, cwd=working, timeout=HANGS
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "42,000 digits to learn from" in (tmp_path / "executed.ipynb").read_text("utf-8")

    installed = [str(image / "digitnn-fast"), "kaggle", "bundle", "--username", "someone", "--out", "again"]
    subprocess.run(installed, check=True, env=settings, cwd=tmp_path, capture_output=True, timeout=HANGS)
    again = tmp_path / "again" / "dataset" / made.wheel.name
    assert again.read_bytes() == made.wheel.read_bytes(), "an installed package bundles itself, to the same bytes"


def is_png(output):
    return "image/png" in output.get("data", {})


def read_png(text):
    from PIL import Image

    return Image.open(io.BytesIO(base64.b64decode(text))).convert("L")
