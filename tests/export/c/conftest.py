"""Rows for the generated C."""

import pytest
from exports import DIGITS

from digitnn_fast import kaggle


@pytest.fixture(scope="session")
def rows(request):
    """The 28,000 images of Kaggle's test.csv, or without them those of the sample."""
    try:
        return kaggle.read_test(request.getfixturevalue("kaggle_files")[1])
    except pytest.skip.Exception:
        return DIGITS
