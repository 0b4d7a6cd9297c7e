"""Square roots of integers, up to 255, by whatever instructions this processor has for them."""

import numba
import numpy as np
import pytest

from digitnn_fast.kernels.vectors.floats import LANES
from digitnn_fast.kernels.vectors.integers import load_int, roots, store_int

SUMS = np.arange(2**20, dtype=np.int32)  # more than 8 times 255 squared: larger roots are cut off at 255
LARGEST = np.arange(2**24 - 2**12, 2**24, dtype=np.int32)


@pytest.mark.parametrize("shift", [1, 2, 3])
@pytest.mark.parametrize("sums", [SUMS, LARGEST], ids=["small", "largest"])
def test_roots_are_rounded_down(sums, shift):
    @numba.njit
    def find(found):
        for k in range(0, found.size, LANES):
            store_int(found, k, roots(load_int(found, k), shift))

    found = sums.copy()
    find(found)
    exact = np.sqrt((sums >> shift).astype(np.float64)).astype(np.int32)
    np.testing.assert_array_equal(np.minimum(found, 255), np.minimum(exact, 255))
