"""The generated C: the integers of the specification, from every compiler and on every processor."""

import re
from collections import Counter

import numpy as np
import pytest
from c_export import HOSTILE, check, integers
from exports import DIGITS, SMALL
from programs import needs

from digitnn_fast import Network, reference
from digitnn_fast.engines import Int8
from digitnn_fast.export.c import tools
from digitnn_fast.export.c.boards import multiply_adds
from digitnn_fast.export.c.source import Integers, pack, sources
from digitnn_fast.preprocessing import PREPROCESSINGS, prepare
from digitnn_fast.reference.quantization import LARGEST, quantize, rectangle

CXX = ("-x", "c++", "-std=c++11", *tools.STRICT[1:])
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ADDING = "-DDIGITS_MULTIPLIER=0"
COMPILERS = {
    "gcc": ("gcc", "-O2", *tools.STRICT),
    "gcc -O0": ("gcc", "-O0", *tools.STRICT),
    "gcc, sanitizers": ("gcc", *SANITIZED, *tools.STRICT),
    "gcc, no multiplier": ("gcc", ADDING, *SANITIZED, *tools.STRICT),
    "g++": ("g++", "-O2", *CXX),
    "clang": ("clang", "-O2", *tools.STRICT),
    "clang++": ("clang++", "-O2", *CXX, "-Wno-deprecated"),
}
CROSS = {
    "32-bit ARM": ("arm-linux-gnueabihf-gcc", "qemu-arm"),
    "AArch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"),
    "RISC-V": ("riscv64-linux-gnu-gcc", "qemu-riscv64"),
}
MANY = [(bits, preprocessing) for bits in LARGEST for preprocessing in PREPROCESSINGS]


def built(network, folder, command, main=tools.HERE / "driver.c", wide=False):
    for name, text in sources(network, wide).items():
        (folder / name).write_text(text)
    return tools.build(folder, folder / "program", command, main)


@pytest.mark.once
@pytest.mark.parametrize(("bits", "preprocessing"), MANY)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_compiler_gives_the_specified_integers_without_a_warning(tmp_path, compiler, bits, preprocessing):
    command = COMPILERS[compiler]
    needs(command[0])
    network = integers(bits, preprocessing)
    images = np.concatenate([DIGITS[:100], HOSTILE])
    check(network, images, tools.answers([built(network, tmp_path, command)], images))


@pytest.mark.parametrize(("bits", "preprocessing"), MANY)
@pytest.mark.parametrize("source", ["sample", pytest.param("rows", marks=pytest.mark.once)])
def test_all_rows_as_in_the_specification_and_in_the_kernel(tmp_path, request, source, bits, preprocessing):
    needs("gcc")
    rows = DIGITS if source == "sample" else request.getfixturevalue("rows")
    network = integers(bits, preprocessing)
    answers = tools.answers([built(network, tmp_path, COMPILERS["gcc"])], rows)
    check(network, rows, answers)
    labels, logits = np.full(len(rows), 99, np.uint8), np.full((len(rows), 10), -99, np.int32)
    call = Int8(SMALL.parameters, bits).call(out=logits)
    call(np.zeros(1, np.int64), prepare(rows, preprocessing), labels, np.empty((0, 10), np.float32))
    np.testing.assert_array_equal(answers["logits"], logits)
    np.testing.assert_array_equal(answers["label"], labels)


@pytest.mark.once
@pytest.mark.parametrize(
    ("bits", "preprocessing"),
    [(bits, "deskewed") for bits in LARGEST]
    + [(8, "directions"), (8, "pooled"), (2, "directions480"), (2, "directions300")],
)
@pytest.mark.parametrize("processor", CROSS)
def test_other_processors_give_the_same_integers(tmp_path, rows, processor, bits, preprocessing):
    compiler, emulator = CROSS[processor]
    needs(compiler, emulator)
    network, images = integers(bits, preprocessing), np.concatenate([rows[:1000], HOSTILE])
    program = built(network, tmp_path, (compiler, "-static", "-O2", *tools.STRICT))
    check(network, images, tools.answers([emulator, program], images))


