"""The manifest: a small JSON file beside a result that says how and from what the result was made."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from digitnn_fast.network import Network
from digitnn_fast.shards import store
from digitnn_fast.shards.digest import Hashed
from digitnn_fast.shards.inputs import Shard
from digitnn_fast.shards.store import ShardError, Stamp
from digitnn_fast.version import VERSION

ENDING = ".manifest.json"
FORMAT = "digitnn-fast shard 1"
MAX_BYTES = 1 << 16


@lru_cache(4)  # of a network of 6,400 units 10 ms, and a shard may take as long
def model_digest(network: Network) -> str:
    """SHA-256 of the arrays and the preprocessing, 64 hexadecimal digits."""
    digest = hashlib.sha256(network.preprocessing.encode())
    for array in network.parameters:
        digest.update(repr(array.shape).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def read(result: str) -> dict[str, Any] | None:
    """The manifest of a result; None if there is none that can be read."""
    try:
        manifest = json.loads(store.read_whole(result + ENDING, MAX_BYTES))
        if manifest["format"] == FORMAT and isinstance(manifest["rows"], int):
            return dict(manifest)
    except (ValueError, TypeError, KeyError, RecursionError):  # ShardError too: not there, or damaged
        pass
    return None


def write(result: str, manifest: dict[str, Any]) -> None:
    """Write the manifest, an older one replaced all at once."""
    with store.publishing(result + ENDING) as file:
        file.write((json.dumps({"format": FORMAT, **manifest}, indent=1) + "\n").encode())


def made_by(network: Network, options: dict[str, Any]) -> dict[str, Any]:
    """All that a result's bytes depend on besides the input."""
    return {"version": VERSION, "model_sha256": model_digest(network), "options": options}


def of_file(name: str, stamp: Stamp, digest: str) -> dict[str, Any]:
    """The manifest's entry for an input or a result."""
    return {"name": name, "bytes": stamp.bytes, "stamp": stamp.version, "sha256": digest}


def holds(manifest: dict[str, Any], wanted: dict[str, Any], shard: Shard, result: str, verify: bool) -> bool:
    """Whether the result is complete and the same as this input would give now.

    A file is believed to be unchanged if its stamp is; else its digest decides, and always if `verify`.
    """
    if any(manifest.get(key) != value for key, value in wanted.items()):
        return False
    written = store.stamp(result)
    if written is None or not _same(manifest.get("result"), written, verify, lambda: _digest(result)):
        return False
    return _same(manifest.get("input"), shard.stamp, verify, shard.digest)


def _same(known: Any, stamp: Stamp, verify: bool, digest: Any) -> bool:
    if not isinstance(known, dict) or known.get("bytes") != stamp.bytes:
        return False
    if stamp.version and known.get("stamp") == stamp.version and not verify:
        return True
    return bool(known.get("sha256") == digest())


def _digest(path: str) -> str:
    with store.reached(path):
        file = Hashed(store.open_raw(path))
        try:
            return file.digest()
        except OSError as error:
            raise ShardError(f"{path}: {error}") from error
        finally:
            file.shut()
