"""The C sources of a quantised network: the templates beside this file, with its numbers filled in."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import __version__, reference
from digitnn_fast.export.learning import LearningOptions, final
from digitnn_fast.home import HOME
from digitnn_fast.network import Network
from digitnn_fast.preprocessing import PREPROCESSINGS, Step, prepare
from digitnn_fast.reference.quantization import (
    LARGEST,
    QuantizedParameters,
    octave_factor,
    octave_powers,
    quantize,
    rectangle,
)
from digitnn_fast.sample import load_sample
from digitnn_fast.sizes import CLASSES, PIXELS, SIDE

HERE = HOME / "export" / "c"
WIDTH = 110  # of a line of numbers
NOISE = 32  # pictures in the self-test
LISTED = 16  # pixels at a time: so many products with few bits fit in 16
STACK = 448  # bytes of it that are not the hidden units' sums or a view's
ESP8266 = 4096 - 1024  # bytes of its stack, without what Arduino and the self-test take


class Integers(NamedTuple):
    """A network as a board computes it: its integers, the bits of a weight in W1, and what pixels it wants."""

    quantized: QuantizedParameters
    bits: int
    preprocessing: str

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.int32]:
        """(n, 10) of raw images (n, 784): the specification."""
        return reference.forward_int8(self.quantized, prepare(images, self.preprocessing))

    def bytes(self) -> int:
        """Of all weights and biases as the C stores them."""
        top, bottom, left, right = self.window()
        hidden = padded(len(self.quantized.b1), self.bits)
        return hidden * ((bottom - top) * (right - left) * self.bits // 8 + 4 + 2 * CLASSES) + 4 * CLASSES

    def stack(self) -> int:
        """Bytes of it that an answer takes at most, on the boards whose compilers the tests have."""
        view = PREPROCESSINGS[self.preprocessing].view
        return STACK + 4 * padded(len(self.quantized.b1), self.bits) + (view.stack if view else 0)

    def fits_avr(self) -> bool:
        """Whether W1 is small enough for an array on an AVR, whose `int` has 16 bits."""
        top, bottom, left, right = self.window()
        return (bottom - top) * (right - left) * padded(len(self.quantized.b1), self.bits) * self.bits // 8 < 2**15

    def block(self) -> int:
        """Hidden units that the C adds up together: 8, or with few bits 16 or 4 where that takes no more bytes."""
        hidden = padded(len(self.quantized.b1), self.bits)
        return 8 if self.bits == 8 else next(block for block in (16, 8, 4) if hidden % block == 0)

    def window(self) -> tuple[int, int, int, int]:
        """Top, bottom, left and right of the pixels that have a weight, and may be other than 0; at least one pixel."""
        used = np.asarray(self.quantized.W1.any(axis=1))
        used[PREPROCESSINGS[self.preprocessing].never_ink] = False
        return rectangle(used)


def final_integers(network: Network, folder: Path, options: LearningOptions) -> Integers:
    """Those of the given network, or of the one that learned and is in the folder."""
    network = final(network, folder, options)
    return Integers(quantize(network.parameters, options.bits), options.bits, network.preprocessing)


def sources(network: Integers, wide: bool = False) -> dict[str, str]:
    """The text of digits.h, digits.c and selftest.c; ValueError for a network that is too wide for the C.

    With `wide`, and weights in 8 bits, it is the C that compilers turn into vectors, which wants more memory.

    Each has a number of the whole set. They compile only together: files are replaced one after the other, and a kill
    between two of them must not leave weights of one network beside the self-test of another that passes by chance.
    """
    check_width(len(network.quantized.b1))
    parts = _network(network, wide)
    values = {"digits.h": {}, "digits.c": parts, "selftest.c": {**_selftest(network), "stored": parts["stored"]}}
    texts = {name: fill(name, network, **own) for name, own in values.items()}
    number = f"0x{zlib.crc32(''.join(texts.values()).encode()):08x}u"
    return {name: text.replace("@set@", number) for name, text in texts.items()}


def renamed(text: str, old: str, new: str) -> str:
    """C, or a file's name, with the names that begin with a prefix called by another one."""
    text = re.sub(rf"\b{old}(?=_|\.[chn])", new, text)
    return re.sub(rf"\b{old.upper()}(?=_)", new.upper(), text)


def check_width(hidden: int) -> None:
    """ValueError for more hidden units than the C can address."""
    if PIXELS * hidden >= 2**24:
        raise ValueError(f"C is for at most {2**24 // PIXELS:,} hidden units, not {hidden:,}")


def fill(name: str, network: Integers, **values: Any) -> str:
    """A template with `@name@` replaced by each value. None of them is text from a model file, which may be hostile."""
    about = f"a network 784-{len(network.quantized.b1)}-10, weights in {network.bits} bits"
    fits = network.fits_avr()
    once = not PREPROCESSINGS[network.preprocessing].steps
    values = {"library": "Handwritten digits", **values} | {
        "avr": "avr,megaavr," if fits else "",
        "esp8266": "esp8266," if network.stack() <= ESP8266 else "",
        "stack": network.stack(),
        "passes": "at most once each" if once else "twice: only after the last one it is known where the digit stands",
        "needs": f"{network.bytes():,} bytes of weights{'' if fits else ', too many for AVR'}",
    }
    text = _text(name)
    for key, value in {"about": about, "version": __version__, **values}.items():
        text = text.replace(f"@{key}@", str(value))
    return text


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _network(network: Integers, wide: bool) -> dict[str, Any]:
    (W1, b1, W2, b2, shift, scale), bits, preprocessing = network
    top, bottom, left, right = network.window()
    spare = padded(len(b1), bits) - len(b1)  # units of zeros, to fill the last block
    inner = W1.reshape(SIDE, SIDE, -1)[top:bottom, left:right].reshape(-1, len(b1))
    factor, factor_shift = octave_factor(scale)
    stored = {
        "W1": pack(np.pad(inner, ((0, 0), (0, spare))), bits, network.block()),
        "b1": np.pad(b1, (0, spare)),
        "W2": np.pad(W2, ((0, spare), (0, 0))),
        "b2": b2,
        "powers": octave_powers(),
    }
    return {
        "first_layer": "\n".join(map(_text, ("add_up_wide.c" if wide else "add_up.c", "first_layer.c"))),
        "listed": PIXELS if wide else LISTED,
        **_choice(preprocessing, wide),  # also for the marks of these files
        "bits": bits,
        "block": network.block(),
        "hidden": len(b1) + spare,
        "shift": shift,
        "top": top,
        "bottom": bottom,
        "left": left,
        "right": right,
        **{name: numbers(array) for name, array in stored.items()},
        "stored": checksum(stored.values()),
        "factor": factor,
        "factor_shift": factor_shift,
    }


