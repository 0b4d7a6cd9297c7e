"""Fixtures that several test files share, and what is done once before all of them."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # one process a core: more threads would only wait for each other
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

HELPERS = Path(__file__).with_name("helpers")
pytest.register_assert_rewrite(*(path.stem for path in HELPERS.glob("*.py")))
hypothesis.settings.register_profile("digitnn", deadline=None)  # a first call compiles; timings live in bench/
hypothesis.settings.load_profile("digitnn")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Before several processes run all tests the kernels are compiled, which each would do for itself."""
    config = session.config
    everything = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    if everything and not config.option.collectonly and getattr(config.option, "numprocesses", 0):
        subprocess.run([sys.executable, "-m", "digitnn_fast", "warmup"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def kaggle_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Kaggle's train.csv and test.csv from $DIGITNN_KAGGLE_DATA or ../shared/data; skips without them."""
    from checkout import KAGGLE

    folder = Path(os.environ.get("DIGITNN_KAGGLE_DATA") or KAGGLE)
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


@pytest.fixture
def no_boards(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Only the programs of this computer: emulated boards take seconds, and have tests of their own."""
    here = tmp_path_factory.mktemp("bin")
    for program in ("cc", "gcc", "g++", "as", "ld", "node"):
        if found := shutil.which(program):
            (here / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(here))


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 shards of real digits, each in an order of its own."""
    import many_shards

    return many_shards.write(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="session")
def local(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the local loop makes of them: the results by name."""
    import many_shards

    return many_shards.predict(digits, tmp_path_factory.mktemp("local"))
