"""Files that are damaged anywhere: read, or refused in one line; never a bug, a pickle or much memory."""

from __future__ import annotations

import random

import numpy as np
import pytest
from shard_files import LABELS, SQUARES, idx, npy, npz, parquet, pngs

from digitnn_fast.formats import DigitFile

FEW, DIGITS = SQUARES[:9], LABELS[:9]
WHOLE = {
    "npz": lambda: npz(x_train=FEW, y_train=DIGITS, x_test=FEW),
    "npy": lambda: npy(FEW),
    "IDX": lambda: idx(FEW),
    "parquet": lambda: parquet({"image": [{"bytes": png, "path": None} for png in pngs(FEW)], "label": DIGITS}),
    "parquet of lists": lambda: parquet({"pixels": list(FEW.reshape(-1, 784)), "label": DIGITS}),
}


def damaged(content: bytes, choose: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(choose.randint(1, 4)):
        at = choose.choice(
            [choose.randrange(len(changed)), choose.randrange(min(300, len(changed))), -choose.randint(1, 200)]
        )
        how = choose.randrange(4)
        if how == 0:
            changed[at] = choose.randrange(256)
        elif how == 1:
            del changed[at:]
        elif how == 2:
            changed[at:at] = choose.randbytes(choose.randint(1, 9))
        else:
            changed[at] ^= 1 << choose.randrange(8)
        if len(changed) < 300:
            break
    return bytes(changed)


@pytest.mark.filterwarnings("ignore:.*most pixels are ink")
@pytest.mark.parametrize("kind", WHOLE)
def test_damage(kind, tmp_path):
    whole, choose = WHOLE[kind](), random.Random(kind)
    path = tmp_path / "digits"
    refused = 0
    for _ in range(150):
        path.write_bytes(damaged(whole, choose))
        for read in (
            lambda: DigitFile(path).read(),
            lambda: DigitFile(path).read_labelled(train=True)[0],
            lambda: DigitFile(path).map(lambda images: images.sum(axis=1)).results,
        ):
            try:
                assert isinstance(read(), np.ndarray)
            except ValueError as error:
                refused += 1
                assert "\n" not in str(error) and str(path) in str(error) and len(str(error)) < 600
    assert refused > 100
