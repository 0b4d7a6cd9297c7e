"""The generated C: the integers of the specification, from every compiler and on every processor, emulated ones too."""

import os
import shutil

import numpy as np
import pytest

from digitnn_fast import Network, kaggle, reference
from digitnn_fast.engines import Int8, prepare
from digitnn_fast.export.c import _cost, _run
from digitnn_fast.export.c._source import BLOCK, Integers, noise, pack, sources
from digitnn_fast.network import PREPROCESSINGS
from digitnn_fast.predictor import BUNDLED
from digitnn_fast.quantization import LARGEST, quantize
from digitnn_fast.sample import load_sample

SMALL = Network.load(BUNDLED["small"])
DIGITS = load_sample().test_images
HOSTILE = np.concatenate(
    [np.zeros((1, 784), np.uint8), np.full((1, 784), 255, np.uint8), np.eye(784, dtype=np.uint8)[::37] * 255, noise()]
)
CXX = ("-x", "c++", "-std=c++11", *_run.STRICT[1:])
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILERS = {
    "gcc": ("gcc", "-O2", *_run.STRICT),
    "gcc -O0": ("gcc", "-O0", *_run.STRICT),
    "gcc, sanitizers": ("gcc", *SANITIZED, *_run.STRICT),
    "g++": ("g++", "-O2", *CXX),
    "clang": ("clang", "-O2", *_run.STRICT),
    "clang++": ("clang++", "-O2", *CXX, "-Wno-deprecated"),
}
CROSS = {
    "32-bit ARM": ("arm-linux-gnueabihf-gcc", "qemu-arm"),
    "AArch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"),
    "RISC-V": ("riscv64-linux-gnu-gcc", "qemu-riscv64"),
}
MANY = [(bits, preprocessing) for bits in LARGEST for preprocessing in PREPROCESSINGS]


def needs(*tools):
    """Skip without these programs; in CI they must be there."""
    for tool in tools:
        if not shutil.which(tool):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"there is no {tool} here")


def integers(bits, preprocessing="deskewed", hidden=64):
    W1, b1, W2, b2 = SMALL.parameters
    parameters = Network(W1[:, :hidden], b1[:hidden], W2[:hidden], b2).parameters
    return Integers(quantize(parameters, bits), bits, preprocessing)


def built(network, folder, command, main=_run.HERE / "driver.c"):
    for name, text in sources(network).items():
        (folder / name).write_text(text)
    return _run.build(folder, folder / "program", command, main)


def check(network, images, answers):
    wanted = network.logits(images)
    np.testing.assert_array_equal(answers["logits"], wanted)
    np.testing.assert_array_equal(answers["label"], wanted.argmax(axis=1))
    probabilities = reference.softmax_uint8(wanted, network.quantized.scale)
    np.testing.assert_array_equal(answers["probabilities"], probabilities)


@pytest.fixture(scope="session")
def rows(request):
    """The 28,000 images of Kaggle's test.csv, or without them those of the sample."""
    try:
        return kaggle.read_test(request.getfixturevalue("kaggle_files")[1])
    except pytest.skip.Exception:
        return DIGITS


@pytest.mark.once
@pytest.mark.parametrize(("bits", "preprocessing"), MANY)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_compiler_gives_the_specified_integers_without_a_warning(tmp_path, compiler, bits, preprocessing):
    command = COMPILERS[compiler]
    needs(command[0])
    network = integers(bits, preprocessing)
    images = np.concatenate([DIGITS[:100], HOSTILE])
    check(network, images, _run.answers([built(network, tmp_path, command)], images))


@pytest.mark.parametrize(("bits", "preprocessing"), MANY)
def test_all_rows_as_in_the_specification_and_in_the_kernel(tmp_path, rows, bits, preprocessing):
    needs("gcc")
    network = integers(bits, preprocessing)
    answers = _run.answers([built(network, tmp_path, COMPILERS["gcc"])], rows)
    check(network, rows, answers)
    labels, logits = np.full(len(rows), 99, np.uint8), np.full((len(rows), 10), -99, np.int32)
    call = Int8(SMALL.parameters, bits).call(out=logits)
    call(np.zeros(1, np.int64), prepare(rows, preprocessing), labels, np.empty((0, 10), np.float32))
    np.testing.assert_array_equal(answers["logits"], logits)
    np.testing.assert_array_equal(answers["label"], labels)