@pytest.mark.parametrize("flags", [(), (ADDING,)], ids=["multiplies", "adds"])
@pytest.mark.parametrize("bits", LARGEST)
@pytest.mark.parametrize("hidden", [1, 7, 12, 16, 24, 33])
def test_any_width(tmp_path, hidden, bits, flags):
    needs("gcc")
    network = integers(bits, "raw", hidden)
    program = built(network, tmp_path, (*COMPILERS["gcc"], *flags))
    check(network, HOSTILE, tools.answers([program], HOSTILE))


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_without_a_multiplier(tmp_path, preprocessing):
    needs("gcc")
    network, images = integers(2, preprocessing), np.concatenate([DIGITS[:500], HOSTILE])
    check(network, images, tools.answers([built(network, tmp_path, (*COMPILERS["gcc"], ADDING))], images))


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_the_c_of_webassembly_gives_the_same_integers(tmp_path, preprocessing):
    needs("gcc")
    network, images = integers(8, preprocessing), np.concatenate([DIGITS[:300], HOSTILE])
    command = ("gcc", *SANITIZED, *tools.STRICT, "-Wno-unused-function", "-fno-math-errno")
    check(network, images, tools.answers([built(network, tmp_path, command, wide=True)], images))


ROWS = """
#include <stdio.h>
#include "digits.h"
static const uint8_t *row(void *context, uint8_t y)
{
    putchar(y);
    return (const uint8_t *)context + 28 * y;
}
int main(void)
{
    static uint8_t image[DIGITS_PIXELS];
    return fread(image, 1, sizeof image, stdin) != sizeof image || digits_predict_rows(row, image) > 9;
}
"""


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_rows_are_asked_for_as_the_header_says(tmp_path, preprocessing):
    needs("gcc")
    (tmp_path / "rows.c").write_text(ROWS)
    network = integers(8, preprocessing)
    program = built(network, tmp_path, COMPILERS["gcc"], tmp_path / "rows.c")
    once = "at most once each." in (tmp_path / "digits.h").read_text()
    assert once == (preprocessing == "raw")
    for image in (DIGITS[0], DIGITS[1], HOSTILE[0], HOSTILE[1]):
        asked = list(tools.run_tool([program], image.tobytes()))
        if not once:
            assert asked[:28] == list(range(28))
            asked = asked[28:]
        assert asked == sorted(set(asked))


@pytest.mark.parametrize(("bits", "preprocessing"), MANY)
def test_pixels_without_weights_are_left_out(tmp_path, bits, preprocessing):
    needs("gcc")
    W1, b1, W2, b2 = SMALL.parameters
    inside = np.zeros((28, 28), np.float32)
    inside[3:26, 5:23] = 1
    parameters = Network(W1 * inside.reshape(-1, 1), b1, W2, b2).parameters
    network = Integers(quantize(parameters, bits), bits, preprocessing)
    used = inside.ravel() > 0
    used[PREPROCESSINGS[preprocessing].never_ink] = False
    assert network.window() == rectangle(used)
    images = np.concatenate([DIGITS[:100], HOSTILE])
    check(network, images, tools.answers([built(network, tmp_path, COMPILERS["gcc"])], images))
    assert pack(np.zeros((23 * 18, 64), np.int8), bits, network.block()).nbytes == 23 * 18 * 64 * bits // 8


PGMSPACE = """
#include <assert.h>
#include <stdint.h>
#define PROGMEM __attribute__((section(".flash")))
/* As an ESP8266 reads its flash: a word at a place that is a multiple of four, and shifts. */
static inline uint32_t part(const void *place, uint32_t bytes)
{
    const uintptr_t at = (uintptr_t)place;
    assert(at % bytes == 0);
    return *(const volatile uint32_t *)(at - at % 4) >> 8 * (at % 4);
}
#define pgm_read_byte(place) ((uint8_t)part(place, 1))
#define pgm_read_word(place) ((uint16_t)part(place, 2))
#define pgm_read_dword(place) part(place, 4)
"""


