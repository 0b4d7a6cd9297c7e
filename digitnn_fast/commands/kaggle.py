"""The commands below `kaggle`, registered by `app`: parse, call, report."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from digitnn_fast.checks import counted
from digitnn_fast.commands.report import print_made
from digitnn_fast.version import VERSION

app = typer.Typer(rich_markup_mode=None, help="Download Kaggle's files, submit answers, bundle a notebook.")


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def bundle(
    username: Annotated[str, typer.Option("--username", metavar="NAME", help="What follows kaggle.com/ for you.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="New, empty or an older bundle, which is replaced.")],
) -> None:
    """Write a dataset with this package, and a notebook that uses it.

    With these Kaggle needs no internet to run it. Then prints the commands that push them.
    """
    from digitnn_fast.kaggle.bundle import write_bundle

    made = write_bundle(out, username)
    dataset, kernel = (shlex.quote(str(folder)) for folder in (made.dataset, made.kernel))
    print_made(
        [
            ("bundle", f"{made.size:,} bytes, {made.wheel.name} and a notebook"),
            ("first", f"kaggle datasets create -p {dataset}"),
            ("then", f"kaggle kernels push -p {kernel}"),
            ("later", f"kaggle datasets version -p {dataset} -m 'digitnn-fast {VERSION}'"),
        ]
    )


@app.command()
def download(
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where to put train.csv and test.csv.")] = ".",
) -> None:
    """Download the competition's files.

    By Kaggle's own client (extra `kaggle`) and your account there.
    """
    from digitnn_fast.kaggle import client

    rows = client.download(out)
    print_made([(name, f"{counted(count, 'row')}, in {out}") for name, count in rows.items()])


@app.command()
def submit(
    submission: Annotated[str, typer.Argument(metavar="SUBMISSION", help="The submission.csv.")],
    message: Annotated[
        str, typer.Option("--message", "-m", metavar="TEXT", help="What your list of submissions says about it.")
    ] = f"digitnn-fast {VERSION}",
) -> None:
    """Check a submission and upload it.

    By Kaggle's own client (extra `kaggle`) and your account there.
    """
    from digitnn_fast.kaggle import client

    answer = client.submit(submission, message)
    scores = f"https://www.kaggle.com/c/{client.COMPETITION}/submissions"
    print_made([("submission", submission), ("message", message), ("Kaggle", answer), ("score", scores)])
