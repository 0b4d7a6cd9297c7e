"""The options that several commands share."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from digitnn_fast.bundled import MODELS, NAMES_AND_DEFAULT
from digitnn_fast.sizes import MAX_HIDDEN

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


KINDS = "or Parquet, .npz, .npy, IDX; - for stdin."
TRAIN_HELP, TEST_HELP = (f"Kaggle's {name}.csv, also as .gz or .zip, {KINDS}" for name in ("train", "test"))
Labels = Annotated[
    str | None, file_option("--labels", "Their labels, if IDX, .npy or .npz hold images alone; else found beside them.")
]
Sample = Annotated[
    str | None,
    file_option("--sample", "The competition's sample_submission.csv, if its header or ids are others."),
]
Out = Annotated[str, file_option("--out", "Where to write, - for stdout; an older file is replaced at the very end.")]
Model = Annotated[str | None, file_option("--model", f"Model file, or a bundled one: {NAMES_AND_DEFAULT}.")]
DATA_HELP = f"Digits with labels, as Kaggle's train.csv, {KINDS}"
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Named = Annotated[str | None, typer.Argument(metavar="[MODEL]", help="The same as --model.", show_default=False)]
Data = Annotated[str, file_option("--data", DATA_HELP)]
Plot = Annotated[str | None, file_option("--plot", "Also draw it: a .png, .svg or .pdf (needs the extra `plots`).")]
Mistakes = Annotated[str | None, file_option("--mistakes", "Draw the wrong digits, up to 400: a .png, .svg or .pdf.")]
Recipe = Annotated[str, typer.Option("--recipe", metavar="NAME", help="How to train; see below.")]
Hidden = Annotated[int | None, _number("--hidden", "Hidden units, instead of the recipe's.", 1, MAX_HIDDEN)]
Epochs = Annotated[int | None, _number("--epochs", "Times that each digit is seen, instead of the recipe's.", 1)]
Batch = Annotated[int | None, _number("--batch", "Batch size: digits a step, instead of the recipe's.", 1)]
Rate = Annotated[float | None, typer.Option("--rate", metavar="X", help="Learning rate, instead of the recipe's.")]
Preprocessing = Annotated[
    str | None,
    typer.Option("--preprocessing", metavar="NAME", help="Instead of the recipe's: raw, deskewed, directions, ..."),
]
Pictures = Annotated[
    float | None,
    typer.Option(
        "--pictures",
        metavar="SHARE",
        help="Share of the digits, less than 1, to learn from as crops of pictures, too.",
    ),
]
Seed = Annotated[int | None, _number("--seed", "The same seed gives the same network; by default 0.", 0)]
Patience = Annotated[
    int | None, _number("--patience", "Stop when the loss on held-out rows has not fallen for N epochs.", 1)
]
Threads = Annotated[int | None, _number("--threads", "By default DIGITNN_THREADS, or one per CPU.", 1, MAX_THREADS)]
TWICE = "MODEL and --model are the same: give one of them"


def one_model(named: str | None, model: str | None) -> str | None:
    """The model, which may be given as an argument or as an option; ValueError for both."""
    if named is not None and model is not None:
        raise ValueError(TWICE)
    return model if named is None else named


def model_before(words: list[str], model: str | None, what: str) -> tuple[str | None, list[str]]:
    """The model and the files, if the first word may be a model; `what` the files are. ValueError for none of these.

    A bundled model's name that is also a file's is a file if it stands alone or --model is given.
    """
    if not all(words):
        raise ValueError("an empty name is not a file")
    first, *rest = words
    if first in MODELS and os.path.exists(first):
        if rest and model is None:
            raise ValueError(f"{first}: a bundled model, and something here; give --model {first} or ./{first}")
        return model, words
    if first not in MODELS and not _is_model(first):
        return model, words
    if not rest:
        raise ValueError(f"{first}: a model; {what} must follow it")
    return one_model(first, model), rest


def _is_model(path: str) -> bool:
    """Whether it is a model file, which is neither a picture nor a file of digits."""
    if not os.path.isfile(path):
        return False
    from digitnn_fast.formats.archives import names_of

    try:
        with open(path, "rb") as file:
            return "W1" in names_of(file)
    except Exception:  # of a file that is no zip; on hostile bytes zipfile raises half a dozen types
        return False
