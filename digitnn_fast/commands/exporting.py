"""The commands that take a network elsewhere and check it there, registered by `app`: parse, call, report."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated, Any

import typer

from digitnn_fast.checks import printable
from digitnn_fast.commands.json_output import print_json
from digitnn_fast.commands.options import (
    KINDS,
    Json,
    Model,
    Named,
    Threads,
    WithTable,
    file_option,
    one_model,
)
from digitnn_fast.commands.progress import Loudness, bytes_shown, compile_kernels, epochs_shown, is_terminal
from digitnn_fast.commands.report import print_facts, print_made, print_verdicts, shape_text

FAILED = 1  # a check that failed; `app.USER_ERROR` is the user's mistake


class WithTargets(WithTable):
    """A command whose --help ends with the targets."""

    title, home, table = "Targets", "digitnn_fast.export", "EXPORTERS"


def _c(flag: str, metavar: str, help_text: str, least: float | None = None) -> Any:
    return typer.Option(flag, metavar=metavar, help=f"C: {help_text}", min=least)


def _board(flag: str, metavar: str, help_text: str, least: float | None = None) -> Any:
    return typer.Option(flag, metavar=metavar, help=f"C, MicroPython: {help_text}", min=least)


def export(
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="TARGET", help="For what; see below.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to put the files into.")],
    named: Named = None,
    model: Model = None,
    max_loss: Annotated[
        float | None,
        typer.Option(
            "--max-loss",
            min=0,
            max=100,
            metavar="PERCENT",
            help="Fail if more of the sample's digits get another label than in float32; by default 0.5, "
            "with 4 bits 1, with 2 bits 2, and 1 more with --inputs.",
        ),
    ] = None,
    bits: Annotated[
        int | None, _board("--bits", "8|4|2", "of a weight; with 4 or 2 the network is fine-tuned.")
    ] = None,
    inputs: Annotated[
        str | None,
        _board(
            "--inputs",
            "16x16|28x28|7x7x16|6x5x16|5x5x12",
            "train a network for these: pixels, or rows by columns of cells by directions.",
        ),
    ] = None,
    hidden: Annotated[
        int | None, _board("--hidden", "N", "of that network; by default as many as MODEL has.", 1)
    ] = None,
    train: Annotated[
        str | None, _board("--train", "FILE", "digits to learn from; the sample's if only fine-tuned.")
    ] = None,
    seeds: Annotated[
        int | None, _board("--seeds", "N", "train so many, keep the least training loss; up to 16 units 3, else 1.", 1)
    ] = None,
    seed: Annotated[int | None, _board("--seed", "N", "of training and fine-tuning.", 0)] = None,
    opset: Annotated[
        int | None,
        typer.Option("--opset", metavar="N", help="ONNX: of the files; by default the lowest that they need."),
    ] = None,
    layout: Annotated[str | None, _c("--layout", "plain|arduino", "layout of the folder.")] = None,
    prefix: Annotated[
        str | None, _c("--prefix", "NAME", "of all names and files, for two networks in one program.")
    ] = None,
    clock: Annotated[float | None, _c("--clock", "MHZ", "of the board, to estimate times.", 0.001)] = None,
    max_flash: Annotated[int | None, _c("--max-flash", "BYTES", "fail if it needs more.", 0)] = None,
    max_ram: Annotated[int | None, _c("--max-ram", "BYTES", "fail if RAM and stack need more.", 0)] = None,
    threads: Threads = None,
) -> None:
    """Write and test a network as C, ONNX, JavaScript and others.

    Exit code 1, and no file, if the test fails.
    """
    from digitnn_fast.export import SelfTestError, options_of
    from digitnn_fast.export import export as export_network
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path

    common = {"named", "model", "to", "out", "max_loss"}
    given = {name: value for name, value in context.params.items() if name not in common and value is not None}
    options = options_of(to, given)
    network = Network.load(model_path(one_model(named, model)))
    try:
        with ExitStack() as stack:
            if options.learns:
                options = replace(options, on_epoch=stack.enter_context(epochs_shown(1)))
            result = export_network(network, to, out, options, max_loss)
    except SelfTestError as error:
        print(printable(f"error: {error}; nothing was written"), file=sys.stderr)
        raise typer.Exit(FAILED) from error
    if options.learns:  # another network was trained, or this one learned on
        network = Network.load(os.path.join(out, options.model))
    facts = [("network", shape_text(network)), ("folder", out)]
    facts += [(name, f"{size:,} bytes") for name, size in result.files]
    facts += [(f"test of {name}", text) for name, text in result.tests]
    print_made(facts + result.facts)


def verify(
    data: Annotated[str, file_option("--data", f"Digits, as Kaggle's train.csv or test.csv, {KINDS}")],
    named: Named = None,
    model: Model = None,
    as_json: Json = False,
    threads: Threads = None,
) -> None:
    """Run a network in every way that works here, and compare.

    These are the specifications in NumPy, the kernels, and each target of "export". Exit code 1 if one of them differs.
    """
    from digitnn_fast import verification
    from digitnn_fast.engines import kernels_for
    from digitnn_fast.formats import DigitFile
    from digitnn_fast.kernels import FORWARD
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path

    network = Network.load(model_path(one_model(named, model)))
    file = DigitFile(data)
    compile_kernels(*kernels_for(network, *FORWARD, table=file.is_table))
    with bytes_shown("reading") as progress:
        images = file.read(threads, progress)
    verdicts = []
    for verdict in verification.verify(network, images, threads):
        verdicts.append(verdict)
        if is_terminal(sys.stderr) and not Loudness.quiet:  # a wide network takes minutes
            print(printable(f"{verdict.name}: {verdict.seconds:.1f} s"), file=sys.stderr)
    ran = [verdict for verdict in verdicts if verdict.agrees is not None]
    wrong = sum(not verdict.agrees for verdict in ran)
    text = f"{wrong} of {len(ran)} paths do not agree" if wrong else f"all {len(ran)} paths that could run agree"
    if as_json:
        print_json({"data": data, "agrees": not wrong, "paths": verdicts})
    else:
        print_facts([("network", shape_text(network)), ("data", data), ("verdict", text)])
        print_verdicts(verdicts)
    if wrong:
        raise typer.Exit(FAILED)
