"""EDGE.md's section on Arduinos with an AVR."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.edge_networks import COUNTED, accuracy_of, few_bits, version_of
from bench.kept import Kept
from bench.measure import World
from digitnn_fast.export.c import avr
from digitnn_fast.export.c.source import sources

ON_AVR = (("16x16", 64), ("5x5x12", 12))  # inputs and hidden units, all in 2 bits
BOARD = avr.BOARDS[0]


def on_arduino(world: World, kept: Kept) -> Iterator[str]:
    """What a network takes of an Arduino Uno."""
    yield f"On an {BOARD.name}"
    yield ""
    yield "| network | accuracy | flash with code | RAM row by row | with the whole image | cycles | time at 16 MHz |"
    yield "|---|---|---|---|---|---|---|"
    for inputs, hidden in ON_AVR:
        integers, _ = few_bits(world, kept, inputs, hidden, 2)
        place, images = world.folder / f"avr-{inputs}-{hidden}", world.images[:COUNTED]
        place.mkdir(exist_ok=True)
        for name, text in sources(integers).items():
            (place / name).write_text(text)
        cost, answers = avr.measure(place, BOARD, images)
        np.testing.assert_array_equal(answers["logits"], integers.logits(images))
        whole = f"{cost.ram:,} bytes" if cost.ram <= BOARD.ram else "does not fit"
        yield (
            f"| {inputs} inputs, {hidden} hidden units | {accuracy_of(world, integers)} | **{cost.flash:,}** bytes | "
            f"**{cost.rows:,}** bytes | {whole} | {cost.cycles:,.0f} | **{cost.cycles / BOARD.clock / 1000:.0f} ms** |"
        )
    yield ""
    yield (
        f"By `python -m bench.edge`, {version_of(avr.COMPILER)} and {avr.EMULATOR}, which counts cycles, the mean of "
        f"{COUNTED} images; 2 bits. RAM is the stack and the image or one row of it; Arduino's own code takes more. "
        "Asked of the first: 17 KB of flash, 1.6 KB with the image and 65 ms (aims: 10 KB, 1.2 KB, 40 ms)."
    )
