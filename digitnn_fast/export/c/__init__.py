"""The network as one C header and one C source, for microcontrollers, with a self-test.

The templates are the C files beside this one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from digitnn_fast.export._ways import Answers, Bytes, Exporter, Fact, Options, SelfTestError, Way, integer_answers
from digitnn_fast.export.c import _run
from digitnn_fast.export.c._source import Integers, sources
from digitnn_fast.network import Network
from digitnn_fast.quantization import quantize

NO_COMPILER = "there is no C compiler here"


@dataclass(frozen=True)
class COptions(Options):
    """`bits` of a weight: 8, 4 or 2."""

    bits: int = 8


def write(network: Network, folder: Path, options: COptions) -> Iterable[Fact]:
    """Write digits.h, digits.c and selftest.c, and run the self-test."""
    integers = _integers(network, options)
    for name, text in sources(integers).items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    yield "selftest.c", _selftest(folder)


def ways(network: Network, folder: Path, options: COptions) -> Iterable[Way]:
    """The one C, compiled by this computer's compiler."""
    wanted = integer_answers if options.bits == 8 else partial(_specified, _integers(network, options))
    found = _run.compiler() is not None
    run = partial(_compiled, folder) if found else None
    yield Way(f"C, {options.bits} bits", wanted, run, "" if found else NO_COMPILER)


def _integers(network: Network, options: COptions) -> Integers:
    return Integers(quantize(network.parameters, options.bits), options.bits, network.preprocessing)


def _specified(integers: Integers, _: Network, images: Bytes) -> Answers:
    logits = integers.logits(images)
    return Answers(logits.argmax(axis=1), logits=logits)


def _compiled(folder: Path, images: Bytes) -> Answers:
    """What the C in `folder` answers."""
    with tempfile.TemporaryDirectory() as scratch:
        program = _run.build(folder, Path(scratch) / "driver", [*(_run.compiler() or []), "-O2", *_run.STRICT])
        given = _run.answers([program], images)
    return Answers(given["label"], logits=np.asarray(given["logits"]))


def _selftest(folder: Path) -> str:
    """Compile and run it."""
    command = _run.compiler()
    if command is None:
        return f"not run: {NO_COMPILER}"
    with tempfile.TemporaryDirectory() as scratch:
        main = folder / "selftest.c"
        program = _run.build(folder, Path(scratch) / "selftest", [*command, "-O2", *_run.STRICT], main)
        try:
            _run.run_tool([program])
        except _run.ToolError as error:
            raise SelfTestError("selftest.c: the C answers otherwise than it should; nothing was written") from error
    return f"compiled by {command[0]} and passed"


EXPORTER = Exporter("c", "C99 for microcontrollers: digits.h, digits.c, a self-test", COptions, write, ways)
