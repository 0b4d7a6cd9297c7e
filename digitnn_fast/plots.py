"""Pictures of a network and of how good it is, by matplotlib, which the extra `plots` installs.

Each function draws one matplotlib Figure; `write_figures` and `write_report` put them into files.
"""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.evaluation import reliability as reliability_of
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.sizes import CLASSES
from digitnn_fast.utils import get_predictions
from digitnn_fast.writing import check_output, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from digitnn_fast.evaluation import Evaluation
    from digitnn_fast.network import Network, TrainingRecord

    Floats = NDArray[np.floating]
    Bytes = NDArray[np.uint8]

ENDINGS = (".png", ".svg", ".pdf")
WORST, SHEET = 40, 400  # mistakes that are shown among other figures, and on a sheet of their own
ACROSS, ACROSS_A_PHONE = 10, 5  # mistakes in a row, of an inch each
DPI = 110


def check_plots(paths: Sequence[str | None], others: Sequence[str | None], endings: tuple[str, ...] = ENDINGS) -> None:
    """ValueError or OSError, before minutes of work, if a plot can't be drawn or can't be written there.

    The names must end as plots do; `others` are files that must not be replaced.
    """
    wanted = [path for path in paths if path is not None]
    for number, path in enumerate(wanted):
        _check_plot(path, endings)
        check_output(path, [*others, *wanted[:number]], device=False)


def _check_plot(path: str, endings: tuple[str, ...]) -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ValueError("plots need matplotlib: pip install 'digitnn-fast[plots]'") from error
    if os.path.splitext(path)[1].lower() not in endings:  # `.png` alone is a name without an ending
        raise ValueError(f"{path or 'an empty name'}: the name must end with {' or '.join(endings)}")


def _figure(width: float, height: float) -> Figure:
    """A figure that is not pyplot's, which would keep it in memory and may want a screen."""
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=DPI, layout="constrained")


def curves(record: TrainingRecord, stacked: bool = False) -> Figure:
    """Loss and accuracy over time, of training and of held-out rows, beside each other or, for a phone, stacked."""
    figure = _figure(4.6, 6.6) if stacked else _figure(10, 3.8)
    loss, accuracy = figure.subplots(2, 1) if stacked else figure.subplots(1, 2)
    epochs = np.arange(1, len(record.history) + 1)
    marker = "o" if len(epochs) == 1 else ""
    heldout = "held-out rows" if record.heldout_rows else "held-out rows, by the network that had not seen them"
    for column, axes in ((0, loss), (1, accuracy)):
        training = "training (distorted images, weights in motion)"
        axes.plot(epochs, record.history[:, column], marker=marker, label=training)
        if record.heldout_rows or record.estimated_rows:
            axes.plot(epochs, record.history[:, 2 + column], marker=marker, label=heldout)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    loss.set(title="Cross-entropy in nats", yscale="log")
    accuracy.set_title("Accuracy")
    loss.legend(fontsize=8)
    return figure


def confusion(evaluation: Evaluation) -> Figure:
    """The confusion matrix: true digits in rows, answers in columns; colours show the mistakes."""
    figure = _figure(5.6, 5.2)
    axes = figure.subplots()
    counts = evaluation.confusion
    wrong = np.where(np.eye(CLASSES, dtype=bool), 0, counts)
    axes.imshow(wrong, cmap="Reds", vmax=max(1, 1.5 * wrong.max()))
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            weight = "bold" if row == column else "normal"
            axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=8, fontweight=weight)
    digits = range(CLASSES)
    axes.set(xticks=digits, yticks=digits, xlabel="taken for", ylabel="true digit", title="Confusion matrix")
    return figure


