"""The Arduino library: its files, and its sketch, compiled with Arduino's own core and run on emulated boards."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import pytest
from c_export import integers
from exports import DIGITS, NETWORKS
from programs import HANGS, needs

from digitnn_fast import reference
from digitnn_fast.export.c import COptions, avr, tools, write_files
from digitnn_fast.export.c.source import Integers, fill
from digitnn_fast.reference.quantization import quantize

UNO, MEGA = avr.BOARDS
ARDUINO = Path("/usr/share/arduino/hardware/arduino/avr")  # Debian's arduino-core-avr
SIMAVR = Path("/usr/include/simavr")  # its libsimavr-dev
VARIANTS = {UNO: "standard", MEGA: "mega"}
# The sketch, which says after each answer how much of the RAM between static memory and stack was never written.
MAIN = """
#define setup setup_of_sketch
#define loop loop_of_sketch
#include <Arduino.h>
#include "Digits.ino"
#undef setup
#undef loop
extern uint8_t _end;
extern "C" void setup() {
  for (volatile uint8_t *byte = &_end; byte < (uint8_t *)SP; byte++) *byte = 0x5a;
  setup_of_sketch();
}
extern "C" void loop() {
  loop_of_sketch();
  volatile uint8_t *byte = &_end;
  while (*byte == 0x5a) byte++;
  Serial.print("free ");
  Serial.println((uint16_t)(byte - &_end));
}
"""


def test_its_files(command, no_boards, tmp_path):
    needs("gcc")
    assert command("small", "--out", tmp_path, "--layout", "arduino", "--prefix", "mine")[0] == 0
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    sources = {"src/mine.h", "src/mine.c", "src/mine_selftest.c"}
    assert files == {"library.properties", "examples/Digits/Digits.ino", *sources}
    properties = dict(line.split("=", 1) for line in (tmp_path / "library.properties").read_text().splitlines())
    assert {"version", "author", "maintainer", "sentence", "category", "architectures"} <= set(properties)
    assert not any("@" in value for value in properties.values())
    assert properties["name"] == "Handwritten digits mine"
    assert properties["includes"] == "mine.h"
    assert "mine_logits_rows(row, nullptr, logits)" in (tmp_path / "examples" / "Digits" / "Digits.ino").read_text()


def test_it_says_where_it_runs_and_what_it_takes():
    small, large = (fill("library.properties", integers(bits)) for bits in (2, 8))
    assert "architectures=avr,megaavr,esp32,esp8266," in small
    assert "architectures=esp32,esp8266," in large
    assert "bytes of weights, about 704 bytes of RAM beside the image." in small
    assert "bytes of weights, too many for AVR, about 704 bytes of RAM" in large
    assert "@" not in small + large
    accurate = NETWORKS["accurate"]
    large = fill("library.properties", Integers(quantize(accurate.parameters), 8, accurate.preprocessing))
    assert "architectures=esp32,mbed" in large


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Makes the program of a network's library and its sketch for a board."""
    cores: dict[str, Path] = {}

    def compiled(board, folder, strict, *files):
        """All objects of these files, in a folder."""
        folder.mkdir(exist_ok=True)
        command = [avr.COMPILER, f"-mmcu={board.processor}", "-Os", "-ffunction-sections", "-fdata-sections", "-c"]
        command += ["-DF_CPU=16000000L", "-DARDUINO=10819", "-DARDUINO_ARCH_AVR"]
        command += ["-I", ARDUINO / "cores" / "arduino", "-I", ARDUINO / "variants" / VARIANTS[board]]
        for suffix, standard in ((".S", ()), (".c", ("-std=gnu11",)), (".cpp", ("-std=gnu++11", "-fno-exceptions"))):
            if chosen := [file for file in files if file.suffix == suffix]:
                tools.run_tool([*command, *standard, *strict, *chosen], folder=folder)
        return folder.glob("*.o")

    def run(network, board, folder):
        needs(avr.COMPILER)
        if not ARDUINO.exists():
            needs("arduino-core-avr")
        write_files(network, folder, COptions(layout="arduino"))
        if board.name not in cores:
            old = ("-w", "-DDECIMAL_DIG=__DECIMAL_DIG__")  # which C++ of this compiler does not have
            core = [file for file in (ARDUINO / "cores" / "arduino").iterdir() if file.suffix in (".c", ".cpp", ".S")]
            place = tmp_path_factory.mktemp("core")
            compiled(board, place, old, *core)
            cores[board.name] = place
        (folder / "main.cpp").write_text(MAIN)
        strict = ("-Wall", "-Wextra", "-Werror", "-I", folder / "src", "-I", folder / "examples" / "Digits")
        own = compiled(board, folder / "objects", strict, *(folder / "src").glob("*.c"), folder / "main.cpp")
        program = folder / "sketch.elf"
        linked = (avr.COMPILER, f"-mmcu={board.processor}", "-Os", "-Wl,--gc-sections")
        tools.run_tool([*linked, *own, *cores[board.name].glob("*.o"), "-lm", "-o", program])
        return program

    return run


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """The program that runs a board with a serial port; QEMU's lost a byte now and then."""
    needs("gcc")
    if not SIMAVR.exists():
        needs("libsimavr-dev")
    program = tmp_path_factory.mktemp("emulator") / "serial_port"
    tools.run_tool(["gcc", "-O2", "-Wall", Path(__file__).with_name("serial_port.c"), "-lsimavr", "-o", program])
    return program


