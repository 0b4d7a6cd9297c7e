"""The generated C on AVR boards, emulated: 16-bit `int`, and weights in a flash that pointers do not reach."""

import re

import numpy as np
import pytest
from c_export import HOSTILE, check, integers
from exports import DIGITS
from programs import needs

from digitnn_fast.export.c import avr, tools
from digitnn_fast.export.c.source import sources

UNO, MEGA = avr.BOARDS


def written(network, folder):
    for name, text in sources(network).items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.once
@pytest.mark.parametrize(
    ("board", "bits", "preprocessing", "hidden", "ram"),
    [
        (UNO, 2, "raw", 64, 600),
        (UNO, 2, "pooled", 64, 700),
        (UNO, 4, "deskewed", 24, 600),
        (UNO, 8, "deskewed", 16, 500),
        (UNO, 2, "directions300", 12, 1800),
        (MEGA, 8, "pooled", 40, 700),
        (MEGA, 2, "directions", 16, 2150),
        (MEGA, 4, "directions", 8, 2150),
    ],
)
def test_an_arduino_gives_the_same_integers_of_rows_that_are_in_flash(
    tmp_path, board, bits, preprocessing, hidden, ram
):
    needs(avr.COMPILER, avr.EMULATOR)
    network, images = (
        integers(bits, preprocessing, hidden),
        np.concatenate([DIGITS[:14], HOSTILE[[0, 1, 9, -9, -3, -1]]]),
    )
    cost, answers = avr.measure(written(network, tmp_path), board, images)
    check(network, images, answers)
    assert cost.flash <= board.flash
    assert cost.rows <= min(ram, board.ram)
    assert cost.ram == cost.rows + 27 * 28
    assert cost.stack <= network.stack() <= cost.stack + 250
    assert 50_000 < cost.cycles < 4_000_000, "the counter ends there"


SELFTEST = """
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include "digits.h"
int main(void)
{
    const char *text = digits_selftest() == 0 ? "passed\\n" : "FAILED\\n";
    UCSR0B = _BV(TXEN0);
    for (; *text; text++) {
        while (!(UCSR0A & _BV(UDRE0))) continue;
        UDR0 = (uint8_t)*text;
    }
    cli();
    sleep_mode();
    return 0;
}
"""


@pytest.mark.once
@pytest.mark.parametrize("flip", [False, True])
def test_the_selftest_runs_there(tmp_path, flip):
    needs(avr.COMPILER, avr.EMULATOR)
    folder = written(integers(2, "pooled", 16), tmp_path)
    if flip:
        source = (folder / "digits.c").read_text()
        (folder / "digits.c").write_text(
            re.sub(r"(b1\[HIDDEN\] = \{\n)(-?\d)", r"\g<1>1\2", source).replace("{\n1-", "{\n-1")
        )
        assert (folder / "digits.c").read_text() != source
    (folder / "main.c").write_text(SELFTEST)
    command = [avr.COMPILER, f"-mmcu={MEGA.processor}", *avr.FLAGS, *tools.STRICT[1:], "-DDIGITS_NO_MAIN"]
    files = [folder / f"{name}.c" for name in ("digits", "selftest", "main")]
    tools.run_tool([*command, "-o", folder / "main.elf", *files])
    printed = avr.emulate(folder / "main.elf", MEGA)
    assert (b"FAILED" if flip else b"passed") in printed


@pytest.mark.once
def test_what_is_too_large_is_refused_with_the_reason(tmp_path):
    needs(avr.COMPILER)
    network = integers(8)
    assert not network.fits_avr()
    with pytest.raises(tools.ToolError, match="an AVR takes at most 32,767 bytes of weights: export fewer bits"):
        avr.size(written(network, tmp_path), UNO)
