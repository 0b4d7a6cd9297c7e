"""`python -m bench.edge [--data FOLDER]`: what the C costs and loses, against emlearn and a dense loop.

Writes bench/EDGE.md, and all but its second table between the edge markers of digitnn_fast/export/README.md. Needs the
Debian packages of .ci/debian.txt, libnewlib-arm-none-eabi for emlearn's C, and the extra `bench`. All answers are
checked before an instruction is counted; instructions do not depend on this machine.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench.measure import HERE, World
from digitnn_fast import Network, __version__, reference
from digitnn_fast.export.c import INPUTS, boards
from digitnn_fast.export.c.source import Integers, numbers, sources
from digitnn_fast.preprocessing import prepare
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.training import train
from digitnn_fast.training.finetuning import FINE_TUNINGS, fine_tune
from digitnn_fast.training.loop import split, train_on
from digitnn_fast.training.recipes import RECIPES

README, BEGIN, END = HERE.parent / "digitnn_fast" / "export" / "README.md", "<!-- edge -->\n", "<!-- /edge -->"
COUNTED = 100  # images of test.csv
HELDOUT = 0.2
PEERS = HERE / "peers"
FPU = ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
FEW_BYTES = (("16x16", 64, 2), ("16x16", 128, 2), ("7x7x16", 16, 2), ("7x7x16", 32, 2))  # inputs, hidden units, bits
BITNETMCU = (
    "| BitNetMCU, 256-64-64-64-10, 4 bits | 99.02% | 12.3 KiB | – | – | 13.7 ms |",
    "| BitNetMCU in 6 kB, as quoted to us without a source | 98.1% | 6 kB | – | – | – |",
    "| BitNetMCU 2026, windows of 8 × 8, 2 and 4 bits | 99.25% | 7.8 and 8.1 KiB | – | – | 29 and 16 ms |",
    "| BitNetMCU 2026, more windows, 4 bits | 99.37% | 9.7 KiB | – | – | 33 ms |",
    "| BitNetMCU, convolutions | 99.28% and 99.55% | 7.3 and 11.0 KiB | – | – | 30 and 57 ms |",
)
REPORT = "https://github.com/cpldcpu/BitNetMCU/blob/main/docs/documentation"
COMPARED = (
    "what was tried, on fold 0, is in [ACCURACY.md](ACCURACY.md). RAM is without the image (784 bytes), time is "
    f"that of a Cortex-M0. BitNetMCU: its own figures ([report]({REPORT}.md), [2026]({REPORT}_2026.md)), where "
    "bytes are those of the weights alone, code comes on top, and a CH32V003, which cannot multiply, was timed or "
    "estimated. That has 2 KB of RAM: too little for directions and an image. The rows differ: theirs are MNIST's "
    "10,000 test images, by writers whom the training did not see, after training on 60,000. Kaggle's train.csv "
    "mixes all writers, which makes our rows easier, and ours learned from 33,600."
)
# bits: flash, loss in points; each at least and aim
WANTED = {
    8: ("54 KB / 52 KB", "0.03 / 0.00"),
    4: ("28 KB / 27 KB", "0.10 / 0.03"),
    2: ("15 KB / 13.5 KB", "0.5 / 0.25"),
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.edge", description="What the exported C costs and loses.")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="Kaggle's two files")
    parser.add_argument("--small", help="the result of `train --recipe small --heldout 0.2`, instead of training it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            "# On microcontrollers",
            "",
            _about(),
            "",
            *_report(World(arguments.data, Path(folder)), arguments.small),
        ]
    (HERE / "EDGE.md").write_text("\n".join([*lines, ""]))
    tables = [part for part in "\n".join(lines).split("\n\n") if part.startswith("| ")]
    before, _, rest = README.read_text().partition(BEGIN)
    shown = "\n\n".join(tables[:1] + tables[2:])
    README.write_text(f"{before}{BEGIN}{shown}\n{END}{rest.partition(END)[2]}")
    print("\n".join(lines))


def _about() -> str:
    tools = [_version(tool) for tool in (boards.COMPILER, boards.EMULATOR)]
    return (
        f"digitnn-fast {__version__}, {', '.join(tools)}, emlearn {version('emlearn')}; written by "
        "`python -m bench.edge`. Instructions are counted by the emulator (`-icount shift=0`), the mean of "
        f"{COUNTED} images of Kaggle's test.csv, after all answers were compared; `-O2` everywhere. "
        "Milliseconds are estimated, at 1.5 cycles an instruction and 48 MHz."
    )


def _version(tool: str) -> str:
    first = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    found = re.search(r"\d+(\.\d+)+", first)
    return f"{tool} {found.group() if found else first}"


def _report(world: World, trained: str | None) -> Iterator[str]:
    images, labels = world.training_rows
    learned, held = split(len(labels), HELDOUT, 0)
    small = Network.load(trained) if trained else train(images, labels, "small", heldout=HELDOUT)
    record = small.training
    assert record and (record.recipe, record.seed, record.heldout_rows) == ("small", 0, len(held))
    seen = prepare(images[held], small.preprocessing)
    right = reference.forward(small.parameters, seen).logits.argmax(axis=1) == labels[held]
    yield f"## Recipe `small` (784-64-10, deskewed): {right.mean():.2%} of {len(held):,} rows held out, in float32"
    yield ""
    yield "Networks and fine-tuning learned from the other rows. ± is the standard error of the difference."
    yield ""
    yield "| bits | flash, Cortex-M4 (at least / aim) | RAM + stack (1 KB / 0.5 KB) | points lost (at least / aim) |"
    yield "|---|---|---|---|"
    rows = []
    for bits, (flash, loss) in WANTED.items():
        network = fine_tune(small, images[learned], labels[learned], bits) if bits in FINE_TUNINGS else small
        integers = Integers(quantize(network.parameters, bits), bits, network.preprocessing)
        lost = right.astype(int) - (integers.logits(images[held]).argmax(axis=1) == labels[held])
        error = lost.std() / np.sqrt(len(lost))
        costs = [
            _measured(integers, world.folder / f"{bits}", board, world.images[:COUNTED]) for board in boards.BOARDS
        ]
        products, _ = boards.multiply_adds(integers, world.images[:COUNTED])
        rows += [(bits, products, cost) for cost in costs]
        m4 = costs[-1]
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
    yield from _few_bytes(world, world.folder)
    yield from _rivals(world, world.folder)


def _measured(integers: Integers, folder: Path, board: boards.Board, images: np.ndarray) -> boards.Cost:
    folder.mkdir(exist_ok=True)
    for name, text in sources(integers).items():
        (folder / name).write_text(text)
    cost, answers = boards.measure(folder, board, images)
    assert answers is not None
    np.testing.assert_array_equal(answers["logits"], integers.logits(images))
    return cost


def _few_bytes(world: World, folder: Path) -> Iterator[str]:
    """One hidden layer with other inputs, next to BitNetMCU's three."""
    images, labels = world.training_rows
    held = np.random.default_rng((0, 3)).permutation(len(labels)) % 5 == 1  # fold 1 of `train --folds 5`
    yield from ("", "## In few bytes: other inputs (`--inputs`, 2 bits), and BitNetMCU", "")
    yield "| network | accuracy | weights | flash with code: Cortex-M4, M0 | RAM + stack | time at 48 MHz |"
    yield "|---|---|---|---|---|---|"
    for inputs, hidden, bits in FEW_BYTES:
        recipe = replace(RECIPES[INPUTS[inputs]], hidden=hidden)
        network = train_on(images, labels, recipe, (np.flatnonzero(~held), np.flatnonzero(held)), 0)
        tuned = fine_tune(network, images[~held], labels[~held], bits)
        integers = Integers(quantize(tuned.parameters, bits), bits, tuned.preprocessing)
        right = (integers.logits(images[held]).argmax(axis=1) == labels[held]).mean()
        error = np.sqrt(right * (1 - right) / held.sum())
        place = folder / f"{inputs}-{hidden}"
        m0, m4 = (_measured(integers, place, board, world.images[:COUNTED]) for board in boards.BOARDS)
        assert m0.instructions
        milliseconds = m0.instructions * boards.CYCLES / 48_000
        yield (
            f"| {inputs} inputs, {hidden} hidden units | **{right:.2%} ± {error:.2%}** | {integers.bytes():,} bytes | "
            f"**{m4.flash:,}**, {m0.flash:,} bytes | {m0.ram:,} bytes | {milliseconds:.1f} ms |"
        )
    yield from BITNETMCU
    yield ""
    yield f"Ours: {held.sum():,} rows of train.csv (fold 1 of 5) that neither training nor choosing saw; {COMPARED}"


def _rivals(world: World, folder: Path) -> Iterator[str]:
    """The same network of pixels as they are, by all three."""
    network, images = world.network, world.images[:COUNTED]
    integers = Integers(quantize(network.parameters), 8, network.preprocessing)
    wanted = {"dense": integers.logits(images).argmax(axis=1)}
    wanted["emlearn"] = reference.forward(network.parameters, images).logits.argmax(axis=1)
    yield from ("", "## Against others: recipe `fast` (784-64-10, pixels as they are), 8 bits", "")
    yield "| board | digitnn-fast | dense int8 loop | emlearn, float |"
    yield "|---|---|---|---|"
    for board in boards.BOARDS:
        ours = _measured(integers, folder / "ours", board, images).instructions
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


if __name__ == "__main__":
    main()
