"""`python -m bench.edge [--data FOLDER] [--kept FOLDER] [--only SECTION]`: what the C costs and loses, and its rivals.

Writes bench/EDGE.md or a section of it, and some of its tables into digitnn_fast/export/README.md, between the markers.
Needs the Debian packages of .ci/debian.txt, libnewlib-arm-none-eabi for emlearn's C, and the extra `bench`. All answers
are checked before an instruction is counted; instructions do not depend on this machine.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench.data import add_data_option
from bench.edge_adding import without_multiplier
from bench.edge_avr import on_arduino
from bench.edge_folds import five_folds
from bench.edge_networks import COUNTED, accuracy_of, few_bits, held_rows, measured, version_of
from bench.kept import Kept
from bench.measure import HERE, World
from digitnn_fast import Network, Predictor, __version__, reference
from digitnn_fast.export.c import boards
from digitnn_fast.export.c.source import Integers, numbers, sources
from digitnn_fast.preprocessing import prepare
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.training import train
from digitnn_fast.training.finetuning import FINE_TUNINGS, fine_tune
from digitnn_fast.training.loop import split

REPORT = HERE / "EDGE.md"
README, BEGIN, END = HERE.parent / "digitnn_fast" / "export" / "README.md", "<!-- edge -->\n", "<!-- /edge -->"
HELDOUT = 0.2
LARGE = "deskewed"  # the recipe of the first table; `small` needs 2 KB of RAM
PEERS = HERE / "peers"
FPU = ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
GOALS = re.compile(r" \([^()|]* / [^()|]*\)")  # which README does not show
SHOWN = {  # there: the number of a table in EDGE.md, and the line above it
    0: "The recipe `deskewed`, 784-64-10, in fewer bits:",
    2: "Other inputs (`--inputs`), 2 bits, and BitNetMCU:",
    4: "The recipe `pixels`, 784-64-10, 8 bits, against others, instructions an image:",
}
FEW_BYTES = (("16x16", 64), ("7x7x16", 32), ("6x5x16", 8), ("6x5x16", 44), ("5x5x12", 12))  # inputs, hidden units
# Size, accuracy on MNIST's test images, time on a CH32V002 at 48 MHz: lines 216 to 223 of documentation_cnn.md.
BITNETMCU = (
    ("16-wide convolutions, small", "98.92%", "3.2 kB", "14.3 ms"),
    ("16-wide convolutions", "99.06%", "5.4 kB", "16.4 ms"),
    ("32-wide convolutions", "99.28%", "7.3 kB", "29.9 ms"),
    ("48-wide convolutions", "99.44%", "9.3 kB", "43.4 ms"),
    ("64-wide convolutions", "99.55%", "11.0 kB", "57.0 ms"),
    ("fully connected, 4 bits", "99.02%", "12.3 kB", "11.0 ms"),
    ("fully connected, FP1.3.0", "98.86%", "12.3 kB", "10.0 ms"),
)
DOCUMENT = "https://github.com/cpldcpu/BitNetMCU/blob/def8bc4/docs/documentation_cnn.md"
COMPARED = (
    "what was tried, on fold 0, is in [ACCURACY.md](ACCURACY.md). RAM is without the image (784 bytes), time is "
    f"that of a Cortex-M0. BitNetMCU: its own figures ([documentation_cnn.md, lines 216 to 223]({DOCUMENT})), where "
    "bytes are those of the weights alone, code comes on top, and the time is that of a CH32V002, which multiplies, "
    "with its inner loops in RAM. The rows differ: theirs are MNIST's "
    "10,000 test images, by writers whom the training did not see, after training on 60,000. Kaggle's train.csv "
    "mixes all writers, which makes our rows easier, and ours learned from 33,600."
)
CHART = (  # by bench.edge_chart
    "<picture>",
    '  <source media="(prefers-color-scheme: dark)" srcset="edge-dark.svg">',
    """  <img src="edge-light.svg" alt="Accuracy over bytes of weights, ours and BitNetMCU's">""",
    "</picture>",
)
# Measured once, outside the project and with 0.1's arithmetic: MNIST's test labels are those of Kaggle's test rows.
OUTSIDE = """
The same 10,000 test images for both, with both programs on the same emulated boards, as measured once outside the
project with the networks of 0.1. Ours includes the preprocessing from 28 × 28; theirs needs a 16 × 16 image that is
ready.

