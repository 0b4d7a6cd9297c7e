"""The commands that read files of digits, each entered with a file in the current folder."""

from __future__ import annotations

import io
import os
import re
from contextlib import redirect_stderr, redirect_stdout
from functools import cache

from digitnn_fast.commands import app

# What a command makes of {file}: the name of what it writes, or "" for what it prints.
LEARN = {
    "train": ("train --train {file} --recipe pixels --epochs 1 --out m.npz", "m.npz"),
    "evaluate": ("evaluate --data {file} --model net.npz", ""),
    "submit": ("submit --train {file} --test test.csv --recipe pixels --epochs 1 --out s.csv", "s.csv"),
    "report": ("report net.npz --data {file} --out r.html", ""),
    "verify": ("verify net.npz --data {file}", None),
}
PREDICT = {
    "predict": ("predict --test {file} --model net.npz --out s.csv", "s.csv"),
    "submit a model": ("submit --model net.npz --test {file} --out s.csv", "s.csv"),
    "validate": ("validate known.csv --test {file}", None),
    "shards": ("shards {file} --model net.npz --out results", "results"),
}
DOORS = LEARN | PREDICT


def put(files: dict[str, bytes | None]) -> str:
    """Write the files; the name of the one that is given: the last one that is none, else the first."""
    for name, content in files.items():
        if content is None:
            return name
        with open(name, "wb") as file:
            file.write(content)
    return next(iter(files))


def enter(door: str, file: str, *more: str) -> object:
    """What the command wrote or said."""
    text, made = DOORS[door]
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = app.run([*text.format(file=file).split(), *more])
    assert code == 0, errors.getvalue()
    if made is None:
        return None
    if made == "results":
        (result,) = (name for name in os.listdir(made) if name.endswith(".csv"))
        made = f"results/{result}"
    if not made:
        return re.sub(r"time .*\n", "", out.getvalue())
    with open(made, "rb") as result:
        return result.read().replace(b"row,label", b"ImageId,Label")


@cache
def expected(door: str) -> object:
    """The same of Kaggle's own file, in the folder `here`; it is entered once."""
    return enter(door, "csv/train.csv" if door in LEARN else "test.csv")


def refused(door: str, files: dict[str, bytes | None], message: str, capsys) -> None:
    """The door refuses the files in one line that is this, and leaves nothing."""
    file, before = put(files), set(os.listdir())
    assert app.run(DOORS[door][0].format(file=file).split()) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(f"error: {message}", error), error
    assert set(os.listdir()) - {"results"} == before
