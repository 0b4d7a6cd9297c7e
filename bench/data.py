"""Kaggle's two files: where the commands here look for them."""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import sys
from pathlib import Path

VARIABLE = "DIGITNN_KAGGLE_DATA"  # which the tests go by, too
BESIDE = Path(__file__).parents[2] / "shared" / "data"  # the clone


def add_data_option(parser: argparse.ArgumentParser, what: str = "Kaggle's two files") -> None:
    """`--data FOLDER`, of what is in it."""
    default = Path(os.environ.get(VARIABLE) or BESIDE)
    text = f"folder of {what}; without it ${VARIABLE}, else ../shared/data beside the clone"
    parser.add_argument("--data", type=Path, default=default, metavar="FOLDER", help=text)


def find(folder: Path, name: str) -> Path:
    """train.csv or test.csv there, or the same with .gz; without either the command ends in one line."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    sys.exit(f"bench: no {name} or {name}.gz in {folder}; name their folder by --data or ${VARIABLE}")


def unpacked(folder: Path, name: str, into: Path) -> Path:
    """The same without .gz: unpacked into another folder if need be."""
    found = find(folder, name)
    if found.suffix != ".gz":
        return found
    with gzip.open(found) as packed, (into / name).open("wb") as file:
        shutil.copyfileobj(packed, file)
    return into / name
