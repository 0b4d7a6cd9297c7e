"""The chart of time to accuracy: seconds to the right, mistakes downwards, both logarithmic; labels, no legend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

OURS = "digitnn-fast"
LOWEST = 0.955  # what is less accurate is left out
LEVELS = 0.96, 0.97, 0.98, 0.985, 0.99, 0.993, 0.995, 0.996, 0.997
TIMES = {1: "1 s", 3: "3 s", 10: "10 s", 30: "30 s", 60: "1 min", 180: "3 min", 600: "10 min", 1800: "30 min"}
SIZE = 8.6, 4.7  # inches: README's width
OVER_TEXT, OUTSIDE = 10_000, 1_000_000  # how much worse than to hide a point of a line
SAMPLES = 60  # of each line, which labels keep clear of

CORNERS = ("left", "bottom", 1, 1), ("right", "bottom", -1, 1), ("left", "top", 1, -1), ("right", "top", -1, -1)

Points = Iterable[Sequence[float]]  # (seconds, accuracy)


class Theme(NamedTuple):
    """Colours of a page."""

    text: str
    faint: str
    grid: str
    halo: str
    ours: str
    theirs: tuple[str, ...]


THEMES = {
    "light": Theme(
        *("#1f2328", "#59636e", "#d1d9e0", "#ffffff", "#cf222e"),
        ("#0969da", "#8250df", "#1a7f37", "#9a6700", "#bf3989", "#59636e"),
    ),
    "dark": Theme(
        *("#f0f6fc", "#9198a1", "#30363d", "#0d1117", "#ff7b72"),
        ("#58a6ff", "#bc8cff", "#3fb950", "#d29922", "#f778ba", "#9198a1"),
    ),
}


def draw(
    path: Path,
    series: Mapping[str, Points],
    marks: Mapping[str, Sequence[float]],
    span: tuple[float, float, float] | None,
    theme: str,
) -> None:
    """Each series as the line of its best, all its points faint; ours thick, with a name at each of `marks`.

    `span` is an accuracy, our seconds to it and the CNN's: an arrow with their ratio. Letters are drawn as paths, which
    look the same everywhere, and no date is written, so that the file changes only with its numbers.
    """
    with rc_context({"svg.hashsalt": "digitnn-fast", "svg.fonttype": "path", "font.size": 10.5}):
        figure = Figure(SIZE, layout="constrained")
        _draw(figure.subplots(), series, marks, span, THEMES[theme])
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def best(points: Points) -> list[tuple[float, float]]:
    """Those before which none was as accurate: (seconds, mistakes), in order."""
    front: list[tuple[float, float]] = []
    for seconds, accuracy in sorted((p[0], p[1]) for p in points if p[1] >= LOWEST):
        if not front or 1 - accuracy < front[-1][1]:
            front.append((seconds, 1 - accuracy))
    return front


def _draw(
    axes: Axes,
    series: Mapping[str, Points],
    marks: Mapping[str, Sequence[float]],
    span: tuple[float, float, float] | None,
    theme: Theme,
) -> None:
    colours, lines = iter(theme.theirs), {}
    for name, points in series.items():
        own, points = name == OURS, list(points)
        colour = theme.ours if own else next(colours)
        shown = np.array([(p[0], 1 - p[1]) for p in points if p[1] >= LOWEST]).reshape(-1, 2)
        front = best(points)
        if not front:
            continue
        axes.plot(*shown.T, "o", color=colour, markersize=3, alpha=0.4, markeredgewidth=0)
        style = {"linewidth": 3, "markersize": 7, "zorder": 4} if own else {"linewidth": 1.6, "markersize": 4.5}
        ends = slice(None) if own else [-1]
        axes.plot(*zip(*front, strict=True), "-o", color=colour, markevery=ends, **style)
        lines[name] = (front, colour)
    _scales(axes, [point for front, _ in lines.values() for point in front], theme)
    if span:
        _arrow(axes, span, theme)
    _labels(axes, lines, marks, theme, span)


def _scales(axes: Axes, points: list[tuple[float, float]], theme: Theme) -> None:
    seconds, mistakes = np.array(points).T
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(list(TIMES), list(TIMES.values()), minor=False)
    axes.set_yticks([1 - level for level in LEVELS], [f"{level:.1%}".replace(".0%", "%") for level in LEVELS])
    axes.set_xlim(seconds.min() / 1.5, seconds.max() * 2.6)
    axes.set_ylim(1 - LOWEST, mistakes.min() / 1.5)
    axes.minorticks_off()
    axes.grid(color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=theme.faint)
    axes.spines[:].set_visible(False)
    axes.set_title(
        "Accuracy on digits never seen, by seconds of the whole process from train.csv",
        fontdict={"color": theme.text, "fontsize": 11.5},
        loc="left",
        pad=12,
    )


def _arrow(axes: Axes, span: tuple[float, float, float], theme: Theme) -> None:
    accuracy, ours, theirs = span
    style = {"arrowstyle": "<->", "color": theme.text, "linewidth": 1.2, "shrinkA": 5, "shrinkB": 5}
    axes.annotate("", (ours, 1 - accuracy), (theirs, 1 - accuracy), arrowprops=style, zorder=3)


def _labels(
    axes: Axes,
    lines: Mapping[str, tuple[list[tuple[float, float]], str]],
    marks: Mapping[str, Sequence[float]],
    theme: Theme,
    span: tuple[float, float, float] | None,
) -> None:
    """Each beside its point, at the first place where it hides nothing."""
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()  # places the axes
    taken = [(_around(point), 1) for front, _ in lines.values() for point in _along(axes, front)]
    wanted = [(name, (p[0], 1 - p[1]), theme.ours, "bold") for name, p in marks.items()]
    if span:
        middle = (span[1] * span[2]) ** 0.5
        wanted.append((f"{span[2] / span[1]:.0f}× faster to {span[0]:.1%}", (middle, 1 - span[0]), theme.text, "bold"))
        ends = [(span[1], 1 - span[0]), (span[2], 1 - span[0])]
        taken += [(_around(point), 1) for point in _along(axes, ends)]
    wanted += [
        (name, front[0 if name == OURS else -1], c, "bold" if name == OURS else "normal")
        for name, (front, c) in lines.items()
    ]
    for text, point, colour, weight in wanted:
        taken.append((_place(axes, text, point, taken, color=colour, fontweight=weight), OVER_TEXT))


def _along(axes: Axes, front: list[tuple[float, float]]) -> Iterator[np.ndarray]:
    """Points of the line on the page, which is straight there."""
    corners = axes.transData.transform(front)
    for start, end in pairwise(corners):
        yield from np.linspace(start, end, SAMPLES)
    yield corners[-1]


def _around(point: np.ndarray) -> Bbox:
    return Bbox.from_extents(*(point - 3), *(point + 3))


def _place(axes: Axes, text: str, point: tuple[float, float], taken: list[tuple[Bbox, int]], **style: str) -> Bbox:
    places = [
        ("center", "bottom", 0, 8),
        ("left", "center", 10, 0),
        ("center", "top", 0, -8),
        ("right", "center", -10, 0),
    ]
    places += [(across, up, x * far, y * far) for far in (6, 16, 28) for across, up, x, y in CORNERS]
    inside, fewest, chosen = axes.get_window_extent(), None, None
    for across, up, x, y in places:
        options = {"ha": across, "va": up, "xytext": (x, y), "textcoords": "offset points"}
        label = axes.annotate(text, point, zorder=5, **options, **style)
        box = label.get_window_extent()
        hidden = sum(weight for other, weight in taken if box.overlaps(other)) + OUTSIDE * (not _within(box, inside))
        if fewest is not None and hidden >= fewest:
            label.remove()
            continue
        if chosen is not None:
            chosen.remove()
        fewest, chosen = hidden, label
    assert chosen is not None
    return chosen.get_window_extent()


def _within(box: Bbox, frame: Bbox) -> bool:
    return box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1
