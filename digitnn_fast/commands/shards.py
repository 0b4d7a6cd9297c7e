"""The command for many shards, registered by `app`: parse, call, report."""

from __future__ import annotations

import sys
from contextlib import closing
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from digitnn_fast.checks import counted, printable
from digitnn_fast.commands.app import USER_ERROR
from digitnn_fast.commands.options import MAX_THREADS, Model, model_before
from digitnn_fast.commands.progress import Loudness, compile_kernels, shards_shown
from digitnn_fast.commands.report import print_made, print_table, rate_text
from digitnn_fast.jobs.watch import Stages

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from digitnn_fast.network import Network
    from digitnn_fast.shards import Options, Outcome, Task


class Runner(str, Enum):
    """The program that runs the shards."""

    local = "local"
    dask = "dask"


class Format(str, Enum):
    """The format of the results."""

    csv = "csv"
    parquet = "parquet"


def shards(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="[MODEL] INPUT...", help="Files, patterns in quotes, folders; or URLs as s3://b/*.npy."),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FOLDER", help="Where the results go; or a URL.")],
    model: Model = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Also write the ten probabilities.")] = False,
    format: Annotated[Format, typer.Option("--format", help="Of the results.")] = Format.csv,
    id_column: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN", help="What identifies a row; else id, ImageId, or its number."),
    ] = None,
    precision: Annotated[
        str, typer.Option("--precision", metavar="NAME", help="float32, or int8, faster.")
    ] = "float32",
    engine: Annotated[
        Runner, typer.Option("--engine", help="Threads of this process, or Dask (extra `dask`).")
    ] = Runner.local,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler, as tcp://host:8786.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=MAX_THREADS, metavar="N", help="Threads, or processes of Dask's own cluster."
        ),
    ] = None,
    unread_ok: Annotated[
        bool, typer.Option("--unread-ok", help="Exit with 0 even if some pictures are blank or damaged.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read finished shards again, instead of trusting size and time.")
    ] = False,
) -> None:
    """Predict many files, on this machine or on a cluster.

    CSV, Parquet, .npz, .npy, IDX, folders and lists (.txt) of pictures. Each result has a manifest beside it; a shard
    whose manifest still holds is skipped: after a kill, run the same command again. A picture that is blank or damaged
    has the reason in its row instead of a label. Exit code 2 if there was one, or if a shard failed.
    """
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path
    from digitnn_fast.shards import Options, find_shards, is_url, sweep
    from digitnn_fast.writing import check_folder

    if engine is Runner.local and scheduler:
        raise ValueError("--scheduler goes with --engine dask")
    if scheduler and workers:
        raise ValueError("--workers goes without --scheduler: its workers are there already")
    model, inputs = model_before(inputs, model, "shards")
    stages = Stages()
    if not is_url(out):
        check_folder(out, deep=True)
    options = Options(probabilities, format.value, id_column, verify)
    network = Network.load(model_path(model))
    tasks = find_shards(inputs, out, format.value)
    sweep(out)
    with stages("predict"), closing(_run(engine, tasks, network, precision, options, scheduler, workers)) as running:
        outcomes = list(_shown(running, len(tasks)))
    _report_outcomes(outcomes, stages, out, unread_ok)


def _run(
    engine: Runner,
    tasks: list[Task],
    network: Network,
    precision: str,
    options: Options,
    scheduler: str | None,
    workers: int | None,
) -> Generator[Outcome, None, None]:
    from digitnn_fast.engines import kernels_for
    from digitnn_fast.kernels import FORWARD
    from digitnn_fast.predictor import Predictor
    from digitnn_fast.shards import clusters

    if precision in FORWARD:
        compile_kernels(*kernels_for(network, precision))
    predictor = Predictor(network, threads=1, precision=precision)  # type: ignore[arg-type]  # it says what is wrong
    if engine is Runner.local:
        return clusters.run_local(tasks, predictor, options, workers)
    return clusters.run_dask(tasks, network, predictor.precision, options, scheduler, workers)


def _shown(outcomes: Iterator[Outcome], shards: int) -> Iterator[Outcome]:
    """The outcomes, with a bar on a terminal. A failure is reported at once."""
    with shards_shown(shards) as show:
        for outcome in outcomes:
            show(outcome.rows, outcome.error)
            yield outcome


def _report_outcomes(outcomes: list[Outcome], stages: Stages, out: str, unread_ok: bool) -> None:
    """Print a table of the work done and a line for each failed shard, if any; these give exit code 2."""
    groups = {
        "done": [one for one in outcomes if not one.skipped and not one.error],
        "skipped": [one for one in outcomes if one.skipped],
        "failed": [one for one in outcomes if one.error],
    }
    rows = [
        [name, f"{len(group):,}", f"{sum(one.rows for one in group):,}", f"{sum(one.seconds for one in group):.2f}"]
        for name, group in groups.items()
        if group
    ]
    predicted = sum(one.rows for one in groups["done"])
    print_made(
        [
            ("predicted", rate_text(predicted, stages.seconds["predict"])),
            ("time", str(stages)),
            ("results", out),
        ]
    )
    if not Loudness.quiet:
        print_table("", ["shards", "number", "images", "seconds of workers"], rows)
    failed = sorted(one.error for one in groups["failed"])
    for error in failed:
        print(printable(f"error: {error}"), file=sys.stderr)
    if unread := sum(one.unread for one in outcomes):
        kind = "WARNING" if unread_ok else "error"
        print(f"{kind}: {counted(unread, 'blank or damaged picture')}; the results say why", file=sys.stderr)
    if failed or (unread and not unread_ok):
        raise typer.Exit(USER_ERROR)
