"""Whether a path can be written, and files and folders that are replaced all at once."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from digitnn_fast import kaggle
from digitnn_fast.network import Network
from digitnn_fast.page import write_page
from digitnn_fast.utils import initialize_parameters
from digitnn_fast.writing import check_folder, check_output, filling, replacing, sweep

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX devices")
SHM = Path("/dev/shm")
NETWORK = Network(*initialize_parameters(1, 4))
WRITERS = {
    "replacing": lambda path: put(path, b"new"),
    "model": NETWORK.save,
    "submission": lambda path: kaggle.write_submission(path, [1, 2]),
    "probabilities": lambda path: kaggle.write_probabilities(path, np.full((1, 10), 0.1)),
    "page": lambda path: write_page(path, NETWORK),
}


def put(path, content: bytes, **options) -> None:
    with replacing(path, **options) as file:
        file.write(content)


# Whether it can be written


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "an empty name is not a file"),
        ("folder", "this is a folder, not a file"),
        ("file/", "this is a folder, not a file"),
        ("new/", "this is a folder, not a file"),
        ("none/new", "there is no folder "),
        ("file/new", "there is no folder "),
        ("n" * 300, "File name too long"),
        ("circle", "Too many levels of symbolic links"),
        pytest.param("/dev/none", "there is no such device", marks=POSIX),
    ],
)
def test_what_cannot_be_written(path, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("old")
    Path("circle").symlink_to("circle")
    before = sorted(os.listdir())
    with pytest.raises(OSError, match=f"can't be written: {reason}") as refusal:
        check_output(path)
    assert refusal.value.filename == path
    for writer in WRITERS.values():
        with pytest.raises((OSError, kaggle.KaggleFileError), match=f"can't be written: {reason}"):
            writer(path)
    assert sorted(os.listdir()) == before
    assert Path("file").read_text() == "old"


def test_one_file_for_two_things(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(ValueError, match="uses this file for something else"):
        check_output(str(tmp_path / "link"), [None, str(tmp_path / "file")])


@POSIX
def test_a_current_folder_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for check in (lambda: check_output("new", ["other"]), lambda: check_folder("new")):
        with pytest.raises(OSError, match=r"can't be written: No such file or directory: 'new'$"):
            check()


def test_checking_leaves_nothing(tmp_path):
    check_output(str(tmp_path / "new"), [str(tmp_path / "other")])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "an empty name"),
        ("file", "not a folder"),
        ("file/new", "there is no folder"),
        ("a/b", "there is no folder"),
    ],
)
def test_what_can_be_no_folder(path, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(OSError, match=reason), filling(path):
        pass
    if path == "a/b":
        check_folder(path, deep=True)
    else:
        with pytest.raises(OSError, match=f"{reason}|not a folder|no folder"):
            check_folder(path, deep=True)
    assert os.listdir() == ["file"]


# Replacing


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("where", ["new", "older", "link", "dangling", "long", "shared memory"])
def test_ordinary_files(writer, where, tmp_path):
    target = tmp_path / ("n" * 255 if where == "long" else "file")
    if where == "shared memory":
        if not SHM.is_dir():
            pytest.skip("there is no /dev/shm here")
        target = SHM / f"digitnn-test-{os.getpid()}"
    path = tmp_path / "link" if where in ("link", "dangling") else target
    if path != target:
        path.symlink_to(target)
    if where in ("older", "link"):
        target.write_text("older")
        target.chmod(0o640)
    old = os.umask(0o027 if where == "new" else 0o022)
    try:
        WRITERS[writer](path)
    finally:
        os.umask(old)
    expected = tmp_path / "expected"
    WRITERS[writer](expected)
    assert target.read_bytes() == expected.read_bytes()
    assert not target.is_symlink() and path.is_symlink() == (path != target)
    if os.name == "posix":
        mode = stat.S_IMODE(target.stat().st_mode)
        assert mode == (0o640 if where in ("older", "link", "new") else 0o644)
    target.unlink()
    assert {"expected"} <= set(os.listdir(tmp_path)) <= {"expected", "link"}


@pytest.mark.parametrize("lasting", [True, False])
def test_replacing_is_all_or_nothing(lasting, tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(target, lasting) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="can't be written: No space left on device") as refusal:
        put("/dev/full", b"new")
    assert refusal.value.filename == "/dev/full"
    with pytest.raises(OSError, match="can't be written: No space left") as refusal, replacing(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")  # as a write says it, without a name
    assert refusal.value.filename == str(tmp_path / "file")
    with pytest.raises(OSError, match="No space left") as refusal, filling(tmp_path / "out") as folder:
        text = "can't be written: No space left on device"
        raise OSError(errno.ENOSPC, text, str(folder / "a"))  # as `replacing` does
    assert (refusal.value.filename, refusal.value.strerror) == (str(tmp_path / "out"), text)


@POSIX
@pytest.mark.parametrize("writer", WRITERS)
def test_devices_are_written_through(writer, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    WRITERS[writer](tmp_path / "link")
    reader.join()
    WRITERS[writer]("/dev/null")
    WRITERS[writer](tmp_path / "expected")
    assert received == [(tmp_path / "expected").read_bytes()]
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "link").is_symlink()
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert sorted(os.listdir(tmp_path)) == ["expected", "link", "pipe"]


@POSIX
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "link"])
@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_own_output_goes_on_where_it_is(name, mode, tmp_path):
    """`(echo header; command --out /dev/stdout) > file`, and with `>>`: nothing that is there is lost."""
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "file").write_bytes(b"log\n")
    before = (tmp_path / "file").stat().st_ino
    code = "import os, sys; from digitnn_fast.writing import replacing\nos.write(1, b'header\\n')\n"
    code += "with replacing(sys.argv[1]) as file: file.write(b'content\\n')\nos.write(1, b'end\\n')"
    with open(tmp_path / "file", mode) as out:
        subprocess.run([sys.executable, "-c", code, name], stdout=out, cwd=tmp_path, check=True)
    written = (b"log\n" if mode == "ab" else b"") + b"header\ncontent\nend\n"
    assert (tmp_path / "file").read_bytes() == written
    assert (tmp_path / "file").stat().st_ino == before
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@POSIX
def test_what_becomes_a_device_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(OSError, match="a device has taken its place"), replacing(tmp_path / "file"):
        os.mkfifo(tmp_path / "file")
    assert (tmp_path / "file").is_fifo()
    assert os.listdir(tmp_path) == ["file"]


# Folders


def test_filling_is_all_or_nothing(tmp_path):
    out = tmp_path / "out"
    with filling(out) as folder:
        (folder / "a").write_text("a")
        (folder / "sub").mkdir()
        (folder / "sub" / "b").write_text("b")
    (out / "other").write_text("other")
    (out / "a").chmod(0o600)
    with pytest.raises(KeyboardInterrupt), filling(out) as folder:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt
    assert sorted(os.listdir(out)) == ["a", "other", "sub"] and (out / "a").read_text() == "a"
    with filling(out) as folder:
        (folder / "a").write_text("new")
    assert sorted(os.listdir(out)) == ["a", "other", "sub"] and (out / "a").read_text() == "new"
    assert stat.S_IMODE((out / "a").stat().st_mode) == 0o600 or os.name != "posix"
    with filling(out, whole=True) as folder:
        (folder / "c").write_text("c")
    assert os.listdir(out) == ["c"] and os.listdir(tmp_path) == ["out"]


@POSIX
def test_a_file_of_a_folder_may_be_a_link_to_a_device(tmp_path):
    (tmp_path / "null").symlink_to("/dev/null")
    with filling(tmp_path) as folder:
        (folder / "null").write_text("lost")
    assert os.readlink(tmp_path / "null") == "/dev/null"
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


# Litter

KILLED = """
import os, signal, sys
from digitnn_fast.writing import filling, replacing
with filling("out") as folder, replacing("file") as file:
    file.write(b"half")
    file.flush()
    (folder / "half").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@POSIX
