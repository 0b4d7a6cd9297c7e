"""What happens while a command works, on stderr: rich's bars on a terminal, a few plain lines in a pipe.

A pipe does not even import rich, which would cost 0.1 s.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from digitnn_fast.checks import counted, printable
from digitnn_fast.jobs.watch import ByteProgress, OnEpoch, Watch

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from digitnn_fast.training.loop import EpochReport

BAR_AFTER = 0.3  # seconds; most files are read before, and rich costs a third of that
NARROW = 70  # columns, below which a bar says less
EPOCH_LINES = 10  # in a pipe, however many epochs there are


def is_terminal(stream: TextIO | None) -> bool:
    """Whether stderr is a terminal that can move its cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


class Loudness:
    """What `-q` and `-v` choose: whether files that were made are reported, with progress, and whether at length."""

    quiet = verbose = False


class Shown(Watch):
    """Shows the progress of a job on stderr."""

    def compile(self, *names: str) -> None:
        """Start to compile, and say so if it takes a while."""
        compile_kernels(*names)

    def bytes(self, text: str) -> AbstractContextManager[ByteProgress | None]:
        """A bar."""
        return bytes_shown(text)

    def epochs(self, epochs: int) -> AbstractContextManager[OnEpoch]:
        """A bar, or some lines."""
        return epochs_shown(epochs)


def compile_kernels(*names: str) -> None:
    """Start to compile the kernels that this machine does not have yet, and say so on a terminal."""
    from digitnn_fast.kernels import start_compiling

    if start_compiling(*names) and is_terminal(sys.stderr) and not Loudness.quiet:
        print("compiling for this processor, once: a few seconds", file=sys.stderr)


@contextmanager
def bytes_shown(text: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A callback (bytes done, bytes in all) that draws a bar if the work takes long; None in a pipe."""
    if Loudness.quiet or not is_terminal(sys.stderr):
        yield None
        return
    bar = _ByteBar(text)
    try:
        yield bar
    finally:
        bar.stop()


class _ByteBar:
    def __init__(self, text: str) -> None:
        self._text, self._due = text, time.perf_counter() + BAR_AFTER
        self._bar: tuple[Progress, TaskID] | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Called by the reader from any of its threads, one at a time."""
        if self._bar is None:
            if time.perf_counter() < self._due:
                return
            from rich.progress import DownloadColumn, TransferSpeedColumn

            progress = _new_progress(DownloadColumn(), TransferSpeedColumn(), transient=True)
            self._bar = progress, progress.add_task(printable(self._text), total=total)
        progress, task = self._bar
        progress.update(task, completed=done, total=total)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar[0].stop()


@contextmanager
def epochs_shown(epochs: int) -> Iterator[Callable[[EpochReport], None]]:
    """A callback that draws a bar with the latest figures, or prints about ten lines in a pipe."""
    if Loudness.quiet:
        yield lambda _: None
        return
    if not is_terminal(sys.stderr):
        yield _print_some_epochs
        return
    from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn

    progress = _new_progress(MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[figures]}"))
    narrow = progress.console.width < NARROW
    task = progress.add_task("training", total=epochs, figures="")

    def show(report: EpochReport) -> None:
        held = report.heldout_accuracy
        accuracy, kind = (held, "held-out") if held == held else (report.training_accuracy, "training")
        figures = f"{accuracy:.2%}" if narrow else f"loss {report.training_loss:.4f}, {kind} {accuracy:.2%}"
        progress.update(task, completed=report.epoch, total=report.epochs, figures=figures)

    try:
        yield show
    finally:
        progress.stop()


@contextmanager
def shards_shown(shards: int) -> Iterator[Callable[[int, str], None]]:
    """A callback (rows of a shard, its error if any) that draws a bar; in a pipe it prints about ten lines."""
    start, done, rows, failed = time.perf_counter(), 0, 0, 0

    def text() -> str:
        trouble = f", {failed:,} failed" if failed else ""
        return f"{counted(rows, 'image')}, {rows / (time.perf_counter() - start):,.0f} images/s{trouble}"

    def count(more: int, error: str) -> None:
        nonlocal done, rows, failed
        done, rows, failed = done + 1, rows + more, failed + bool(error)

    if Loudness.quiet:
        yield count
        return
    if not is_terminal(sys.stderr):

        def print_some(more: int, error: str) -> None:
            count(more, error)
            if done * EPOCH_LINES // shards > (done - 1) * EPOCH_LINES // shards:
                print(f"{done:,} of {counted(shards, 'shard')}: {text()}", file=sys.stderr)

        yield print_some
        return
    from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn

    progress = _new_progress(MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[figures]}"))
    bar = progress.add_task("shards", total=shards, figures="")

    def show(more: int, error: str) -> None:
        count(more, error)
        progress.update(bar, completed=done, figures=text())

    try:
        yield show
    finally:
        progress.stop()


def _new_progress(*columns: Any, transient: bool = False) -> Progress:
    """A started bar on stderr: stdout may be a pipe while stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    name = TextColumn("{task.description}", markup=False)  # a file may be called [red]
    console = Console(stderr=True)
    bar = BarColumn(bar_width=max(5, min(40, console.width - NARROW + 10)))
    progress = Progress(name, bar, *columns, console=console, transient=transient)
    progress.start()
    return progress


def _print_some_epochs(report: EpochReport) -> None:
    epoch, epochs = report.epoch, report.epochs
    if Loudness.verbose or epoch * EPOCH_LINES // epochs > (epoch - 1) * EPOCH_LINES // epochs:
        print(epoch_line(epoch, epochs, report[2:]), file=sys.stderr)


def epoch_line(epoch: int, epochs: int, figures: Sequence[float]) -> str:
    """One line for an epoch and its four figures, which are in the order of HISTORY_COLUMNS."""
    loss, accuracy, heldout_loss, heldout_accuracy = figures
    line = f"epoch {epoch:{len(str(epochs))}}/{epochs}: training loss {loss:.4f}, accuracy {accuracy:.2%}"
    if heldout_loss == heldout_loss:  # NaN without held-out rows
        line += f"; held-out loss {heldout_loss:.4f}, accuracy {heldout_accuracy:.2%}"
    return line
