"""`predict`, and its plain form, for which typer is not imported: that takes a sixth of the whole process."""

from __future__ import annotations

import os
from typing import Any

from digitnn_fast.checks import counted
from digitnn_fast.commands import garbage
from digitnn_fast.commands.progress import Shown
from digitnn_fast.commands.report import print_made, rate_text, report_stream

OPTIONS = {"--test": "test", "--out": "out", "--model": "model"}  # of the plain form, each once with a value behind it


def parsed(arguments: list[str]) -> dict[str, Any] | None:
    """The arguments of `predict` in its plain form; None for all else, which is typer's to read and to refuse."""
    command, flags, values = arguments[:1], arguments[1::2], arguments[2::2]
    known = len(set(flags)) == len(flags) == len(values) and {"--test", "--out"} <= set(flags) <= set(OPTIONS)
    if command != ["predict"] or not known or any(value.startswith("-") for value in values):
        return None
    return {OPTIONS[flag]: value for flag, value in zip(flags, values, strict=True)}


def predict(
    test: str,
    out: str,
    model: str | None = None,
    sample: str | None = None,
    probabilities: bool = False,
    threads: int | None = None,
) -> None:
    """The work of the command, whose options `predicting.predict` explains."""
    watch = Shown()
    # NumPy's library for matrices, which is not used here, starts a thread for each CPU that spins for 0.03 s.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from digitnn_fast.jobs import predicting

    garbage.begin()

    rows = predicting.predict(
        test, out, watch, model=model, sample=sample, probabilities=probabilities, threads=threads
    )
    facts = [
        ("predicted", rate_text(rows, watch.stages.seconds["predict"])),
        ("time", str(watch.stages)),
        ("probabilities", out) if probabilities else ("submission", f"{out} (valid, {counted(rows, 'row')})"),
    ]
    print_made(facts, report_stream(out))
