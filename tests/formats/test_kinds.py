"""What a file is, by its first bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from digit_files import IMAGES
from PIL import Image
from shard_files import table

from digitnn_fast.formats import DigitFile, FormatError
from digitnn_fast.formats.encoded import is_encoded
from digitnn_fast.kernels.machine import jit
from digitnn_fast.picture_files import FORMATS

MODES = {".pbm": "1", ".pgm": "L"}


def picture(kind: str, ending: str) -> bytes:
    file = io.BytesIO()
    Image.new(MODES.get(ending, "RGB"), (30, 40)).save(file, kind)
    return file.getvalue()


PICTURES = {ending: picture(kind, ending) for kind, endings in FORMATS.items() for ending in endings}
PICTURES |= {"by hand": b"P2\n# a digit\n2 2\n255\n0 255\n255 0\n"}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_told_as_one_alone_and_in_parquet(name, tmp_path):
    path = tmp_path / "digit"
    path.write_bytes(PICTURES[name])
    with pytest.raises(FormatError, match=r"digit: a picture; `digitnn-fast image` reads pictures$"):
        DigitFile(path).read()
    assert is_encoded(PICTURES[name])


@pytest.mark.skipif(jit.DISABLE_JIT, reason="takes minutes in plain Python")
@pytest.mark.parametrize("separator", [b",", b"\t", b";"])
@pytest.mark.parametrize("prefix", ["P", "BM", "GIF"])
def test_a_table_whose_columns_are_called_as_a_picture_begins(prefix, separator, tmp_path):
    names = [f"{prefix}{number}" for number in range(1, 785)]
    (tmp_path / "a.csv").write_bytes(table(names, IMAGES.tolist()).replace(b",", separator))
    np.testing.assert_array_equal(DigitFile(tmp_path / "a.csv").read(), IMAGES)
