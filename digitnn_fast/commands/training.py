"""The commands that train, registered by `app`: parse, call, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from digitnn_fast.checks import counted
from digitnn_fast.commands.json_output import network_data, print_json
from digitnn_fast.commands.options import (
    TEST_HELP,
    TRAIN_HELP,
    Batch,
    Epochs,
    Hidden,
    Json,
    Labels,
    Mistakes,
    Named,
    Out,
    Patience,
    Pictures,
    Plot,
    Preprocessing,
    Rate,
    Recipe,
    Sample,
    Seed,
    Threads,
    file_option,
    one_model,
)
from digitnn_fast.commands.progress import Shown
from digitnn_fast.commands.report import (
    accuracy_text,
    heldout_fact,
    next_step_facts,
    print_made,
    rate_text,
    report_stream,
    shape_text,
    upload_text,
    validation_facts,
)
from digitnn_fast.training import DEFAULT

if TYPE_CHECKING:
    from digitnn_fast.jobs.training import Submitted

HELDOUT = 0.1


def submit(
    train: Annotated[str | None, file_option("--train", TRAIN_HELP)] = None,
    test: Annotated[str | None, file_option("--test", TEST_HELP)] = None,
    out: Out = "submission.csv",
    labels: Labels = None,
    sample: Sample = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", metavar="NAME", help=f"How to train; by default {DEFAULT}, see below.")
    ] = None,
    hidden: Hidden = None,
    epochs: Epochs = None,
    rate: Rate = None,
    batch: Batch = None,
    preprocessing: Preprocessing = None,
    pictures: Pictures = None,
    model: Annotated[
        str | None, file_option("--model", "Do not train: a model file, or a bundled one such as accurate.")
    ] = None,
    named: Named = None,
    model_out: Annotated[str | None, file_option("--model-out", "Also keep the trained network here.")] = None,
    plot: Plot = None,
    report: Annotated[
        str | None,
        file_option("--report", "Also write a web page about it: an .html (needs the extra `plots`)."),
    ] = None,
    as_json: Json = False,
    seed: Seed = None,
    threads: Threads = None,
) -> None:
    """Train, predict, write a submission and check it.

    Without files: Kaggle's input folder when this runs on Kaggle, else the built-in sample of real digits.
    """
    watch = Shown()
    from digitnn_fast.files import is_device
    from digitnn_fast.jobs import training
    from digitnn_fast.training.recipes import changed_recipe
    from digitnn_fast.utils import get_accuracy

    model = one_model(named, model)
    changes = _changes(hidden, epochs, rate, batch, preprocessing, pictures)
    of_training = train, labels, seed, recipe, model_out, plot, report, *changes.values()
    if model is not None and any(value is not None for value in of_training):
        others = "--train, --labels, --seed, --recipe and what changes it, --model-out, --plot and --report"
        raise ValueError(f"--model submits without training: it goes without {others}")
    if report is not None:
        from digitnn_fast.commands.card import ENDINGS
        from digitnn_fast.plots import check_plots

        check_plots([report], [train, test, out, labels, sample, model_out, plot], ENDINGS)
    done = training.submit(
        train,
        test,
        out,
        watch,
        recipe=None if model else changed_recipe(recipe or DEFAULT, **changes),
        model=model,
        heldout=HELDOUT,
        seed=seed or 0,
        labels=labels,
        sample=sample,
        model_out=model_out,
        plot=plot,
        threads=threads,
    )
    if report is not None:
        _write_report(report, done, threads)
    if as_json and not is_device(out):
        print_json(
            {
                "data": done.data,
                **network_data(done.network),
                "submission": out,
                "rows": len(done.answers),
                "seconds": watch.stages.seconds,
            }
        )
        return
    facts = [("data", done.data), ("network", shape_text(done.network)), heldout_fact(done.network.training)]
    rows, upload = len(done.answers), upload_text(out, done.network, done.header)
    if done.test_labels is not None:
        facts.append(("test accuracy", accuracy_text(get_accuracy(done.answers, done.test_labels), rows)))
        upload = "not possible: these are the sample's digits, not those of Kaggle's test.csv"
    facts += [
        ("predicted", rate_text(rows, watch.stages.seconds["predict"])),
        ("time", str(watch.stages)),
        *([("model", model_out)] if model_out else []),
        *([("plot", plot)] if plot else []),
        *([("report", report)] if report else []),
        ("submission", f"{out} (valid, {counted(rows, 'row')})"),
        ("upload", upload),
        *next_step_facts(done.network),
    ]
    print_made(facts, report_stream(out))


def _write_report(path: str, done: Submitted, threads: int | None) -> None:
    """The page of the network, and of the sample's digits how it did on them."""
    from digitnn_fast.commands.card import Measured, write_card
    from digitnn_fast.predictor import Predictor
    from digitnn_fast.sample import load_sample

    measured = None
    if done.test_labels is not None:
        images = load_sample().test_images
        probabilities = Predictor(done.network, threads=threads).predict_proba(images)
        measured = Measured("the sample's test digits", images, done.test_labels, probabilities)
    write_card(path, "digitnn-fast: submit", done.network, measured)


def _changes(
    hidden: int | None,
    epochs: int | None,
    rate: float | None,
    batch: int | None,
    preprocessing: str | None,
    pictures: float | None,
) -> dict[str, int | float | str | None]:
    """What takes the place of the recipe's own, by the names of its fields."""
    named = {"hidden": hidden, "epochs": epochs, "learning_rate": rate, "batch": batch}
    return {**named, "preprocessing": preprocessing, "pictures": pictures}


def train(
    train: Annotated[str, file_option("--train", TRAIN_HELP)],
    out: Annotated[str, file_option("--out", "Where to write the model file.")],
    labels: Labels = None,
    recipe: Recipe = DEFAULT,
    hidden: Hidden = None,
    epochs: Epochs = None,
    rate: Rate = None,
    batch: Batch = None,
    preprocessing: Preprocessing = None,
    pictures: Pictures = None,
    seed: Seed = None,
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
    watch = Shown()
    from digitnn_fast.jobs import training
    from digitnn_fast.training.recipes import changed_recipe

    done = training.train(
        train,
        out,
        watch,
        recipe=changed_recipe(recipe, **_changes(hidden, epochs, rate, batch, preprocessing, pictures)),
        heldout=heldout,
        seed=seed or 0,
        folds=folds,
        checkpoint=checkpoint,
        patience=patience,
        labels=labels,
        plot=plot,
        mistakes=mistakes,
        threads=threads,
    )
    print_made(
        [
            ("data", f"{train} ({counted(done.rows, 'row')})"),
            ("network", shape_text(done.network)),
            *(validation_facts(done.validation) if done.validation else [heldout_fact(done.network.training)]),
            ("time", str(watch.stages)),
            ("model", out),
        ]
    )
