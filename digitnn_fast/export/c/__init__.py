"""The network as one C header and one C source, for microcontrollers, with a self-test.

The templates are the C files beside this one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from digitnn_fast.checks import shortened
from digitnn_fast.export.c import avr, boards, tools
from digitnn_fast.export.c.source import Integers, check_width, fill, final_integers, renamed, sources
from digitnn_fast.export.learning import LearningOptions, accuracy, check_choices, learn, specified
from digitnn_fast.export.programs import scratch_folder
from digitnn_fast.export.ways import Answers, Bytes, Exporter, Fact, SelfTestError, Way, integer_answers
from digitnn_fast.network import Network
from digitnn_fast.sample import load_sample
from digitnn_fast.sizes import PIXELS, SIDE

NO_COMPILER = "there is no C compiler here"
LAYOUTS = {"plain": ".", "arduino": "src"}  # and where the sources are
PREFIX = "digits"  # of names and files, as in the templates
COUNTED, SHOWN_TO_AVR = 100, 10  # digits that the emulated boards look at
USUAL_CLOCK = 48.0  # MHz


@dataclass(frozen=True)
class COptions(LearningOptions):
    """Also the layout, the prefix of names, the clock in MHz, limits in bytes."""

    layout: str = "plain"
    prefix: str = PREFIX
    clock: float = USUAL_CLOCK
    max_flash: int | None = None
    max_ram: int | None = None

    def check_width(self, hidden: int) -> None:
        """ValueError for more hidden units than the C can address."""
        check_width(hidden)

    def __post_init__(self) -> None:
        """ValueError for options that are out of range or do not go together."""
        check_choices(("layout", self.layout, LAYOUTS))
        if not re.fullmatch("[a-z][a-z0-9_]{0,30}", self.prefix):
            text = "up to 31 of a-z, 0-9 and _, a letter first"
            raise ValueError(f"--prefix must be a name of {text}, not {shortened(self.prefix)!r}")
        if not 0 < self.clock < math.inf:
            raise ValueError(f"--clock must be a number of MHz, not {self.clock}")
        super().__post_init__()

    @property
    def model(self) -> str:
        """The file of the network that learned."""
        return f"{self.prefix}.npz"


def write(network: Network, folder: Path, options: COptions) -> Iterable[Fact]:
    """Write the sources, and run the self-test."""
    yield from learn(network, folder, options)
    integers = final_integers(network, folder, options)
    if options.inputs:
        yield accuracy(integers.logits)
    write_files(integers, folder, options)
    yield "selftest.c", _selftest(folder / LAYOUTS[options.layout], options.prefix)


def write_files(integers: Integers, folder: Path, options: COptions) -> None:
    """Write all files, with the prefix of the user."""
    code, prefix = folder / LAYOUTS[options.layout], options.prefix
    texts = {code / name: text for name, text in sources(integers).items()}
    if options.layout == "arduino":
        library = {"library": "Handwritten digits" + (f" {prefix}" if prefix != PREFIX else "")}
        texts[folder / "library.properties"] = fill("library.properties", integers, **library)
        texts[folder / "examples" / "Digits" / "Digits.ino"] = fill("Digits.ino", integers)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        name = _own_name(path.name, prefix)
        path.with_name(name).write_text(renamed(text, PREFIX, prefix), encoding="utf-8", newline="\n")


def _own_name(name: str, prefix: str) -> str:
    """What a file is called: the self-test has no prefix unless the user chose one."""
    return f"{prefix}_{name}" if name == "selftest.c" and prefix != PREFIX else renamed(name, PREFIX, prefix)


@contextmanager
def _plain(code: Path, prefix: str) -> Iterator[Path]:
    """A folder with the C of that one under the names that drivers and boards know."""
    if prefix == PREFIX:
        yield code
        return
    with scratch_folder() as scratch:
        for name in ("digits.h", "digits.c"):
            text = (code / _own_name(name, prefix)).read_text(encoding="utf-8")
            (scratch / name).write_text(renamed(text, prefix, PREFIX), encoding="utf-8")
        yield scratch


def ways(network: Network, folder: Path, options: COptions) -> Iterable[Way]:
    """The C that `write` left in the folder, compiled by this computer's compiler."""
    wanted = partial(specified, final_integers(network, folder, options).logits) if options.learns else integer_answers
    found = tools.compiler() is not None
    run = partial(_compiled, folder / LAYOUTS[options.layout], options.prefix) if found else None
    yield Way(f"C, {options.bits} bits", wanted, run, "" if found else NO_COMPILER)


