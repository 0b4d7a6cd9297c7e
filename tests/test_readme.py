"""The Python in the READMEs, each block as the script that a reader would make of it; and the map of the house."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image

from digitnn_fast import Predictor
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import get_accuracy

pytestmark = [
    pytest.mark.skipif(DISABLE_JIT, reason="takes minutes in plain Python"),
    pytest.mark.once,  # the blocks bring packages that only the newest run has
    pytest.mark.filterwarnings("ignore"),  # other people's
]

READMES = [ROOT / "README.md", *(ROOT / "digitnn_fast").glob("**/README.md"), ROOT / "kernel" / "README.md"]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in READMES)
EVERY = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
ELSEWHERE = "import ctypes", "import digits\n"  # tests/export/c/test_library.py and tests/export/test_micropython.py
BLOCKS = [block for block in EVERY if not any(word in block for word in ELSEWHERE)]
ROWS = 400
IMAGES, LABELS = load_sample().test_images[:ROWS], load_sample().test_labels[:ROWS]
EXPECTED = Predictor.load(threads=1).predict(IMAGES)
Names = dict[str, Any]  # what the script left behind


def check_script(names: Names) -> None:
    np.testing.assert_array_equal(names["labels"][:ROWS], EXPECTED)
    np.testing.assert_array_equal(names["probabilities"].argmax(axis=1), names["labels"])
    assert names["first"] == EXPECTED[0]


def check_service(names: Names) -> None:
    """By many threads at once."""
    from fastapi.testclient import TestClient

    with TestClient(names["app"]) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda image: client.post("/digit", json=image.tolist()).json(), IMAGES[:64]))
        refused = [client.post("/digit", json=pixels) for pixels in ([1, 2, 3], [], [2**64] * 784, [-1] * 784)]
    assert [answer["label"] for answer in answers] == EXPECTED[:64].tolist()
    assert all(0.1 < answer["probability"] <= 1 for answer in answers)
    assert [answer.status_code for answer in refused] == [422] * 4
    assert all(answer.json()["detail"].startswith("images ") for answer in refused)


def check_pandas(names: Names) -> None:
    np.testing.assert_array_equal(names["answers"]["label"], EXPECTED)
    assert 0 < len(names["doubtful"]) < ROWS / 4


def check_scikit_learn(names: Names) -> None:
    assert names["search"].best_params_ == {"hidden": 64} and names["accuracy"] > 0.9


def check_picture(names: Names) -> None:
    assert names["answer"] == 3


def check_dask(names: Names) -> None:
    assert sorted(one.rows for one in names["outcomes"]) == [ROWS, ROWS]
    for name in "ab":
        written = np.loadtxt(f"answers/{name}.csv", np.int64, delimiter=",", skiprows=1)
        np.testing.assert_array_equal(written[:, 1], EXPECTED)


def check_table(names: Names) -> None:
    """Of Ray and Spark, whose rows have attributes or keys, in any order."""
    found = {row["id"]: row["label"] for row in names["answers"]}
    assert get_accuracy([found[row] for row in range(ROWS)], LABELS) > 0.97
    if "spark" in names:
        names["spark"].stop()
    else:
        names["ray"].shutdown()


# A word that only this block holds, what checks it, and the package that it needs.
CHECKS = {
    "Predictor.load()  #": (check_script, ""),
    "FastAPI()": (check_service, "fastapi"),
    "read_csv": (check_pandas, ""),
    "GridSearchCV": (check_scikit_learn, "sklearn"),
    "Image.open": (check_picture, ""),
    "run_on": (check_dask, "distributed"),
    "RayDigits": (check_table, "ray"),
    "spark_digits": (check_table, "pyspark"),
}
IN_CI = {"fastapi", "sklearn", "distributed", "ray", ""}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the blocks read: test.csv, 3.png, shards/, digits.parquet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)  # as in an activated venv
    names = ",".join(f"pixel{number}" for number in range(784))
    Path("test.csv").write_text("\n".join([names, *(",".join(map(str, row)) for row in IMAGES.tolist())]) + "\n")
    three = IMAGES[LABELS == 3][0].reshape(28, 28)
    Image.fromarray(255 - three).resize((140, 140)).save("3.png")
    Path("shards").mkdir()
    for name in "ab":
        np.save(f"shards/{name}.npy", IMAGES)
    return tmp_path


def test_every_block_has_its_check():
    found = [[word for word in CHECKS if word in block] for block in BLOCKS]
    assert all(len(words) == 1 for words in found), found
    assert len(BLOCKS) == len(CHECKS) == len({words[0] for words in found})


@pytest.mark.parametrize("word", CHECKS)
def test_block(word, folder):
    check, package = CHECKS[word]
    if package and importlib.util.find_spec(package) is None and not (os.environ.get("CI") and package in IN_CI):
        pytest.skip(f"no {package} here")
    if package == "pyspark" and not shutil.which("java"):
        pytest.skip("no Java here")
    if check is check_table:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.table({"id": range(ROWS), "pixels": list(IMAGES)}), "digits.parquet")
    [block] = [block for block in BLOCKS if word in block]
    script = folder / "script.py"
    script.write_text(block, encoding="utf-8")
    check(runpy.run_path(str(script), run_name="__main__"))
