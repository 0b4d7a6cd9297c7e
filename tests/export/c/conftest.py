"""The command, and rows for the generated C."""

import pytest
from exports import DIGITS

from digitnn_fast import kaggle
from digitnn_fast.commands import app


@pytest.fixture(scope="session")
def rows(request):
    """The 28,000 images of Kaggle's test.csv, or without them those of the sample."""
    try:
        return kaggle.read_test(request.getfixturevalue("kaggle_files")[1])
    except pytest.skip.Exception:
        return DIGITS


@pytest.fixture
def command(capsys):
    """Exit code and output of `digitnn-fast export --to c` with these arguments."""

    def run(*arguments):
        code = app.run(["export", "--to", "c", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
