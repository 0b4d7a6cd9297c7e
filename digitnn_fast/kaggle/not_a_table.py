"""What a file is that should be a table of digits, and is none: said to whoever gave it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from digitnn_fast.checks import shortened

JSON = r"\s*[{\[]"
# What a first line looks like, and what to do.
KNOWN = (
    (
        r"version https://git-lfs",
        "it is the pointer that Git LFS keeps in the place of a file: run `git lfs pull`",
    ),
    (r"\s*<(!doctype|html|head|\?xml)", "it is a web page, perhaps one to log in on: download the file itself"),
    (r"\s*<svg", "it is a picture: save it as PNG"),
    (JSON, "it is JSON: save it as CSV"),
    (r"\s*@relation", "it is ARFF, as OpenML keeps it: save it as CSV"),
    (r"\s*[\d.]+( +\d+:[\d.]+)+\s*$", "it is LIBSVM's format: save it as CSV"),
    (r'\W*(image_?)?id"?,"?label\W*$', "it is a submission: give the file that was predicted"),
    (r"\s*-?[\d.]+([eE][+-]?\d+)?([,;\s]+-?[\d.]+([eE][+-]?\d+)?)*\s*$", "these are numbers: put a header above them"),
)
ONE_HOT = re.compile(r"\D*[0-9]")


def no_header(first: str, labelled: bool) -> str:
    """Why a table whose first line is this can't be read."""
    wanted = "label, " * labelled + "pixel0 to pixel783"
    text = f"the first line must be a header with {wanted}, but is {shortened(first.strip(), 60)!r}"
    return next((f"{text}; {what}" for form, what in KNOWN if re.match(form, first, re.IGNORECASE)), text)


def no_label(names: Sequence[str]) -> str:
    """Why a table of pixels without a column label can't be learned from."""
    others = [name for name in names if not re.fullmatch(r"\D*\d+(x\d+)?", name)]
    ones = [name for name in names if ONE_HOT.fullmatch(name) and not name.startswith("pixel")]
    if len(ones) == 10:
        return f"no column label, but {ones[0]} to {ones[-1]}: make one of them, with the digit that they stand for"
    named = [name for name in others if name.lower() not in ("id", "imageid", "")]
    if len(named) == 1:
        return f"no column label, but {shortened(named[0], 40)!r}: if that holds the digits, call it label"
    return "no column label: this is a test file, and a training file is needed"
