"""What a path is: a file, a device or a pipe, behind all its links."""

from __future__ import annotations

import os

import pytest

from digitnn_fast.files import find, is_device, is_pipe


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX devices")
def test_devices(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "file").touch()
    links = {"to_null": "/dev/null", "to_link": tmp_path / "to_null", "to_pipe": pipe, "to_file": tmp_path / "file"}
    links |= {"to_stdout": "/dev/stdout", "dangling": tmp_path / "none", "dev": "/dev"}
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    devices = ["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/../dev/null", "/dev/none", pipe]
    devices += [tmp_path / name for name in ("to_null", "to_link", "to_pipe", "to_stdout", "dev/null")]
    files = [tmp_path / name for name in ("file", "to_file", "dangling", "none")] + ["none", "/dev/shm/none"]
    assert [is_device(path) for path in devices] == [True] * len(devices)
    assert [is_device(path) for path in files] == [False] * len(files)
    assert [is_pipe(path) for path in ("/dev/null", pipe, tmp_path / "to_pipe")] == [True] * 3
    assert not any(is_pipe(path) for path in [*files, tmp_path, "/dev/none"])
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(OSError, match="symbolic links"):
        find(tmp_path / "circle")
