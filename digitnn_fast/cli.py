"""The commands: parse, call, report. What they do lives on the floors below, what they say in `_report`.

Imports wait inside the commands: --help needs typer alone, and `predict` neither numba nor pandas nor rich.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from digitnn_fast import __version__, _export_commands, _model_commands, _picture_commands, _progress, _report
from digitnn_fast._kaggle_commands import app as kaggle_app
from digitnn_fast._options import (
    TEST_HELP,
    TRAIN_HELP,
    Mistakes,
    Model,
    Out,
    Patience,
    Plot,
    Recipe,
    Seed,
    Threads,
    WithRecipes,
    file_option,
)
from digitnn_fast._shard_commands import shards

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digitnn_fast import recipes
    from digitnn_fast.crossvalidation import CrossValidation
    from digitnn_fast.network import Network

    Bytes = NDArray[np.uint8]

NAME = "digitnn-fast"
USER_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # the last two as shells have it: 128 + the signal's number
HELDOUT = 0.1

# Plain help and tracebacks: rich's would cost 0.1 s at each start.
app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Handwritten digits, fast: Kaggle's train.csv and test.csv in, submission.csv out, on a CPU.

    "digitnn-fast submit" does the whole job, and on a built-in sample of real digits if no files are given.
    """
    if version:
        print(f"{NAME} {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(cls=WithRecipes)
def submit(
    train: Annotated[str | None, file_option("--train", TRAIN_HELP)] = None,
    test: Annotated[str | None, file_option("--test", TEST_HELP)] = None,
    out: Out = "submission.csv",
    recipe: Recipe = "fast",
    model_out: Annotated[str | None, file_option("--model-out", "Also keep the trained network here.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
) -> None:
    """The whole job: train, predict, write, validate.

    Without files: Kaggle's input folder when this runs on Kaggle, else the built-in sample of real digits.
    """
    stages = _progress.Stages()
    from digitnn_fast import _files
    from digitnn_fast.recipes import find_recipe
    from digitnn_fast.utils import get_accuracy

    chosen = find_recipe(recipe)
    _progress.compile_kernels(*chosen.kernels)
    _files.check_output(out, [train, test, model_out])
    if model_out:
        _files.check_output(model_out, [train, test], device=False)
    with stages("check test rows"):
        source = _files.find_source(train, test)
        rows = source.check_test(threads)
    with stages("read"), _progress.bytes_shown("reading") as progress:
        images, labels = source.read_train(threads, progress)
    with stages("train"):
        network = _train(images, labels, chosen, seed=seed, heldout=HELDOUT, threads=threads)
    with stages("predict"), _progress.bytes_shown("predicting") as progress:
        answers = source.predict(network, threads, progress)
    with stages("write and validate"):
        _files.write_submission(out, answers, rows)
        if model_out:
            network.save(model_out)

    facts = [
        ("data", source.text),
        ("network", _report.shape_text(network)),
        _report.heldout_fact(network.training),
    ]
    upload = _report.upload_text(out, network)
    if source.test_labels is not None:
        facts.append(("test accuracy", _report.accuracy_text(get_accuracy(answers, source.test_labels), len(answers))))
        upload = "not possible: these are the sample's digits, not those of Kaggle's test.csv"
    facts += [
        ("predicted", _report.rate_text(len(answers), stages.seconds["predict"])),
        ("time", str(stages)),
        *([("model", model_out)] if model_out else []),
        ("submission", f"{out} (valid, {len(answers):,} rows)"),
        ("upload", upload),
    ]
    _report.print_facts(facts, _files.report_stream(out))


@app.command(cls=WithRecipes)
def train(
    train: Annotated[str, file_option("--train", TRAIN_HELP)],
    out: Annotated[str, file_option("--out", "Where to write the model file.")],
    recipe: Recipe = "fast",
    seed: Seed = 0,
    heldout: Annotated[
        float, typer.Option("--heldout", metavar="SHARE", help="Share of the rows that only measure.")
    ] = HELDOUT,
    folds: Annotated[
        int,
        typer.Option("--folds", min=0, metavar="K", help="Cross-validate in K folds, then train on all rows."),
    ] = 0,
    checkpoint: Annotated[
        str | None, file_option("--checkpoint", "Keep the state here each minute, and go on from it after a kill.")
    ] = None,
    patience: Patience = None,
    plot: Plot = None,
    mistakes: Mistakes = None,
    threads: Threads = None,
) -> None:
    """Train a network and write its model file.

    With --folds no rows are held out: the accuracy is that of K networks on the rows that each of them had not seen.
    """
    stages = _progress.Stages()
    from digitnn_fast import _files, kaggle, plots
    from digitnn_fast.recipes import find_recipe

    chosen = find_recipe(recipe)
    _progress.compile_kernels(*chosen.kernels)
    _files.check_output(out, [train, checkpoint], device=False)
    if patience and (folds or not heldout):
        raise ValueError("--patience needs rows that are held out: it goes without --folds and --heldout 0")
    if mistakes and not folds:
        raise ValueError("--mistakes needs --folds: else ask `evaluate`, with digits that were not learned from")
    _files.check_plots([plot, mistakes], [train, out, checkpoint])
    with stages("read"), _progress.bytes_shown("reading") as progress:
        images, labels = kaggle.read_train(train, threads, progress)
    validation = None
    with stages("train"):
        options = {"seed": seed, "threads": threads, "checkpoint": checkpoint}
        if folds:
            network, validation = _cross_validate(images, labels, chosen, folds=folds, **options)
        else:
            network = _train(images, labels, chosen, heldout=heldout, patience=patience, **options)
    network.save(out)
    if plot and network.training:
        plots.write_figures(plot, [plots.curves(network.training)])
    if mistakes and validation:
        plots.write_figures(mistakes, [plots.mistakes(images, labels, validation.probabilities, plots.SHEET)])
    facts = [
        ("data", f"{train} ({len(labels):,} rows)"),
        ("network", _report.shape_text(network)),
        *(_report.validation_facts(validation) if validation else [_report.heldout_fact(network.training)]),
        ("time", str(stages)),
        ("model", out),
    ]
    _report.print_facts(facts)


@app.command()
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
    stages = _progress.Stages()
    from digitnn_fast import _files, kaggle
    from digitnn_fast.kernels import predicting
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import Predictor, model_path

    _files.check_output(out, [test, model])
    network = Network.load(model_path(model))
    _progress.compile_kernels(*predicting(network.preprocessing, "float32"))
    predictor = Predictor(network, threads=1)  # map_test has threads of its own
    function = predictor.predict_proba if probabilities else predictor.predict
    with stages("predict"), _progress.bytes_shown("predicting") as progress:
        answers = kaggle.map_test(test, function, threads, progress)
    with stages("write" if probabilities else "write and validate"):
        if probabilities:
            kaggle.write_probabilities(out, answers)
        else:
            _files.write_submission(out, answers)
    facts = [
        ("predicted", _report.rate_text(len(answers), stages.seconds["predict"])),
        ("time", str(stages)),
        ("probabilities", out) if probabilities else ("submission", f"{out} (valid, {len(answers):,} rows)"),
    ]
    _report.print_facts(facts, _files.report_stream(out))


@app.command()
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
    compared = f"as many as in {test}" if test else "not compared with a test.csv"
    _report.print_facts([("valid", f"{submission} ({rows:,} rows, {compared})")])


for command in (
    *(_model_commands.evaluate, _model_commands.report, _model_commands.info),
    *(_picture_commands.image, _picture_commands.draw, shards),
    *(_export_commands.verify, _model_commands.bench, _model_commands.warmup),
):
    app.command()(command)
app.command(cls=_export_commands.WithTargets)(_export_commands.export)
app.add_typer(kaggle_app, name="kaggle")


def _train(images: Bytes, labels: Bytes, recipe: recipes.Recipe, **options: Any) -> Network:
    from digitnn_fast.training import train

    with _progress.epochs_shown(recipe.epochs * recipe.members) as show:
        return train(images, labels, recipe, on_epoch=show, **options)


def _cross_validate(
    images: Bytes, labels: Bytes, recipe: recipes.Recipe, **options: Any
) -> tuple[Network, CrossValidation]:
    from digitnn_fast.crossvalidation import train_validated

    with _progress.epochs_shown(recipe.epochs * recipe.members * (options["folds"] + 1)) as show:
        return train_validated(images, labels, recipe, on_epoch=show, **options)


def run(arguments: list[str]) -> int:
    """Run a command and return the exit code.

    Not `app()`: click's own way prints an empty line on Ctrl-C and several on a wrong option.
    """
    try:
        with typer.main.get_command(app).make_context(NAME, arguments) as context:
            context.command.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
    except typer.Exit as stop:
        return stop.exit_code
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except Exception as error:
        if isinstance(error, BrokenPipeError) or isinstance(error.__cause__, BrokenPipeError):
            return BROKEN_PIPE  # the reader has enough, as `head` does
        if (reason := _reason(error)) is None:
            raise
        return _fail(f"error: {reason}", USER_ERROR)
    return 0


def _reason(error: Exception) -> str | None:
    """What the user can do something about, or None: then it is a bug and needs its traceback."""
    if format_message := getattr(error, "format_message", None):  # typer's; their class moved between its versions
        return str(format_message())
    if isinstance(error, OSError):
        return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    return str(error) if isinstance(error, ValueError) else None


def _fail(text: str, code: int) -> int:
    print(_progress.printable(text), file=sys.stderr)
    return code


def main() -> NoReturn:
    """Run the command of this process."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None when a service starts us; a file's name may hold any byte, a terminal be ASCII
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = run(sys.argv[1:])
    if code == BROKEN_PIPE:
        # What is still buffered can't go anywhere, and Python would complain about that when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
