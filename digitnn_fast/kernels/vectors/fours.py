"""Four vectors at once: a tile of 64 hidden units, or the logits of four images. They stay in registers."""

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.floats import fma, load, store
from digitnn_fast.kernels.vectors.integers import load_int, store_int


@helper
def load_four(array, at):
    """64 values of a float32 array from flat index `at`."""
    return load(array, at), load(array, at + 16), load(array, at + 32), load(array, at + 48)


@helper
def store_four(array, at, four):
    """Write 64 values to a float32 array from flat index `at`."""
    store(array, at, four[0])
    store(array, at + 16, four[1])
    store(array, at + 32, four[2])
    store(array, at + 48, four[3])


@helper
def fma_four(x, four, sums):
    """x * four + sums."""
    return fma(x, four[0], sums[0]), fma(x, four[1], sums[1]), fma(x, four[2], sums[2]), fma(x, four[3], sums[3])


@helper
def load_four_int(array, at):
    """64 values of an int32 array from flat index `at`."""
    return load_int(array, at), load_int(array, at + 16), load_int(array, at + 32), load_int(array, at + 48)


@helper
def store_four_int(array, at, four):
    """Write 64 values to an int32 array from flat index `at`."""
    store_int(array, at, four[0])
    store_int(array, at + 16, four[1])
    store_int(array, at + 32, four[2])
    store_int(array, at + 48, four[3])
