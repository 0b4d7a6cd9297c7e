"""Observers of a running job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitnn_fast.training.loop import EpochReport

ByteProgress = Callable[[int, "int | None"], None]  # bytes done, bytes in all if that is known
OnEpoch = Callable[["EpochReport"], None]


class Stages:
    """Names and seconds of the stages of a job, in their order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time the block as the stage `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

    def __str__(self) -> str:
        total = time.perf_counter() - self._start
        stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.seconds.items())
        return f"{stages}; in all {total:.2f} s"


class Watch:
    """An observer that does nothing. The command line has one that shows the progress."""

    def __init__(self) -> None:
        self.stages = Stages()

    def compile(self, *names: str) -> None:
        """Start to compile the kernels that this machine does not have yet."""
        from digitnn_fast.kernels import start_compiling

        start_compiling(*names)

    def bytes(self, text: str) -> AbstractContextManager[ByteProgress | None]:
        """A callback for the bytes of a file that is read in the block."""
        return nullcontext()

    def epochs(self, epochs: int) -> AbstractContextManager[OnEpoch | None]:
        """A callback for each of the epochs that are trained in the block."""
        return nullcontext()
