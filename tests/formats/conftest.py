"""A folder to work in, which holds what the doors need besides the file that they are given."""

from __future__ import annotations

import pytest
from digit_files import CSV, TEST

from digitnn_fast.network import Network
from digitnn_fast.utils import initialize_parameters


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Network(*initialize_parameters(1, 4)).save("net.npz")
    (tmp_path / "test.csv").write_bytes(TEST)
    (tmp_path / "known.csv").write_text("ImageId,Label\n" + "".join(f"{row},1\n" for row in range(1, 61)))
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "train.csv").write_bytes(CSV)
    return tmp_path