def mistakes(images: Bytes, labels: Bytes, probabilities: Floats, most: int = WORST, across: int = ACROSS) -> Figure:
    """The images (n, 784) that were taken for another digit with most confidence: true digit, answer, confidence."""
    answers = get_predictions(probabilities)
    wrong = np.flatnonzero(answers != labels)
    confidence = probabilities[wrong, answers[wrong]]
    worst = wrong[np.argsort(-confidence, kind="stable")[:most]]
    figure = _figure(across, 1.4 * max(1, -(-len(worst) // across)) + 0.4)
    what = "The worst of " if len(worst) < len(wrong) else ""
    figure.suptitle(f"{what}{len(wrong):,} mistakes" if len(wrong) else "No mistakes")
    for axes, index in zip(_tiles(figure, len(worst), across), worst, strict=True):
        axes.imshow(images[index].reshape(28, 28), cmap="gray_r")
        axes.set_title(f"{labels[index]} as {answers[index]}, {probabilities[index, answers[index]]:.0%}", fontsize=9)
    return figure


def hidden_units(network: Network) -> Figure:
    """The weights of hidden units, columns of W1 (784, H), as pictures: red for positive, blue for negative.

    Weights of pixels are where the pixels are; those of directions make a disc of 16 sectors for each of 7 by 7 cells.
    """
    weights, shows = np.asarray(network.W1), PREPROCESSINGS[network.preprocessing].units
    (_, red, units, across), places = shows, shows.places
    strongest = np.sort(np.argsort(-np.abs(weights).sum(axis=0), kind="stable")[:units])
    figure = _figure(10, 9.5 / across * -(-len(strongest) // across) + 0.9)
    shown = "the hidden units" if len(strongest) == network.hidden else f"{units} of {network.hidden:,} hidden units"
    figure.suptitle(f"What {shown} look for:\n{red}", fontsize=20)  # a phone shows it at a third
    for axes, unit in zip(_tiles(figure, len(strongest), across), strongest, strict=True):
        limit = float(np.abs(weights[:, unit]).max()) or 1.0
        picture = np.ma.masked_where(places < 0, weights[places, unit])
        axes.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)
    return figure


def reliability(labels: Bytes, probabilities: Floats) -> Figure:
    """How often answers were right against how sure they were: a reliable network lies on the diagonal.

    The expected calibration error is the mean distance, weighted by images (Guo et al. 2017).
    """
    found = reliability_of(labels, probabilities)
    counts, confidence, accuracy = found
    figure = _figure(5.6, 5.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.plot(confidence, accuracy, marker="o")
    for x, y, count in zip(confidence, accuracy, counts, strict=True):
        axes.annotate(f"{count:,}", (x, y), textcoords="offset points", xytext=(6, -10), fontsize=8)
    axes.set(xlabel="confidence of the answer", ylabel="share that is right", xlim=(0, 1.05), ylim=(0, 1.05))
    axes.set_title(f"Reliability (expected calibration error {found.error:.2%})")
    return figure


def _tiles(figure: Figure, count: int, across: int) -> list[Axes]:
    """That many axes without ticks, so many in a row."""
    rows = max(1, -(-count // across))
    grid = figure.subplots(rows, across, squeeze=False).ravel().tolist()
    for axes in grid:
        axes.axis("off")
    return list(grid[:count])


def write_figures(path: str | os.PathLike[str], figures: Sequence[Figure]) -> None:
    """Write a PDF with a page for each figure, or a PNG or SVG with all of them below each other."""
    kind = os.path.splitext(os.fspath(path))[1][1:].lower()
    with replacing(path) as file:
        if kind == "pdf":
            from matplotlib.backends.backend_pdf import PdfPages

            with PdfPages(file) as pages:
                for figure in figures:
                    pages.savefig(figure)
        elif len(figures) == 1:
            figures[0].savefig(file, format=kind)
        else:
            _stacked(figures).savefig(file, format=kind)


def _stacked(figures: Sequence[Figure]) -> Figure:
    """One figure that shows the others as pictures below each other."""
    pictures = [_pixels(figure) for figure in figures]
    heights = [picture.shape[0] / picture.shape[1] for picture in pictures]
    whole = _figure(10, 10 * sum(heights))
    grid = whole.subplots(len(pictures), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, picture in zip(grid.ravel().tolist(), pictures, strict=True):
        axes.imshow(picture)
        axes.axis("off")
    return whole


def _pixels(figure: Figure) -> Bytes:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(_png(figure))).convert("RGB"))


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def write_report(
    path: str | os.PathLike[str], title: str, facts: Iterable[tuple[str, str]], figures: dict[str, Figure]
) -> None:
    """Write one HTML page with everything inside: a table of facts, then the figures with their names.

    A fact that is called WARNING is shown in red.
    """
    rows = "".join(
        f"<tr{' class=warning' if name == 'WARNING' else ''}>"
        f"<th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>\n"
        for name, value in facts
    )
    pictures = "".join(
        f'<section><h2>{html.escape(name)}</h2>\n<img alt="{html.escape(name)}" '
        f'src="data:image/png;base64,{base64.b64encode(_png(figure)).decode()}"></section>\n'
        for name, figure in figures.items()
    )
    page = REPORT.format(title=html.escape(title), rows=rows, pictures=pictures)
    with replacing(path) as file:
        file.write(page.encode(errors="backslashreplace"))  # a file's name may hold any byte


REPORT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ margin: 0 auto; max-width: 64rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }}
  th {{ text-align: left; vertical-align: top; padding-right: 1rem; white-space: nowrap; }}
  td {{ overflow-wrap: anywhere; }}
  .warning {{ color: light-dark(#b00020, #ff8a80); }}
  main {{ columns: 29rem; column-gap: 2rem; }}
  section {{ break-inside: avoid; }}
  h2 {{ margin-top: 0; padding-top: 1rem; }}
  img {{ max-width: 100%; border-radius: .5rem; }}
  @media (prefers-color-scheme: dark) {{
    img {{ filter: invert(.93) hue-rotate(180deg); }}  /* dark paper, while red stays red and blue blue */
  }}
  @media (max-width: 30rem) {{
    th, td {{ display: block; }}
    td {{ padding-bottom: .5rem; }}
  }}
</style>
</head>
<body>
<h1>{title}</h1>
<table>
{rows}</table>
<main>
{pictures}</main>
</body>
</html>
"""