def asked(command, sketch, images):
    """What a board says of images, which a computer gives it as the sketch's first lines tell."""
    lines = re.search(r"pyserial:\n//\n((?://   .*\n)+)", sketch)
    assert lines
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        limit = Timer(HANGS, process.kill)
        limit.start()
        said: list[str] = []
        names: dict[str, object] = {"image": images[0].tobytes(), "print": lambda line: said.append(line.strip())}

        class Port:
            def __iter__(self):
                for line in process.stdout:
                    yield line
                    done = sum(line.startswith("free ") for line in said)
                    if done == len(images):
                        return
                    names["image"] = images[done].tobytes()

            def write(self, given):
                process.stdin.write(given)
                process.stdin.flush()

        names["serial"] = SimpleNamespace(Serial=lambda *_: Port())
        try:
            exec(re.sub("(?m)^//   ", "", lines[1]), names)
        finally:
            limit.cancel()
            process.kill()
    return said


@pytest.mark.once
@pytest.mark.parametrize(
    ("board", "bits", "preprocessing", "hidden"),
    [
        (UNO, 8, "raw", 16),
        (UNO, 2, "pooled", 64),
        (UNO, 2, "directions480", 20),  # just not refused
        (MEGA, 8, "directions", 16),
    ],
)
def test_the_sketch_answers_on_a_board_and_leaves_room(tmp_path, build, emulator, board, bits, preprocessing, hidden):
    network, images = integers(bits, preprocessing, hidden), DIGITS[:3]
    program = build(network, board, tmp_path)
    sketch = (tmp_path / "examples" / "Digits" / "Digits.ino").read_text()
    first, *others = asked([emulator, board.processor, "16000000", program], sketch, images)
    assert first == "self-test passed"
    logits = network.logits(images)
    sure = reference.softmax_uint8(logits, network.quantized.scale).max(axis=1) / 2.55
    wanted = [f"{digit}, sure by {percent:.2f}%" for digit, percent in zip(logits.argmax(axis=1), sure, strict=True)]
    assert others[::2] == wanted
    assert min(int(line.split()[1]) for line in others[1::2]) > 0


@pytest.mark.once
def test_a_board_with_too_little_ram_is_refused_with_the_reason(tmp_path, build):
    with pytest.raises(tools.ToolError, match="this board has too little RAM for this network: export one with other"):
        build(integers(2, "directions480", 24), UNO, tmp_path)
    build(integers(2, "directions480", 24), MEGA, tmp_path)
