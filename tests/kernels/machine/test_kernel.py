"""What a kernel takes, and what it refuses."""

import numpy as np
import pytest

from digitnn_fast.kernels import KERNELS

ROWS, OUT = np.zeros((2, 4, 10), np.float32)
TAKES = "inference.softmax takes a C-contiguous float32 array with 2 axes, not "


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ROWS.astype(np.float64), OUT), TAKES + "float64(4, 10)"),
        ((ROWS.astype(">f4"), OUT), TAKES + ">f4(4, 10)"),
        ((ROWS, np.zeros((4, 10), np.int32)), TAKES + "int32(4, 10)"),
        ((ROWS[0], OUT), TAKES + "float32(10,)"),
        ((ROWS[None], OUT), TAKES + "float32(1, 4, 10)"),
        ((ROWS[::2], OUT), TAKES + "float32(2, 10)"),
        ((ROWS, np.asfortranarray(OUT)), TAKES + "float32(4, 10)"),
        ((ROWS[:, ::-1], OUT), TAKES + "float32(4, 10)"),
        ((ROWS.tolist(), OUT), TAKES + "list"),
        ((ROWS, None), TAKES + "NoneType"),
        ((ROWS, np.float32(1)), TAKES + "float32"),
        ((ROWS,), "inference.softmax takes 2 arguments, not 1"),
        ((ROWS, OUT, OUT), "inference.softmax takes 2 arguments, not 3"),
    ],
)
def test_wrong_arrays_are_refused(arguments, message):
    with pytest.raises(TypeError) as refusal:
        KERNELS["inference.softmax"](*arguments)
    assert str(refusal.value) == message


@pytest.mark.parametrize("number", [None, [1, 2], 1j, "x", 1.5])
def test_wrong_numbers_are_refused(number):
    images = np.zeros((1, 784), np.uint8)
    arrays = np.zeros(5, np.int64), np.zeros(1600, np.uint8), np.zeros(512, np.int32)
    with pytest.raises(TypeError):
        KERNELS["distortion.distort_all"](number, *arrays, images, images.copy())
