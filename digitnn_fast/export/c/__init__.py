"""The network as one C header and one C source, for microcontrollers, with a self-test.

The templates are the C files beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from digitnn_fast.checks import shortened
from digitnn_fast.export.c import avr, boards, tools
from digitnn_fast.export.c.source import Integers, check_width, fill, renamed, sources
from digitnn_fast.export.programs import scratch_folder
from digitnn_fast.export.ways import Answers, Bytes, Exporter, Fact, Options, SelfTestError, Way, integer_answers
from digitnn_fast.formats import DigitFile
from digitnn_fast.network import Network
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.reference.quantization import LARGEST, quantize
from digitnn_fast.sample import load_sample
from digitnn_fast.sizes import PIXELS
from digitnn_fast.training import train
from digitnn_fast.training.finetuning import fine_tune
from digitnn_fast.training.recipes import RECIPES, Recipe

NO_COMPILER = "there is no C compiler here"
LAYOUTS = {"plain": ".", "arduino": "src"}  # and where the sources are
PREFIX = "digits"  # of names and files, as in the templates
COUNTED, SHOWN_TO_AVR = 100, 10  # digits that the emulated boards look at
USUAL_CLOCK = 48.0  # MHz
FEW_UNITS, FEW_SEEDS = 16, 3  # 8 units: 99.3% with one seed, 98.1% with another
INPUTS = {row.inputs[0]: row for row in PREPROCESSINGS.values() if row.inputs}


def recipe_for(inputs: str, hidden: int) -> Recipe:
    """How a network for these inputs is trained."""
    row = INPUTS[inputs]
    assert row.inputs
    return replace(RECIPES[row.inputs[1]], hidden=hidden, preprocessing=row.name)


@dataclass(frozen=True)
class COptions(Options):
    """How many bits a weight has, the digits to learn from, the layout, limits in bytes, the clock in MHz.

    With `inputs` another network is trained for them, as wide as the given one or with `hidden` units.
    """

    bits: int = 8
    inputs: str | None = None
    hidden: int | None = None
    train: str | None = None
    seed: int = 0
    layout: str = "plain"
    prefix: str = PREFIX
    seeds: int | None = None
    clock: float = USUAL_CLOCK
    max_flash: int | None = None
    max_ram: int | None = None
    threads: int | None = None

    def tries(self, hidden: int) -> int:
        """Networks to train, of which the one with the least training loss is kept: few units depend on luck."""
        return self.seeds or (FEW_SEEDS if hidden <= FEW_UNITS else 1)

    def __post_init__(self) -> None:
        """ValueError for options that are out of range or do not go together."""
        for name, value, choices in (
            ("bits", self.bits, LARGEST),
            ("layout", self.layout, LAYOUTS),
            ("inputs", self.inputs, (None, *INPUTS)),
        ):
            if value not in choices:
                named = " or ".join(str(choice) for choice in choices if choice)
                raise ValueError(f"--{name} must be {named}, got {value}")
        if not re.fullmatch("[a-z][a-z0-9_]{0,30}", self.prefix):
            raise ValueError(f"--prefix must be a name of a-z, 0-9 and _, not {shortened(self.prefix)!r}")
        if self.inputs and not self.train:
            raise ValueError("--inputs needs --train: a network for other inputs has to be trained")
        if self.seeds and not self.inputs:
            raise ValueError("--seeds goes with --inputs: a network that is there is not trained again")
        if self.hidden and not self.inputs:
            raise ValueError("--hidden goes with --inputs: a trained network stays as wide as it is")
        if self.train and not self.learns:
            raise ValueError("--train goes with --bits 4 or 2, or --inputs: 8 bits need no fine-tuning")

    @property
    def learns(self) -> bool:
        """Whether there is anything to train or to fine-tune."""
        return self.bits < 8 or self.inputs is not None

    @property
    def model(self) -> str:
        """The file of the network that learned."""
        return f"{self.prefix}.npz"

    @property
    def usual_loss(self) -> float:
        """Percent of the sample's digits that may get another label than in float32 if the user does not say."""
        return {8: 0.5, 4: 1.0, 2: 2.0}[self.bits] + (1 if self.inputs else 0)


