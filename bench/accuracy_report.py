"""What the runs of time to accuracy come to: the lines of their two files in bench/, and the charts."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from bench import accuracy_chart
from bench.measure import HERE, OURS, amount, versions
from digitnn_fast import __version__
from digitnn_fast.benchmark import cpu_name
from digitnn_fast.training.recipes import RECIPES

LEVELS = 0.98, 0.99, 0.993, 0.995
CLAIMS = 0.99, 0.993  # accuracies to which the first of our recipes that reaches it is compared with the CNN
RUNS, SHORT = 3, 20.0  # our runs shorter than so many seconds are medians of three: one is soon disturbed

CNN, CNN_AUGMENTED = "PyTorch CNN", "PyTorch CNN, augmented"


class Point(NamedTuple):
    """Seconds since the process started, and the accuracy that it had then."""

    seconds: float
    accuracy: float


class Outcome(NamedTuple):
    """What an attempt reached; megabytes are NaN if it was stopped by the limit."""

    method: str
    settings: str
    points: list[Point]
    megabytes: float


class About(NamedTuple):
    """The rows that were scored, the threads, whether some runs were kept from earlier, and the limit in seconds."""

    rows: int
    threads: int
    kept: bool
    limit: float


def reached(outcomes: Iterable[Outcome], level: float) -> float | None:
    """The least seconds in which one of the attempts had this accuracy."""
    return min((p.seconds for outcome in outcomes for p in outcome.points if p.accuracy >= level), default=None)


def by_method(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each method, in their order."""
    methods: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        methods.setdefault(outcome.method, []).append(outcome)
    return methods


def claimed(methods: Mapping[str, list[Outcome]], level: float) -> tuple[str, float | None, float | None]:
    """The first of our recipes, as they are, that reaches an accuracy, its seconds, and those of the better CNN.

    None for what is not reached.
    """
    for recipe in RECIPES:
        own = [one for one in methods[OURS] if one.settings == settings_text(recipe)]
        if seconds := reached(own, level):
            return recipe, seconds, reached(_cnns(methods), level)
    return "", None, reached(_cnns(methods), level)


def answer(methods: Mapping[str, list[Outcome]], level: float) -> str:
    """How many times faster than the CNN our recipe reaches an accuracy."""
    recipe, ours, theirs = claimed(methods, level)
    cnn = [outcome.points[-1].seconds for outcome in _cnns(methods) if outcome.points]
    if not ours or not cnn:
        return "not reached by our recipes" if cnn else "not measured: install torch"
    factor = f"{theirs / ours:.0f}×" if theirs else f"> {max(cnn) / ours:.0f}×"
    text = amount(theirs) if theirs else f"not reached in {amount(max(cnn))}"
    return f"{factor}: {amount(ours)} by `{recipe}` against {text}"


def _cnns(methods: Mapping[str, list[Outcome]]) -> list[Outcome]:
    return [outcome for name in (CNN, CNN_AUGMENTED) for outcome in methods.get(name, [])]


def report(outcomes: list[Outcome], about: About) -> Iterator[str]:
    """The lines of TIME_TO_ACCURACY.md."""
    methods = by_method(outcomes)
    yield from ("# Time to accuracy", "", _made(about, ("torch",)), "")
    yield (
        f"{_measured(about)} Each method has several lengths, every one with the rate's schedule for its length; the "
        "first point that is good enough counts, so a method with many points has more luck. What is no CNN: "
        "[OTHER_METHODS.md](OTHER_METHODS.md)."
    )
    yield from ("", "| method | " + " | ".join(f"{level:.1%}" for level in LEVELS) + " | best | peak memory |")
    yield "|---|" + "---|" * (len(LEVELS) + 2)
    for name, own in methods.items():
        times = [reached(own, level) for level in LEVELS]
        cells = [amount(seconds) if seconds else "–" for seconds in times]
        yield f"| {_bold(name)} | {' | '.join(cells)} | {_best(own)} | {_memory(own)} |"
    yield ""
    for level in CLAIMS:
        yield from (f"To {level:.1%}, against the PyTorch CNN, plain or augmented: **{answer(methods, level)}**.", "")
    yield from ("<picture>", '  <source media="(prefers-color-scheme: dark)" srcset="time-to-accuracy-dark.svg">')
    yield from ('  <img alt="Accuracy over seconds" src="time-to-accuracy-light.svg">', "</picture>", "", "## Runs", "")
    yield from ("| method | settings | seconds | accuracy at the end | peak memory |", "|---|---|---|---|---|")
    for one in outcomes:
        end = f"{amount(one.points[-1].seconds)} | {one.points[-1].accuracy:.2%}" if one.points else "– | –"
        yield f"| {_bold(one.method)} | {one.settings} | {end} | {_memory([one])} |"


