"""Fixtures that several test files share."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("digitnn", deadline=None)  # a first call compiles; timings live in bench/
hypothesis.settings.load_profile("digitnn")


@pytest.fixture(scope="session")
def kaggle_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Kaggle's train.csv and test.csv from $DIGITNN_KAGGLE_DATA or ../shared/data; skips without them."""
    folder = Path(os.environ.get("DIGITNN_KAGGLE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    unpacked = tmp_path_factory.mktemp("kaggle")
    for name in ("train.csv", "test.csv"):
        if (folder / name).is_file():
            (unpacked / name).symlink_to((folder / name).resolve())
        elif (folder / f"{name}.gz").is_file():
            with gzip.open(folder / f"{name}.gz") as source, open(unpacked / name, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        else:
            pytest.skip(f"no {name} in {folder}")
    return unpacked / "train.csv", unpacked / "test.csv"
