"""Images in parts, in one array; and how much memory that takes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from digitnn_fast.kaggle import KaggleFileError, gathering


@pytest.mark.parametrize("rows", [1, 3, gathering.LARGE // 784 // 2 + 1])
def test_parts_are_kept_and_joined(rows: int) -> None:
    """On both sides of LARGE, and although the caller writes over what it gave."""
    whole = np.random.default_rng(rows).integers(0, 256, (2 * rows + 1, 784), np.uint8)
    gathered, parts, scratch = gathering.Gathering("a.csv", KaggleFileError), [], np.empty((rows, 784), np.uint8)
    for first in range(0, len(whole), rows):
        part = scratch[: len(whole[first : first + rows])]
        part[:] = whole[first : first + rows]
        parts.append(gathered.keep(part))
        part[:] = 0
    np.testing.assert_array_equal(gathering.joined(parts), whole)
    assert parts == []


MEMORY = """
import sys
from digitnn_fast.formats import DigitFile
print(len(DigitFile(sys.argv[1]).read()))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.once
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux's /proc")
def test_an_array_is_never_there_twice(tmp_path) -> None:
    """Half a gigabyte of .npy, of which the disk holds only the header."""
    rows = 2**29 // 784
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (rows, 784)})
        file.truncate(file.tell() + 784 * rows)
    command = [sys.executable, "-c", MEMORY, tmp_path / "a.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    read, kilobytes = map(int, done.stdout.split())
    assert read == rows
    assert kilobytes < 1.5 * 2**19
