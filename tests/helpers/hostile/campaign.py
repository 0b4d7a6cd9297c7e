"""The long form: `python -m tests.hostile`, from the repository's root. Exit code 1 if there is any fault."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from random import Random

from hostile import faults, judging

PIECE = 250  # inputs that a process gets at once
MOST_STEPS = 24  # of one command: a long training makes hundreds that are alike


def main() -> int:
    """Try inputs and kills, a line for each kind, and the numbers of what failed: --only KIND --first NUMBER."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=main.__doc__)
    parser.add_argument("--inputs", type=int, default=50_000, metavar="N", help="hostile inputs in all")
    parser.add_argument("--kills", type=int, default=500, metavar="N", help="kills in all, at least")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER", help="the first input of each kind: a seed")
    parser.add_argument("--only", metavar="KIND", help="one kind of input, or one command")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes")
    options = parser.parse_args()
    failures, start = 0, time.perf_counter()
    print(f"{'what':16}{'tried':>8}{'accepted':>10}{'failed':>8}{'seconds':>9}")
    # Each process starts afresh, so that one that grows or dies takes no other with it.
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), initializer=limit_memory) as pool:
        for name, tried, accepted, failed, seconds in chain(inputs(pool, options), kills(pool, options)):
            print(f"{name:16}{tried:>8,}{accepted:>10}{len(failed):>8,}{seconds:>9.0f}", flush=True)
            for line in failed[:20]:
                print(f"    {line}", flush=True)
            failures += len(failed)
    print(f"{failures} failed, in {time.perf_counter() - start:.0f} s")
    return 1 if failures else 0


Line = tuple[str, int, str, list[str], float]


def limit_memory() -> None:
    """2 GB of data for a process: who needs more than that for inputs of some kB has believed a header."""
    resource.setrlimit(resource.RLIMIT_DATA, (2**31, 2**31))


def inputs(pool: ProcessPoolExecutor, options: argparse.Namespace) -> Iterator[Line]:
    """Each kind of input."""
    for name, kind in judging.KINDS.items():
        if options.only in (None, name):
            start = time.perf_counter()
            count = options.inputs if options.only else options.inputs * kind.share // 100
            numbers = range(options.first, options.first + count)
            pieces = [numbers[at : at + PIECE] for at in range(0, count, PIECE)]
            results = list(pool.map(try_piece, [name] * len(pieces), pieces))
            failed = [f"{number}: {reason}" for result in results for number, reason in result.failed]
            accepted = f"{sum(result.accepted for result in results):,}"
            yield name, count, accepted, failed, time.perf_counter() - start


def try_piece(kind: str, numbers: range) -> judging.Result:
    """In a process of the pool."""
    with tempfile.TemporaryDirectory() as folder:
        return judging.try_inputs(kind, numbers, Path(folder))


def kills(pool: ProcessPoolExecutor, options: argparse.Namespace) -> Iterator[Line]:
    """Each writing command, killed at its steps and at random moments, and with a full disk."""
    names = [name for name in faults.COMMANDS if options.only in (None, name)]
    if options.kills:
        each = -(-options.kills // len(names)) if names else 0
        yield from pool.map(try_command, names, [each] * len(names), [options.first] * len(names))


def try_command(name: str, count: int, seed: int) -> Line:
    """In a process of the pool: `count` kills at least."""
    start, tried, failed = time.perf_counter(), 0, []

    def attempt(what: str, call: Callable[..., None], argument: float) -> None:
        nonlocal tried
        tried += 1
        try:
            call(argument)
        except Exception as error:
            failed.append(f"{what} {argument:g}: {' '.join(str(error).split())[:300]}")

    with tempfile.TemporaryDirectory() as folder:
        faults.prepare(Path(folder, "inputs"))
        case = faults.Case(name, Path(folder, "work"), Path(folder, "inputs"))
        steps = faults.steps_of(case, MOST_STEPS)
        for step in steps:
            attempt("killed at step", case.killed_at, step)
        for moment in faults.random_moments(case, Random(f"{name} {seed}"), max(0, count - len(steps))):
            attempt("killed after seconds", case.killed_after, moment)
        for limit in faults.limits_of(case):
            attempt("disk full after bytes", case.full, limit)
    return f"kill {name}", tried, "", failed, time.perf_counter() - start
