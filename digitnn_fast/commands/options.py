"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from digitnn_fast.bundled import NAMES, NAMES_AND_DEFAULT

MAX_THREADS = 1024  # more is a typing error


class WithTable(TyperCommand):
    """A command whose --help ends with the entries of a table, each with name and summary; only then is it imported."""

    title, home, table = "", "", ""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the entries."""
        from importlib import import_module

        entries = getattr(import_module(self.home), self.table).values()
        with formatter.section(self.title):
            formatter.write_dl([(entry.name, entry.summary) for entry in entries])


class WithRecipes(WithTable):
    """A command whose --help ends with the recipes."""

    title, home, table = "Recipes", "digitnn_fast.training.recipes", "RECIPES"


def file_option(flag: str, help_text: str) -> Any:
    """An option that takes a path. The function that reads the file checks it."""
    return typer.Option(flag, metavar="FILE", help=help_text)


def _number(flag: str, help_text: str, least: int, most: int | None = None) -> Any:
    return typer.Option(flag, min=least, max=most, metavar="N", help=help_text)


TRAIN_HELP, TEST_HELP = (f"Kaggle's {name}.csv; also as .gz or .zip." for name in ("train", "test"))
Out = Annotated[str, file_option("--out", "Where to write; an older file is replaced at the very end.")]
MODEL_HELP = f"Model file, or a bundled one: {NAMES}."
Model = Annotated[str | None, file_option("--model", f"Model file, or a bundled one: {NAMES_AND_DEFAULT}.")]
Plot = Annotated[str | None, file_option("--plot", "Also draw it: a .png, .svg or .pdf (needs the extra `plots`).")]
Mistakes = Annotated[str | None, file_option("--mistakes", "Draw the wrong digits, up to 400: a .png, .svg or .pdf.")]
Recipe = Annotated[str, typer.Option("--recipe", metavar="NAME", help="How to train; see below.")]
Seed = Annotated[int, _number("--seed", "The same seed gives the same network.", 0)]
Patience = Annotated[
    int | None, _number("--patience", "Stop when the loss on held-out rows has not fallen for N epochs.", 1)
]
Threads = Annotated[int | None, _number("--threads", "By default DIGITNN_THREADS, or one per CPU.", 1, MAX_THREADS)]
