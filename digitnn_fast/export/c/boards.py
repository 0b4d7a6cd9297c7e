"""The cost of the generated C on microcontrollers, measured with their compiler and on emulated boards."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.export.c import tools
from digitnn_fast.export.c.source import HERE, Integers
from digitnn_fast.export.programs import scratch_folder
from digitnn_fast.preprocessing import PREPROCESSINGS, prepare
from digitnn_fast.sizes import CLASSES, PIXELS

COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
FLAGS = ("-O2", "-std=c99", "-ffunction-sections", "-fdata-sections")
LINKED = ("-nostdlib", "-Wl,--gc-sections")
THUMB = ("-mthumb", "-masm-syntax-unified")
CYCLES = 1.5  # per instruction, about: loads and taken branches take two or three, and flash may have to be waited for
LOOP = 1_000_000  # instructions of the loop that board.c knows


class Board(NamedTuple):
    """A processor and its tools, the emulated machine that has it, its flash in bytes, where that and RAM begin."""

    name: str
    flags: tuple[str, ...]
    machine: str
    flash: int
    places: tuple[int, int] = (0, 0x2000_0000)
    compiler: str = COMPILER
    emulator: str = EMULATOR

    @property
    def size(self) -> str:
        """The program that tells what is where in a linked file."""
        return self.compiler.replace("gcc", "size")


BOARDS = (
    Board("Cortex-M0", ("-mcpu=cortex-m0", *THUMB), "microbit", 2**18),
    Board("Cortex-M4", ("-mcpu=cortex-m4", *THUMB), "mps2-an386", 2**22),
    Board(
        "rv32ec, no multiplier",
        ("-march=rv32ec", "-mabi=ilp32e", "-ffreestanding"),
        "virt",
        2**22,
        (0x8000_0000, 0x8040_0000),
        "riscv64-unknown-elf-gcc",
        "qemu-system-riscv32",
    ),
)


@dataclass(frozen=True)
class Cost:
    """Bytes of flash, of static RAM and of the stack at its deepest; instructions per image, if they were counted."""

    board: str
    flash: int
    static: int
    stack: int
    instructions: float | None

    @property
    def ram(self) -> int:
        """All the memory that a prediction needs beside the image."""
        return self.static + self.stack

    def text(self, clock: float) -> str:
        """In words, with the time at a clock in MHz."""
        parts = f"{self.flash:,} bytes of flash, {self.static:,} of static RAM, {self.stack:,} of stack"
        if self.instructions is None:
            return f"{parts}; instructions not counted: there is no emulator here, or it has too little flash"
        milliseconds = self.instructions * CYCLES / clock / 1000
        return f"{parts}; {self.instructions:,.0f} instructions per image, about {milliseconds:.2g} ms at {clock:g} MHz"


def missing(*tools: str) -> str:
    """A message that names the missing programs; empty if none is missing."""
    absent = [tool for tool in tools if not shutil.which(tool)]
    return f"there is no {' and no '.join(absent)} here" if absent else ""


def measure(folder: Path, board: Board, images: NDArray[np.uint8]) -> tuple[Cost, NDArray[np.void] | None]:
    """The cost of the sources in `folder`, and what they answered on the emulated board, if there is one."""
    with scratch_folder() as place:
        flash, static = _sizes(folder, place, board)
        stack = _deepest(_call_graph(folder, place, board))
        if missing(board.emulator) or flash + 4096 > board.flash:
            return Cost(board.name, flash, static, stack, None), None
        answers, instructions, depth = emulate(folder, place, board, images)
    return Cost(board.name, flash, static, max(stack, depth), instructions), answers


def _sizes(folder: Path, place: Path, board: Board) -> tuple[int, int]:
    """Bytes of flash and of static RAM of digits_predict and all that it needs, linked."""
    entry = ("-Wl,-e,digits_predict", "-o", place / "predict.elf")
    tools.run_tool([board.compiler, *board.flags, *FLAGS, *LINKED, folder / "digits.c", "-lgcc", *entry])
    printed = tools.run_tool([board.size, place / "predict.elf"])
    try:
        text, data, bss = map(int, printed.splitlines()[1].split()[:3])
    except (IndexError, ValueError) as error:
        raise tools.ToolError(f"{board.size} prints no sizes") from error
    return text + data, data + bss


def _call_graph(folder: Path, place: Path, board: Board) -> str:
    """gcc's call graph with the stack of each function."""
    flags = (*board.flags, *FLAGS, "-fstack-usage", "-fcallgraph-info=su")
    tools.run_tool([board.compiler, *flags, "-c", folder / "digits.c", "-o", place / "digits.o"])
    return _written(place / "digits.ci", board.compiler).decode(errors="replace")