def write(network: Network, folder: Path, options: COptions) -> Iterable[Fact]:
    """Write the sources, and run the self-test."""
    if options.learns:
        learned, facts = _learned(network, options)
        yield from facts
        learned.save(folder / options.model)
    integers = _integers(network, folder, options)
    if options.inputs:
        sample = load_sample()
        right = np.mean(integers.logits(sample.test_images).argmax(axis=1) == sample.test_labels)
        yield (
            "accuracy",
            f"{right:.2%} of the sample's {len(sample.test_labels):,} test digits, from which it did not learn",
        )
    _write_files(integers, folder, options)
    yield "selftest.c", _selftest(folder / LAYOUTS[options.layout], options.prefix)


def _learned(network: Network, options: COptions) -> tuple[Network, list[Fact]]:
    """A network that learned from the user's digits or from the sample's, but never from the sample's test digits."""
    sample = load_sample()
    images, labels, name = sample.train_images, sample.train_labels, "the embedded sample"
    if options.train:
        images, labels = DigitFile(options.train).read_labelled(options.threads, train=True)
        tested = {image.tobytes() for image in sample.test_images}
        fresh = np.array([image.tobytes() not in tested for image in images])
        images, labels, name = images[fresh], labels[fresh], options.train
    if not len(labels):
        raise ValueError(f"{name}: there are no digits to learn from")
    facts, source = [], f"on {len(labels):,} rows of {name}"
    common: dict[str, Any] = {"seed": options.seed, "threads": options.threads, "on_epoch": options.on_epoch}
    if options.inputs:
        recipe = recipe_for(options.inputs, options.hidden or network.hidden)
        check_width(recipe.hidden)  # rather than after minutes
        tried = [
            train(images, labels, recipe, heldout=0, **common | {"seed": options.seed + number})
            for number in range(options.tries(recipe.hidden))
        ]
        losses = [float(one.training.history[-1][0]) for one in tried if one.training]
        network = tried[int(np.argmin(losses))]
        facts.append(("trained", f"for {options.inputs} inputs, {network.hidden} hidden units, {source}"))
        if len(tried) > 1:
            kept = options.seed + int(np.argmin(losses))
            each = ", ".join(f"{loss:.4f}" for loss in losses)
            facts.append(("seeds", f"{len(tried)}, with training losses of {each}; kept is that of seed {kept}"))
    if options.bits < 8:
        network = fine_tune(network, images, labels, options.bits, **common)
        facts.append(("fine-tuned", f"to {options.bits} bits, {source}"))
    return network, facts


def _integers(network: Network, folder: Path, options: COptions) -> Integers:
    """The integers that the C computes: of the network, or of the one that was trained and is in the folder."""
    if options.learns:
        network = Network.load(folder / options.model)
    return Integers(quantize(network.parameters, options.bits), options.bits, network.preprocessing)


def _write_files(integers: Integers, folder: Path, options: COptions) -> None:
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
    wanted = partial(_specified, _integers(network, folder, options)) if options.learns else integer_answers
    found = tools.compiler() is not None
    run = partial(_compiled, folder / LAYOUTS[options.layout], options.prefix) if found else None
    yield Way(f"C, {options.bits} bits", wanted, run, "" if found else NO_COMPILER)


def _specified(integers: Integers, _: Network, images: Bytes) -> Answers:
    logits = integers.logits(images)
    return Answers(logits.argmax(axis=1), logits=logits)


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
            raise SelfTestError(f"selftest.c: the C answers otherwise than it should: {error}") from error
    return f"compiled by {command[0]} and passed"


def costs(network: Network, folder: Path, options: COptions) -> Iterator[Fact]:
    """The cost of a prediction on each board; SelfTestError if that exceeds a limit or the board answers wrong."""
    with _plain(folder / LAYOUTS[options.layout], options.prefix) as code:
        yield from _costs(_integers(network, folder, options), code, options)


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
        if flash > board.flash or static + stack + PIXELS > board.ram:
            yield (
                board.name,
                f"does not fit: {flash:,} bytes of flash, {static + stack + PIXELS:,} of RAM with the image",
            )
            continue
        cost, answers = avr.measure(code, board, images)
        stack = cost.stack
        if not np.array_equal(answers["logits"], integers.logits(images)):
            raise SelfTestError(f"{board.name}: the emulated board gives other integers")
        yield board.name, cost.text(board)


EXPORTER = Exporter("c", "C99 for microcontrollers: digits.h, digits.c, a self-test", COptions, write, ways, costs)
