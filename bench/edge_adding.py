"""EDGE.md's section on processors that do not multiply."""

from __future__ import annotations

from collections.abc import Iterator

from bench.edge_networks import COUNTED, accuracy_of, few_bits, measured, version_of
from bench.kept import Kept
from bench.measure import World
from digitnn_fast.export.c import boards

ADDED = (("16x16", 64, 2), ("6x5x16", 8, 2), ("5x5x12", 12, 2))


def without_multiplier(world: World, kept: Kept) -> Iterator[str]:
    """What additions cost in place of multiplications."""
    yield "Without a multiplier: additions alone"
    yield ""
    yield "| network | accuracy | flash with code | RAM + stack | instructions: rv32ec | Cortex-M0, which multiplies |"
    yield "|---|---|---|---|---|---|"
    for inputs, hidden, bits in ADDED:
        integers, _ = few_bits(world, kept, inputs, hidden, bits)
        place = world.folder / f"{inputs}-{hidden}"
        m0, _, rv = (measured(integers, place, board, world.images[:COUNTED]) for board in boards.BOARDS)
        yield (
            f"| {inputs} inputs, {hidden} hidden units | {accuracy_of(world, integers)} | {rv.flash:,} bytes | "
            f"{rv.ram:,} bytes | **{rv.instructions:,.0f}** | {m0.instructions:,.0f} |"
        )
    yield ""
    yield (
        f"By `python -m bench.edge`, {version_of(boards.BOARDS[2].compiler)} and "
        f"{version_of(boards.BOARDS[2].emulator)}; else as above. Asked at 98.8%: 285,000, which "
        "BitNetMCU's FP1.3.0 takes, from a 16 × 16 image that is ready."
    )
