"""Files whose levels can't be meant as they are, and files of inverted images."""

import numpy as np
import pandas as pd
import pytest

from digitnn_fast import kaggle
from digitnn_fast.sample import load_sample

IMAGES = load_sample().test_images[:40]
NAMES = [f"pixel{number}" for number in range(784)]


def written(folder, pixels):
    path = folder / "test.csv"
    pd.DataFrame(pixels, columns=NAMES).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("factor", [1, 1.0])
def test_a_file_of_levels_up_to_1_is_refused(tmp_path, command, factor):
    path, out = written(tmp_path, (IMAGES > 127) * factor), tmp_path / "out.csv"
    outcome = command("predict", "--test", path, "--out", out)
    assert (outcome.code, out.exists()) == (2, False)
    assert outcome.err.startswith(f"error: {path}: no level is above 1, but")
    with pytest.raises(kaggle.KaggleFileError, match="no level is above 1"):
        kaggle.read_test(path)


def test_a_file_of_inverted_images_is_read_with_a_warning(tmp_path, command):
    path, out = written(tmp_path, 255 - IMAGES), tmp_path / "out.csv"
    outcome = command("predict", "--test", path, "--out", out)
    assert (outcome.code, out.exists()) == (0, True)
    assert outcome.err.splitlines() == [
        f"WARNING: {path}: most pixels are ink; 0 must be paper and 255 ink, so invert them: 255 - level"
    ]


@pytest.mark.parametrize("kind", ["npy", "parquet", "csv"])
def test_shards_of_levels_up_to_1_are_refused(tmp_path, command, kind):
    mask = (IMAGES > 127).astype(np.uint8)
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, mask)
    elif kind == "csv":
        written(tmp_path, mask).rename(path)
    else:
        pytest.importorskip("pyarrow")
        pd.DataFrame(mask, columns=NAMES).to_parquet(path)
    outcome = command("shards", path, "--out", tmp_path / "answers")
    assert outcome.code == 2
    assert "no level is above 1" in outcome.err
