"""The short form of `python -m tests.hostile`: some inputs of each kind, and each command killed at each rename."""

from __future__ import annotations

import os

import pytest

if os.name != "posix":
    pytest.skip("forks, signals and limits", allow_module_level=True)

from hostile import faults, judging

pytestmark = pytest.mark.once  # takes minutes
SHORT = 150  # inputs of each kind
FEW = 6  # steps of each command: the last are the renames


@pytest.mark.filterwarnings("ignore")  # what NumPy says of weights near its limits
@pytest.mark.parametrize("kind", judging.KINDS)
def test_inputs_are_refused_in_one_line_or_read_right(kind, tmp_path):
    result = judging.try_inputs(kind, range(SHORT), tmp_path)
    assert not result.failed
    assert SHORT > result.accepted > 0, "neither all nor none: the inputs are no longer nearly right"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults") / "inputs"
    faults.prepare(folder)
    return folder


@pytest.mark.filterwarnings("ignore")  # of forks in a process with threads, which these are made for
@pytest.mark.parametrize("name", ["predict", "train", "export c", "bundle", "shards"])
def test_a_kill_or_a_full_disk_leaves_the_old_or_the_new(name, inputs, tmp_path):
    case = faults.Case(name, tmp_path / "work", inputs)
    assert case.steps > 3
    for step in faults.steps_of(case, case.steps)[-FEW:]:
        case.killed_at(step)
    for limit in faults.limits_of(case)[:: len(faults.limits_of(case)) - 1]:
        case.full(limit)
