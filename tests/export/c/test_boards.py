"""The generated C on bare metal, emulated: what it answers, and what it costs."""

import numpy as np
import pytest
from c_export import HOSTILE, check, integers
from exports import DIGITS, SMALL
from programs import needs

from digitnn_fast.export.c import boards
from digitnn_fast.export.c.source import Integers, sources
from digitnn_fast.reference.quantization import LARGEST, quantize

ADDING = boards.BOARDS[2]
LIMITS = {8: (54 * 1024, 1024), 4: (28 * 1024, 1024), 2: (15 * 1024, 1024)}  # bytes of flash and of RAM


@pytest.mark.once
@pytest.mark.parametrize("bits", LARGEST)
@pytest.mark.parametrize("board", boards.BOARDS, ids=lambda board: board.name)
def test_bare_metal_gives_the_same_integers_within_the_limits(tmp_path, rows, board, bits):
    needs(board.compiler, board.emulator)
    W1, b1, W2, b2 = SMALL.parameters
    inside = np.zeros((28, 28), np.float32)
    inside[2:26, 4:25] = 1  # as after fine-tuning
    network = integers(bits)
    if bits < 8:
        network = Integers(quantize((W1 * inside.reshape(-1, 1), b1, W2, b2), bits), bits, "deskewed")
    for name, text in sources(network).items():
        (tmp_path / name).write_text(text)
    images = np.concatenate([rows[:1000], HOSTILE])
    cost, answers = boards.measure(tmp_path, board, images)
    check(network, images, answers)
    flash, ram = LIMITS[bits]
    assert cost.flash <= flash
    assert cost.ram <= min(ram, network.stack())
    assert cost.static == 0
    products, dense = boards.multiply_adds(network, images[:1000])
    assert products < dense / 3
    assert products < cost.instructions < (60 if board == ADDING else 10) * products


@pytest.mark.once
@pytest.mark.parametrize("board", boards.BOARDS, ids=lambda board: board.name)
@pytest.mark.parametrize(("preprocessing", "ram"), [("directions", 2048), ("pooled", 1024)])
def test_other_views_take_so_much_stack_and_no_libc(tmp_path, rows, preprocessing, ram, board):
    needs(board.compiler, board.emulator)
    network = integers(8, preprocessing)
    for name, text in sources(network).items():
        (tmp_path / name).write_text(text)
    images = np.concatenate([rows[:200], HOSTILE])
    cost, answers = boards.measure(tmp_path, board, images)
    check(network, images, answers)
    assert cost.flash <= LIMITS[8][0]
    assert cost.ram <= min(ram, network.stack())
    assert cost.static == 0


@pytest.mark.once
@pytest.mark.parametrize("preprocessing", ["raw", "pooled"])
def test_without_a_multiplier_additions_are_fewer_instructions_than_its_emulation(tmp_path, rows, preprocessing):
    needs(ADDING.compiler, ADDING.emulator)
    network = integers(2, preprocessing)
    for name, text in sources(network).items():
        (tmp_path / name).write_text(text)
    images = np.concatenate([rows[:50], HOSTILE[::5]])
    counts = []
    for flags in ((), ("-DDIGITS_MULTIPLIER=1",)):
        answers, instructions, _ = boards.emulate(tmp_path, tmp_path, ADDING, images, flags)
        check(network, images, answers)
        counts.append(instructions)
    assert counts[0] < 0.6 * counts[1]


@pytest.mark.once
def test_instructions_are_counted_and_not_timed(tmp_path):
    needs(boards.COMPILER, boards.EMULATOR)
    for name, text in sources(integers(2, "raw", 16)).items():
        (tmp_path / name).write_text(text)
    black = np.zeros((20, 784), np.uint8)
    counts = [
        boards.measure(tmp_path, boards.BOARDS[1], images)[0].instructions for images in (black, black, black + 1)
    ]
    assert counts[0] == pytest.approx(counts[1], rel=0.01)
    assert counts[2] > counts[0] + 784 * 16, "an instruction or more for each weight of 784 pixels that are not black"


@pytest.mark.once
def test_a_whole_reader_of_few_bytes(tmp_path):
    """EDGE.md has 99.31% by a network of this shape; nothing of the code may bring a library's division along."""
    needs(boards.COMPILER, boards.EMULATOR)
    network = integers(2, "directions300", 12)
    assert network.bytes() == 1228
    for name, text in sources(network).items():
        (tmp_path / name).write_text(text)
    cost, answers = boards.measure(tmp_path, boards.BOARDS[0], DIGITS[:50])
    check(network, DIGITS[:50], answers)
    assert cost.flash <= 3600
