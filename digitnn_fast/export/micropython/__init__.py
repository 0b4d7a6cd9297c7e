"""The network as one Python file for MicroPython and CircuitPython: integers alone, no package, no array type.

Its functions are those of `network.py` beside this file and of the preprocessing's steps, as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from runpy import run_path
from shutil import copy, which

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import __version__
from digitnn_fast.export.c.source import Integers, final_integers, numbers
from digitnn_fast.export.c.tools import answers
from digitnn_fast.export.learning import LearningOptions, accuracy, learn, specified
from digitnn_fast.export.programs import run_tool, scratch_folder
from digitnn_fast.export.ways import Answers, Bytes, Exporter, Fact, Way, integer_answers
from digitnn_fast.home import HOME
from digitnn_fast.network import Network
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.reference.quantization import LARGEST, octave_factor, octave_powers
from digitnn_fast.sizes import CLASSES

HERE = HOME / "export" / "micropython"
INTERPRETER, COMPILER = "micropython", "mpy-cross"
SHOWN = 50  # images in the self-test, in less than a second
BYTES = 24  # in a line

DOORS = '''
def logits(image):
    """Ten integers of an image: 784 grey levels, 0 (paper) to 255 (ink), row after row."""
    if len(image) != 784:
        raise ValueError("an image has 784 grey levels")
    return forward({values}, BITS, WINDOW, W1, b1, SHIFT, W2, b2)


def predict(image):
    """The digit on an image."""
    found = logits(image)
    return found.index(max(found))


def probabilities(logits):
    """Ten bytes of these logits, 255 is certain."""
    return softmax(logits, {factor}, {factor_shift}, powers)
'''

DRIVER = """
import struct, sys
sys.path.insert(0, sys.argv[1])
import digits
while True:
    image = sys.stdin.buffer.read(784)
    if len(image) < 784:
        break
    found = digits.logits(image)
    sys.stdout.buffer.write(struct.pack("<B10i", digits.predict(image), *found) + digits.probabilities(found))
"""


def source(network: Integers) -> str:
    """The text of digits.py."""
    (W1, b1, W2, b2, shift, scale), bits, preprocessing = network
    top, bottom, left, right = network.window()
    inner = W1.reshape(28, 28, -1)[top:bottom, left:right].reshape(-1, len(b1))
    steps = PREPROCESSINGS[preprocessing].steps
    values = "bytes(image)"
    for step in steps:
        constants = "".join(f", {name}={value}" for name, value in step.constants.items())
        values = f"{step.micropython.stem}({values}{constants})"
    factor, factor_shift = octave_factor(scale)
    pieces = [path.read_text(encoding="utf-8") for path in (*(step.micropython for step in steps), HERE / "network.py")]
    about = f"a network 784-{len(b1)}-10, weights in {bits} bits. Made by digitnn-fast {__version__}."
    constants = "\n".join(
        [
            f"BITS, SHIFT, WINDOW = {bits}, {shift}, {(top, bottom, left, right)}",
            f"W1 = (\n{_bytes(pack(inner, bits))}\n)",
            *(
                f"{name} = (\n{numbers(array)},\n)"
                for name, array in (("b1", b1), ("W2", W2), ("b2", b2), ("powers", octave_powers()))
            ),
        ]
    )
    doors = DOORS.format(values=values, factor=factor, factor_shift=factor_shift)
    return "\n\n".join([f'"""Handwritten digits: {about}"""', f"{constants}\n", *pieces, doors.lstrip("\n")])


def pack(weights: NDArray[np.int8], bits: int) -> bytes:
    """Weights (pixels, H) as codes from 0, `bits` each, the first unit in the lowest bits; a row begins a byte."""
    codes = (weights.astype(np.int64) + LARGEST[bits]) // (4 // bits or 1)
    in_bits = (codes[:, :, None] >> np.arange(bits) & 1).reshape(len(codes), -1)
    return np.packbits(in_bits.astype(np.uint8), axis=1, bitorder="little").tobytes()


def _bytes(data: bytes) -> str:
    return "\n".join(f"    {data[first : first + BYTES]!r}" for first in range(0, len(data), BYTES))


def write(network: Network, folder: Path, options: LearningOptions) -> Iterable[Fact]:
    """Write digits.py, and digits.mpy if its compiler is here."""
    yield from learn(network, folder, options)
    integers = final_integers(network, folder, options)
    if options.inputs:
        yield accuracy(integers.logits)
    (folder / "digits.py").write_text(source(integers), encoding="utf-8", newline="\n")
    if compiler := which(COMPILER):
        run_tool([compiler, "-s", "digits.py", "-o", folder / "digits.mpy", folder / "digits.py"])
    else:
        yield "digits.mpy", f"not made: there is no {COMPILER} here"


def ways(network: Network, folder: Path, options: LearningOptions) -> Iterable[Way]:
    """digits.py in this Python, and both files in MicroPython."""
    integers = final_integers(network, folder, options)
    wanted = partial(specified, integers.logits) if options.learns else integer_answers
    yield Way("Python, for MicroPython", wanted, partial(_answers, folder / "digits.py"), at_most=SHOWN)
    interpreter = which(INTERPRETER)
    for name, file in (("MicroPython", folder / "digits.py"), ("MicroPython, compiled", folder / "digits.mpy")):
        if file.exists():
            run = partial(_answers_there, interpreter, file) if interpreter else None
            yield Way(name, wanted, run, "" if interpreter else f"there is no {INTERPRETER} here", SHOWN)


def _answers(file: Path, images: Bytes) -> Answers:
    """The answers of a file that this Python runs."""
    digits = run_path(str(file))
    logits = [digits["logits"](image.tobytes()) for image in images]
    labels = [digits["predict"](image.tobytes()) for image in images]
    return Answers(np.array(labels, np.uint8), logits=np.array(logits, np.int32).reshape(-1, CLASSES))


def _answers_there(interpreter: str, file: Path, images: Bytes) -> Answers:
    """The answers of a file in MicroPython. No other one is beside it, which might be imported in its place."""
    with scratch_folder() as scratch:
        copy(file, scratch)
        (scratch / "driver.py").write_text(DRIVER, encoding="utf-8")
        given = answers([interpreter, scratch / "driver.py", scratch], images)
    return Answers(given["label"], logits=np.asarray(given["logits"]))


EXPORTER = Exporter("micropython", "a module for MicroPython and CircuitPython", LearningOptions, write, ways)
