"""Parquet, written in groups of rows, through pyarrow (the extra `parquet`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from digitnn_fast.formats.parquet import TEXT, pyarrow
from digitnn_fast.shards import store
from digitnn_fast.shards.results import ERROR, Answers, Columns

GROUP = 1 << 17  # rows of a group that is written: with all probabilities 6 MB


class ParquetWriter:
    """A table of ids, labels and what else is wanted, into an open file; null is what is not known."""

    def __init__(self, file: Any, name: str, columns: Columns) -> None:
        with store.reached(name):
            self._arrow = arrow = pyarrow(name)
        ids = {None: arrow.int64(), TEXT: arrow.string()}.get(columns.id_type, columns.id_type)
        types = {columns.id_name: ids, "label": arrow.uint8(), ERROR: arrow.string()}
        self._schema = arrow.schema([(one, types.get(one, arrow.float32())) for one in columns.names])
        self._writer = arrow.parquet.ParquetWriter(file, self._schema)
        self._waiting: list[Any] = []

    def write(self, ids: Any, answers: Answers) -> None:
        """Add rows."""
        labels, probabilities, reasons = answers
        shares = list(probabilities.T) if len(probabilities) or "p0" in self._schema.names else []
        unread = None if reasons is None else np.array([bool(reason) for reason in reasons], bool)
        columns = [self._arrow.array(column, mask=unread) for column in (labels, *shares)]
        if reasons is not None:
            columns.append(self._arrow.array([reason or None for reason in reasons], self._arrow.string()))
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
