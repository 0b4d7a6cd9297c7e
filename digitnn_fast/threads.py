"""How many threads to start, and how they share work."""

from __future__ import annotations

import _thread
import errno
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any


def available_cpus() -> int:
    """CPUs that this process may run on, which containers and `taskset` make fewer than the machine has."""
    if sys.platform == "emscripten":  # Pyodide: no thread can be started
        return 1
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """`threads`; if that is None what DIGITNN_THREADS says, or one per CPU; ValueError for no integer from 1 on."""
    if threads is None:
        text = os.environ.get("DIGITNN_THREADS", "")
        if not text:
            return available_cpus()
        if not text.isdecimal() or int(text) == 0:
            raise ValueError(f"DIGITNN_THREADS must be 1 or more, got {text[:40]!r}")
        return int(text)
    if not hasattr(threads, "__index__") or threads < 1:
        raise ValueError(f"threads must be an integer, 1 or more, got {threads!r}")
    return int(threads)


def run_together(calls: Sequence[Callable[[], Any]], on_failure: Callable[[], None] = lambda: None) -> list[Any]:
    """Results of all calls, made at the same time: the first one here, each other one in a thread of its own.

    `on_failure` is called as soon as one of them fails, or this thread is interrupted, so that calls
    which wait for each other can be told to stop.
    Threads are made anew instead of kept: there is nothing to close, and a fork finds none. To start one
    takes this thread 0.01 ms; threading.Thread would wait for it until it runs, 0.05 ms more.
    """
    if len(calls) == 1:
        return [calls[0]()]
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            results[index] = calls[index]()
        except BaseException as error:
            errors.append(error)
            on_failure()

    def run_and_tell(index: int, done: _thread.LockType) -> None:
        run(index)
        with placing:  # the thread must be there while it is placed
            done.release()

    others: list[_thread.LockType] = []
    placing = _thread.allocate_lock()
    try:
        with placing:
            for index in range(1, len(calls)):
                done = _thread.allocate_lock()
                done.acquire()
                try:
                    thread = _thread.start_new_thread(run_and_tell, (index, done))
                except RuntimeError as error:
                    reason = f"no {index + 1} threads can be started here; ask for fewer"
                    raise OSError(errno.EAGAIN, reason) from error
                others.append(done)
                _place(thread)
        run(0)
    except BaseException:  # Ctrl-C between the calls, or no more threads to be had
        on_failure()
        raise
    finally:
        for done in others:
            done.acquire()
    if errors:
        raise errors[0]
    return results


def _place(thread: int) -> None:
    """Send a thread, new and not yet running, to another CPU than this one.

    Linux may leave it here, where it waits for this thread's slice of 4 ms to end although another CPU is idle.
    """
    functions = _placing_functions()
    if functions is None:
        return
    current_cpu, set_affinity = functions
    others = os.sched_getaffinity(0) - {current_cpu()}
    if others:
        mask = sum(1 << cpu for cpu in others)
        size = max(128, max(others) // 64 * 8 + 8)  # bytes; cpu_set_t has 128
        set_affinity(thread, size, mask.to_bytes(size, "little"))


@cache
def _placing_functions() -> tuple[Callable[[], int], Callable[[int, int, bytes], int]] | None:
    """sched_getcpu and pthread_setaffinity_np, where there are such."""
    if not hasattr(os, "sched_getaffinity") or sys.byteorder != "little":
        return None
    import ctypes

    library = ctypes.PyDLL(None)  # keeps the interpreter's lock: these calls are short
    try:
        current_cpu, set_affinity = library.sched_getcpu, library.pthread_setaffinity_np
    except AttributeError:
        return None
    set_affinity.argtypes = [ctypes.c_ulong, ctypes.c_size_t, ctypes.c_char_p]
    return current_cpu, set_affinity
