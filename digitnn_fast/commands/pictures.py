"""The commands around pictures, registered by `app`: parse, call, report."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from digitnn_fast.checks import printable
from digitnn_fast.commands.app import USER_ERROR
from digitnn_fast.commands.options import Model, Named, file_option, model_before, one_model
from digitnn_fast.commands.progress import compile_kernels
from digitnn_fast.commands.report import print_facts, print_made


def image(
    files: Annotated[
        list[str], typer.Argument(metavar="[MODEL] FILE...", help="Pictures, folders of them, or - for stdin.")
    ],
    model: Model = None,
    number: Annotated[
        bool, typer.Option("--number", help="There may be several digits: read them from left to right.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table with all probabilities.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    show: Annotated[str | None, file_option("--show", "Draw what was seen in each picture, as a PNG.")] = None,
    blocks: Annotated[bool, typer.Option("--blocks", help="Print the 28x28 that the network saw.")] = False,
) -> None:
    """Read digits in pictures: photos of paper, scans and drawings.

    Says which digit it is, how sure that is, and what else it might be. Exit code 2 if a picture could not be read.
    """
    from digitnn_fast.commands import reading
    from digitnn_fast.engines import kernels_for
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path
    from digitnn_fast.writing import check_output

    if as_csv and as_json:
        raise ValueError("--csv and --json: only one of them")
    model, files = model_before(files, model, "pictures")
    if show is not None:
        check_output(show, [*files, model], device=False)
    network = Network.load(model_path(model))
    compile_kernels(*kernels_for(network, "float32", table=False))
    readings, problems = reading.read(files, network, number, show=show is not None)
    if as_csv:
        reading.print_csv(readings, sys.stdout)
    elif as_json:
        reading.print_json(readings, sys.stdout)
    elif blocks:
        for one in readings:
            print_facts([(one.name, reading.describe(one))])
            for pixels in one.seen:
                print(reading.blocks(pixels, sys.stdout.encoding))
    elif readings:
        print_facts([(one.name, reading.describe(one)) for one in readings])
    if show is not None and readings:
        reading.write_show(show, readings)
    for problem in problems:
        print(printable(f"error: {problem}"), file=sys.stderr)
    if problems:
        raise typer.Exit(USER_ERROR)


def draw(
    out: Annotated[str, file_option("--out", "Where to write the page.")] = "draw.html",
    named: Named = None,
    model: Model = None,
    browse: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
) -> None:
    """Write a web page to draw digits on, and open it.

    The network is inside; it needs no connection.
    """
    import webbrowser
    from pathlib import Path

    from digitnn_fast.network import Network
    from digitnn_fast.page import write_page
    from digitnn_fast.predictor import model_path
    from digitnn_fast.writing import check_output

    model = one_model(named, model)
    check_output(out, [model], device=False)
    write_page(out, Network.load(model_path(model)))
    opened = browse and webbrowser.open(Path(out).resolve().as_uri())
    print_made([("page", out if opened else f"{out} (open it in a browser)")])