def _compiled(code: Path, prefix: str, images: Bytes) -> Answers:
    """The answers of the C in that folder."""
    with scratch_folder() as scratch, _plain(code, prefix) as plain:
        program = tools.build(plain, scratch / "driver", [*(tools.compiler() or []), "-O2", *tools.STRICT])
        given = tools.answers([program], images)
    return Answers(given["label"], logits=np.asarray(given["logits"]))


def _selftest(code: Path, prefix: str) -> str:
    """Compile and run it."""
    command = tools.compiler()
    if command is None:
        return f"not run: {NO_COMPILER}"
    files = [code / _own_name(name, prefix) for name in ("digits.c", "selftest.c")]
    with scratch_folder() as scratch:
        program = scratch / "selftest"
        tools.run_tool([*command, "-O2", *tools.STRICT, "-o", program, *files])
        try:
            tools.run_tool([program])
        except tools.ToolError as error:
            raise SelfTestError(f"selftest.c does not pass: {error}") from error
    return f"compiled by {command[0]} and passed"


def costs(network: Network, folder: Path, options: COptions) -> Iterator[Fact]:
    """The cost of a prediction on each board; SelfTestError if that exceeds a limit or the board answers wrong."""
    with _plain(folder / LAYOUTS[options.layout], options.prefix) as code:
        yield from _costs(final_integers(network, folder, options), code, options)


def _costs(integers: Integers, code: Path, options: COptions) -> Iterator[Fact]:
    products, dense = boards.multiply_adds(integers, load_sample().test_images)
    yield "multiply-adds", f"{products:,.0f} per image (mean of the sample's test digits) instead of {dense:,}"
    limits = ("flash", options.max_flash), ("ram", options.max_ram)
    if absent := boards.missing(boards.COMPILER):
        if any(limit is not None for _, limit in limits):
            raise ValueError(f"--max-flash and --max-ram need a compiler for boards: {absent}")
        yield "cost", f"not measured: {absent}"
        return
    images = load_sample().test_images[:COUNTED]
    for board in boards.BOARDS:
        if boards.missing(board.compiler):
            continue
        cost, answers = boards.measure(code, board, images)
        if answers is not None and not np.array_equal(answers["logits"], integers.logits(images)):
            raise SelfTestError(f"{board.name}: the emulated board gives other integers")
        for name, limit in limits:
            if limit is not None and getattr(cost, name) > limit:
                raise SelfTestError(f"{board.name}: {getattr(cost, name):,} bytes of {name}, allowed are {limit:,}")
        yield board.name, cost.text(options.clock)
    yield from _avr_costs(integers, code, images[:SHOWN_TO_AVR])


def _avr_costs(integers: Integers, code: Path, images: Bytes) -> Iterator[Fact]:
    """The cost on each AVR board that has room for it; SelfTestError if the emulated board answers wrong."""
    if boards.missing(avr.COMPILER, avr.EMULATOR):
        return
    if not integers.fits_avr():
        yield "Arduino with AVR", "does not fit: an AVR takes at most 32,767 bytes of weights"
        return
    stack = 0  # as on the board with the most memory, which is tried first
    for board in reversed(avr.BOARDS):
        flash, static = avr.size(code, board)
        ram = static + stack + SIDE
        if flash > board.flash or ram > board.ram:
            yield (
                board.name,
                f"does not fit: {flash:,} bytes of flash, {ram:,} of RAM even if the image comes row by row",
            )
            continue
        if flash + PIXELS + avr.FLASH_BESIDE > board.flash or ram + avr.RAM_BESIDE > board.ram:
            yield board.name, f"{flash:,} bytes of flash, {ram:,} of RAM row by row; no room for a measurement"
            continue
        cost, answers = avr.measure(code, board, images)
        stack = cost.stack
        if not np.array_equal(answers["logits"], integers.logits(images)):
            raise SelfTestError(f"{board.name}: the emulated board gives other integers")
        yield board.name, cost.text(board)


EXPORTER = Exporter("c", "C99 for microcontrollers: digits.h, digits.c, a self-test", COptions, write, ways, costs)
