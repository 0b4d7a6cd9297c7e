"""Vector operations that numba has no word for, each with a twin in NumPy."""