def test_the_next_run_sweeps_what_a_killed_one_left_and_nothing_else(tmp_path):
    assert subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path).returncode == -9
    left = os.listdir(tmp_path)
    assert len(left) == 2 and all(name.startswith(".digitnn-fast-") for name in left)
    [ours] = [name for name in left if (tmp_path / name).is_file()]
    machine, process = ours.split("-")[2:4]
    others = ["thesis.backup.12345-deadbeef.tmp", "mine.tmp", f"{ours}.mine", f"x{ours}"]
    others += [f".digitnn-fast-{machine}-{os.getpid()}-00000000.tmp"]  # that process lives
    others += [".digitnn-fast-00000000-1-00000000.tmp"]  # another machine's, lately
    old = [".digitnn-fast-00000000-1-11111111.tmp"]  # another machine's, long ago
    for name in others + old:
        (tmp_path / name).write_text("")
    for name in old:
        os.utime(tmp_path / name, (0, 0))
    link = f".digitnn-fast-{machine}-{process}-22222222.tmp"
    (tmp_path / link).symlink_to("none")
    unfinished = tmp_path / f".digitnn-fast-{machine}-{process}-33333333.tmp"  # killed between two renames
    (unfinished / "older").mkdir(parents=True)
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*others, link, unfinished.name])


@POSIX
def test_whoever_writes_there_sweeps(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path)
    put(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]
