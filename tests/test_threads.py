"""Work that several threads share."""

import os
import threading

import pytest

from digitnn_fast import threads
from digitnn_fast.threads import available_cpus, run_together, thread_count


def test_the_environment_may_say_how_many_threads(monkeypatch):
    monkeypatch.setenv("DIGITNN_THREADS", "3")
    assert (thread_count(None), thread_count(2)) == (3, 2)
    for wrong in ("0", "-1", "many", "1.5"):
        monkeypatch.setenv("DIGITNN_THREADS", wrong)
        with pytest.raises(ValueError, match=f"^DIGITNN_THREADS must be 1 or more, got '{wrong}'$"):
            thread_count(None)
    monkeypatch.setenv("DIGITNN_THREADS", "")
    assert thread_count(None) == available_cpus()


def test_results_come_in_the_order_of_the_calls():
    everybody = threading.Barrier(3)  # each call waits until all run: they do so at the same time
    assert run_together([lambda number=number: everybody.wait(10) * 0 + number for number in range(3)]) == [0, 1, 2]


@pytest.mark.parametrize("failing", [0, 1])
def test_what_one_raises_stops_the_others_and_is_raised(failing):
    stop, ended = threading.Event(), []

    def fail() -> None:
        raise ValueError("a reason")

    def wait() -> None:
        ended.append(stop.wait(10))

    calls = [wait, wait]
    calls[failing] = fail
    with pytest.raises(ValueError, match=r"^a reason$"):
        run_together(calls, on_failure=stop.set)
    assert ended == [True]  # before the reason reached us


def test_a_system_without_threads_is_one_line(monkeypatch):
    """The calls that run already are told to stop, and waited for."""
    start, stopped = threads._thread.start_new_thread, threading.Event()
    ended: list[bool] = []

    def start_one(*arguments):
        if ended:
            raise RuntimeError("can't start new thread")
        ended.append(False)
        return start(*arguments)

    monkeypatch.setattr(threads._thread, "start_new_thread", start_one)
    wait = lambda: ended.__setitem__(0, stopped.wait(10))  # noqa: E731
    with pytest.raises(OSError, match="no 3 threads can be started here; ask for fewer"):
        run_together([wait] * 3, on_failure=stopped.set)
    assert ended == [True]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="asks Linux")
@pytest.mark.skipif(available_cpus() < 2, reason="needs two CPUs")
def test_a_helper_does_not_wait_for_the_cpu_of_its_starter():
    """It may run on all CPUs but that one. Whoever starts it, and threads that others start, may run on all."""
    everything = os.sched_getaffinity(0)
    placed = threading.Event()  # the starter begins its own call when the helper has been sent away
    starter = lambda: placed.set() or os.sched_getaffinity(0)  # noqa: E731
    own, helpers = run_together([starter, lambda: placed.wait() and os.sched_getaffinity(0)])
    assert own == everything == os.sched_getaffinity(0)
    assert helpers < everything and len(helpers) == len(everything) - 1
    one = {min(everything)}
    os.sched_setaffinity(0, one)
    try:
        assert run_together([lambda: os.sched_getaffinity(0)] * 2) == [one, one]
    finally:
        os.sched_setaffinity(0, everything)
