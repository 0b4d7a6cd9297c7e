"""The commands that look at a model, registered by `app`: parse, call, report."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from digitnn_fast.commands.json_output import epochs_data, evaluation_data, network_data, print_json
from digitnn_fast.commands.options import (
    Data,
    Json,
    Labels,
    Mistakes,
    Model,
    Named,
    Plot,
    Threads,
    file_option,
    one_model,
)
from digitnn_fast.commands.progress import Loudness, bytes_shown, compile_kernels
from digitnn_fast.commands.report import (
    accuracy_text,
    print_evaluation,
    print_facts,
    print_made,
    print_speeds,
    shape_text,
    trained_on_these,
    training_facts,
)
from digitnn_fast.jobs.watch import Stages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digitnn_fast.network import Network


def evaluate(
    data: Data,
    named: Named = None,
    model: Model = None,
    labels: Labels = None,
    plot: Plot = None,
    mistakes: Mistakes = None,
    as_json: Json = False,
    threads: Threads = None,
) -> None:
    """Measure a network on digits with labels.

    Shows accuracy with its standard error, loss, precision and recall of each digit, and the confusion matrix.
    """
    from digitnn_fast import evaluation, plots
    from digitnn_fast.network import data_digest
    from digitnn_fast.predictor import Predictor

    model = one_model(named, model)
    plots.check_plots([plot, mistakes], [data, model])
    network, images, digits = _read(model, data, labels, threads)
    record = network.training
    trained = bool(record and record.data_digest == data_digest(images, digits))
    if record and trained and not as_json:
        print(trained_on_these(record))
    probabilities = Predictor(network, threads=threads).predict_proba(images)
    result = evaluation.evaluate(digits, probabilities)
    if as_json:
        print_json({"data": data, **evaluation_data(result), "trained_on_these": trained, **epochs_data(record)})
    else:
        print_evaluation(result)
    if plot is not None:
        figures = [plots.confusion(result), plots.mistakes(images, digits, probabilities)]
        plots.write_figures(plot, [*figures, plots.reliability(digits, probabilities)])
    if mistakes is not None:
        plots.write_figures(mistakes, [plots.mistakes(images, digits, probabilities, plots.SHEET)])


def report(
    data: Data,
    named: Named = None,
    model: Model = None,
    labels: Labels = None,
    out: Annotated[str, file_option("--out", "Where to write the page.")] = "report.html",
    threads: Threads = None,
) -> None:
    """Write one web page about a network and how good it is.

    It holds the network's card, its curves, confusions, mistakes, hidden units and reliability.
    """
    from digitnn_fast import plots
    from digitnn_fast.commands.card import ENDINGS, Measured, write_card
    from digitnn_fast.predictor import Predictor, model_path

    model = one_model(named, model)
    plots.check_plots([out], [model, data], ENDINGS)
    network, images, digits = _read(model, data, labels, threads)
    measured = Measured(data, images, digits, Predictor(network, threads=threads).predict_proba(images))
    title = f"digitnn-fast: {os.path.basename(model_path(model))}"
    if result := write_card(out, title, network, measured):
        print_made([("accuracy", accuracy_text(result.accuracy, result.rows)), ("report", out)])


def _read(
    model: str | None, data: str, labels: str | None, threads: int | None
) -> tuple[Network, NDArray[np.uint8], NDArray[np.uint8]]:
    """The network and the digits that measure it, while its kernels compile."""
    from digitnn_fast.engines import kernels_for
    from digitnn_fast.formats import DigitFile
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path

    network = Network.load(model_path(model))
    file = DigitFile(data, labels)
    compile_kernels(*kernels_for(network, "float32", table=file.is_table))
    with bytes_shown("reading") as progress:
        return network, *file.read_labelled(threads, progress)


def info(named: Named = None, model: Model = None, as_json: Json = False) -> None:
    """Show a model file and how it was trained."""
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path

    path = os.fspath(model_path(one_model(named, model)))
    network = Network.load(path)
    if as_json:
        print_json({"file": path, "bytes": os.path.getsize(path), **network_data(network)})
        return
    facts = [
        ("file", f"{path} ({os.path.getsize(path):,} bytes)"),
        ("network", shape_text(network)),
        ("pixels", network.preprocessing),
    ]
    print_facts(facts + training_facts(network.training))


def bench(named: Named = None, model: Model = None, as_json: Json = False, threads: Threads = None) -> None:
    """Measure how fast a network runs on this CPU.

    Against NumPy, in less than a minute. All results are checked first. `python -m bench` in the repository measures
    everything, against more rivals.
    """
    from digitnn_fast import benchmark
    from digitnn_fast.engines import kernels_for
    from digitnn_fast.kernels import FORWARD
    from digitnn_fast.network import Network
    from digitnn_fast.predictor import model_path

    network = Network.load(model_path(one_model(named, model)))
    compile_kernels(*kernels_for(network, *FORWARD, table=False))
    if as_json:
        speeds = [{**speed._asdict(), "credible": speed.credible} for speed in benchmark.measure(network, threads)]
        print_json({"cpu": benchmark.cpu_name(), "hidden": network.hidden, "speeds": speeds})
        return
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
    from digitnn_fast.kernels.machine.jit import DISABLE_JIT
    from digitnn_fast.kernels.machine.without import obstacle
    from digitnn_fast.threads import available_cpus

    if DISABLE_JIT:
        _say("nothing to compile: NUMBA_DISABLE_JIT is set")
        return
    if obstacle():
        raise ValueError(f"nothing can be compiled here: {obstacle()}")
    if processors is not None:
        _warm_for(processors.split(","))
        return
    stages = Stages()
    names = list(KERNELS)
    for number, (name, kernel) in enumerate(KERNELS.items()):
        cached = kernel.is_cached()
        start_compiling(*names[number : number + available_cpus()])
        with stages(name):
            kernel.load()  # NumPyWarning if numba is there, but broken
        state = "already there" if cached else "compiled" if kernel.is_cached() else "compiled, but can't be kept"
        _say(f"{name}: {state}, {stages.seconds[name]:.2f} s")


def _warm_for(processors: list[str]) -> None:
    """The same for other machines, each by a process of its own."""
    import subprocess
    import sys

    from digitnn_fast.kernels.machine.jit import settings_for

    every = [(name, settings_for(name)) for name in processors]  # before the first one takes its time
    for name, settings in every:
        _say(f"for {name}:")
        command = [sys.executable, "-m", "digitnn_fast", "warmup", *["-q"] * Loudness.quiet]
        done = subprocess.run(command, env=os.environ | settings)
        if done.returncode:  # it has said why
            raise typer.Exit(done.returncode)


def _say(text: str) -> None:
    if not Loudness.quiet:
        print(text, flush=True)
