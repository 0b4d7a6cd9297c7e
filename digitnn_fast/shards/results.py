"""The result of a shard: a table of ids, labels and, if wanted, probabilities, as CSV or Parquet."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import kaggle

ERROR = "error"  # the column of reasons


class Columns(NamedTuple):
    """What a result has: ids of this name and type in Parquet; `probabilities`; `reasons` why a row has no label."""

    id_name: str
    id_type: Any = None
    probabilities: bool = False
    reasons: bool = False

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        shares = [f"p{digit}" for digit in range(10 * self.probabilities)]
        return [self.id_name, "label", *shares, *[ERROR] * self.reasons]


class Answers(NamedTuple):
    """Labels (m,), probabilities (m, 10), or (0, 10) if they are not wanted, and why a row has none, else ""."""

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    reasons: list[str] | None = None


class Writer(Protocol):
    """Takes rows in their order."""

    def write(self, ids: Any, answers: Answers) -> None:
        """Add rows; ids (m,) of any type, or a range."""

    def finish(self) -> None:
        """There are no more."""


class CsvWriter:
    """`row,label,p0,...,p9`: probabilities with 6 significant digits; nothing in the place of what is not known."""

    def __init__(self, file: Any, name: str, columns: Columns) -> None:
        self._file, self._shares = file, 10 * columns.probabilities
        self._line = "%s,%d" + ",%.6g" * self._shares + "," * columns.reasons + "\n"
        file.write((",".join(map(_quoted, columns.names)) + "\n").encode())

    def write(self, ids: Any, answers: Answers) -> None:
        """Add rows."""
        labels, probabilities, reasons = answers
        if isinstance(ids, range) and not len(probabilities):
            for lines in kaggle.number_lines(ids.start, labels):
                self._file.write(lines)
            return
        if not isinstance(ids, range):
            ids = [_quoted(value) for value in (ids.to_pylist() if hasattr(ids, "to_pylist") else ids)]
        shares = probabilities.tolist() or [()] * len(labels)
        rows = zip(ids, labels.tolist(), shares, reasons or [""] * len(labels), strict=True)
        texts = [
            f"{name},{',' * self._shares},{_quoted(reason)}\n" if reason else self._line % (name, label, *share)
            for name, label, share, reason in rows
        ]
        self._file.write("".join(texts).encode())

    def finish(self) -> None:
        """Nothing is left."""


def _quoted(value: Any) -> str:
    """As a value in a line of CSV; nothing of None."""
    return "" if value is None else kaggle.quoted(str(value))