@pytest.mark.once
@pytest.mark.parametrize(
    ("bits", "preprocessing"), [(bits, "deskewed") for bits in LARGEST] + [(8, "directions"), (8, "pooled")]
)
@pytest.mark.parametrize("processor", CROSS)
def test_other_processors_give_the_same_integers(tmp_path, rows, processor, bits, preprocessing):
    compiler, emulator = CROSS[processor]
    needs(compiler, emulator)
    network, images = integers(bits, preprocessing), np.concatenate([rows[:1000], HOSTILE])
    program = built(network, tmp_path, (compiler, "-static", "-O2", *_run.STRICT))
    check(network, images, _run.answers([emulator, program], images))


LIMITS = {8: (54 * 1024, 1024), 4: (28 * 1024, 1024), 2: (15 * 1024, 1024)}  # bytes of flash and of RAM


@pytest.mark.once
@pytest.mark.parametrize("bits", LARGEST)
@pytest.mark.parametrize("board", _cost.BOARDS, ids=lambda board: board.name)
def test_bare_metal_gives_the_same_integers_within_the_limits(tmp_path, rows, board, bits):
    needs(_cost.COMPILER, _cost.EMULATOR)
    W1, b1, W2, b2 = SMALL.parameters
    inside = np.zeros((28, 28), np.float32)
    inside[2:26, 4:25] = 1  # as after fine-tuning
    network = integers(bits)
    if bits < 8:
        network = Integers(quantize((W1 * inside.reshape(-1, 1), b1, W2, b2), bits), bits, "deskewed")
    for name, text in sources(network).items():
        (tmp_path / name).write_text(text)
    images = np.concatenate([rows[:1000], HOSTILE])
    cost, answers = _cost.measure(tmp_path, board, images)
    check(network, images, answers)
    flash, ram = LIMITS[bits]
    assert cost.flash <= flash
    assert cost.ram <= ram
    assert cost.static == 0
    products, dense = _cost.multiply_adds(network, images[:1000])
    assert products < dense / 3
    assert products < cost.instructions < 10 * products


@pytest.mark.once
@pytest.mark.parametrize("board", _cost.BOARDS, ids=lambda board: board.name)
@pytest.mark.parametrize(("preprocessing", "ram"), [("directions", 2048), ("pooled", 1024)])
def test_other_views_take_so_much_stack_and_no_libc(tmp_path, rows, preprocessing, ram, board):
    needs(_cost.COMPILER, _cost.EMULATOR)
    network = integers(8, preprocessing)
    for name, text in sources(network).items():
        (tmp_path / name).write_text(text)
    images = np.concatenate([rows[:200], HOSTILE])
    cost, answers = _cost.measure(tmp_path, board, images)
    check(network, images, answers)
    assert cost.flash <= LIMITS[8][0]
    assert cost.ram <= ram
    assert cost.static == 0


@pytest.mark.once
def test_instructions_are_counted_and_not_timed(tmp_path):
    needs(_cost.COMPILER, _cost.EMULATOR)
    for name, text in sources(integers(2, "raw", 16)).items():
        (tmp_path / name).write_text(text)
    black = np.zeros((20, 784), np.uint8)
    counts = [_cost.measure(tmp_path, _cost.BOARDS[1], images)[0].instructions for images in (black, black, black + 1)]
    assert counts[0] == pytest.approx(counts[1], rel=0.01)
    assert counts[2] > counts[0] + 784 * 16, "an instruction or more for each weight of 784 pixels that are not black"


@pytest.mark.parametrize("bits", LARGEST)
@pytest.mark.parametrize("hidden", [1, 7, 16, 33])
def test_any_width(tmp_path, hidden, bits):
    needs("gcc")
    network = integers(bits, "raw", hidden)
    check(network, HOSTILE, _run.answers([built(network, tmp_path, COMPILERS["gcc"])], HOSTILE))


