"""One shard of images in, one file of labels out: the function that a loop, Dask, Ray or Spark calls for each shard.

A result appears all at once and its manifest after it, so that a shard may be done twice, a process be killed
anywhere, and the next run goes on where the last one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import reason_of
from digitnn_fast.predictor import Predictor
from digitnn_fast.shards import manifest, store
from digitnn_fast.shards.digest import HashedWriter
from digitnn_fast.shards.find import Task, find_shards
from digitnn_fast.shards.inputs import Contents, Shard
from digitnn_fast.shards.parquet import ParquetWriter
from digitnn_fast.shards.results import Answers, Columns, CsvWriter, Writer
from digitnn_fast.shards.store import ShardError, is_url, sweep

__all__ = [
    "WRITERS",
    "Options",
    "Outcome",
    "ShardError",
    "Task",
    "attempt_shard",
    "find_shards",
    "is_url",
    "predict_shard",
    "sweep",
]

WRITERS: dict[str, Callable[..., Writer]] = {"csv": CsvWriter, "parquet": ParquetWriter}
NO_PROBABILITIES = np.empty((0, 10), np.float32)


@dataclass(frozen=True)
class Options:
    """What is written: `format` "csv" or "parquet", with the ten `probabilities` or without.

    `id_column` names the column of a table that goes into the result; by default `id` or `ImageId`, if it is there.
    `verify` reads inputs and results that seem to be unchanged, instead of trusting size and time.
    """

    probabilities: bool = False
    format: str = "csv"
    id_column: str | None = None
    verify: bool = False


class Outcome(NamedTuple):
    """The outcome for one shard: rows, seconds, whether it was done before, and the error if it failed.

    `unread` of its pictures were blank or damaged, and have no label.
    """

    task: Task
    rows: int
    seconds: float
    skipped: bool = False
    error: str = ""
    unread: int = 0


def predict_shard(source: str, result: str, predictor: Predictor, options: Options | None = None) -> Outcome:
    """Predict all images of a shard into a file, in memory for one block of them, whatever the size of the shard.

    `source` is a CSV (plain or packed), Parquet, `.npy` or IDX file (plain or `.gz`), a folder of pictures or a text
    file that lists them, told apart by their first bytes. Both may be URLs of fsspec. If the result is there already,
    made from the same input by the same network, nothing is done. ShardError, one line, if that fails; an older
    result then stays as it was.
    """
    options, start = options or Options(), time.perf_counter()
    source, result = store.local(source), store.local(result)
    wanted = manifest.made_by(predictor.network, {**asdict(options), "precision": predictor.precision})
    del wanted["options"]["verify"]  # it changes no result
    task = Task(source, result)
    with Shard(source) as shard:
        known = manifest.read(result)
        if known is not None and manifest.holds(known, wanted, shard, result, options.verify):
            return Outcome(task, known["rows"], time.perf_counter() - start, True, unread=int(known.get("unread", 0)))
        with _written(result):
            rows, unread, made = _write(shard.contents(options.id_column), result, predictor, options)
        seconds = time.perf_counter() - start
        made_of = {
            **wanted,
            "input": manifest.of_file(source, shard.stamp, shard.digest()),
            "result": made,
            "rows": rows,
            **({"unread": unread} if unread else {}),
            "seconds": round(seconds, 6),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
    with _written(result):
        manifest.write(result, made_of)
    return Outcome(task, rows, seconds, unread=unread)


@contextmanager
def _written(result: str) -> Iterator[None]:
    """ShardError for what a full disk says."""
    try:
        yield
    except OSError as error:
        raise ShardError(f"{result}: {error.strerror or error}") from error


def _write(contents: Contents, result: str, predictor: Predictor, options: Options) -> tuple[int, int, dict[str, Any]]:
    """The numbers of rows and of pictures that can't be read, and what the manifest says of the result."""
    rows = unread = 0
    columns = Columns(contents.id_name, contents.id_type, options.probabilities, contents.pictures)
    with store.publishing(result) as target:
        file = HashedWriter(target)
        writer = WRITERS[options.format](file, result, columns)
        try:
            for images, ids, reasons in contents.blocks:
                names = range(rows + 1, rows + 1 + len(images)) if ids is None else ids
                writer.write(names, _answers(images, predictor, options)._replace(reasons=reasons))
                rows += len(images)
                unread += sum(map(bool, reasons or ()))
            writer.finish()
        except BaseException:
            file.give_up()
            raise
    stamp = store.stamp(result) or store.Stamp(file.size, "")
    return rows, unread, manifest.of_file(result, stamp._replace(bytes=file.size), file.digest())


def _answers(images: NDArray[np.uint8], predictor: Predictor, options: Options) -> Answers:
    if images.ndim == 3:  # readings
        shares = predictor.predict_readings(images)
        return Answers(shares.argmax(axis=1).astype(np.uint8), shares if options.probabilities else NO_PROBABILITIES)
    if options.probabilities:
        return Answers(*predictor.predict_both(images))
    return Answers(predictor.predict_many(images), NO_PROBABILITIES)


def attempt_shard(task: Task, predictor: Predictor, options: Options) -> Outcome:
    """As `predict_shard`, with what is wrong with a shard told in the outcome, so that the others go on."""
    start = time.perf_counter()
    try:
        return predict_shard(task.source, task.result, predictor, options)
    except ShardError as error:
        reason = str(error)
    except Exception as error:  # no memory, or a bug that only this shard meets
        reason = f"{task.source}: {type(error).__name__}: {reason_of(error)}"
    return Outcome(task, 0, time.perf_counter() - start, error=reason)