| network | accuracy | flash with code, Cortex-M0 | instructions, Cortex-M0 | instructions, rv32ec without multiplier |
|---|---|---|---|---|
| digitnn-fast, 7x7x16 inputs, 32 hidden units | 99.55% | **10,144** | **185,000** | 756,000 |
| BitNetMCU, 64-wide convolutions | 99.54% | 12,700 | 1,834,000 | 21,957,000 |
| digitnn-fast, 7x7x16 inputs, 16 hidden units | 99.25% | **6,560** | **172,000** | 659,000 |
| BitNetMCU, 32-wide convolutions | 99.27% | 8,728 | 958,000 | 10,986,000 |
| BitNetMCU, 16-wide convolutions | 99.01% | 6,784 | 526,000 | 5,559,000 |
| BitNetMCU, 16-wide convolutions, small | 98.90% | **4,584** | 458,000 | 5,509,000 |
| digitnn-fast, 16x16 inputs, 64 hidden units | 98.87% | 7,764 | **65,000** | 321,000 |
| BitNetMCU, fully connected, 4 bits | 99.02% | 13,500 | 587,000 | 432,000 |
| BitNetMCU, fully connected, FP1.3.0 | 98.86% | 13,476 | 546,000 | **285,000** |

Where we lost then: below 5 kB BitNetMCU had a network with 98.9% and we had none, and without a multiplier its FP1.3.0
was faster than our 16x16. Today's networks are in the tables above and below.
"""
# bits: flash, loss in points; each at least and aim
WANTED = {
    8: ("54 KB / 52 KB", "0.03 / 0.00"),
    4: ("28 KB / 27 KB", "0.10 / 0.03"),
    2: ("15 KB / 13.5 KB", "0.5 / 0.25"),
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.edge", description="What the exported C costs and loses.")
    add_data_option(parser)
    parser.add_argument("--kept", type=Path, help="folder of networks in few bytes: those that are there stay")
    parser.add_argument("--only", choices=SECTIONS, help="only that section of EDGE.md")
    arguments = parser.parse_args()
    old = dict(zip(("", *SECTIONS), REPORT.read_text().split("\n## "), strict=False))
    with tempfile.TemporaryDirectory() as folder:
        world, kept = World(arguments.data, Path(folder)), Kept(arguments.kept)
        chosen = [arguments.only] if arguments.only else list(SECTIONS)
        found = {name: "\n".join(SECTIONS[name](world, kept)) + "\n" for name in chosen}
    head = {} if arguments.only else {"": f"# On microcontrollers\n\n{_about()}\n"}
    text = "\n## ".join((old | head | found).values())
    REPORT.write_text(text)
    _show(text)
    print(text)


def _show(report: str) -> None:
    """Put some of its tables into README."""
    tables = [part for part in report.split("\n\n") if part.startswith("| ")]
    shown = "\n\n".join(f"{line}\n\n{GOALS.sub('', tables[number])}" for number, line in SHOWN.items())
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{before}{BEGIN}{shown}\n{END}{rest.partition(END)[2]}")


def _about() -> str:
    tools = [version_of(tool) for tool in (boards.COMPILER, boards.EMULATOR)]
    return (
        f"digitnn-fast {__version__}, {', '.join(tools)}, emlearn {version('emlearn')}; written by "
        "`python -m bench.edge`. Instructions are counted by the emulator (`-icount shift=0`), the mean of "
        f"{COUNTED} images of Kaggle's test.csv, after all answers were compared; `-O2` everywhere. "
        "Milliseconds are estimated, at 1.5 cycles an instruction and 48 MHz."
    )


def _bits(world: World, kept: Kept) -> Iterator[str]:
    """What fewer bits of a weight save and lose."""
    images, labels = world.training_rows
    learned, held = split(len(labels), HELDOUT, 0)
    large = kept.network(LARGE, partial(train, images, labels, LARGE, heldout=HELDOUT))
    record = large.training
    assert record and (record.recipe, record.seed, record.heldout_rows) == (LARGE, 0, len(held))
    seen = prepare(images[held], large.preprocessing)
    right = reference.forward(large.parameters, seen).logits.argmax(axis=1) == labels[held]
    yield f"Recipe `{LARGE}` (784-64-10): {right.mean():.2%} of {len(held):,} rows held out, in float32"
    yield ""
    yield "Networks and fine-tuning learned from the other rows. ± is the standard error of the difference."
    yield ""
    yield "| bits | flash, Cortex-M4 (at least / aim) | RAM + stack (1 KB / 0.5 KB) | points lost (at least / aim) |"
    yield "|---|---|---|---|"
    rows = []
    for bits, (flash, loss) in WANTED.items():
        tune = partial(fine_tune, large, images[learned], labels[learned], bits)
        network = kept.network(f"{LARGE}-{bits}-bits", tune) if bits in FINE_TUNINGS else large
        integers = Integers(quantize(network.parameters, bits), bits, network.preprocessing)
        lost = right.astype(int) - (integers.logits(images[held]).argmax(axis=1) == labels[held])
        error = lost.std() / np.sqrt(len(lost))
        costs = [
            measured(integers, world.folder / f"{bits}", board, world.images[:COUNTED]) for board in boards.BOARDS[:2]
        ]
        products, _ = boards.multiply_adds(integers, world.images[:COUNTED])
        rows += [(bits, products, cost) for cost in costs]
        m4 = costs[1]
        yield (
            f"| {bits} | **{m4.flash:,} bytes** ({flash}) | **{m4.ram:,} bytes** | "
            f"**{100 * lost.mean():.2f} ± {100 * error:.2f}** ({loss}) |"
        )
    yield from (
        "",
        "| bits | board | flash | stack | multiply-adds | instructions | time |",
        "|---|---|---|---|---|---|---|",
    )
    for bits, products, cost in rows:
        time = cost.instructions * boards.CYCLES / 48_000
        yield (
            f"| {bits} | {cost.board} | {cost.flash:,} | {cost.stack:,} | {products:,.0f} | "
            f"{cost.instructions:,.0f} | {time:.1f} ms |"
        )


def _few_bytes(world: World, kept: Kept) -> Iterator[str]:
    """One hidden layer with other inputs, next to BitNetMCU's three."""
    images, labels = world.training_rows
    held = held_rows(world)
    yield from ("In few bytes: other inputs (`--inputs`, 2 bits), and BitNetMCU", "", *CHART, "")
    yield "| network | accuracy | weights | flash with code: Cortex-M4, M0 | RAM + stack | time at 48 MHz |"
    yield "|---|---|---|---|---|---|"
    notes: list[str] = []
    for inputs, hidden in FEW_BYTES:
        integers, tried = few_bits(world, kept, inputs, hidden, 2)
        place = world.folder / f"{inputs}-{hidden}"
        m0, m4 = (measured(integers, place, board, world.images[:COUNTED]) for board in boards.BOARDS[:2])
        assert m0.instructions
        milliseconds = m0.instructions * boards.CYCLES / 48_000
        yield (
            f"| {inputs} inputs, {hidden} hidden units | {accuracy_of(world, integers)} | {integers.bytes():,} bytes | "
            f"**{m4.flash:,}**, {m0.flash:,} bytes | {m0.ram:,} bytes | {milliseconds:.1f} ms |"
        )
        if len(tried) > 1:
            spread = [f"{(Predictor(one).predict(images[held]) == labels[held]).mean():.2%}" for one in tried]
            notes.append(f"{inputs} inputs, {hidden} hidden units: {', '.join(spread)}")
    for name, accuracy, weights, time in BITNETMCU:
        yield f"| BitNetMCU, {name} | {accuracy} | {weights} | – | – | {time} |"
    yield ""
    yield f"Ours: {held.sum():,} rows of train.csv (fold 1 of 5) that neither training nor choosing saw; {COMPARED}"
    yield ""
    yield (
        "Up to 16 hidden units three seeds were trained, and the one with the least training loss is in the table. In "
        f"float32 the three reach: {'; '.join(notes)}."
    )
    yield OUTSIDE.rstrip("\n")