def _choice(preprocessing: str, wide: bool) -> dict[str, str]:
    """What digits.c says of preprocessings: a macro for each, which need what, and the chosen one's C pieces."""
    rows = [row for row in PREPROCESSINGS.values() if row.steps]
    return {
        "preprocessings": "\n".join(
            f"#define {row.name.upper()} {int(row.name == preprocessing)} /* {row.comment} */" for row in rows
        ),
        "viewed": " || ".join(row.name.upper() for row in rows if row.view),
        "view": "".join(_pieces(step, wide) for step in PREPROCESSINGS[preprocessing].steps),
    }


def _pieces(step: Step, wide: bool) -> str:
    constants = "".join(f"#define {name.upper()} {value}\n" for name, value in step.constants.items())
    parts = [constants, *(piece.read_text(encoding="utf-8") for piece in (wide and step.wide) or step.c)]
    return "".join(f"\n{part}" for part in parts if part)


def padded(hidden: int, bits: int) -> int:
    """Hidden units that the C stores: whole blocks of 8, or with 2 bits of 4."""
    block = 4 if bits == 2 else 8
    return -(-hidden // block) * block


def pack(weights: NDArray[np.int8], bits: int, block: int) -> NDArray[Any]:
    """Weights (pixels, H) as the C reads them: bytes, or words of codes: weight + 7, or half of weight + 3.

    In the low and high half of a block's words stand the first and the second half of its units, so that a shift and a
    mask give two units at once. A block of 16 takes one word with 2 bits, and two with 4; a block of 8 half as much.
    With 2 bits, one of 4 takes a byte.
    """
    if bits == 8:
        return weights
    codes = (weights.astype(np.int64) + LARGEST[bits]) // (4 // bits)
    halves = codes.reshape(len(weights), -1, 2, block // 2)
    both = halves[:, :, 0] | halves[:, :, 1] << 16  # (pixels, blocks, block / 2)
    words = both.reshape(len(weights), -1, 4 if bits == 4 else block // 2)
    packed = np.bitwise_or.reduce(words << bits * np.arange(words.shape[-1]), axis=-1)
    if bits == 2 and block == 4:
        return np.asarray(packed & 0xF | packed >> 12 & 0xF0, np.uint8)
    if bits == 2 and block == 8:
        return np.asarray(packed & 0xFF | packed >> 8 & 0xFF00, np.uint16)
    return np.asarray(packed, np.uint32)


def checksum(arrays: Iterable[NDArray[Any]]) -> int:
    """As digits_checksum: `sum = (sum + number) * 31` modulo 2**32 over integers.

    31 is odd, so each step keeps different sums different: any single wrong number gives another checksum.
    """
    values = np.concatenate([array.ravel().astype(np.uint32) for array in arrays])
    powers = np.multiply.accumulate(np.full(len(values), 31, np.uint32))[::-1]
    return int(np.add.reduce(values * powers, dtype=np.uint32))


def numbers(array: NDArray[Any]) -> str:
    """The numbers of an array, with commas, in lines."""
    form = "0x{:08x}u".format if array.dtype == np.uint32 and array.max() > 2**16 else "{}".format
    return "\n".join(_lines(map(form, array.ravel().tolist())))


def _lines(words: Iterable[str]) -> Iterable[str]:
    line = ""
    for word in words:
        if len(line) + len(word) > WIDTH:
            yield line[:-1]
            line = ""
        line += f"{word}, "
    yield line[:-2]


def _selftest(network: Integers) -> dict[str, Any]:
    sample = load_sample()
    images = np.stack([sample.test_images[sample.test_labels == digit][0] for digit in range(CLASSES)])
    logits = network.logits(images)
    labels = logits.argmax(axis=1)
    folded = 0
    for logit in network.logits(noise()).ravel().tolist():
        folded = (folded * 31 + logit) % 2**32
    return {
        "digits": len(images),
        "noise": NOISE,
        "checksum": folded,
        "labels": numbers(labels),
        "images": rows(images),
        "logits": rows(logits),
        "probabilities": rows(reference.softmax_uint8(logits, network.quantized.scale)),
    }


def rows(array: NDArray[Any]) -> str:
    """Each row in braces of its own, as C++ wants it."""
    return ",\n".join("{" + numbers(row) + "}" for row in array)


def noise() -> NDArray[np.uint8]:
    """The pictures of noise (32, 784) that selftest.c makes: Numerical Recipes' generator, ever more of it."""
    random, images = 1, np.zeros((NOISE, PIXELS), np.uint8)
    for number in range(NOISE):
        for pixel in range(PIXELS):
            random = (random * 1664525 + 1013904223) % 2**32
            if (random >> 24) * NOISE < number * 256:
                images[number, pixel] = random >> 16 & 255
    return images
