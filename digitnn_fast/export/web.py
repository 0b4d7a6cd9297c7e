"""The network in a browser: the page to draw on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from digitnn_fast.export._ways import Exporter, Fact, Options, Way
from digitnn_fast.network import Network
from digitnn_fast.page import write_page


def write(network: Network, folder: Path, options: Options) -> Iterable[Fact]:
    """Write the page to draw on."""
    write_page(folder / "draw.html", network)
    return []


def ways(network: Network, folder: Path, options: Options) -> Iterable[Way]:
    """Not yet."""
    return []


EXPORTER = Exporter("web", "a page to draw on", Options, write, ways)