@pytest.mark.parametrize(("bits", "preprocessing"), MANY)
def test_pixels_without_weights_are_left_out(tmp_path, bits, preprocessing):
    needs("gcc")
    W1, b1, W2, b2 = SMALL.parameters
    inside = np.zeros((28, 28), np.float32)
    inside[3:26, 5:23] = 1
    parameters = Network(W1 * inside.reshape(-1, 1), b1, W2, b2).parameters
    network = Integers(quantize(parameters, bits), bits, preprocessing)
    assert network.window() == (3, 26, 5, 23)
    images = np.concatenate([DIGITS[:100], HOSTILE])
    check(network, images, _run.answers([built(network, tmp_path, COMPILERS["gcc"])], images))
    assert pack(np.zeros((23 * 18, 64), np.int8), bits).nbytes == 23 * 18 * 64 * bits // 8


def test_a_network_of_zeros(tmp_path):
    needs("gcc")
    parameters = Network(*(np.zeros_like(array) for array in SMALL.parameters)).parameters
    network = Integers(quantize(parameters, 2), 2, "deskewed")
    answers = _run.answers([built(network, tmp_path, COMPILERS["gcc"])], HOSTILE)
    check(network, HOSTILE, answers)
    assert (answers["probabilities"] == 26).all(), "255 / 10, rounded up"


@pytest.mark.parametrize("bits", LARGEST)
def test_packed_weights_are_where_the_C_looks_for_them(bits):
    random, largest = np.random.default_rng(bits), LARGEST[bits]
    weights = random.choice(np.arange(-largest, largest + 1, 4 // bits or 1), (5, 32)).astype(np.int8)
    packed, block = pack(weights, bits), BLOCK[bits]
    for pixel in range(5):
        for unit in range(32):
            first, place = unit // block * block, unit % 8
            half = 16 * (unit % block // 8)
            if bits == 8:
                assert packed[pixel, unit] == weights[pixel, unit]
                continue
            words = packed.reshape(5, -1)[pixel, first * bits // 32 :]
            word = words[place // 4] if bits == 4 else words[0]
            code = int(word) >> (half + bits * (place % 4 if bits == 4 else place)) & (2**bits - 1)
            assert code * (4 // bits) - LARGEST[bits] == weights[pixel, unit]


@pytest.mark.parametrize("bits", LARGEST)
def test_the_selftest_passes_and_notices_one_wrong_weight(tmp_path, bits):
    needs("gcc")
    network = integers(bits)
    program = built(network, tmp_path, COMPILERS["gcc"], tmp_path / "selftest.c")
    _run.run_tool([program])
    W1 = network.quantized.W1
    W1[400, np.abs(W1[400]).argmax()] *= -1
    wrong = sources(network)["digits.c"]
    assert wrong != (tmp_path / "digits.c").read_text()
    (tmp_path / "digits.c").write_text(wrong)
    program = _run.build(tmp_path, tmp_path / "other", COMPILERS["gcc"], tmp_path / "selftest.c")
    with pytest.raises(_run.ToolError, match="exit code 1"):
        _run.run_tool([program])


def test_the_sources_have_no_name_but_their_own():
    """No libc: nothing is included but the header, and that includes <stdint.h> alone."""
    text = sources(integers(8))
    assert [line for line in text["digits.c"].splitlines() if "#include" in line] == ['#include "digits.h"']
    assert [line for line in text["digits.h"].splitlines() if "#include" in line] == ["#include <stdint.h>"]
    assert "@" not in "".join(text.values())


@pytest.mark.parametrize("scale", [1e-38, 1e-9, 5.76e-7, 1e-4, 0.3, 20.0, 1e9])
def test_integer_probabilities_are_softmax_within_two_levels(scale):
    random = np.random.default_rng(0)
    logits = np.clip(random.normal(0, 3 / scale, (1000, 10)), -(2.0**31), 2.0**31 - 1).astype(np.int32)
    logits[0] = [2**31 - 1, *[-(2**31)] * 9]
    shifted = (logits - logits.max(axis=1, keepdims=True).astype(np.float64)) * scale
    powers = np.exp(shifted)
    wanted = 255 * powers / powers.sum(axis=1, keepdims=True)
    got = reference.softmax_uint8(logits, scale)
    assert got.dtype == np.uint8
    assert np.abs(got - wanted).max() < 2
