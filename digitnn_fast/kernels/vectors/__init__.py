"""Vector operations that numba lacks, each with a twin in NumPy."""
