"""The list of commands, for typer to parse; `app` runs them.

Imports wait inside the commands: --help needs typer alone, and `predict` neither numba nor pandas nor rich.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from digitnn_fast.commands import exporting, garbage, models, pictures, predicting, training
from digitnn_fast.commands.kaggle import app as kaggle_app
from digitnn_fast.commands.options import WithRecipes
from digitnn_fast.commands.progress import Loudness
from digitnn_fast.commands.shards import shards
from digitnn_fast.version import VERSION

NAME = "digitnn-fast"
COMPLETE = "_DIGITNN_FAST_COMPLETE"  # what a shell sets that wants to complete a word
LOUDNESS = "-q", "--quiet", "-v", "--verbose"

# Plain help and tracebacks: rich's would cost 0.1 s at each start.
app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors, warnings and the result alone.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Each epoch, and where in the program an error came from.")
    ] = False,
) -> None:
    """Handwritten digits, fast: Kaggle's train.csv and test.csv in, submission.csv out, on a CPU.

    "digitnn-fast submit" does the whole job, and on a built-in sample of real digits if no files are given.
    """
    Loudness.quiet, Loudness.verbose = quiet, verbose
    if version:
        print(f"{NAME} {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


app.command(cls=WithRecipes)(training.submit)
app.command(cls=WithRecipes)(training.train)
for command in (
    *(predicting.predict, predicting.validate),
    *(models.evaluate, models.report, models.info),
    *(pictures.image, pictures.draw, shards),
    *(exporting.verify, models.bench, models.warmup),
):
    app.command()(command)
app.command(cls=exporting.WithTargets)(exporting.export)
app.add_typer(kaggle_app, name="kaggle")


def invoke(arguments: list[str]) -> int:
    """Run a command and return the exit code; what it raises is for `app` to report."""
    garbage.begin()
    if COMPLETE in os.environ:  # a shell asks what may come next
        app(prog_name=NAME)
    command = typer.main.get_command(app)
    try:
        with command.make_context(NAME, _loudness_first(arguments, set(_takers(command)))) as context:
            context.command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    return 0


def _loudness_first(arguments: list[str], takers: set[str]) -> list[str]:
    """The same, with LOUDNESS, which may stand anywhere, in front; but not what an option takes, or is behind `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    loud = [at for at in range(end) if arguments[at] in LOUDNESS and not (at and arguments[at - 1] in takers)]
    return [arguments[at] for at in loud] + [word for at, word in enumerate(arguments) if at not in loud]


def _takers(command: Any) -> Iterator[str]:
    """All options of a command, and of those below it, that take a value."""
    for parameter in command.params:
        if not getattr(parameter, "is_flag", True):  # an argument has no flags
            yield from parameter.opts
    for other in getattr(command, "commands", {}).values():
        yield from _takers(other)
