"""Finds the shards that the user named, and where each result goes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from typing import NamedTuple

from digitnn_fast import images
from digitnn_fast.files import STANDARD, is_hidden
from digitnn_fast.formats import label_names
from digitnn_fast.shards import manifest, store
from digitnn_fast.shards.store import ShardError

ARRAYS = ".npy", ".npz", ".npy.gz", ".idx", "-ubyte", ".idx.gz", "-ubyte.gz"  # their labels lie in a second file
ENDINGS = ".csv", ".csv.gz", ".csv.zip", ".parquet", ".pq", *ARRAYS
PACKED = (".gz", ".zip")


class Task(NamedTuple):
    """A shard, and the file that its answers go to."""

    source: str
    result: str


def find_shards(inputs: Sequence[str], out: str, format: str = "csv") -> list[Task]:
    """The shards among `inputs`, files, patterns and folders, and their results in the folder `out`.

    A folder stands for all files in it, and in its folders, that end as shards do; and each folder that holds pictures
    is a shard too. None of them is what is hidden, what lies in `out` below the folder or has a manifest beside it, and
    the labels of images beside them. A result is called as its shard, and lies as deep in `out` as that in the folder
    or pattern.
    ShardError if there are none, or if two would be called the same.
    """
    tasks: dict[str, Task] = {}
    out = store.local(out)
    for given in map(store.local, inputs):
        for source, name in _expand(given, out):
            result = store.join(out, f"{_stem(name)}.{format}")
            other = tasks.setdefault(result, Task(source, result)).source
            if other != source:
                raise ShardError(f"{source}: its result would be called as that of {other}: {result}")
            if not store.is_url(source) and not store.is_url(result) and _same(source, result):
                raise ShardError(f"{source}: its result would take its place; give another folder")
    return list(tasks.values())


def _same(source: str, result: str) -> bool:
    return os.path.realpath(source) == os.path.realpath(result)


def _expand(given: str, out: str) -> Iterator[tuple[str, str]]:
    """Each shard, and its name below the folder of results."""
    if given == STANDARD:
        text = "is no shard, which has a name and can be read again; `predict --test - --out FILE` reads it"
        raise ShardError(f"standard input {text}")
    if has_magic(given) and not os.path.exists(given):
        results = _below(given[: _base(given)], out)
        matches = sorted(_matches(given))
        there = {path for path, _ in matches + _matches(given + manifest.ENDING)}
        found = [
            (path, name) for path, name in matches if not (f"{name}/".startswith(results) or _is_result(path, there))
        ]
        if not found:
            raise ShardError(f"{given}: no file fits this pattern")
        yield from found
    elif not store.is_folder(given):
        yield given, store.name_of(given)
    else:
        results = _below(given, out)
        names = store.files_in(given)
        there = set(names)
        files = [name for name in names if not (name.startswith(results) or is_hidden(name) or _is_result(name, there))]
        labels = {label for name in files if name.lower().endswith(ARRAYS) for label in _labels_of(name)}
        shards = [
            name for name in files if name.lower().endswith(ENDINGS) and not (_is_set_aside(name) or name in labels)
        ]
        folders = sorted({name.rpartition("/")[0] for name in files if images.is_picture(name)})
        if not shards and not folders:
            raise ShardError(f"{given}: there are no shards in this folder, and no pictures")
        for name in shards:
            yield store.join(given, name), name
        for folder in folders:
            yield (store.join(given, folder), folder) if folder else (given, _own_name(given) or "pictures")


def _below(folder: str, out: str) -> tuple[str, ...]:
    """How names in a folder begin that lie in `out`, where an earlier run left its results; () if that is not there."""
    if store.is_url(folder) or store.is_url(out):
        here, there = (f"{place.rstrip('/')}/" for place in (folder, out))
    else:
        here, there = (os.path.join(os.path.realpath(place), "").replace(os.sep, "/") for place in (folder, out))
    return (there.removeprefix(here),) if there.startswith(here) and there != here else ()


def _is_result(name: str, there: set[str]) -> bool:
    """Whether an earlier run wrote it: it is a manifest, or has one beside it."""
    return name.endswith(manifest.ENDING) or name + manifest.ENDING in there


def _labels_of(name: str) -> Iterator[str]:
    """The names of the files that may hold the labels of this one."""
    folder, slash, last = name.rpartition("/")
    return (folder + slash + label for label in label_names(last))


def _own_name(folder: str) -> str:
    """Its name, also if it was given as `.`."""
    return store.name_of(folder if store.is_url(folder) else os.path.abspath(folder))


def _matches(pattern: str) -> list[tuple[str, str]]:
    """Each file that fits, and its name from where the pattern's first wildcard is."""
    if not store.is_url(pattern):
        base = _base(pattern.replace(os.sep, "/"))
        return [(path, path[base:].replace(os.sep, "/")) for path in glob(pattern, recursive=True)]
    system, place = store.connect(pattern)
    with store.reached(pattern):
        return [(str(system.unstrip_protocol(path)), path[_base(place) :]) for path in system.glob(place)]


def _base(pattern: str) -> int:
    """Length of the folder before the first wildcard."""
    return pattern.rfind("/", 0, min(pattern.find(c) for c in "*?[" if c in pattern)) + 1


def _is_set_aside(name: str) -> bool:
    """As Spark and Hadoop see it: `_SUCCESS`. Of pictures it means nothing: cameras write `_MG_1234.JPG`."""
    return any(part.startswith("_") for part in name.split("/"))


def _stem(name: str) -> str:
    """The name without its endings: `b.csv.gz` is `b`, and `train-images-idx3-ubyte` stays as it is."""
    for ending in PACKED:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    known = f".{ending.lower()}" in (*ENDINGS, *images.ENDINGS, ".txt")
    return folder + slash + (stem if dot and stem and known else last)
