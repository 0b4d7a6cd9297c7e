"""From files of digits to a network, and to a submission."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from digitnn_fast import kaggle
from digitnn_fast.engines import kernels_for
from digitnn_fast.formats import DigitFile
from digitnn_fast.jobs.sources import find_source, form_of
from digitnn_fast.network import Network
from digitnn_fast.predictor import model_path
from digitnn_fast.training import DEFAULT, loop
from digitnn_fast.training.estimation import train_estimated
from digitnn_fast.training.recipes import Recipe, find_recipe
from digitnn_fast.writing import check_output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digitnn_fast.jobs.watch import Watch
    from digitnn_fast.training.crossvalidation import CrossValidation

    Bytes = NDArray[np.uint8]


class Submitted(NamedTuple):
    """The result of `submit`: what the digits are, the network, its answers (m,), and the true ones if known.

    `header` is that of the submission, by which its competition is known.
    """

    data: str
    network: Network
    answers: Bytes
    test_labels: Bytes | None
    header: str


class Trained(NamedTuple):
    """The result of `train`: the number of rows read, the network, and its cross-validation if that was asked for."""

    rows: int
    network: Network
    validation: CrossValidation | None


def submit(
    train: str | None,
    test: str | None,
    out: str,
    watch: Watch,
    *,
    recipe: str | Recipe | None = None,
    model: str | None = None,
    heldout: float,
    seed: int,
    labels: str | None = None,
    sample: str | None = None,
    model_out: str | None = None,
    plot: str | None = None,
    threads: int | None = None,
) -> Submitted:
    """Train, predict, write and validate; see `sources.find_source` for where the digits come from.

    The network learns from all rows; a share `heldout` of them measures another one of the same recipe. With a `model`,
    a file or a bundled one, nothing is trained. ValueError or OSError, one line, for a bad file; then nothing was
    written. If `out` can't be written after the training, `model_out` was.
    """
    form = kaggle.read_form(sample) if sample is not None else None
    if model is not None:
        check_output(out, [test, model, sample])
        return _submit_with(model, test, out, watch, form, threads)
    chosen = find_recipe(recipe or DEFAULT)
    source = find_source(train, test, labels=labels)
    watch.compile(*chosen.kernels(source.is_table))
    check_output(out, [train, test, model_out, labels, sample])
    if model_out is not None:
        check_output(model_out, [train, test, labels, sample], device=False)
    _check_plots([plot], [train, test, out, model_out])
    with watch.stages("check test rows"):
        checked = source.check_test(threads)
        rows = len(checked.results)
        form_of(checked.ids, rows, form)
    with watch.stages("read"), watch.bytes("reading") as progress:
        images, digits = source.read_train(threads, progress)
    with watch.stages("train twice"), watch.epochs(2 * chosen.epochs * chosen.members) as on_epoch:
        network = train_estimated(
            images, digits, chosen, heldout=heldout, seed=seed, threads=threads, on_epoch=on_epoch
        )
    if model_out is not None:
        network.save(model_out)
    with watch.stages("predict"), watch.bytes("predicting") as progress:
        answers, ids = source.predict(network, threads, progress)
    with watch.stages("write and validate"):
        form = form_of(ids, len(answers), form)
        kaggle.write_checked(out, answers, rows, form)
    _plot_curves(plot, network)
    return Submitted(source.text, network, answers, source.test_labels, form.header)


def _submit_with(
    model: str, test: str | None, out: str, watch: Watch, form: kaggle.Form | None, threads: int | None
) -> Submitted:
    """The same with an existing network."""
    network = Network.load(model_path(model))
    source = find_source(None, test, trains=False)
    watch.compile(*kernels_for(network, "float32", table=source.is_table))
    with watch.stages("predict"), watch.bytes("predicting") as progress:
        answers, ids = source.predict(network, threads, progress)
    with watch.stages("write and validate"):
        form = form_of(ids, len(answers), form)
        kaggle.write_checked(out, answers, form=form)
    return Submitted(source.text, network, answers, source.test_labels, form.header)


def train(
    data: str,
    out: str,
    watch: Watch,
    *,
    recipe: str | Recipe,
    heldout: float,
    seed: int,
    folds: int = 0,
    checkpoint: str | None = None,
    patience: int | None = None,
    labels: str | None = None,
    plot: str | None = None,
    mistakes: str | None = None,
    threads: int | None = None,
) -> Trained:
    """Train a network on a train.csv, write its model file and, if wanted, the plots; with `folds` cross-validate it.

    ValueError or OSError, one line, for a bad file or options that do not go together.
    """
    chosen = find_recipe(recipe)
    file = DigitFile(data, labels)
    watch.compile(*chosen.kernels(file.is_table))
    check_output(out, [data, labels, checkpoint], device=False)
    if checkpoint is not None:
        check_output(checkpoint, [data, labels], device=False)
        if folds:
            check_output(f"{checkpoint}.folds", [data, labels, out], device=False)
    if patience and (folds or not heldout):
        raise ValueError("--patience needs rows that are held out: it goes without --folds and --heldout 0")
    if mistakes is not None and not folds:
        raise ValueError("--mistakes needs --folds: else ask `evaluate`, with digits that were not learned from")
    _check_plots([plot, mistakes], [data, labels, out, checkpoint])
    with watch.stages("read"), watch.bytes("reading") as progress:
        images, digits = file.read_labelled(threads, progress, train=True)
    validation = None
    with watch.stages("train"):
        if folds:
            network, validation = _validated(images, digits, chosen, watch, folds, seed, threads, checkpoint, out)
        else:
            with watch.epochs(chosen.epochs * chosen.members) as on_epoch:
                network = loop.train(
                    images,
                    digits,
                    chosen,
                    seed=seed,
                    heldout=heldout,
                    threads=threads,
                    on_epoch=on_epoch,
                    checkpoint=checkpoint,
                    patience=patience,
                    out=out,
                )
    _plot_curves(plot, network)
    if mistakes is not None and validation:
        from digitnn_fast import plots

        plots.write_figures(mistakes, [plots.mistakes(images, digits, validation.probabilities, plots.SHEET)])
    return Trained(len(digits), network, validation)


def _check_plots(wanted: list[str | None], others: list[str | None]) -> None:
    """As `plots.check_plots`, which takes 0.1 s to import."""
    if any(name is not None for name in wanted):
        from digitnn_fast.plots import check_plots

        check_plots(wanted, others)


def _plot_curves(name: str | None, network: Network) -> None:
    if name is not None and network.training:
        from digitnn_fast import plots

        plots.write_figures(name, [plots.curves(network.training)])


def _validated(
    images: Bytes,
    labels: Bytes,
    recipe: Recipe,
    watch: Watch,
    folds: int,
    seed: int,
    threads: int | None,
    checkpoint: str | None,
    out: str,
) -> tuple[Network, CrossValidation]:
    from digitnn_fast.training.crossvalidation import train_validated

    with watch.epochs(recipe.epochs * recipe.members * (folds + 1)) as on_epoch:
        return train_validated(
            images,
            labels,
            recipe,
            folds=folds,
            seed=seed,
            threads=threads,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            out=out,
        )
