"""The cost of the generated C on AVR boards, measured with their compiler and in simavr, which counts cycles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.export.c import tools
from digitnn_fast.export.c.source import HERE, rows
from digitnn_fast.export.programs import scratch_folder
from digitnn_fast.sizes import PIXELS, SIDE

COMPILER, EMULATOR, SIZE = "avr-gcc", "simavr", "avr-size"
FLAGS = ("-O2", "-std=c99", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
AT_ONCE = 5  # images in the emulated board's flash, beside the network
FLASH_BESIDE, RAM_BESIDE = 1_700, 128  # bytes that avr.c takes itself
LINE = re.compile(rb"\x1b\[32m([0-9a-f]+)\.")
ANSWER = np.dtype([*tools.ANSWER.descr, ("cycles", "<u4"), ("stack", "<u2")])


class AVR(NamedTuple):
    """A board: its processor, the bytes of its flash and of its RAM, its clock in MHz."""

    name: str
    processor: str
    flash: int
    ram: int
    clock: float


BOARDS = (
    AVR("Arduino Uno", "atmega328p", 32_256, 2_048, 16),  # of 32,768 bytes the boot loader takes 512
    AVR("Arduino Mega", "atmega2560", 253_952, 8_192, 16),
)


class Cost(NamedTuple):
    """Bytes of flash, of static RAM and of the stack at its deepest, and cycles per image."""

    flash: int
    static: int
    stack: int
    cycles: float

    @property
    def rows(self) -> int:
        """All RAM, if the image comes row by row."""
        return self.static + self.stack + SIDE

    @property
    def ram(self) -> int:
        """All RAM, with the whole image."""
        return self.static + self.stack + PIXELS

    def text(self, board: AVR) -> str:
        """In words, with the time of an image."""
        whole = f", {self.ram:,} with the whole image" if self.ram <= board.ram else ""
        return (
            f"{self.flash:,} bytes of flash, {self.rows:,} of RAM row by row{whole}; {self.cycles:,.0f} cycles per "
            f"image, {self.cycles / board.clock / 1000:.3g} ms at {board.clock:g} MHz"
        )


def size(folder: Path, board: AVR) -> tuple[int, int]:
    """Bytes of flash and of static RAM of digits_predict and all that it needs; ToolError if it does not compile."""
    with scratch_folder() as place:
        program = place / "predict.elf"
        alone = ("-nostartfiles", "-Wl,-e,digits_predict", "-o", program)
        tools.run_tool([COMPILER, f"-mmcu={board.processor}", *FLAGS, *alone, folder / "digits.c"])
        printed = tools.run_tool([SIZE, program])
    try:
        text, data, bss = map(int, printed.splitlines()[1].split()[:3])
    except (IndexError, ValueError) as error:
        raise tools.ToolError(f"{SIZE} prints no sizes") from error
    return text + data, data + bss


def measure(folder: Path, board: AVR, images: NDArray[np.uint8]) -> tuple[Cost, NDArray[np.void]]:
    """The cost of the sources in `folder`, and what they answered for images (n, 784) on the emulated board.

    There has to be room for one image and what avr.c takes.
    """
    flash, static = size(folder, board)
    count = min(AT_ONCE, (board.flash - flash - FLASH_BESIDE) // PIXELS)
    parts = [_emulate(folder, board, images[first : first + count]) for first in range(0, len(images), count)]
    answers = np.concatenate(parts)
    return Cost(flash, static, int(answers["stack"].max()), float(answers["cycles"].mean())), answers


def emulate(program: Path, board: AVR) -> bytes:
    """What a program prints to the serial port of the emulated board, and what simavr says itself."""
    clock = f"{board.clock * 1e6:.0f}"
    return tools.run_tool([EMULATOR, "-m", board.processor, "-f", clock, program], errors_too=True)


def _emulate(folder: Path, board: AVR, images: NDArray[np.uint8]) -> NDArray[np.void]:
    with scratch_folder() as place:
        program, table = place / "board.elf", f"static const uint8_t images[][784] PROGMEM = {{\n{rows(images)}}};\n"
        (place / "images.h").write_text(table, encoding="utf-8")
        command: list[str | Path] = [
            COMPILER,
            f"-mmcu={board.processor}",
            *FLAGS,
            *tools.STRICT[1:],
            "-I",
            folder,
            "-I",
            place,
        ]
        tools.run_tool([*command, "-o", program, folder / "digits.c", HERE / "avr.c"])
        printed = emulate(program, board)
    written = bytes.fromhex(b"".join(LINE.findall(printed)).decode())
    if len(written) != len(images) * ANSWER.itemsize:
        raise tools.ToolError(f"the emulated {board.name} wrote {len(written)} bytes for {len(images)} images")
    return np.frombuffer(written, ANSWER)
