"""The table of the compiled kernels.

Importing this package does not import numba; calling a kernel does so once per machine (see `machine/kernel.py`).
"""

from __future__ import annotations

from itertools import cycle

from digitnn_fast.kernels import arguments as things
from digitnn_fast.kernels.machine.compiling import Compiler
from digitnn_fast.kernels.machine.kernel import Call, Kernel
from digitnn_fast.threads import available_cpus

__all__ = ["KERNELS", "Call", "Kernel", "start_compiling"]

KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("csv.parse_rows", things.Text, things.Rows, returns=True),
        Kernel("inference.forward", things.Weights, things.ForwardScratch, things.Batch),
        Kernel("fixed.forward", things.FixedWeights, things.FixedScratch, things.Batch),
        Kernel("distortion.distort_all", things.Distortion, things.DistortScratch, things.Mapped),
        Kernel("deskewing.deskew_next", things.DeskewScratch, things.Deskewing, returns=True),
        Kernel("directions.describe", things.DescribeScratch, things.Mapped),
        Kernel("cells.describe", things.CellsScratch, things.CellsLayout, things.Mapped),
        Kernel("pooling.pool", things.Mapped),
        Kernel("int8.forward", things.Int8Weights, things.Int8Scratch, things.Logits, things.Batch),
        Kernel("inference.relu", things.Vector),
        Kernel("inference.softmax", things.Scores),
        Kernel(
            "descent.minibatch.epoch",
            *("Worker", "Examples", "Rates", things.Distortion, "State", "State", "Meeting", "EpochScratch", "Loss"),
            returns=True,
        ),
        Kernel("descent.listing.list_blocks", "Listing", "Lists"),
        Kernel(
            "descent.fullbatch.epoch",
            *("Worker", "Examples", "Rates", "Lists", "State", "State", "Parts", "Meeting", "FullBatchScratch", "Loss"),
            returns=True,
        ),
    )
}


FORWARD = {"float32": "inference.forward", "int8": "int8.forward"}
FIXED = "fixed.forward"  # float32, of a network whose W1 is in fixed point: as all are that were trained here


def start_compiling(*names: str) -> bool:
    """Compile those kernels that never were, in the background; whether there are any.

    One process per CPU compiles, since each takes 0.3 s before it begins. Name the slowest to compile first: they
    are dealt out in turn, forwards then backwards, so that the processes share the work evenly.
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
