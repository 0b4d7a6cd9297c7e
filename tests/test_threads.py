"""Work that several threads share."""

import os
import threading
import time

import pytest

from digitnn_fast._threads import available_cpus, run_together


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


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="asks Linux")
@pytest.mark.skipif(available_cpus() < 2, reason="needs two CPUs")
def test_a_helper_does_not_wait_for_the_cpu_of_its_starter():
    """It may run on all CPUs but that one. Whoever starts it, and threads that others start, may run on all."""
    everything = os.sched_getaffinity(0)
    own, helpers = run_together([lambda: os.sched_getaffinity(0), lambda: affinity_of_a_helper(everything)])
    assert own == everything == os.sched_getaffinity(0)
    assert helpers < everything and len(helpers) == len(everything) - 1
    one = {min(everything)}
    os.sched_setaffinity(0, one)
    try:
        assert run_together([lambda: os.sched_getaffinity(0)] * 2) == [one, one]
    finally:
        os.sched_setaffinity(0, everything)


def affinity_of_a_helper(everything: set[int]) -> set[int]:
    """Of this thread. On a busy machine it may run before its starter sends it away, which takes no second."""
    for _ in range(1000):
        if (affinity := os.sched_getaffinity(0)) != everything:
            break
        time.sleep(0.01)
    return affinity
