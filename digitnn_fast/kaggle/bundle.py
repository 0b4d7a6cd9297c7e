"""What a Kaggle user pushes: this package as a wheel in a dataset, and the kernel that installs it offline."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from digitnn_fast.home import HOME
from digitnn_fast.version import VERSION
from digitnn_fast.writing import check_folder, filling

PACKAGE = HOME
NAME = "digitnn_fast"
USERNAME = "USERNAME"  # stands in kernel/kernel-metadata.json for whoever pushes it
KERNEL_METADATA, DATASET_METADATA = "kernel-metadata.json", "dataset-metadata.json"
DATASET = "digitnn-fast-wheel"
SOURCE_LIMIT = 1 << 20  # bytes of a kernel's source
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes at any time
OF_ONE_INSTALLATION = {"RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"}


class Bundle(NamedTuple):
    """The folders to push, and the bytes of everything in them."""

    dataset: Path
    kernel: Path
    wheel: Path
    size: int


def write_bundle(out: str | os.PathLike[str], username: str) -> Bundle:
    """Write the folders `dataset` and `kernel` into `out`; an older bundle there is replaced at the very end.

    ValueError if Kaggle's client would refuse them, or if `out` holds anything else.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}", username):
        raise ValueError(f"{username!r} is not a Kaggle user name: it is what follows kaggle.com/ on your profile")
    check_folder(out)
    _check_target(Path(os.path.realpath(out)))
    wheel_name, wheel = make_wheel()
    kernel = kernel_folder()
    metadata = (kernel / KERNEL_METADATA).read_text("utf-8").replace(USERNAME, username)
    notebook = json.loads(metadata)["code_file"]
    files = {
        f"dataset/{wheel_name}": wheel,
        f"dataset/{DATASET_METADATA}": _json(dataset_metadata(username)),
        f"kernel/{notebook}": (kernel / notebook).read_bytes(),
        f"kernel/{KERNEL_METADATA}": metadata.encode(),
    }
    with filling(out, whole=True) as made:
        for name, content in files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(content)
        check_dataset(made / "dataset")
        check_kernel(made / "kernel")
    dataset = Path(out, "dataset")
    return Bundle(dataset, Path(out, "kernel"), dataset / wheel_name, sum(map(len, files.values())))


def _check_target(target: Path) -> None:
    """ValueError if the folder holds anything but an older bundle."""
    if target.exists():
        parts = {f"dataset/{DATASET_METADATA}", f"kernel/{KERNEL_METADATA}"}
        older = {path.name for path in target.iterdir()} == {"dataset", "kernel"}
        if any(target.iterdir()) and not (older and all((target / part).is_file() for part in parts)):
            raise ValueError(f"{target}: there is something else in this folder")


def kernel_folder() -> Path:
    """The folder of the notebook and its metadata; ValueError if it was not installed."""
    for folder in (PACKAGE / "kernel", PACKAGE.parent / "kernel"):  # installed, and in a checkout
        if (folder / KERNEL_METADATA).is_file():
            return folder
    raise ValueError(f"the kernel's notebook is missing in {PACKAGE}: install digitnn-fast again")


def dataset_metadata(username: str) -> dict[str, Any]:
    """What `kaggle datasets create` wants to know of the wheel."""
    return {
        "id": f"{username}/{DATASET}",
        "title": "digitnn-fast wheel",
        "subtitle": "Handwritten digits, fast, on a CPU: a Python package",
        "description": f"digitnn-fast {VERSION} as a wheel, for kernels without internet. "
        "MIT, and CC BY-SA 3.0 for the digits in it, which are from MNIST (LeCun, Cortes, Burges).",
        "licenses": [{"name": "other"}],  # as its description says
        "keywords": [],
    }


