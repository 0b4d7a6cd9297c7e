"""The package without a folder of its own: in an application made by PyInstaller, and in a zip."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from checkout import ROOT
from programs import HANGS

from digitnn_fast import Predictor
from digitnn_fast.sample import load_sample

APPLICATION = """
import json
from digitnn_fast import Predictor
from digitnn_fast.page import write_page
from digitnn_fast.sample import load_sample

predictor = Predictor.load()
write_page("page.html", predictor.network)
print(json.dumps(predictor.predict(load_sample().test_images).tolist()))
"""
# What PyInstaller would pack because it is installed beside us: two thirds of the time. Without extras it is not.
LEFT_OUT = (
    *("dask", "distributed", "fsspec", "hypothesis", "kaggle", "matplotlib", "onnx", "onnxruntime", "pandas"),
    *("pyarrow", "pytest", "scipy", "setuptools", "sklearn"),
)


@pytest.mark.once
def test_a_frozen_application_answers_and_keeps_its_machine_code(tmp_path):
    pytest.importorskip("PyInstaller")
    (tmp_path / "app.py").write_text(APPLICATION, encoding="utf-8")
    left_out = [word for name in LEFT_OUT for word in ("--exclude-module", name)]
    # With the path, because PyInstaller does not follow editable installations.
    build = [sys.executable, "-m", "PyInstaller", "--paths", ROOT, *left_out, "app.py"]
    made = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, timeout=HANGS)
    assert made.returncode == 0, made.stderr
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    answers = []
    for _ in range(2):
        done = subprocess.run(
            [tmp_path / "dist" / "app" / "app"], cwd=tmp_path, env=environment, capture_output=True, timeout=HANGS
        )
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
        kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.o")}
    expected = Predictor.load().predict(load_sample().test_images)
    np.testing.assert_array_equal(answers, [expected, expected])
    assert len(kept) == 3
    assert "<canvas" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.once
def test_a_zip_that_cannot_be_written_is_imported(tmp_path):
    """Machine code is kept in the user's folder, and what was unpacked is gone at the end."""
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for path in sorted((ROOT / "digitnn_fast").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(ROOT))
    (tmp_path / "package.zip").chmod(0o400)
    temporary, cache = tmp_path / "temporary", tmp_path / "cache"
    temporary.mkdir()
    settings = {"PYTHONPATH": str(tmp_path / "package.zip"), "XDG_CACHE_HOME": str(cache), "TMPDIR": str(temporary)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")} | settings
    code = APPLICATION + "assert 'package.zip' in predictor.load.__func__.__code__.co_filename\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=HANGS
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(json.loads(done.stdout), Predictor.load().predict(load_sample().test_images))
    assert "<canvas" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(list(cache.rglob("*.o"))) == 3
    assert not list(temporary.iterdir())