def _rivals(world: World, _: Kept) -> Iterator[str]:
    """The same network of pixels as they are, by all three."""
    network, images, folder = world.network, world.images[:COUNTED], world.folder
    integers = Integers(quantize(network.parameters), 8, network.preprocessing)
    wanted = {"dense": integers.logits(images).argmax(axis=1)}
    wanted["emlearn"] = reference.forward(network.parameters, images).logits.argmax(axis=1)
    yield from ("Against others: recipe `pixels` (784-64-10), 8 bits", "")
    yield "| board | digitnn-fast | dense int8 loop | emlearn, float |"
    yield "|---|---|---|---|"
    for board in boards.BOARDS[:2]:
        ours = measured(integers, folder / "ours", board, images).instructions
        assert ours
        fpu = board.name == "Cortex-M4"
        cells = [f"{ours:,.0f} instructions"]
        for name, flags in (("dense", ()), ("emlearn", (*(FPU if fpu else ()), *_emlearn_flags()))):
            place = _peer(name, network, integers, folder)
            answers, count, _ = boards.emulate(place, place, board, images, flags)
            np.testing.assert_array_equal(answers["label"], wanted[name])
            cells.append(
                f"{count:,.0f}: **{count / ours:.1f}×**{' (with its FPU)' if fpu and name == 'emlearn' else ''}"
            )
        yield f"| {board.name} | {' | '.join(cells)} |"
    yield from ("", "Asked on Cortex-M4: 2.5× (aim 4×) against the dense loop, 5× (aim 10×) against emlearn.")