@pytest.mark.parametrize(("bits", "preprocessing"), [(8, "directions"), (4, "raw"), (2, "pooled")])
def test_on_an_esp8266_what_is_stored_is_read_from_flash(tmp_path, bits, preprocessing):
    needs("gcc")
    (tmp_path / "avr").mkdir()
    (tmp_path / "avr" / "pgmspace.h").write_text(PGMSPACE)
    network, images = integers(bits, preprocessing), np.concatenate([DIGITS[:100], HOSTILE])
    command = (*COMPILERS["gcc"], "-DARDUINO_ARCH_ESP8266", "-I", tmp_path, "-fno-strict-aliasing")
    program = built(network, tmp_path, command)
    check(network, images, tools.answers([program], images))
    assert b".flash\0" in program.read_bytes()


@pytest.mark.once
def test_on_an_esp8266_the_weights_take_no_ram(tmp_path):
    compiler = "xtensa-lx106-elf-gcc"
    needs(compiler)
    (tmp_path / "avr").mkdir()
    (tmp_path / "avr" / "pgmspace.h").write_text(PGMSPACE.replace("#include <assert.h>", "#define assert(fact)"))
    network = integers(8, "directions")
    for name, text in sources(network).items():
        (tmp_path / name).write_text(text)
    board = ("-Os", "-ffreestanding", "-mlongcalls", "-DARDUINO=10819", "-DARDUINO_ARCH_ESP8266", "-I", tmp_path)
    files = (tmp_path / "digits.c", tmp_path / "selftest.c")
    tools.run_tool([compiler, *board, "-Wall", "-Wextra", "-Wno-unused", "-Werror", "-c", *files], folder=tmp_path)
    sizes = Counter()
    for name in ("digits.o", "selftest.o"):
        printed = tools.run_tool([compiler.replace("gcc", "objdump"), "-h", tmp_path / name]).decode()
        for section, size in re.findall(r"\d+ (\.[\w.]+) +([0-9a-f]{8})", printed):
            sizes[section] += int(size, 16)
    assert sizes[".flash"] > network.bytes() + 10 * 784
    assert sum(sizes[name] for name in (".rodata", ".data", ".bss")) < 64


def test_a_network_of_zeros(tmp_path):
    needs("gcc")
    parameters = Network(*(np.zeros_like(array) for array in SMALL.parameters)).parameters
    network = Integers(quantize(parameters, 2), 2, "deskewed")
    answers = tools.answers([built(network, tmp_path, COMPILERS["gcc"])], HOSTILE)
    check(network, HOSTILE, answers)
    assert (answers["probabilities"] == 26).all(), "255 / 10, rounded up"


