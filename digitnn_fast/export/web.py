"""The network in a browser: the page to draw on, and ES modules with types.

`digits.mjs` is the network in float32, `digits-int8.mjs` the quantised one, a quarter as long. The weights are inside
as Base64: a binary file beside would need a server and a wait, and would get lost. They also do the preprocessing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from digitnn_fast.export.programs import ToolError, run_tool, scratch_folder
from digitnn_fast.export.ways import (
    Answers,
    Bytes,
    Exporter,
    Fact,
    Options,
    SelfTestError,
    Way,
    float_answers,
    integer_answers,
)
from digitnn_fast.network import Network
from digitnn_fast.page import module, write_page
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.sizes import CLASSES

SCRIPT = """
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const [path, folder] = process.argv.slice(1), digits = await import(pathToFileURL(path));
const images = new Uint8Array(readFileSync(`${folder}/images`));
for (const name of ["predict", "probabilities", "logits"]) writeFileSync(`${folder}/${name}`, digits[name](images));
"""


def write(network: Network, folder: Path, options: Options) -> Iterable[Fact]:
    """Write the page, and a module with its types for each precision.

    The page is `index.html`, so that any static host serves the folder as it is.
    """
    write_page(folder / "index.html", network)
    for name, parts in (("digits", None), ("digits-int8", quantize(network.parameters))):
        for ending, text in module(network, parts).items():
            (folder / f"{name}.{ending}").write_text(text, encoding="utf-8", newline="\n")
    return []


def ways(network: Network, folder: Path, options: Options) -> Iterable[Way]:
    """Both modules in node."""
    node = shutil.which("node")
    missing = "" if node else "there is no node here"
    found: tuple[tuple[str, str, Callable[[Network, Bytes], Answers]], ...] = (
        ("float32", "digits.mjs", float_answers),
        ("int8", "digits-int8.mjs", integer_answers),
    )
    for precision, name, wanted in found:
        run = partial(answers_in_node, node, folder / name, precision == "int8") if node else None
        yield Way(f"JavaScript {precision}", wanted, run, missing)


def answers_in_node(node: str, path: Path, quantised: bool, images: Bytes) -> Answers:
    """The module's answers, in node; SelfTestError if there are none."""
    sizes = {"predict": 1, "probabilities": 4 * CLASSES, **({"logits": 4 * CLASSES} if quantised else {})}
    with scratch_folder() as scratch:
        (scratch / "images").write_bytes(np.ascontiguousarray(images).data)
        try:
            run_tool([node, "--input-type=module", "--eval", SCRIPT, path, scratch])
            answers = {name: (scratch / name).read_bytes() for name in sizes}
        except ToolError as error:
            raise SelfTestError(f"{path.name} does not run in node: {error.words or error}") from error
        except FileNotFoundError as error:
            raise SelfTestError(f"{path.name} does not run in node: it ended well and wrote nothing") from error
    if wrong := [name for name, size in sizes.items() if len(answers[name]) != size * len(images)]:
        raise SelfTestError(f"{path.name} in node gave {len(answers[wrong[0]]):,} bytes of {wrong[0]}")
    labels: Bytes = np.frombuffer(answers["predict"], np.uint8)
    probabilities = np.frombuffer(answers["probabilities"], np.float32).reshape(-1, CLASSES)
    integers = np.frombuffer(answers["logits"], np.int32).reshape(-1, CLASSES) if quantised else None
    return Answers(labels, probabilities, integers)


EXPORTER = Exporter("web", "a page to draw on, and ES modules with TypeScript types", Options, write, ways)