def _emlearn_flags() -> tuple[str, ...]:
    import emlearn

    return "-isystem", emlearn.includedir, "-D_DEFAULT_SOURCE", "-lm", "-lc"


def _peer(name: str, network: Network, integers: Integers, folder: Path) -> Path:
    """A folder with a rival's digits.c."""
    place = folder / name
    place.mkdir(exist_ok=True)
    shutil.copy(PEERS / f"{name}.c", place / "digits.c")
    (place / "digits.h").write_text(sources(integers)["digits.h"])
    write = _dense_weights(integers) if name == "dense" else _emlearn_weights(network)
    (place / "weights.h").write_text(write)
    return place


def _dense_weights(integers: Integers) -> str:
    W1, b1, W2, b2, shift, _ = integers.quantized
    arrays = ("int8_t", "W1", W1.T), ("int32_t", "b1", b1), ("int16_t", "W2", W2.T), ("int32_t", "b2", b2)
    lines = [f"#define HIDDEN {len(b1)}", f"#define SHIFT {shift}"]
    lines += [f"static const {kind} {name}[] = {{\n{numbers(array)}\n}};" for kind, name, array in arrays]
    return "\n".join(lines)


def _emlearn_weights(network: Network) -> str:
    from emlearn.net import c_generate_net_loadable

    W1, b1, W2, b2 = network.parameters
    return str(c_generate_net_loadable(["relu", "softmax"], [W1 / 255, W2], [b1, b2], "network"))


SECTIONS: dict[str, Callable[[World, Kept], Iterator[str]]] = {  # in the order of EDGE.md
    "bits": _bits,
    "bytes": _few_bytes,
    "others": _rivals,
    "additions": without_multiplier,
    "folds": five_folds,
    "arduino": on_arduino,
}


if __name__ == "__main__":
    main()