@pytest.mark.parametrize(("bits", "block"), [(8, 8), (4, 8), (4, 16), (2, 4), (2, 8), (2, 16)])
def test_packed_weights_are_where_the_C_looks_for_them(bits, block):
    random, largest = np.random.default_rng(bits), LARGEST[bits]
    weights = random.choice(np.arange(-largest, largest + 1, 4 // bits or 1), (5, 48)).astype(np.int8)
    packed = pack(weights, bits, block).reshape(5, -1)
    assert packed.nbytes == 5 * 48 * bits // 8
    for pixel in range(5):
        for unit in range(48):
            if bits == 8:
                assert packed[pixel, unit] == weights[pixel, unit]
                continue
            number, place = unit // block, unit % (block // 2)
            words = packed[pixel].reshape(48 // block, -1)[number]
            half = unit % block // (block // 2) * words.itemsize * 4
            code = int(words[place // 4 if bits == 4 else 0]) >> (half + bits * (place % (4 if bits == 4 else 8)))
            assert (code & (2**bits - 1)) * (4 // bits) - LARGEST[bits] == weights[pixel, unit]


@pytest.mark.parametrize("bits", LARGEST)
def test_the_selftest_passes_and_notices_one_wrong_weight(tmp_path, bits):
    needs("gcc")
    network = integers(bits)
    program = built(network, tmp_path, COMPILERS["gcc"], tmp_path / "selftest.c")
    tools.run_tool([program])
    W1 = network.quantized.W1
    W1[400, np.abs(W1[400]).argmax()] *= -1
    right, wrong = (tmp_path / "digits.c").read_text(), sources(network)["digits.c"]
    assert wrong != right
    (tmp_path / "digits.c").write_text(wrong)
    with pytest.raises(tools.ToolError, match="are of two exports: an export was cut short, run it again"):
        tools.build(tmp_path, tmp_path / "mixed", COMPILERS["gcc"], tmp_path / "selftest.c")
    number = re.compile("DIGITS_EXPORT != (0x[0-9a-f]{8}u)")
    (tmp_path / "digits.c").write_text(wrong.replace(number.search(wrong)[1], number.search(right)[1]))
    program = tools.build(tmp_path, tmp_path / "other", COMPILERS["gcc"], tmp_path / "selftest.c")
    with pytest.raises(tools.ToolError, match="exit code 1"):
        tools.run_tool([program])


FLIPPER = """#include <stdio.h>
#define DIGITS_NO_MAIN
#include "digits.c"
#include "selftest.c"
#define FLIP(array) \\
    for (n = 0; n < sizeof array; n += sizeof array > 9999 ? 97 : 1) { \\
        ((unsigned char *)array)[n] ^= (unsigned char)(1 << n % 8); \\
        missed += digits_selftest() == 0; \\
        tried++; \\
        ((unsigned char *)array)[n] ^= (unsigned char)(1 << n % 8); \\
    }
int main(void)
{
    unsigned n, missed = digits_selftest(), tried = 0;
    FLIP(W1) FLIP(b1) FLIP(W2) FLIP(b2) FLIP(powers)
    printf("%u %u %u\\n", missed, tried, (unsigned)digits_selftest());
}
"""


@pytest.mark.parametrize("bits", LARGEST)
def test_the_selftest_finds_every_flipped_bit_of_a_stored_number(tmp_path, bits):
    needs("gcc")
    for name, text in sources(integers(bits)).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "flip.c").write_text(FLIPPER)
    program = tmp_path / "flip"
    tools.run_tool(["gcc", "-O2", "-Dconst=", tmp_path / "flip.c", "-o", program])
    missed, tried, after = map(int, tools.run_tool([program]).split())
    assert (missed, after) == (0, 0)
    assert tried > 1500


def test_a_dense_network_has_the_products_of_its_own_inputs():
    assert multiply_adds(integers(8), DIGITS[:9])[1] == 64 * (784 + 10)
    assert multiply_adds(integers(8, "directions"), DIGITS[:9])[1] == 64 * (784 + 10)
    assert multiply_adds(integers(8, "pooled"), DIGITS[:9])[1] == 64 * (256 + 10)
    assert multiply_adds(integers(8, "directions480"), DIGITS[:9])[1] == 64 * (480 + 10)
    assert multiply_adds(integers(8, "directions300"), DIGITS[:9])[1] == 64 * (300 + 10)


def test_the_sources_have_no_name_but_their_own():
    """No libc: nothing is included but the header, which includes <stdint.h>, and for AVR what reads its flash."""
    text = sources(integers(8))
    assert [line for line in text["digits.c"].splitlines() if "#include" in line] == ['#include "digits.h"']
    included = [line for line in text["digits.h"].splitlines() if "#include" in line]
    assert included == ["#include <stdint.h>", "#include <avr/pgmspace.h>"]
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
