"""`python -m bench.counts [--data FOLDER] [--mca PROGRAM]`: what bounds the networks' innermost loops, counted.

Kernels are compiled for each of the processors, whichever is here. The loop that visits what is not zero of an image
is given to llvm-mca, which has LLVM's model of each. In that model nothing waits for memory, and no branch is guessed
wrong. Writes bench/COUNTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data import add_data_option
from bench.measure import HERE, World, require
from digitnn_fast.kernels.machine.jit import LEVELS
from digitnn_fast.preprocessing import prepare

PROCESSORS = {  # LLVM's name of each, the level of its extensions, and how many images int8 takes at a time
    "AMD Zen 3": ("znver3", "x86-64-v3", 1),
    "AMD Zen 4": ("znver4", "x86-64-v4-vnni", 2),
    "Intel Ice Lake": ("icelake-server", "x86-64-v4-vnni", 2),
}
NETWORKS = {  # kernel
    "float32": "fixed.forward",
    "float32, weights of any kind": "inference.forward",
    "int8": "int8.forward",
}
PIXELS = {"fixed.forward": 2, "inference.forward": 1, "int8.forward": 4}  # of a visit, where there is VNNI
EMIT = (
    "import sys; from digitnn_fast.kernels import KERNELS; kernel = KERNELS[sys.argv[1]]\n"
    "sys.stdout.buffer.write(kernel._compiled(kernel._symbol()))"
)
ITERATIONS = 500
INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\t([^#\n]+)", re.MULTILINE)
JUMP = re.compile(r"^(j\w+)\s+([0-9a-f]+).*")
MULTIPLIES = ("vfmadd", "vpdpbusd", "vpdpwssd", "vpmaddwd")
VISITS = "shl "  # from the place of a value to that of its row of weights


class Loop(NamedTuple):
    """What a visit takes."""

    instructions: float
    loads: float
    multiplies: float
    cycles: float
    busiest: str  # of the processor's units, by LLVM's name, and how many cycles it is busy


def main() -> None:
    """Count, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.counts", description="Count what bounds the networks.")
    add_data_option(parser)
    parser.add_argument("--mca", metavar="PROGRAM", default="llvm-mca-19", help="LLVM's machine code analyzer")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pixels = World(chosen.data, Path(folder)).images
        seen = {"pixels": pixels, "directions": prepare(np.ascontiguousarray(pixels), "directions")}
        lines = []
        for line in _report(seen, chosen.mca, Path(folder)):
            print(line, flush=True)
            lines.append(line)
    (HERE / "COUNTS.md").write_text("\n".join([*lines, ""]))


def _report(seen: dict[str, np.ndarray], mca: str, folder: Path) -> Iterator[str]:
    [version] = re.findall(r"version ([\d.]+)", _output([mca, "--version"]).decode())
    yield from ("# What bounds the networks, counted", "")
    yield (
        f"By `python -m bench.counts` with llvm-mca {version}: what one visit takes in the first layer, for 64 hidden "
        "units and a pair of values that is not zero, or a value if its weights have not 16 bits, or in int8 with "
        "AVX-512 a group of four. Cycles are those of LLVM's model of the "
        "processor, with everything in the nearest cache. Where its busiest unit, by LLVM's name, is busy in nearly "
        "all of them, only fewer visits help, or less for that unit to do. In int8 with AVX-512 a visit serves two "
        "images, and either is not zero there."
    )
    what = "".join(f" {name}: visits an image, cycles |" for name in seen)
    yield from ("", f"| processor | network | instructions | loads | multiply-adds | cycles | busiest unit |{what}")
    yield f"|---|---|---|---|---|---|---|{'---|' * len(seen)}"
    for name, (model, level, together) in PROCESSORS.items():
        for precision, kernel in NETWORKS.items():
            loop = _loop(_machine_code(kernel, model, level, folder), model, mca)
            group = min(PIXELS[kernel], 2 * together)  # without VNNI int8 visits pairs, too
            visits = [_visits(images, group, together if group == 4 else 1) for images in seen.values()]
            yield (
                f"| {name} | {precision} | {loop.instructions:.1f} | {loop.loads:.1f} | {loop.multiplies:.0f} | "
                f"**{loop.cycles:.1f}** | {loop.busiest} |"
                + "".join(f" {count:.0f}, {count * loop.cycles:,.0f} |" for count in visits)
            )


