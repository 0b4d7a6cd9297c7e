"""`python -m bench [--data FOLDER] [--only WORD | --table FILE]`: everything that is said about speed, measured.

Every result is checked before a time is printed; ours and its rivals take turns, and medians are compared.
Writes bench/RESULTS.md with its charts; with --only, which takes the cases whose name holds the word, it only prints;
with --table, as for another processor, it writes the table alone to that file.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from bench import charts, files, inference, node, page, training
from bench.data import add_data_option
from bench.measure import HERE, World, amount, machine, process, versions
from digitnn_fast import __version__

CASES = (*inference.CASES, *node.CASES, *page.CASES, *training.CASES, *files.CASES)
LIBRARIES = (
    *("numpy", "numba", "pandas", "polars", "onnxruntime", "openvino", "jax", "scikit-learn", "torch"),
    "opencv-python-headless",
)


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure digitnn-fast against its rivals.")
    add_data_option(parser)
    parser.add_argument("--only", metavar="WORD", default="", help="only the cases whose name holds this word")
    parser.add_argument("--table", metavar="FILE", type=Path, help="write the table alone, to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World(arguments.data, Path(folder))
        table = []
        for line in _table(world, arguments.only):
            print(line, flush=True)
            table.append(line)
        if arguments.only:
            return
        text = [_about(), "", *table, *([] if arguments.table else ["", *_sections(world)])]
    report = arguments.table or HERE / "RESULTS.md"
    report.write_text("\n".join(["# Results", "", *text, ""]))


def _about() -> str:
    return (
        f"digitnn-fast {__version__}, {date.today()}, {machine()}, Python "
        f"{platform.python_version()}, {versions(LIBRARIES)}. One run of `python -m bench`: a ratio is the median "
        "of turns in which both ran, with the interval that holds it with 90%; times are medians with their quartiles. "
        "Each rival has its best batch size, its threads set, and what helps it (see bench/peers). Where the interval "
        "is too wide, no ratio is shown. How fast the machine is: `python -c 'import numpy'` takes "
        f"{amount(statistics.median(process([sys.executable, '-c', 'import numpy']).seconds for _ in range(5)))}."
    )


def _table(world: World, word: str) -> Iterator[str]:
    yield "| what | at least | aim | measured | times |"
    yield "|---|---|---|---|---|"
    for name, least, aim, measure in CASES:
        if word in name:
            figure, detail = measure(world)
            yield f"| {name} | {least or '–'} | {aim or '–'} | **{figure}** | {detail} |"


def _sections(world: World) -> Iterator[str]:
    yield from ("## By batch size", "", "Images per second, in thousands.", "")
    series = inference.batch_sizes(world)
    yield "| images per call | " + " | ".join(f"{size:,}" for size in inference.BATCHES) + " |"
    yield "|---|" + "---|" * len(inference.BATCHES)
    for name, points in series.items():
        yield f"| {name} | " + " | ".join(f"{points[size] / 1000:,.0f}" for size in inference.BATCHES) + " |"
    for threads in sorted({name.rpartition(", ")[2] for name in series}):
        chart = HERE / f"throughput-{threads.replace(' ', '-')}.svg"
        charts.throughput(chart, {n.rpartition(", ")[0]: p for n, p in series.items() if n.endswith(threads)}, threads)
        yield from ("", f"![Images per second by batch size, {threads}]({chart.name})")
    grown = {**files.growth(world), **training.growth(world)}
    charts.growth(HERE / "growth.svg", grown)
    yield from ("", "## As the work grows", "", "![Seconds as the work grows](growth.svg)", "")
    yield from ("| what grows | seconds |", "|---|---|")
    for name, points in grown.items():
        yield f"| {name} | {', '.join(f'{size:,}: {amount(seconds)}' for size, seconds in points.items())} |"


if __name__ == "__main__":
    main()
