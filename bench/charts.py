"""The charts of the results, as SVG files without dates, so that they change only with their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt  # after the choice of where to draw

mpl.rcParams.update({"svg.hashsalt": "digitnn-fast", "svg.fonttype": "none", "font.size": 9})
OURS = "#b3261e", "#e8710a"
THEIRS = "#1a73e8", "#188038", "#6f42c1", "#5f6368", "#12a4af", "#c5b000", "#8d6e63"


def throughput(path: Path, series: Mapping[str, Mapping[int, float]], title: str) -> None:
    """Images per second over the batch size, both axes logarithmic; our lines are thick."""
    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    ours, theirs = cycle(OURS), cycle(THEIRS)
    for name, points in series.items():
        own = name.startswith("digitnn-fast")
        style = {"color": next(ours), "linewidth": 2.5} if own else {"color": next(theirs), "linewidth": 1.2}
        axes.plot(list(points), list(points.values()), marker="o", markersize=3, label=name, **style)
    axes.set(xscale="log", yscale="log", xlabel="images per call", ylabel="images per second", title=title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def growth(path: Path, series: Mapping[str, Mapping[int, float]]) -> None:
    """A panel for each thing that grows: seconds over how much of it there is, beside a line of the same slope."""
    figure, panels = plt.subplots(1, len(series), figsize=(2.6 * len(series), 2.6), layout="constrained")
    for axes, (name, points) in zip(panels, series.items(), strict=True):
        what, _, title = name.partition(": ")
        sizes, seconds = list(points), list(points.values())
        axes.plot(sizes, seconds, color=OURS[0], marker="o", markersize=3)
        power = -1 if what == "threads" else 1
        axes.plot(sizes, [seconds[0] * (size / sizes[0]) ** power for size in sizes], color="#9aa0a6", linewidth=0.8)
        axes.set(xscale="log", yscale="log", xlabel=what, ylabel="seconds", title=title)
        axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
