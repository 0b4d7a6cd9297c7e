"""Parquet, written in groups of rows, through pyarrow (the extra `parquet`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.formats.parquet import TEXT, pyarrow
from digitnn_fast.shards import store

GROUP = 1 << 17  # rows of a group that is written: with all probabilities 6 MB


class ParquetWriter:
    """A table of ids, labels and, if wanted, probabilities, into an open file."""

    def __init__(self, file: Any, name: str, id_name: str, id_type: Any, probabilities: bool) -> None:
        with store.reached(name):
            self._arrow = arrow = pyarrow(name)
        shares = [(f"p{digit}", arrow.float32()) for digit in range(10 * probabilities)]
        ids = {None: arrow.int64(), TEXT: arrow.string()}.get(id_type, id_type)
        types = [(id_name, ids), ("label", arrow.uint8()), *shares]
        self._schema = arrow.schema(types)
        self._writer = arrow.parquet.ParquetWriter(file, self._schema)
        self._waiting: list[Any] = []

    def write(self, ids: Any, labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
        """Add rows; probabilities (m, 10), or (0, 10) if they are not wanted."""
        shares = list(probabilities.T) if len(self._schema) > 2 else []
        columns = [self._arrow.array(column) for column in (labels, *shares)]
        ids = self._arrow.array(ids, self._schema.types[0])
        self._waiting.append(self._arrow.record_batch([ids, *columns], self._schema))
        if sum(batch.num_rows for batch in self._waiting) >= GROUP:
            self._flush()

    def finish(self) -> None:
        """Write the remaining rows."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(self._arrow.Table.from_batches(self._waiting, self._schema))
        self._waiting = []
