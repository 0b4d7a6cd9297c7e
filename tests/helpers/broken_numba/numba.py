"""On PYTHONPATH: a numba that does not go with this NumPy."""

raise ImportError("Numba needs NumPy 2.0 or less")
