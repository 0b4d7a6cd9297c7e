"""The commands that predict a test.csv and check the result, registered by `app`: parse, call, report."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from digitnn_fast.checks import counted, printable
from digitnn_fast.commands import plain
from digitnn_fast.commands.json_output import print_json
from digitnn_fast.commands.options import TEST_HELP, Json, Model, Named, Out, Sample, Threads, file_option, one_model
from digitnn_fast.commands.report import print_facts


def predict(
    test: Annotated[str, file_option("--test", TEST_HELP)],
    out: Out,
    named: Named = None,
    model: Model = None,
    sample: Sample = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the ten probabilities of each image, not its digit.")
    ] = False,
    threads: Threads = None,
) -> None:
    """Predict a test file with a trained network.

    A column id or ImageId goes into the submission, as competitions other than Digit Recognizer want it.
    """
    plain.predict(test, out, one_model(named, model), sample, probabilities, threads)


def validate(
    submission: Annotated[
        str, typer.Argument(metavar="SUBMISSION", help="The file that you mean to upload, or - for stdin.")
    ],
    test: Annotated[str | None, file_option("--test", "Compare it with this test file: rows and ids.")] = None,
    sample: Sample = None,
    as_json: Json = False,
    threads: Threads = None,
) -> None:
    """Check that Kaggle would take a submission.

    Its header must be ImageId,Label, each ImageId from 1 must occur once, each label must be 0 to 9. With the header
    id,label each id must occur once; give the test file or the sample submission to know which ones there are.
    """
    from digitnn_fast.jobs import predicting

    checked = predicting.validate(submission, test, sample, threads)
    if checked.usual is not None and checked.rows != checked.usual:
        text = f"WARNING: {counted(checked.rows, 'row')}, but Kaggle's own test.csv has {checked.usual:,}"
        print(printable(text), file=sys.stderr)
    if as_json:
        print_json({"submission": submission, "valid": True, "rows": checked.rows, "compared_with": checked.compared})
        return
    compared = f"as many as in {checked.compared}" if checked.compared else "not compared with a test.csv"
    print_facts([("valid", f"{submission} ({counted(checked.rows, 'row')}, {compared})")])
