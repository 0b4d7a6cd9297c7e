"""The compiled kernels: their one table, and the layout of the weights that they read.

Importing this package does not import numba; calling a kernel does so once per machine (see `_kernel.py`).
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from digitnn_fast._threads import available_cpus
from digitnn_fast.kernels._jit import Compiler
from digitnn_fast.kernels._kernel import Call, Kernel

__all__ = ["KERNELS", "Call", "Kernel", "aligned", "start_compiling"]

PIXELS, CLASSES = 784, 10
TILE = 64  # hidden units that one pass over an image's pixels serves: four AVX-512 registers
MIDDLE = 384  # the first pixel of the second band
BLOCK = 128  # images that share one reading of a tile's weights
SHARE = 256  # images that a thread takes at a time: 0.1 ms of work, in order of memory
NO_CLASS = np.float32(-1e30)  # the logit of lanes 10 to 15: too low to be the maximum or to count in a sum

TRAINING_TILE, TRAINING_BLOCK = 32, 128
MOMENTUM, ADAM = 0, 1

KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("csv.parse_rows", "int64(uint8[::1], int64, int64, uint8[:,::1], uint8[::1])"),
        Kernel(
            "inference.forward",
            "void(float32[::1], float32[::1], float32[::1], float32[::1], uint16[::1], float32[::1], uint8[::1], "
            "int64[::1], float32[::1], float32[::1], int64[::1], uint8[:,::1], uint8[::1], float32[:,::1])",
        ),
        Kernel("augment.distort_all", "void(uint8[:,::1], int64, int64[::1], uint8[::1], int32[::1], uint8[:,::1])"),
        Kernel("deskew.deskew_next", "int64(int32[::1], uint8[::1], int64[::1], uint8[:,::1], uint8[:,::1])"),
        Kernel("directions.describe", "void(int32[::1], int32[::1], int32[::1], uint8[:,::1], uint8[:,::1])"),
        Kernel("pooling.pool", "void(uint8[:,::1], uint8[:,::1])"),
        Kernel(
            "int8.forward",
            "void(int8[::1], int32[::1], int16[::1], int32[::1], int64, float32, int32[::1], int32[::1], int64[::1], "
            "int32[::1], int16[::1], int32[::1], int32[:,::1], int64[::1], uint8[:,::1], uint8[::1], float32[:,::1])",
        ),
        Kernel("inference.relu", "void(float32[::1], float32[::1])"),
        Kernel("inference.softmax", "void(float32[:,::1], float32[:,::1])"),
        Kernel(
            "training.epoch",
            "int64(int64, int64, int64, uint8[:,::1], uint8[::1], int64[::1], int64[::1], float32[:,::1], "
            "int64, int64[::1], "
            "float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[:,::1], int64[::1], "
            "uint8[:,::1], int32[:,::1], uint8[:,::1], uint8[:,::1], uint8[:,::1], "
            "uint16[:,::1], float32[:,::1], int64[:,::1], uint16[:,::1], float32[:,::1], int64[:,::1], "
            "float32[::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[::1], float32[::1])",
        ),
        Kernel(
            "listing.list_blocks",
            "void(int64[::1], uint8[:,::1], int64[::1], uint8[::1], "
            "uint16[::1], float32[::1], int64[:,::1], uint16[::1], float32[::1], int64[:,::1])",
        ),
        Kernel(
            "fullbatch.epoch",
            "int64(int64, int64, int64, uint8[::1], int64[::1], float32[:,::1], "
            "int64[::1], uint16[::1], float32[::1], int64[:,::1], uint16[::1], float32[::1], int64[:,::1], "
            "float32[::1], float32[::1], float32[::1], float32[:,::1], float32[:,::1], float32[:,::1], int64[::1], "
            "float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[::1], float32[::1])",
        ),
    )
}


PREPARING = {  # what each preprocessing needs
    "raw": (),
    "deskewed": ("deskew.deskew_next",),
    "directions": ("directions.describe", "deskew.deskew_next"),
    "pooled": ("pooling.pool", "deskew.deskew_next"),
}
FORWARD = {"float32": "inference.forward", "int8": "int8.forward"}


def predicting(preprocessing: str, *precisions: str) -> tuple[str, ...]:
    """The kernels that a network's answers to a CSV need; what takes longest to compile comes first."""
    return (*(FORWARD[precision] for precision in precisions), *PREPARING[preprocessing], "csv.parse_rows")


def start_compiling(*names: str) -> bool:
    """Compile those kernels that never were, in the background; whether there are any.

    By one process per CPU, since each takes 0.3 s before it begins. They are dealt out to and fro: who names those first
    that take longest keeps all processes busy equally long.
    """
    missing = [KERNELS[name] for name in names if KERNELS[name].is_missing()]
    processes = min(len(missing), available_cpus())
    to_and_fro = cycle([*range(processes), *reversed(range(processes))])
    shares: list[list[Kernel]] = [[] for _ in range(processes)]
    for kernel, number in zip(missing, to_and_fro, strict=False):
        shares[number].append(kernel)
    for share in shares:
        compiler = Compiler(*(kernel.name for kernel in share))
        for kernel in share:
            kernel.compiler = compiler
    return bool(missing)


def aligned(shape: int | tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Zeros that begin at a cache line: NumPy promises 16 bytes, and a vector that lies in two lines is read twice."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.zeros(size + 64, np.uint8)
    start = -buffer.__array_interface__["data"][0] % 64
    return buffer[start : start + size].view(dtype).reshape(shape)
