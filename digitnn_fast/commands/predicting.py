"""The commands that predict a test.csv and check the result, registered by `app`: parse, call, report."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from digitnn_fast.commands.options import TEST_HELP, Model, Out, Threads, file_option
from digitnn_fast.commands.progress import Shown, printable
from digitnn_fast.commands.report import print_facts, rate_text, report_stream


def predict(
    test: Annotated[str, file_option("--test", TEST_HELP)],
    out: Out,
    model: Model = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the ten probabilities of each image, not its digit.")
    ] = False,
    threads: Threads = None,
) -> None:
    """Predict a test.csv with a trained network."""
    watch = Shown()
    from digitnn_fast.jobs import predicting

    rows = predicting.predict(test, out, watch, model=model, probabilities=probabilities, threads=threads)
    facts = [
        ("predicted", rate_text(rows, watch.stages.seconds["predict"])),
        ("time", str(watch.stages)),
        ("probabilities", out) if probabilities else ("submission", f"{out} (valid, {rows:,} rows)"),
    ]
    print_facts(facts, report_stream(out))


def validate(
    submission: Annotated[str, typer.Argument(metavar="SUBMISSION", help="The file that you mean to upload.")],
    test: Annotated[str | None, file_option("--test", "Also compare the number of rows with this test.csv.")] = None,
    threads: Threads = None,
) -> None:
    """Check that Kaggle would take a submission.

    Its header must be ImageId,Label, each ImageId from 1 must occur once, each label must be 0 to 9.
    """
    from digitnn_fast import kaggle

    expected = kaggle.count_rows(test, threads) if test else None
    rows = kaggle.validate_submission(submission, expected)
    if expected is None and rows != kaggle.TEST_ROWS:
        text = f"WARNING: {rows:,} rows, but Kaggle's own test.csv has {kaggle.TEST_ROWS:,}"
        print(printable(text), file=sys.stderr)
    compared = f"as many as in {test}" if test else "not compared with a test.csv"
    print_facts([("valid", f"{submission} ({rows:,} rows, {compared})")])
