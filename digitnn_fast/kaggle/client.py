"""The competition over Kaggle's own client, which the extra `kaggle` installs: its files down, a submission up."""

from __future__ import annotations

import io
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from digitnn_fast.checks import reason_of
from digitnn_fast.kaggle import TEST_ROWS, count_rows, read_train, validate_submission
from digitnn_fast.writing import check_folder, filling

COMPETITION = "digit-recognizer"
FILES = ("train.csv", "test.csv")
LARGEST = 1 << 30  # bytes of an unpacked file; train.csv has 77 MB
CREDENTIALS = (
    "Kaggle does not know who you are: run `kaggle auth login`, or create a token on "
    "https://www.kaggle.com/settings/api and set KAGGLE_API_TOKEN to it"
)
RULES = f"Kaggle refuses: join the competition first, on https://www.kaggle.com/c/{COMPETITION}/rules"


class KaggleError(ValueError):
    """An error of Kaggle or of its client, in one line."""


def download(folder: str | os.PathLike[str]) -> dict[str, int]:
    """Put train.csv and test.csv into the folder, which may be new; the numbers of their rows, all checked.

    KaggleError if Kaggle does not give them, KaggleFileError if they are damaged; then older files stay.
    """
    client, target = _connect(), Path(folder)
    check_folder(folder, deep=True)
    target.mkdir(parents=True, exist_ok=True)
    with filling(target) as beside:
        archive = beside / f"{COMPETITION}.zip"
        with _in_one_line():
            client.competition_download_files(COMPETITION, path=str(beside), quiet=not _on_terminal())
        for name in FILES:
            _unpack(archive, name)
        archive.unlink()
        train, test = (beside / name for name in FILES)
        return dict(zip(FILES, (len(read_train(train)[1]), count_rows(test)), strict=True))


def submit(path: str | os.PathLike[str], message: str) -> str:
    """Upload a submission and return what Kaggle says; KaggleFileError, before anything is sent, if it is not valid."""
    validate_submission(path, TEST_ROWS["ImageId"])
    client = _connect()
    with _in_one_line():
        answer = client.competition_submit(os.fspath(path), message, COMPETITION, quiet=not _on_terminal())
    text = str(getattr(answer, "message", answer))
    if text.startswith("Could not"):  # how the client says that an upload broke off
        raise KaggleError(text)
    return text


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _unpack(archive: Path, name: str) -> None:
    """Write one file of the archive beside it."""
    try:
        with zipfile.ZipFile(archive) as files, files.open(name) as packed, open(archive.parent / name, "xb") as out:
            if files.getinfo(name).file_size > LARGEST:
                raise KaggleError(f"{name} in what Kaggle sent is larger than {LARGEST:,} bytes")
            shutil.copyfileobj(packed, out, 1 << 20)
    except (KaggleError, MemoryError):
        raise
    except Exception as error:  # on damaged archives zipfile raises half a dozen types
        raise KaggleError(f"Kaggle sent no archive with {name} in it: {reason_of(error)}") from error


def _connect() -> Any:
    """Kaggle's client, signed in; KaggleError with what to do if there is none or it has no credentials."""
    try:
        # It prints a page of help and ends the process if it finds no credentials, older ones when they are imported.
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), _in_one_line():
            from kaggle.api.kaggle_api_extended import KaggleApi

            client = KaggleApi()
            client.authenticate()
    except ImportError as error:
        raise KaggleError("this needs Kaggle's client: pip install 'digitnn-fast[kaggle]'") from error
    except (SystemExit, OSError) as error:
        raise KaggleError(CREDENTIALS) from error
    return client


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Turn the errors of the client's connection into KaggleError."""
    try:
        yield
    except OSError as error:  # requests' exceptions are such
        if not hasattr(error, "response"):
            raise
        if error.response is None:
            raise KaggleError(f"Kaggle can't be reached: {type(error).__name__}") from error
        status = error.response.status_code
        said = {401: CREDENTIALS, 403: RULES}.get(status, f"Kaggle answers {status} {error.response.reason}")
        raise KaggleError(said) from error
