"""The result of a shard: a table of ids, labels and, if wanted, probabilities, as CSV or Parquet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import kaggle
from digitnn_fast.shards.parquet import ParquetWriter


class Writer(Protocol):
    """Takes rows in their order."""

    def write(self, ids: Any, labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
        """Add rows; ids (m,) of any type, or a range; probabilities (m, 10), or (0, 10) if they are not wanted."""

    def finish(self) -> None:
        """There are no more."""


class CsvWriter:
    """`row,label,p0,...,p9`: probabilities with 6 significant digits."""

    def __init__(self, file: Any, name: str, id_name: str, id_type: Any, probabilities: bool) -> None:
        self._file = file
        shares = [f"p{digit}" for digit in range(10 * probabilities)]
        self._line = "%s,%d" + ",%.6g" * len(shares) + "\n"
        file.write((",".join([_quoted(id_name), "label", *shares]) + "\n").encode())

    def write(self, ids: Any, labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
        """Add rows."""
        if isinstance(ids, range) and not len(probabilities):
            for lines in kaggle.number_lines(ids.start, labels):
                self._file.write(lines)
            return
        if not isinstance(ids, range):
            ids = [_quoted(value) for value in (ids.to_pylist() if hasattr(ids, "to_pylist") else ids)]
        shares = probabilities.tolist() or [()] * len(labels)
        rows = zip(ids, labels.tolist(), shares, strict=True)
        self._file.write("".join(self._line % (name, label, *share) for name, label, share in rows).encode())

    def finish(self) -> None:
        """Nothing is left."""


def _quoted(value: Any) -> str:
    """As a value in a line of CSV; nothing of None."""
    return "" if value is None else kaggle.quoted(str(value))


WRITERS: dict[str, Callable[..., Writer]] = {"csv": CsvWriter, "parquet": ParquetWriter}
