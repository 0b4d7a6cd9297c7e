"""Access to shards: local files by their paths, all other stores by fsspec's URLs (`s3://bucket/name`).

A result appears all at once. Here it is written beside its target and moved into place; a store gets it in a single
put, and object stores show an object only when it is complete.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

from digitnn_fast import writing
from digitnn_fast.checks import reason_of

STORE_BLOCK = 8 << 20  # bytes of one request to a store
SPOOLED = 16 << 20  # bytes of a result that wait in memory for their put; more wait in a temporary file
SETTLED = 2.0  # seconds; a file may be written twice within one tick of a file system's clock


class ShardError(ValueError):
    """A shard that can't be read or written; the text is one line with the file's name and the reason."""


class Stamp(NamedTuple):
    """What a store says of a file without reading it; `version` is "" if that does not tell a change for sure."""

    bytes: int
    version: str


def is_url(path: str) -> bool:
    """Whether it is a URL for fsspec."""
    return "://" in path


def local(path: str) -> str:
    """The path itself of a `file://` URL: here a result can be moved into place."""
    return str(connect(path)[1]) if path.startswith(("file://", "local://")) else path


def name_of(path: str) -> str:
    """The last part."""
    return path.replace(os.sep, "/").rstrip("/").rpartition("/")[2]


def join(folder: str, name: str) -> str:
    """The path of `name`, which may hold slashes, in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_url(folder) else os.path.join(folder, *name.split("/"))


@contextmanager
def reached(path: str) -> Iterator[None]:
    """Turns a store's own exceptions into ShardError."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, ShardError):
            raise
        named = str(error).startswith(path)  # that of a CSV
        raise ShardError(reason_of(error, 300) if named else f"{path}: {reason_of(error)}") from error
    except FileNotFoundError as error:
        raise ShardError(f"{path}: no such file") from error
    except OSError as error:
        raise ShardError(f"{path}: {error.strerror or reason_of(error)}") from error
    except ImportError as error:
        raise ShardError(f"{path}: this needs a package that is not here: {reason_of(error)}") from error
    except Exception as error:
        raise ShardError(f"{path}: {type(error).__name__}: {reason_of(error)}") from error


def connect(path: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path there; ShardError if there is none."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ShardError(f"{path}: a URL needs fsspec: install the extra `dask`, `s3` or fsspec itself") from None
    with reached(path):
        system, place = url_to_fs(path)
        return system, str(place)


def open_raw(path: str) -> Any:
    """The file, unbuffered, to be read."""
    with reached(path):
        if not is_url(path):
            return open(path, "rb", buffering=0)
        system, place = connect(path)
        return system.open(place, "rb", block_size=STORE_BLOCK)


def read_whole(path: str, limit: int) -> bytes:
    """All that is in a file; ShardError if it has more than `limit` bytes."""
    with reached(path), io.BufferedReader(open_raw(path)) as file:
        content = file.read(limit + 1)
        if len(content) > limit:
            raise ShardError(f"{path}: more than {limit:,} bytes")
        return content


def stamp(path: str) -> Stamp | None:
    """Size and version of a file; None if there is none."""
    try:
        with reached(path):
            return _stamp(path)
    except ShardError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def _stamp(path: str) -> Stamp:
    if not is_url(path):
        status = os.stat(path)
        return Stamp(status.st_size, _settled(status.st_mtime_ns))
    system, place = connect(path)
    system.invalidate_cache()
    info = system.info(place)
    if tag := info.get("ETag") or info.get("etag") or info.get("generation"):
        return Stamp(int(info["size"]), str(tag))
    mtime = info.get("mtime")
    return Stamp(int(info["size"] or 0), _settled(int(mtime * 1e9)) if isinstance(mtime, float) else "")


def _settled(nanoseconds: int) -> str:
    return str(nanoseconds) if time.time() - nanoseconds / 1e9 > SETTLED else ""


@contextmanager
def publishing(path: str) -> Iterator[BinaryIO]:
    """A file to write that becomes `path` if the block ends without an error; folders on the way are made."""
    if not is_url(path):
        with reached(path):
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with writing.replacing(path) as file:
            yield file
        return
    with tempfile.SpooledTemporaryFile(SPOOLED) as spool:
        yield spool  # type: ignore[misc]  # all of BinaryIO that is used here
        with reached(path):
            _put(path, spool)


def _put(path: str, spool: Any) -> None:
    system, place = connect(path)
    if spool.seek(0, os.SEEK_END) <= SPOOLED:
        spool.seek(0)
        content = spool.read()
        try:
            system.pipe_file(place, content)
        except FileNotFoundError:  # a store with real folders, as HDFS
            system.makedirs(place.rpartition("/")[0], exist_ok=True)
            system.pipe_file(place, content)
        return
    with tempfile.NamedTemporaryFile() as whole:
        spool.seek(0)
        shutil.copyfileobj(spool, whole)
        whole.flush()
        system.put_file(whole.name, place)


def files_in(folder: str) -> list[str]:
    """All files in a folder and its folders, by their paths from there, with slashes and in order; none of a file."""
    with reached(folder):
        if is_url(folder):
            system, place = connect(folder)
            start = len(place.rstrip("/")) + 1
            return sorted(found[start:] for found in system.find(place) if len(found) > start)
        return sorted(
            os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")
            for parent, _, names in os.walk(folder)
            for name in names
        )


def is_folder(path: str) -> bool:
    """Whether there is a folder of that name."""
    with reached(path):
        if not is_url(path):
            return os.path.isdir(path)
        system, place = connect(path)
        return bool(system.isdir(place))


def sweep(folder: str) -> None:
    """Remove half-written files of killed processes in a folder and its folders; other stores have none."""
    if not is_url(folder):
        writing.sweep(folder, deep=True)
