"""What this machine would allow, measured, and what share of it the float32 forward pass reaches on one thread.

For each non-zero pixel the pass must read a row of W1 and multiply and add it: it can be no faster than
the vector units do that with everything in registers, than the second-level cache (where W1 lies) delivers its rows,
or than memory delivers the images.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple

import numba
import numpy as np

from bench.measure import World, amount, race
from digitnn_fast import Predictor
from digitnn_fast.kernels.layout import aligned
from digitnn_fast.kernels.machine.jit import OPTIONS
from digitnn_fast.kernels.vectors.floats import add, fma, load, splat, store

LANES = 16
STEPS = 1_000_000
CACHED, IN_MEMORY = 196_608, 1 << 28  # bytes: as much as W1 with 64 units takes; more than any cache holds
_jit = numba.njit(**{name: value for name, value in OPTIONS.items() if not name.endswith("_wrapper")})


class Limit(NamedTuple):
    """One line of the roofline."""

    name: str
    measured: str
    seconds: float  # per image of test.csv


@_jit
def _multiply(out):  # type: ignore[no-untyped-def]
    """STEPS times eight independent chains: twice the latency of a multiply-add, so the units are always busy."""
    x = splat(np.float32(0.5))
    a = b = c = d = e = f = g = h = load(out, 0)
    for _ in range(STEPS):
        a = fma(a, x, x)
        b = fma(b, x, x)
        c = fma(c, x, x)
        d = fma(d, x, x)
        e = fma(e, x, x)
        f = fma(f, x, x)
        g = fma(g, x, x)
        h = fma(h, x, x)
    store(out, 0, add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))))


@_jit
def _read(values, times, out):  # type: ignore[no-untyped-def]
    a = b = c = d = load(out, 0)
    for _ in range(times):
        for k in range(0, values.size, 4 * LANES):
            a = add(a, load(values, k))
            b = add(b, load(values, k + LANES))
            c = add(c, load(values, k + 2 * LANES))
            d = add(d, load(values, k + 3 * LANES))
    store(out, 0, add(add(a, b), add(c, d)))


def measure(world: World) -> list[Limit]:
    """The limits, our own time last."""
    out, cached, memory = aligned(LANES), aligned(CACHED // 4), aligned(IN_MEMORY // 4)
    memory.fill(1)  # else all of it would be one page of zeros
    ours = Predictor(world.network, threads=1)
    times = race(
        {
            "multiply": lambda: _multiply(out),
            "cache": lambda: _read(cached, 1000, out),
            "memory": lambda: _read(memory, 1, out),
            "ours": lambda: ours.predict(world.images),
        },
        7,
    )
    multiply, cache, stream, own = (statistics.median(seconds) for seconds in times.values())
    per_multiply = multiply / (8 * STEPS)
    per_byte, per_memory_byte = cache / (1000 * CACHED), stream / IN_MEMORY
    pixels = np.count_nonzero(world.images) / len(world.images)
    hidden = -(-world.network.hidden // LANES)
    speed = f"{2 * LANES / per_multiply / 1e9:.0f} GFLOP/s"
    return [
        Limit("multiply-adds of all 784 pixels, as a matrix product makes them", speed, 784 * hidden * per_multiply),
        Limit(f"multiply-adds of the {pixels:.0f} pixels that are not zero", speed, pixels * hidden * per_multiply),
        Limit(
            "their rows of W1 from the second-level cache",
            f"{1e-9 / per_byte:.0f} GB/s",
            pixels * hidden * 4 * LANES * per_byte,
        ),
        Limit("the image from memory", f"{1e-9 / per_memory_byte:.0f} GB/s", 784 * per_memory_byte),
        Limit("digitnn-fast, labels, everything", "", own / len(world.images)),
    ]


def lines(limits: list[Limit]) -> list[str]:
    """A table, and what it comes to."""
    own = limits[-1].seconds
    tightest = max(limits[1:-1], key=lambda limit: limit.seconds)
    return [
        "| one image needs at least | measured | time | images/s |",
        "|---|---|---|---|",
        *(f"| {name} | {figure} | {amount(s)} | {1e-6 / s:.1f} million |" for name, figure, s in limits),
        "",
        f"So of what is tightest ({tightest.name}) one thread reaches **{tightest.seconds / own:.0%}**, and is "
        f"{limits[0].seconds / own:.1f} times as fast as this core could be if it multiplied every pixel.",
    ]
