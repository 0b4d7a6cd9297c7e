"""The network as WebAssembly, from the C for microcontrollers, inside an ES module with types.

Its innermost loops are other ones, which become vectors. clang and its linker make it, without a libc. The integers are
those of every other int8 way.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from shutil import which

from digitnn_fast.export.c.source import HERE, Integers, sources
from digitnn_fast.export.programs import run_tool, scratch_folder
from digitnn_fast.export.ways import Exporter, Fact, Options, Way, integer_answers
from digitnn_fast.export.web import answers_in_node
from digitnn_fast.network import Network
from digitnn_fast.page import wasm_module
from digitnn_fast.reference.quantization import quantize

TOOLS = "clang", "wasm-ld"  # Debian: clang and lld
FLAGS = (
    "--target=wasm32",
    "-O3",
    "-msimd128",
    "-fno-math-errno",
    "-std=c99",
    "-nostdlib",
    "-ffreestanding",
    "-Wl,--no-entry,--strip-all",
)
NAME = "digits-wasm"


def write(network: Network, folder: Path, options: Options) -> Iterable[Fact]:
    """Write the module and its types; ValueError without the tools."""
    if absent := [tool for tool in TOOLS if not which(tool)]:
        raise ValueError(f"--to wasm needs {' and '.join(TOOLS)}; there is no {' and no '.join(absent)} here")
    integers = Integers(quantize(network.parameters), 8, network.preprocessing)
    code = _compiled(integers)
    for ending, text in wasm_module(network, code, integers.quantized.scale).items():
        (folder / f"{NAME}.{ending}").write_text(text, encoding="utf-8", newline="\n")
    yield "WebAssembly", f"{len(code):,} bytes, before Base64"


def _compiled(integers: Integers) -> bytes:
    stack = 2**16 + 16 * len(integers.quantized.b1)  # all hidden units lie there, in 4 bytes
    with scratch_folder() as scratch:
        for name, text in sources(integers, wide=True).items():
            (scratch / name).write_text(text, encoding="utf-8")
        files = [scratch / "digits.c", HERE / "wasm.c"]
        run_tool(["clang", *FLAGS, f"-Wl,-z,stack-size={stack}", "-I", scratch, "-o", scratch / "digits.wasm", *files])
        return (scratch / "digits.wasm").read_bytes()


def ways(network: Network, folder: Path, options: Options) -> Iterable[Way]:
    """The module in node."""
    node = which("node")
    run = partial(answers_in_node, node, folder / f"{NAME}.mjs", True) if node else None
    yield Way("WebAssembly", integer_answers, run, "" if node else "there is no node here")


EXPORTER = Exporter("wasm", "an ES module of WebAssembly, made by clang from the C", Options, write, ways)
