"""The map in digitnn_fast/README.md is that of the import layers, and every module stands on it."""

import re
import sys

import pytest
from checkout import ROOT

HOUSE = ROOT / "digitnn_fast"
LAYERS = re.search(r"^layers = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE | re.DOTALL)[1]
FLOORS = [[name.split(".")[1] for name in line.split('"')[1].split(" | ")] for line in LAYERS.splitlines()]


def test_the_map_is_that_of_the_layers():
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", (HOUSE / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [(int(floor), re.findall(r"`(\w+)`", rooms)) for floor, rooms in rows] == list(
        zip(range(len(FLOORS) - 1, -1, -1), FLOORS, strict=True)
    )


def test_every_module_stands_on_a_floor():
    modules = {path.stem for path in HOUSE.glob("*.py")} | {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    assert modules - {"__init__"} == {name for floor in FLOORS for name in floor}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no tomllib")
def test_the_layers_were_read_right():
    import tomllib

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert [layer.replace("digitnn_fast.", "").split(" | ") for layer in contracts[0]["layers"]] == FLOORS
