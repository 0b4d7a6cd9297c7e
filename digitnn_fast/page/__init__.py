"""The network in JavaScript, and the page to draw on: files with the model inside, for use without a connection.

`network.js` is the network, number for number as in Python. `page.html` is the page, for which `digits.js`, `parts.js`,
`lines.js`, `shadows.js`, `polarity.js`, `close.js` and `fit.js` do what `images` does; `strokes.js` reads what is drawn
on it, and `pictures.js` opens files. `module.mjs` turns the network into an ES module, `wasm.mjs` its machine code;
`module.d.mts` has their types.
"""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from digitnn_fast.home import HOME
from digitnn_fast.network import compact
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.utils import Parameters
from digitnn_fast.writing import replacing

if TYPE_CHECKING:
    import os

    from digitnn_fast.network import Network
    from digitnn_fast.reference.quantization import QuantizedParameters

HERE, WEIGHTS = HOME / "page", HOME / "images" / "polarity.json"
SCRIPTS = (
    "network.js",
    "digits.js",
    "parts.js",
    "lines.js",
    "shadows.js",
    "polarity.js",
    "close.js",
    "fit.js",
    "strokes.js",
    "pictures.js",
    "check.js",
)
VIEWS = {
    "f2": "Float16",
    "f4": "Float32",
    "i1": "Int8",
    "i2": "Int16",
    "i4": "Int32",
}  # as JavaScript calls these numbers


def page(network: Network) -> str:
    """The HTML of the page for this network."""
    about = f"Made by digitnn-fast; the network is 784-{network.hidden}-10."
    model = model_text(network.parameters, preprocessing=network.preprocessing)
    marks = {"preprocessing": _script(network.preprocessing), "about": html.escape(about), "model": model}
    return _filled("page.html", marks)


def module(network: Network, quantized: QuantizedParameters | None = None) -> dict[str, str]:
    """The endings and texts of an ES module and its TypeScript types, for the network or its quantised parameters."""
    facts: dict[str, str | float] = {"preprocessing": network.preprocessing}
    facts |= {"shift": quantized.shift, "scale": quantized.scale} if quantized else {}
    precision = "int8" if quantized else "float32"
    marks = {
        "preprocessing": _script(network.preprocessing),
        "about": f"Made by digitnn-fast; the network is 784-{network.hidden}-10, in {precision}.",
        "model": model_text(quantized or network.parameters, **facts),
        "logits": "Int32Array" if quantized else "Float64Array",
    }
    return {ending: _filled(f"module.{ending}", marks) for ending in ("mjs", "d.mts")}


def wasm_module(network: Network, code: bytes, scale: float) -> dict[str, str]:
    """The endings and texts of an ES module around WebAssembly `code`, and its types; `scale` is its logits'."""
    marks = {
        "about": f"Made by digitnn-fast; the network is 784-{network.hidden}-10, in int8.",
        "wasm": base64.b64encode(code).decode(),
        "scale": repr(float(scale)),
    }
    types = _filled("module.d.mts", {"logits": "Int32Array"})
    canvas, preprocess = types.index("/** What `CanvasRendering"), types.index("/** The digits of n images")
    return {"mjs": _filled("wasm.mjs", marks), "d.mts": types[:canvas] + types[preprocess:]}


def write_page(path: str | os.PathLike[str], network: Network) -> None:
    """Write the HTML file; an older one is replaced all at once."""
    content = page(network).encode()
    with replacing(path) as file:
        file.write(content)


def model_text(parameters: Parameters | QuantizedParameters, **others: str | float) -> str:
    """A model as network.js decodes it, in JSON: the four arrays as Base64, their kinds, and all the rest.

    The arrays are float16 where that loses nothing, which makes the page of `accurate` half as long. int8 would halve
    it again, but the page would say other probabilities than `image`, by up to 0.02, and now and then another digit.
    """
    shorter = compact(parameters) if isinstance(parameters, Parameters) else parameters
    arrays: dict[str, Any] = {name: getattr(shorter, name) for name in Parameters._fields}
    kinds = {name: VIEWS[array.dtype.str[1:]] for name, array in arrays.items()}
    little = {name: np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for name, array in arrays.items()}
    weights = {name: base64.b64encode(array.tobytes()).decode() for name, array in little.items()}
    return json.dumps({**others, "kinds": kinds, **weights})


def _script(preprocessing: str) -> str:
    """The functions of a preprocessing, and a table with the two that are its picture and its view."""
    row = PREPROCESSINGS[preprocessing]
    known = [(step.javascript.stem.upper(), dict(step.constants)) for step in row.steps if step.constants]
    constants = "".join(f"const {name} = {json.dumps(values)};\n" for name, values in known)
    texts = (_without_comments(step.javascript.read_text(encoding="utf-8")) for step in row.steps)
    functions = constants + "\n".join(texts)
    picture, view = (step.javascript.stem if step else "same" for step in (row.picture, row.view))
    return (
        f"{functions}\n// The picture that it makes of pixels (784,), and what the network sees of that picture.\n"
        f"const same = (pixels) => pixels;\nconst PREPROCESSINGS = {{ {preprocessing}: [{picture}, {view}] }};\n"
    )


def _filled(name: str, texts: dict[str, str]) -> str:
    """A template with each `/*name*/` replaced, also by the file of that name."""
    text = _text(name)
    scripts = {script: _without_comments(_text(script)) for script in SCRIPTS}
    weights = {WEIGHTS.name: WEIGHTS.read_text(encoding="utf-8").strip()}
    for mark, content in {**scripts, **weights, **texts}.items():
        text = text.replace(f"/*{mark}*/", content)
    return text


def _without_comments(script: str) -> str:
    """A script without the lines that explain it: they are for who changes it, and a twentieth of its length."""
    return "".join(line for line in script.splitlines(keepends=True) if not line.lstrip().startswith("//"))


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