def _visits(images: np.ndarray, group: int, together: int) -> float:
    """How many visits an image takes, if so many pixels are visited at once in so many images."""
    lit = images.reshape(len(images) // together, together, -1, group).any(axis=(1, 3))
    return float(lit.sum() / len(images))


def _machine_code(kernel: str, model: str, level: str, folder: Path) -> Path:
    chosen = {"NUMBA_CPU_NAME": model, "NUMBA_CPU_FEATURES": LEVELS[level].features, "NUMBA_CACHE_DIR": str(folder)}
    path = folder / f"{model}-{kernel}.o"
    path.write_bytes(_output([sys.executable, "-c", EMIT, kernel], environment=chosen))
    return path


def _loop(code: Path, model: str, mca: str) -> Loop:
    """The loop of the first layer: of those that visit something, the one with most multiply-adds."""
    body = max(_innermost(code), key=lambda body: any(line.startswith(VISITS) for line in body) * _multiplies(body))
    visits = sum(line.startswith(VISITS) for line in body)
    require(visits and _multiplies(body), f"{code.name}: no loop visits anything")
    text = "\n".join([".L:", *(JUMP.sub(r"\1 .L", line) for line in body), ""])
    command = [mca, "-mtriple=x86_64", f"-mcpu={model}", f"-iterations={ITERATIONS}", "-json"]
    said = json.loads(_output(command, text.encode()))
    [region], units = said["CodeRegions"], said["TargetInfo"]["Resources"]
    loads = sum(instruction["mayLoad"] for instruction in region["InstructionInfoView"]["InstructionList"])
    pressures = region["ResourcePressureView"]["ResourcePressureInfo"]  # those of the whole loop come last
    busy, unit = max((p["ResourceUsage"], p["ResourceIndex"]) for p in pressures if p["InstructionIndex"] == len(body))
    cycles = region["SummaryView"]["TotalCycles"] / ITERATIONS
    counts = (count / visits for count in (len(body), loads, _multiplies(body), cycles))
    return Loop(*counts, busiest=f"{units[unit].partition('.')[0]} {busy / visits:.1f}")


def _multiplies(body: list[str]) -> int:
    return sum(line.startswith(MULTIPLIES) for line in body)


def _innermost(code: Path) -> list[list[str]]:
    """The instructions of each innermost loop."""
    found = INSTRUCTION.findall(_output(["objdump", "-d", "--no-show-raw-insn", str(code)]).decode())
    number = {at: k for k, (at, _) in enumerate(found)}
    jumps = [(number.get(jump[2]), k) for k, (_, text) in enumerate(found) if (jump := JUMP.match(text))]
    loops = [(first, last) for first, last in jumps if first is not None and first <= last]
    inner = [loop for loop in loops if not any(loop[0] <= a and b <= loop[1] and loop != (a, b) for a, b in loops)]
    return [[text.strip() for _, text in found[first : last + 1]] for first, last in inner]


def _output(command: list[str], text: bytes = b"", environment: dict[str, str] | None = None) -> bytes:
    try:
        done = subprocess.run(command, input=text, capture_output=True, env=os.environ | (environment or {}))
    except FileNotFoundError:
        sys.exit(f"bench.counts: there is no {command[0]} here")
    require(done.returncode == 0, f"{command[0]}: {done.stderr.decode()[-300:]}")
    return done.stdout


if __name__ == "__main__":
    main()