def report_others(outcomes: list[Outcome], about: About) -> Iterator[str]:
    """The lines of OTHER_METHODS.md."""
    ours = next(outcome.points[-1] for outcome in outcomes if outcome.method == OURS)
    yield from ("# Other methods", "", _made(about, ("scikit-learn", "lightgbm")), "", _measured(about), "")
    yield from ("| method | settings | seconds | times `fast` | accuracy | peak memory |", "|---|---|---|---|---|---|")
    for one in outcomes:
        for seconds, accuracy in one.points[-1:]:
            cells = amount(seconds), f"{seconds / ours.seconds:.1f}", f"{accuracy:.2%}", _memory([one])
            yield f"| {_bold(one.method)} | {one.settings} | {' | '.join(cells)} |"


def _made(about: About, libraries: tuple[str, ...]) -> str:
    option = "" if "torch" in libraries else " --others"
    return (
        f"digitnn-fast {__version__}, {date.today()}, {cpu_name()}, {about.threads} threads, Python "
        f"{platform.python_version()}, {versions(('numpy', 'numba', *libraries))}. By `python -m "
        f"bench.time_to_accuracy{option}`{', with runs kept from earlier' if about.kept else ', one run'}."
    )


def _measured(about: About) -> str:
    return (
        f"Seconds of the whole process, from its start and train.csv to an accuracy on the same {about.rows:,} "
        f"rows, which none of them saw (one standard error at 99.3%: {_error(0.993, about.rows):.2%}). Ours counts at "
        f"its end, with the model file written; runs below {SHORT:.0f} s are medians of {RUNS}. Each method ran with a "
        "few rows before, so Python's modules and our kernels are compiled. A rival stops after "
        f"{about.limit / 60:.0f} minutes, and then has no peak memory here. Its script is in bench/peers "
        "(`learn_*.py`)."
    )


def _error(accuracy: float, rows: int) -> float:
    return (accuracy * (1 - accuracy) / rows) ** 0.5


def _bold(name: str) -> str:
    return f"**{name}**" if name == OURS else name


def _best(outcomes: list[Outcome]) -> str:
    points = [point for outcome in outcomes for point in outcome.points]
    if not points:
        return "–"
    best = max(points, key=lambda point: (point.accuracy, -point.seconds))
    return f"{best.accuracy:.2%} in {amount(best.seconds)}"


def _memory(outcomes: list[Outcome]) -> str:
    known = [outcome.megabytes for outcome in outcomes if outcome.megabytes == outcome.megabytes]
    return f"{max(known):,.0f} MB" if known else "–"


def draw(outcomes: list[Outcome]) -> None:
    """Both charts; what is written beside ours are the recipes."""
    methods = by_method(outcomes)
    series = {name: [p for outcome in own for p in outcome.points] for name, own in methods.items()}
    own = (one for one in methods[OURS] if any(one.settings == settings_text(recipe) for recipe in RECIPES))
    marks = {one.settings.split("`")[1]: one.points[-1] for one in own}
    spans = [(level, *claimed(methods, level)[1:]) for level in CLAIMS]
    span = next(((level, ours, theirs) for level, ours, theirs in reversed(spans) if ours and theirs), None)
    for theme in accuracy_chart.THEMES:
        accuracy_chart.draw(HERE / f"time-to-accuracy-{theme}.svg", series, marks, span, theme)


def settings_text(recipe: str, epochs: int | None = None) -> str:
    """The settings of our outcome."""
    return f"`{recipe}`, {epochs or RECIPES[recipe].epochs} epochs"
