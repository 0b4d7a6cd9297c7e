"""The commands that take a network elsewhere and check it there, registered by `cli`: parse, call, report."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from digitnn_fast import _progress, _report
from digitnn_fast._options import MODEL_HELP, Threads, WithTable, file_option
from digitnn_fast._progress import printable

FAILED = 1  # a check that failed; 2 is the user's mistake, as in `cli`


class WithTargets(WithTable):
    """A command whose --help ends with the targets."""

    title, home, table = "Targets", "digitnn_fast.export", "EXPORTERS"


def export(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    to: Annotated[str, typer.Option("--to", metavar="TARGET", help="For what; see below.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to put the files into.")],
    max_loss: Annotated[
        float | None,
        typer.Option(
            "--max-loss",
            min=0,
            max=100,
            metavar="PERCENT",
            help="Fail if more of the sample's digits get another label than in float32; by default 0.5.",
        ),
    ] = None,
) -> None:
    """Write a network as C, ONNX or JavaScript, and test what was written.

    Exit code 1, and no file, if the test fails.
    """
    from digitnn_fast.export import SelfTestError, options_of
    from digitnn_fast.export import export as export_network
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path

    common = {"model", "to", "out", "max_loss"}
    given = {name: value for name, value in context.params.items() if name not in common and value is not None}
    options = options_of(to, given)
    network = Network.load(model_path(model))
    try:
        result = export_network(network, to, out, options, max_loss)
    except SelfTestError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        raise typer.Exit(FAILED) from error
    facts = [("network", _report.shape_text(network)), ("folder", out)]
    facts += [(name, f"{size:,} bytes") for name, size in result.files]
    facts += [(f"test of {name}", text) for name, text in result.tests]
    _report.print_facts(facts + result.facts)


def verify(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[str, file_option("--data", "Digits, in the form of Kaggle's train.csv or test.csv.")],
    threads: Threads = None,
) -> None:
    """Run a network in every way that this machine can, on your digits, and compare.

    These are the specifications in NumPy, the kernels, and each target of "export". Exit code 1 if one of them differs.
    """
    from digitnn_fast import kaggle, verification
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path

    _progress.compile_kernels("inference.forward", "int8.forward", "deskew.deskew_next", "csv.parse_rows")
    network = Network.load(model_path(model))
    with _progress.bytes_shown("reading") as progress:
        images = kaggle.read_images(data, threads, progress)
    verdicts = list(verification.verify(network, images, threads))
    ran = [verdict for verdict in verdicts if verdict.agrees is not None]
    wrong = sum(not verdict.agrees for verdict in ran)
    text = f"{wrong} of {len(ran)} paths do not agree" if wrong else f"all {len(ran)} paths that could run agree"
    _report.print_facts([("network", _report.shape_text(network)), ("data", data), ("verdict", text)])
    _report.print_verdicts(verdicts)
    if wrong:
        raise typer.Exit(FAILED)