def make_wheel() -> tuple[str, bytes]:
    """Name and bytes of a wheel of the installed package; the same bytes each time.

    Built from the installed files and not by pip, because `pip install digitnn-fast` leaves no sources.
    Format: PEP 427 and the binary distribution format of the Python Packaging Authority.
    """
    info = f"{NAME}-{VERSION}.dist-info"
    files = {f"{NAME}/{name}": content for name, content in _package_files().items()}
    files |= {f"{info}/{name}": content for name, content in _described().items()}
    tags = f"Wheel-Version: 1.0\nGenerator: digitnn-fast ({VERSION})\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/WHEEL"] = tags.encode()
    record = "".join(f"{name},{_digest(content)},{len(content)}\n" for name, content in sorted(files.items()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in [*sorted(files.items()), (f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode())]:
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # as on Unix, wherever this runs
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
    return f"{NAME}-{VERSION}-py3-none-any.whl", buffer.getvalue()


def _package_files() -> dict[str, bytes]:
    """All files of the package but caches, by their paths with slashes."""
    files = {}
    for folder, folders, names in os.walk(PACKAGE, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and not name.endswith((".pyc", ".tmp", "~")):
                path = Path(folder, name)
                files[path.relative_to(PACKAGE).as_posix()] = path.read_bytes()
    files |= {f"kernel/{path.name}": path.read_bytes() for path in kernel_folder().iterdir() if path.is_file()}
    return files


def _described() -> dict[str, bytes]:
    """METADATA, entry points and licences of the installed distribution, by their paths in its dist-info."""
    for found in importlib.metadata.distributions(name="digitnn-fast"):
        if found.read_text("WHEEL") is None or found.version != VERSION:
            continue  # an egg-info that setuptools left in a checkout, or an older installation
        files = {}
        for path in found.files or ():
            folder, _, name = path.as_posix().partition("/")
            if folder.endswith(".dist-info") and name not in OF_ONE_INSTALLATION:
                files[name] = Path(str(path.locate())).read_bytes()
        return files
    raise ValueError(f"digitnn-fast {VERSION} is not installed here, only its files are: pip install it first")


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _json(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()


def check_dataset(folder: Path) -> None:
    """ValueError if `kaggle datasets create` would refuse the folder."""
    metadata = json.loads((folder / DATASET_METADATA).read_text("utf-8"))
    _check_length("dataset slug", _slug(metadata["id"]), 6, 50)
    _check_length("dataset title", metadata["title"], 6, 50)
    _check_length("dataset subtitle", metadata["subtitle"], 20, 80)
    if len(metadata["licenses"]) != 1:
        raise ValueError("a dataset needs exactly one licence")


def check_kernel(folder: Path) -> None:
    """ValueError if `kaggle kernels push` would refuse the folder, or push what was not meant."""
    metadata = json.loads((folder / KERNEL_METADATA).read_text("utf-8"))
    slug, title = _slug(metadata["id"]), metadata["title"]
    _check_length("kernel title", title, 5, 50)
    if re.sub("[^a-z0-9]+", "-", title.lower()).strip("-") != slug:
        raise ValueError(f"the kernel's title {title!r} does not resolve to its slug {slug!r}")
    for name in ("is_private", "enable_gpu", "enable_tpu", "enable_internet"):
        if not isinstance(metadata.get(name), bool):  # the client's own defaults would let the kernel onto the internet
            raise ValueError(f"{name} must be true or false in {KERNEL_METADATA}")
    for source in metadata["dataset_sources"]:
        _slug(source)
    notebook = folder / metadata["code_file"]
    if (size := notebook.stat().st_size) > SOURCE_LIMIT:
        raise ValueError(f"{notebook.name}: {size:,} bytes, of which Kaggle takes {SOURCE_LIMIT:,}")


def _slug(reference: str) -> str:
    """The second half of `owner/slug`."""
    if not re.fullmatch(r"[\w-]+/[a-z0-9-]+", reference):
        raise ValueError(f"{reference!r} must be owner/slug")
    return reference.partition("/")[2]


def _check_length(what: str, text: str, least: int, most: int) -> None:
    if not least <= len(text) <= most:
        raise ValueError(f"the {what} must have {least} to {most} characters: {text!r}")