def _written(path: Path, program: str) -> bytes:
    """What a program that ended well left in a file; ToolError if it left none."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise tools.ToolError(f"{program} ended well and did not write {path.name}") from error


def _deepest(graph: str) -> int:
    """Bytes of stack of digits_predict and the deepest chain of functions that it calls."""
    own = {name: int(size) for name, size in re.findall(r'node: { title: "([^"]+)" label: "[^"]*?(\d+) bytes', graph)}
    calls = re.findall(r'edge: { sourcename: "([^"]+)" targetname: "([^"]+)"', graph)

    def depth(name: str) -> int:  # no function calls itself
        return own.get(name, 0) + max((depth(target) for source, target in calls if source == name), default=0)

    return depth("digits_predict")


def emulate(
    folder: Path, place: Path, board: Board, images: NDArray[np.uint8], flags: Sequence[str] = ()
) -> tuple[NDArray[np.void], float, int]:
    """The board's answers for raw images (n, 784), instructions per image, and bytes of stack; built in `place`."""
    images.tofile(place / "images.bin")
    flash, ram = board.places
    memory = f"MEMORY {{ FLASH (rx) : ORIGIN = {flash}, LENGTH = 4M RAM (rw) : ORIGIN = {ram}, LENGTH = 16K }}\n"
    (place / "memory.ld").write_text(memory, encoding="utf-8")
    program = place / "board.elf"
    libraries = [flag for flag in flags if flag.startswith("-l")]
    command: list[str | Path] = [board.compiler, *board.flags, *FLAGS, *LINKED, "-L", place]
    command += [flag for flag in flags if flag not in libraries]
    command += ["-I", folder, "-T", HERE / "board.ld", "-o", program, folder / "digits.c", HERE / "board.c"]
    tools.run_tool([*command, *libraries, "-lgcc"])
    semihosting = ("-semihosting-config", "enable=on,target=native", "-icount", "shift=0")
    quiet = ("-display", "none", "-monitor", "none", "-serial", "none")
    firmware = ("-bios", "none") if board.machine == "virt" else ()
    command = [board.emulator, "-M", board.machine, *firmware, *quiet, *semihosting, "-kernel", program]
    tools.run_tool(command, folder=place)
    written = _written(place / "answers.bin", board.emulator)
    if len(written) != len(images) * tools.ANSWER.itemsize + 12:
        raise tools.ToolError(f"the emulated {board.name} wrote {len(written)} bytes for {len(images)} images")
    ticks, loop, depth = np.frombuffer(written[-12:], "<u4").tolist()
    return np.frombuffer(written[:-12], tools.ANSWER), ticks / len(images) * LOOP / loop, depth


def multiply_adds(network: Integers, images: NDArray[np.uint8]) -> tuple[float, int]:
    """Products added up per raw image (n, 784), on average, and how many a dense network needs."""
    W1, b1, *_ = network.quantized
    seen = prepare(images, network.preprocessing)
    top, bottom, left, right = network.window()
    inside = seen.reshape(-1, 28, 28)[:, top:bottom, left:right] > 0
    active = np.maximum(seen.astype(np.int32) @ W1.astype(np.int32) + b1, 0) >> network.quantized.shift > 0
    first, second = inside.sum(axis=(1, 2)).mean() * len(b1), active.sum(axis=1).mean() * CLASSES
    inputs = PREPROCESSINGS[network.preprocessing].inputs
    values = math.prod(map(int, inputs[0].split("x"))) if inputs else PIXELS
    return float(first + second), (values + CLASSES) * len(b1)
