"""An application made by PyInstaller, which finds what it needs by the package's own hook."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from checkout import ROOT
from programs import HANGS

from digitnn_fast import Predictor
from digitnn_fast.sample import load_sample

pytestmark = pytest.mark.once

APPLICATION = """
import json
from digitnn_fast import Predictor
from digitnn_fast.page import write_page
from digitnn_fast.sample import load_sample

predictor = Predictor.load()
write_page("page.html", predictor.network)
print(json.dumps(predictor.predict(load_sample().test_images).tolist()))
"""


def test_a_frozen_application_answers_and_keeps_its_machine_code(tmp_path):
    pytest.importorskip("PyInstaller")
    (tmp_path / "app.py").write_text(APPLICATION, encoding="utf-8")
    left_out = [word for name in ("pandas", "matplotlib") for word in ("--exclude-module", name)]  # half of the minute
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
