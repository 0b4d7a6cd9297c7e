"""The reports of finished commands, on stdout: rich's tables on a terminal, aligned text in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from digitnn_fast.checks import counted, printable
from digitnn_fast.commands.progress import Loudness, epoch_line, is_terminal
from digitnn_fast.version import VERSION

if TYPE_CHECKING:
    from digitnn_fast.benchmark import Speed
    from digitnn_fast.evaluation import Evaluation, Rejection
    from digitnn_fast.network import Network, TrainingRecord
    from digitnn_fast.training.crossvalidation import CrossValidation
    from digitnn_fast.verification import Verdict

Fact = tuple[str, str]

LAST_EPOCHS = 3  # that `info` shows


def print_facts(facts: Iterable[Fact], file: TextIO | None = None) -> None:
    """Lines `name  value`, the values below each other; each value is one line."""
    lines = list(facts)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:{width}}  {printable(value)}", file=file or sys.stdout)


def print_made(facts: Iterable[Fact], file: TextIO | None = None) -> None:
    """The same about a file that was made, which `-q` leaves out."""
    if not Loudness.quiet:
        print_facts(facts, file)


def report_stream(out: str) -> TextIO:
    """The stream for the report: stderr if the answers may have gone to stdout."""
    from digitnn_fast.files import is_device

    return sys.stderr if is_device(out) else sys.stdout


def percent(accuracy: float, standard_error: float) -> str:
    """`97.95% ± 0.22%`, the second being the standard error."""
    return f"{accuracy:.2%} ± {standard_error:.2%}"


def shape_text(network: Network) -> str:
    """Such as `784-64-10 (50,890 parameters), recipe fast, seed 0`."""
    W1, _, W2, _ = network.parameters
    parameters = sum(array.size for array in network.parameters)
    text = f"{len(W1)}-{network.hidden}-{W2.shape[1]} ({parameters:,} parameters)"
    record = network.training
    return f"{text}, recipe {record.recipe}, seed {record.seed}" if record else text


def heldout_text(record: TrainingRecord | None) -> str:
    """Accuracy on rows that were held out, of this network or else of its recipe, with its standard error."""
    if record is None:
        return "not known"
    if record.estimated_rows:
        accuracy = percent(record.estimated_accuracy, record.estimated_standard_error)
        rows = f"{record.estimated_rows:,} of {record.training_rows:,} rows"
        return f"{accuracy} (standard error; {rows}, by a network that had not seen them; this one learned from all)"
    if record.folds:
        return validated_text(record)
    if not record.heldout_rows:
        return "not known: no rows were held out"
    accuracy = percent(record.heldout_accuracy, record.heldout_standard_error)
    return f"{accuracy} (standard error; {record.heldout_rows:,} of {_rows(record):,} rows)"


def heldout_fact(record: TrainingRecord | None) -> Fact:
    """The same with its name."""
    return "held-out accuracy", heldout_text(record)


def validated_text(record: TrainingRecord) -> str:
    """Accuracy by cross-validation, with its standard error."""
    accuracy = percent(record.cross_validated_accuracy, record.cross_validated_standard_error)
    return f"{accuracy} (standard error; {record.folds} folds of {record.training_rows:,} rows)"


def validation_facts(validation: CrossValidation) -> list[Fact]:
    """The results of a cross-validation."""
    from digitnn_fast.evaluation import calibration_error

    measured, temperature = validation.evaluation, validation.temperature
    error = f"{measured.calibration_error:.2%}, at the temperature {temperature:.3f}"
    return [
        ("accuracy", f"{accuracy_text(measured.accuracy, measured.rows)}, cross-validated"),
        ("of each fold", ", ".join(f"{accuracy:.2%}" for accuracy in validation.accuracies)),
        ("calibration error", f"{error}; before: {calibration_error(validation.labels, validation.probabilities):.2%}"),
        ("if doubtful ones are refused", "; ".join(_rejection_text(line) for line in measured.rejections)),
    ]


def _rejection_text(line: Rejection) -> str:
    return f"below {line.threshold:g}: {line.answered:.2%} answered, {line.accuracy:.3%} right"


def _rows(record: TrainingRecord) -> int:
    return record.training_rows + record.heldout_rows


def trained_on_these(record: TrainingRecord) -> str:
    """A warning if the network was trained on the rows that it was evaluated on."""
    return (
        f"WARNING: the network was trained on {record.training_rows:,} of these {_rows(record):,} rows, so this says "
        f"little about new digits. Its accuracy on rows held out: {heldout_text(record)}.\n"
    )


def accuracy_text(accuracy: float, rows: int) -> str:
    """Accuracy with its standard error."""
    from digitnn_fast.record import standard_error

    return f"{percent(accuracy, standard_error(accuracy, rows))} (standard error; {counted(rows, 'row')})"


def rate_text(rows: int, seconds: float) -> str:
    """Rows, and how many per second, to three digits: more would be noise."""
    return f"{counted(rows, 'row')}, {_rate(rows / seconds)} rows/s"


def _rate(per_second: float) -> str:
    return f"{float(f'{per_second:.3g}'):,.0f}"


def upload_text(path: str, network: Network, header: str) -> str:
    """The command that sends a submission with that header to Kaggle."""
    import shlex
    from importlib.util import find_spec

    from digitnn_fast.kaggle import USUAL

    message = f"digitnn-fast {VERSION}"
    if record := network.training:
        message += f", recipe {record.recipe}, seed {record.seed}"
        message += f", held-out accuracy {record.heldout_accuracy:.2%}" if record.heldout_rows else ""
        message += f", estimated accuracy {record.estimated_accuracy:.2%}" if record.estimated_rows else ""
        message += f", cross-validated accuracy {record.cross_validated_accuracy:.2%}" if record.folds else ""
    quoted_path, quoted = shlex.quote(path), shlex.quote(message)
    if header != USUAL.header:  # of a twin of Digit Recognizer
        return f"kaggle competitions submit -c COMPETITION -f {quoted_path} -m {quoted}"
    if find_spec("kaggle"):  # Kaggle's client is here, so the command that checks before it sends works
        return f"digitnn-fast kaggle submit {quoted_path} --message {quoted}"
    return f"kaggle competitions submit -c digit-recognizer -f {quoted_path} -m {quoted}"


def next_step_facts(network: Network) -> list[Fact]:
    """The next recipe that scores higher, with its time and score, if there is one."""
    from digitnn_fast.training.measured import next_step

    step = next_step(network.training.recipe) if network.training else None
    if step is None:
        return []
    name, measured = step
    minutes = measured.seconds / 60
    time = f"{measured.seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} minutes"
    return [("next step", f"--recipe {name}: {percent(*measured[:2])}, about {time} a training on two cores")]


def training_facts(record: TrainingRecord | None) -> list[Fact]:
    """How a network was trained, with the best and the last epochs of its history."""
    if record is None:
        return [("training", "not known")]
    settings = ", ".join(f"{name} {value}" for name, value in record.settings.items())
    facts = [
        ("recipe", f"{record.recipe} ({settings})" if settings else record.recipe),
        ("seed", str(record.seed)),
        ("training data", f"{_rows(record):,} rows, SHA-256 {record.data_digest}"),
        *([heldout_fact(record)] if record.heldout_rows or record.estimated_rows or not record.folds else []),
        *([("cross-validated", validated_text(record))] if record.folds else []),
    ]
    epochs = len(record.history)
    if epochs and (record.heldout_rows or record.estimated_rows):
        best = int(record.history[:, 3].argmax())
        facts.append(("best epoch", epoch_line(best + 1, epochs, record.history[best].tolist())))
    for epoch in range(max(0, epochs - LAST_EPOCHS), epochs):
        name = f"epoch {epoch + 1}" if epoch + 1 < epochs else "last epoch"
        facts.append((name, epoch_line(epoch + 1, epochs, record.history[epoch].tolist())))
    return facts


def print_evaluation(evaluation: Evaluation) -> None:
    """Accuracy and loss, then a line per digit, then the confusion matrix."""
    accuracy = accuracy_text(evaluation.accuracy, evaluation.rows)
    facts = [("accuracy", accuracy), ("cross-entropy", f"{evaluation.cross_entropy:.4f} nats")]
    print_facts([*facts, ("calibration error", _share(evaluation.calibration_error))])
    shares = evaluation.precision, evaluation.recall, evaluation.f1
    lines = [
        [str(digit), *(_share(column[digit]) for column in shares), f"{evaluation.support[digit]:,}"]
        for digit in range(len(evaluation.support))
    ]
    print_table("", ["digit", "precision", "recall", "F1", "images"], lines)
    refused = [[f"{t:g}", _share(answered), _share(right)] for t, answered, right in evaluation.rejections]
    print_table("if answers less probable are refused", ["probability", "answered", "accuracy"], refused)
    counts = [[str(digit), *map(str, row)] for digit, row in enumerate(evaluation.confusion.tolist())]
    header = ["true", *(str(digit) for digit in range(len(counts)))]
    print_table("confusion matrix: how often the digit of the row was taken for that of the column", header, counts)


def _share(value: float) -> str:
    return f"{value:.2%}" if value == value else "-"


def print_speeds(speeds: Iterable[Speed]) -> None:
    """A line for each way to predict; no ratio of measurements that vary too much to be believed."""
    every = list(speeds)
    lines = [
        [
            speed.precision,
            str(speed.threads),
            f"{speed.batch:,}",
            _rate(speed.rate),
            f"±{speed.spread:.0%}",
            f"{speed.rate / speed.numpy_rate:.1f}×" if speed.credible else "-",
        ]
        for speed in every
    ]
    print_table("", ["predict", "threads", "at once", "images/s", "spread", "NumPy"], lines)
    if wrong := sum(not speed.credible for speed in every):
        text = f"WARNING: {wrong} of {len(every)} measurements are not credible: this machine is doing something else"
        print(text, file=sys.stderr)


def print_verdicts(verdicts: Iterable[Verdict]) -> None:
    """A line for each way to run a network, and below why some could not."""
    header = ["path", "rows", "labels", "p within", "integers", "seconds", "verdict"]
    title = "how many labels are those of the reference, how close the probabilities p and integers are"
    lines = list(verdicts)
    print_table(title, header, [_verdict_cells(verdict) for verdict in lines])
    if reasons := [(verdict.name, verdict.reason) for verdict in lines if verdict.reason]:
        print()
        print_facts(reasons)


def _verdict_cells(verdict: Verdict) -> list[str]:
    found, words = verdict.difference, {True: "agrees", False: "DIFFERS", None: "-"}
    if found is None:
        return [verdict.name, *"-----", "FAILED" if verdict.agrees is False else "not run"]
    within = "-" if found.probabilities is None else f"{found.probabilities:.1e}"
    integers = {True: "equal", False: "differ", None: "-"}[found.integers_equal]
    counts = f"{found.rows:,}", f"{found.same_labels:,}"
    return [verdict.name, *counts, within, integers, f"{verdict.seconds:.2f}", words[verdict.agrees]]


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of right-aligned columns, its title above."""
    print()
    if title:
        print(title)
    if is_terminal(sys.stdout):
        _print_rich_table(header, rows)
        return
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)))


def _print_rich_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for name in header:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    console = Console()
    if console.measure(table).maximum > console.width:
        for row in rows:  # a narrow terminal would break numbers in two
            print_facts(zip(header, row, strict=True))
            print()
        return
    console.print(table)
