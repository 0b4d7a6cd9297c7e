"""The commands that look at a model, registered by `cli`: parse, call, report."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from digitnn_fast import _progress, _report
from digitnn_fast._options import Mistakes, Model, Plot, Threads, file_option


def evaluate(
    data: Annotated[str, file_option("--data", "Digits with labels, in the form of Kaggle's train.csv.")],
    model: Model = None,
    plot: Plot = None,
    mistakes: Mistakes = None,
    threads: Threads = None,
) -> None:
    """Measure a network on digits with labels.

    Shows accuracy with its standard error, loss, precision and recall of each digit, and the confusion matrix.
    """
    from digitnn_fast import _files, evaluation, kaggle, plots
    from digitnn_fast.kernels import predicting
    from digitnn_fast.network import data_digest
    from digitnn_fast.predictor import Predictor

    _files.check_plots([plot, mistakes], [data, model])
    predictor = Predictor.load(model, threads=threads)
    _progress.compile_kernels(*predicting(predictor.network.preprocessing, "float32"))
    with _progress.bytes_shown("reading") as progress:
        images, labels = kaggle.read_train(data, threads, progress)
    record = predictor.network.training
    if record and record.data_digest == data_digest(images, labels):
        print(_report.trained_on_these(record))
    probabilities = predictor.predict_proba(images)
    result = evaluation.evaluate(labels, probabilities)
    _report.print_evaluation(result)
    if plot:
        figures = [plots.confusion(result), plots.mistakes(images, labels, probabilities)]
        plots.write_figures(plot, [*figures, plots.reliability(labels, probabilities)])
    if mistakes:
        plots.write_figures(mistakes, [plots.mistakes(images, labels, probabilities, plots.SHEET)])


def report(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model file.")],
    data: Annotated[str, file_option("--data", "Digits with labels, in the form of Kaggle's train.csv.")],
    out: Annotated[str, file_option("--out", "Where to write the page.")] = "report.html",
    threads: Threads = None,
) -> None:
    """Write one web page with all that can be said of a network: its card, curves, mistakes, units, reliability."""
    from digitnn_fast import _files, evaluation, kaggle, plots
    from digitnn_fast.network import data_digest
    from digitnn_fast.predictor import Predictor

    plots.check_plot(out, (".html", ".htm"))
    _files.check_output(out, [model, data], device=False)
    predictor = Predictor.load(model, threads=threads)
    network, record = predictor.network, predictor.network.training
    with _progress.bytes_shown("reading") as progress:
        images, labels = kaggle.read_train(data, threads, progress)
    probabilities = predictor.predict_proba(images)
    result = evaluation.evaluate(labels, probabilities)
    facts = [("network", _report.shape_text(network)), ("pixels", network.preprocessing)]
    facts += [fact for fact in _report.training_facts(record) if fact[0]]
    facts += [
        ("measured on", f"{data} ({len(labels):,} rows)"),
        ("accuracy there", _report.accuracy_text(result.accuracy, result.rows)),
        ("cross-entropy there", f"{result.cross_entropy:.4f} nats"),
    ]
    if record and record.data_digest == data_digest(images, labels):
        facts.append(("WARNING", _report.trained_on_these(record).strip().removeprefix("WARNING: ")))
    figures = {
        **({"Training": plots.curves(record)} if record and len(record.history) else {}),
        "Confusion": plots.confusion(result),
        "Worst mistakes": plots.mistakes(images, labels, probabilities),
        "Hidden units": plots.hidden_units(network),
        "Reliability": plots.reliability(labels, probabilities),
    }
    plots.write_report(out, f"digitnn-fast: {os.path.basename(model)}", facts, figures)
    _report.print_facts([("accuracy", _report.accuracy_text(result.accuracy, result.rows)), ("report", out)])


def info(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Or small, accurate; by default small.")] = None,
) -> None:
    """Show a model file and how it was trained."""
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path

    path = os.fspath(model_path(model))
    network = Network.load(path)
    facts = [
        ("file", f"{path} ({os.path.getsize(path):,} bytes)"),
        ("network", _report.shape_text(network)),
        ("pixels", network.preprocessing),
    ]
    _report.print_facts(facts + _report.training_facts(network.training))


def bench(model: Model = None, threads: Threads = None) -> None:
    """Measure how fast a network runs on this CPU, against NumPy, in less than a minute.

    All results are checked first. `python -m bench` in the repository measures everything, against more rivals.
    """
    from digitnn_fast import benchmark
    from digitnn_fast.kernels import FORWARD, predicting
    from digitnn_fast.predictor import Predictor

    network = Predictor.load(model, threads=threads).network
    _progress.compile_kernels(*predicting(network.preprocessing, *FORWARD))
    _report.print_facts([("CPU", benchmark.cpu_name()), ("network", _report.shape_text(network))])
    _report.print_speeds(benchmark.measure(network, threads))


def warmup() -> None:
    """Compile all kernels now, not at first use."""
    from digitnn_fast._threads import available_cpus
    from digitnn_fast.kernels import KERNELS, start_compiling
    from digitnn_fast.kernels._jit import DISABLE_JIT

    if DISABLE_JIT:
        print("nothing to compile: NUMBA_DISABLE_JIT is set")
        return
    stages = _progress.Stages()
    names = list(KERNELS)
    for number, (name, kernel) in enumerate(KERNELS.items()):
        cached = kernel.is_cached()
        start_compiling(*names[number : number + available_cpus()])
        with stages(name):
            kernel.load()
        state = "already there" if cached else "compiled" if kernel.is_cached() else "compiled, but can't be kept"
        print(f"{name}: {state}, {stages.seconds[name]:.2f} s", flush=True)
