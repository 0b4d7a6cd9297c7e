"""The commands that look at a model, registered by `app`: parse, call, report."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from digitnn_fast.commands.options import Mistakes, Model, Plot, Threads, file_option
from digitnn_fast.commands.progress import bytes_shown, compile_kernels
from digitnn_fast.commands.report import (
    accuracy_text,
    print_evaluation,
    print_facts,
    print_speeds,
    shape_text,
    trained_on_these,
    training_facts,
)
from digitnn_fast.jobs.watch import Stages


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
    from digitnn_fast import evaluation, kaggle, plots
    from digitnn_fast.network import data_digest
    from digitnn_fast.predictor import Predictor
    from digitnn_fast.preprocessing import predicting

    plots.check_plots([plot, mistakes], [data, model])
    predictor = Predictor.load(model, threads=threads)
    compile_kernels(*predicting(predictor.network.preprocessing, "float32"))
    with bytes_shown("reading") as progress:
        images, labels = kaggle.read_train(data, threads, progress)
    record = predictor.network.training
    if record and record.data_digest == data_digest(images, labels):
        print(trained_on_these(record))
    probabilities = predictor.predict_proba(images)
    result = evaluation.evaluate(labels, probabilities)
    print_evaluation(result)
    if plot is not None:
        figures = [plots.confusion(result), plots.mistakes(images, labels, probabilities)]
        plots.write_figures(plot, [*figures, plots.reliability(labels, probabilities)])
    if mistakes is not None:
        plots.write_figures(mistakes, [plots.mistakes(images, labels, probabilities, plots.SHEET)])


def report(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model file.")],
    data: Annotated[str, file_option("--data", "Digits with labels, in the form of Kaggle's train.csv.")],
    out: Annotated[str, file_option("--out", "Where to write the page.")] = "report.html",
    threads: Threads = None,
) -> None:
    """Write one web page with all that can be said of a network: its card, curves, mistakes, units, reliability."""
    from digitnn_fast import evaluation, kaggle, plots
    from digitnn_fast.network import data_digest
    from digitnn_fast.predictor import Predictor

    plots.check_plots([out], [model, data], (".html", ".htm"))
    predictor = Predictor.load(model, threads=threads)
    network, record = predictor.network, predictor.network.training
    with bytes_shown("reading") as progress:
        images, labels = kaggle.read_train(data, threads, progress)
    probabilities = predictor.predict_proba(images)
    result = evaluation.evaluate(labels, probabilities)
    facts = [("network", shape_text(network)), ("pixels", network.preprocessing)]
    facts += [fact for fact in training_facts(record) if fact[0]]
    facts += [
        ("measured on", f"{data} ({len(labels):,} rows)"),
        ("accuracy there", accuracy_text(result.accuracy, result.rows)),
        ("cross-entropy there", f"{result.cross_entropy:.4f} nats"),
    ]
    if record and record.data_digest == data_digest(images, labels):
        print(trained_on_these(record))
        facts.insert(0, ("WARNING", trained_on_these(record).strip().removeprefix("WARNING: ")))
    figures = {
        **({"Training": plots.curves(record, stacked=True)} if record and len(record.history) else {}),
        "Confusion": plots.confusion(result),
        "Worst mistakes": plots.mistakes(images, labels, probabilities, across=plots.ACROSS_A_PHONE),
        "Hidden units": plots.hidden_units(network),
        "Reliability": plots.reliability(labels, probabilities),
    }
    plots.write_report(out, f"digitnn-fast: {os.path.basename(model)}", facts, figures)
    print_facts([("accuracy", accuracy_text(result.accuracy, result.rows)), ("report", out)])


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
        ("network", shape_text(network)),
        ("pixels", network.preprocessing),
    ]
    print_facts(facts + training_facts(network.training))


def bench(model: Model = None, threads: Threads = None) -> None:
    """Measure how fast a network runs on this CPU, against NumPy, in less than a minute.

    All results are checked first. `python -m bench` in the repository measures everything, against more rivals.
    """
    from digitnn_fast import benchmark
    from digitnn_fast.kernels import FORWARD
    from digitnn_fast.predictor import Predictor
    from digitnn_fast.preprocessing import predicting

    network = Predictor.load(model, threads=threads).network
    compile_kernels(*predicting(network.preprocessing, *FORWARD))
    print_facts([("CPU", benchmark.cpu_name()), ("network", shape_text(network))])
    print_speeds(benchmark.measure(network, threads))


def warmup(
    processors: Annotated[
        str | None, typer.Option("--for", metavar="NAMES", help="For other machines: x86-64-v3, x86-64-v4, ...")
    ] = None,
) -> None:
    """Compile all kernels now, not at first use.

    With --for, for machines that have at least these processors: then an image that is built on one starts on all.
    """
    from digitnn_fast.kernels import KERNELS, start_compiling
    from digitnn_fast.kernels.machine.jit import DISABLE_JIT, settings_for
    from digitnn_fast.threads import available_cpus

    if DISABLE_JIT:
        print("nothing to compile: NUMBA_DISABLE_JIT is set")
        return
    if processors is not None:
        import subprocess
        import sys

        every = [(name, settings_for(name)) for name in processors.split(",")]  # before the first one takes its time
        for name, settings in every:
            print(f"for {name}:", flush=True)
            done = subprocess.run([sys.executable, "-m", "digitnn_fast", "warmup"], env=os.environ | settings)
            if done.returncode:  # it has said why
                raise typer.Exit(done.returncode)
        return
    stages = Stages()
    names = list(KERNELS)
    for number, (name, kernel) in enumerate(KERNELS.items()):
        cached = kernel.is_cached()
        start_compiling(*names[number : number + available_cpus()])
        with stages(name):
            kernel.load()
        state = "already there" if cached else "compiled" if kernel.is_cached() else "compiled, but can't be kept"
        print(f"{name}: {state}, {stages.seconds[name]:.2f} s", flush=True)
