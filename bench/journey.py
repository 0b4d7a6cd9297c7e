"""`python -m bench.journey [--image INDEX]`: one digit on its way through the network, as a picture for the README.

Draws bench/journey-light.svg and bench/journey-dark.svg: the pixels, the digit upright, its edges, the hidden units and
the answer of the bundled model `small`, all computed from one of the built-in test images.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np

from bench.charts import OURS, plt
from bench.measure import HERE
from digitnn_fast import Predictor, reference
from digitnn_fast.preprocessing import prepare
from digitnn_fast.preprocessing.table import discs
from digitnn_fast.sample import load_sample

IMAGE = 175  # of the built-in test images: a slanted digit


class Theme(NamedTuple):
    """Colours of one version."""

    text: str
    faint: str
    paper: str
    ink: str


THEMES = {
    "light": Theme("#1f2328", "#8b949e", "#ffffff", "#1f2328"),
    "dark": Theme("#e6edf3", "#7d8590", "#161b22", "#e6edf3"),
}


def main() -> None:
    """Draw both versions."""
    parser = argparse.ArgumentParser(prog="python -m bench.journey", description="Draw one digit's way.")
    parser.add_argument("--image", type=int, default=IMAGE, metavar="INDEX", help="of the built-in test images")
    index = parser.parse_args().image
    for name, theme in THEMES.items():
        draw(load_sample().test_images[index : index + 1], theme, f"journey-{name}.svg")


def draw(images: Any, theme: Theme, name: str) -> None:
    """One version, of images (1, 784)."""
    predictor = Predictor.load("small")
    upright, edges = prepare(images, "deskewed"), prepare(images, "directions")
    activations = reference.forward(predictor.network.parameters, edges)
    hidden, probabilities = activations.hidden[0], predictor.predict_proba(images)[0]
    digit = int(probabilities.argmax())
    places = discs(19)
    disc = np.where(places < 0, 0, edges[0][places])

    figure, panels = plt.subplots(1, 5, figsize=(10, 2.35), width_ratios=[1, 1, 1, 1, 0.9])
    figure.subplots_adjust(left=0.005, right=0.965, top=0.83, bottom=0.13, wspace=0.22)
    shades = plt.matplotlib.colors.LinearSegmentedColormap.from_list("ink", [theme.paper, theme.ink])
    glow = plt.matplotlib.colors.LinearSegmentedColormap.from_list("glow", [theme.paper, OURS[1], OURS[0]])
    pictures = (
        (images.reshape(28, 28), shades),
        (upright.reshape(28, 28), shades),
        (disc, shades),
        (hidden.reshape(8, 8), glow),
    )
    for axes, (picture, colours) in zip(panels, pictures, strict=False):
        axes.imshow(picture, cmap=colours, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color=theme.faint, linewidth=0.6)
    bars = panels[4]
    bars.barh(range(10), probabilities, color=[OURS[0] if k == digit else theme.faint for k in range(10)], height=0.7)
    bars.set(xlim=(0, 1), ylim=(9.6, -0.6), xticks=[], yticks=range(10))
    bars.tick_params(length=0, labelcolor=theme.text, labelsize=8)
    bars.spines[:].set_visible(False)
    left, bottom, width, height = bars.get_position().bounds
    bars.set_position((left + 0.03, bottom, width - 0.03, height))  # room for the arrow

    inked, strong, awake = np.count_nonzero(images), np.count_nonzero(edges), np.count_nonzero(hidden > 0)
    texts = (
        ("the image", f"{inked} of 784 pixels are ink"),
        ("upright", "slant out, centred"),
        ("its edges", f"{strong} of 784 values are not 0"),
        ("64 hidden units", f"{awake} are awake"),
        (
            f"a {digit}",
            f"{probabilities[digit]:.2%} sure" if probabilities[digit] < 0.9999 else "more than 99.99% sure",
        ),
    )
    for number, (axes, (title, below)) in enumerate(zip(panels, texts, strict=True)):
        axes.set_title(title, color=theme.text, fontsize=10, fontweight="bold", pad=5)
        axes.text(0.5, -0.05, below, transform=axes.transAxes, ha="center", va="top", color=theme.faint, fontsize=8)
        if number:
            axes.text(
                -0.11 if number < 4 else -0.31,
                0.5,
                "→",
                transform=axes.transAxes,
                ha="center",
                va="center",
                color=theme.faint,
                fontsize=15,
            )
    figure.savefig(HERE / name, metadata={"Date": None}, transparent=True)
    plt.close(figure)


if __name__ == "__main__":
    main()
