"""The page to draw on: one HTML file with the model inside, which needs neither server nor network.

`page.html` is the page, `digits.js` does what `images` and the network do, number for number.
"""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from digitnn_fast.utils import replacing

if TYPE_CHECKING:
    import os

    from digitnn_fast.network import Network

HERE = Path(__file__).parent


def page(network: Network) -> str:
    """The HTML of the page for this network."""
    arrays = {
        name: np.ascontiguousarray(array, "<f4").tobytes() for name, array in network.parameters._asdict().items()
    }
    weights = {name: base64.b64encode(content).decode() for name, content in arrays.items()}
    model = json.dumps({"preprocessing": network.preprocessing, **weights})
    about = f"Made by digitnn-fast; the network is 784-{network.hidden}-10."
    text = (HERE / "page.html").read_text(encoding="utf-8")
    script = (HERE / "digits.js").read_text(encoding="utf-8")
    for name, content in (("about", html.escape(about)), ("digits.js", script), ("model", model)):
        text = text.replace(f"/*{name}*/", content, 1)
    return text


def write_page(path: str | os.PathLike[str], network: Network) -> None:
    """Write the HTML file; an older one is replaced all at once."""
    content = page(network).encode()
    with replacing(path) as file:
        file.write(content)
