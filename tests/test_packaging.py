"""What an installer is told."""

from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

LINUX = {"platform_python_implementation": "CPython", "python_version": "3.13", "platform_machine": "x86_64"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        (LINUX, True),
        (LINUX | {"platform_machine": "AMD64"}, True),  # Windows
        (LINUX | {"platform_machine": "arm64"}, True),  # macOS
        (LINUX | {"platform_machine": "aarch64"}, True),
        (LINUX | {"platform_machine": "armv7l"}, False),  # Raspberry Pi OS with 32 bits
        (LINUX | {"platform_machine": "wasm32"}, False),  # Pyodide
        (LINUX | {"platform_python_implementation": "PyPy"}, False),
        (LINUX | {"python_version": "3.15"}, False),
    ],
)
def test_numba_is_asked_for_where_it_can_be_had(environment, wanted):
    [numba] = [need for need in map(Requirement, requires("digitnn-fast")) if need.name == "numba"]
    assert numba.marker
    assert numba.marker.evaluate(environment) == wanted
