"""On PYTHONPATH: a Python that has neither numba nor llvmlite, nor pandas, as PyPy."""

import importlib.abc
import sys


class Without(importlib.abc.MetaPathFinder):
    """Finds nothing under these names, and lets nobody else look."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("numba", "llvmlite", "pandas"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Without())
