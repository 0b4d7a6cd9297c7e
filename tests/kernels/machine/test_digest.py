"""The digest of machine code covers all it is made of."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from processes import PACKAGE

AGREES = """
import numpy as np
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.reference import directions
from digitnn_fast.sample import load_sample
images, seen = load_sample().test_images[:20], np.zeros((20, 784), np.uint8)
PREPROCESSINGS["directions"].view.bind()(images, seen)
wanted = directions.describe(images)
assert (seen == wanted).all(), "the kernel does not follow the reference"
print(int(wanted.astype(int).sum()))
"""


def sum_of_values(package: Path, cache: Path) -> int:
    """What the kernel of `directions` makes of some digits, if it agrees with the reference of that package."""
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", AGREES]
    done = subprocess.run(command, cwd=cache, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_kernel_follows_a_constant_of_the_reference(tmp_path):
    """Both packages keep their machine code in one folder: the second may not take the first one's."""
    cache, package = tmp_path / "cache", tmp_path / "copy" / "digitnn_fast"
    cache.mkdir()
    for kept in (PACKAGE / "kernels" / "__pycache__").glob("*.o"):  # the first one's, if it was compiled before
        shutil.copy(kept, cache)
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = sum_of_values(package, cache)
    source = package / "reference" / "directions.py"
    text = source.read_text()
    assert "FAINT = 8" in text
    source.write_text(text.replace("FAINT = 8", "FAINT = 40"))
    assert sum_of_values(package, cache) < before
