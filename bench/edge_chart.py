"""`python -m bench.edge_chart`: the table of few bytes in EDGE.md as a chart, accuracy over bytes of weights."""

from __future__ import annotations

import re

from matplotlib import rc_context
from matplotlib.figure import Figure

from bench.accuracy_chart import THEMES
from bench.measure import HERE

ROW = re.compile(r"\| (BitNetMCU, )?([^|]+?) \| \**([\d.]+)%[^|]*\| ([\d.,]+) (bytes|kB) \|")
KINDS = {"16x16": "16 × 16 pixels", "7x7x16": "7 × 7 × 16 directions", "6x5x16": "6 × 5 × 16", "5x5x12": "5 × 5 × 12"}


def points(text: str) -> dict[str, list[tuple[float, float, str]]]:
    """Bytes, accuracy in percent and hidden units, if they are told, of each kind of network in the table."""
    found: dict[str, list[tuple[float, float, str]]] = {}
    section = text.partition("\n## In few bytes")[2].partition("\n## ")[0]
    for theirs, name, accuracy, size, unit in ROW.findall(section):
        kind = ("BitNetMCU, " + name.split(",")[0]) if theirs else f"digitnn-fast, {KINDS[name.split()[0]]}"
        kind = re.sub(r"\d+-wide ", "", kind)
        units = "" if theirs else re.sub(r".*, (\d+) hidden units", r"\1 units", name)
        value = float(size.replace(",", "")) * (1000 if unit == "kB" else 1)
        found.setdefault(kind, []).append((value, float(accuracy), units))
    return found


def main() -> None:
    """Draw it, light and dark."""
    series = points((HERE / "EDGE.md").read_text(encoding="utf-8"))
    for name, theme in THEMES.items():
        colours = {"text.color": theme.text, "axes.labelcolor": theme.text, "axes.edgecolor": theme.faint}
        colours |= {"xtick.color": theme.faint, "ytick.color": theme.faint, "svg.hashsalt": "edge"}
        with rc_context(colours):
            figure = Figure(figsize=(8.6, 4.4), layout="constrained")
            axes = figure.subplots()
            theirs = iter(theme.theirs)
            for number, (kind, found) in enumerate(series.items()):
                ours = kind.startswith("digitnn")
                x, y, units = zip(*sorted(found), strict=True)
                line = {"linewidth": 2.2} if ours else {"linewidth": 1.2, "linestyle": "--"}
                axes.plot(x, y, marker="o", color=next(theirs), label=kind, **line)
                for at in zip(x, y, units, strict=True):
                    axes.annotate(at[2], at[:2], (5, 6 if number % 2 else -12), textcoords="offset points", fontsize=8)
            axes.set(xscale="log", xlabel="bytes of weights, without code", ylabel="accuracy, %")
            axes.set_xticks([1000, 2000, 4000, 8000], ["1 kB", "2 kB", "4 kB", "8 kB"], minor=False)
            axes.minorticks_off()
            axes.grid(color=theme.grid)
            axes.legend(frameon=False, fontsize=9, loc="upper left")
            figure.savefig(HERE / f"edge-{name}.svg", transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main()
