"""The kernels that learn."""
