"""Programs that are not ours, when they fail, lie, or never end."""

from __future__ import annotations

import os
import sys
import time

import pytest

from digitnn_fast.export import programs
from digitnn_fast.export.c import tools
from digitnn_fast.export.programs import ToolError, run_tool, scratch_folder

POSIX = pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")


def script(path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_what_it_prints():
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"
    assert run_tool([sys.executable, "-c", code], b"abc") == b"cba"
    assert run_tool([sys.executable, "-c", "pass"], bytes(10_000_000)) == b""  # it need not read what it is given


@POSIX
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "#!/bin/sh\necho note >&2; echo x.c:1: error: no good >&2; exit 3",
            "failed with exit code 3: x.c:1: error: no good",
        ),
        ("#!/bin/sh\nexit 1", "failed with exit code 1: it said nothing"),
        ("#!/bin/sh\nkill -9 $$", "failed with exit code -9"),
        ("#!/bin/sh\nyes line | head -100000 >&2; exit 1", "failed with exit code 1: line line"),
        ("#!/none/at/all", "can't be started: No such file or directory"),
        ("\x7fELF not at all", "can't be started: Exec format error"),
    ],
)
def test_one_line_if_it_fails(text, reason, tmp_path):
    with pytest.raises(ToolError) as refusal:
        run_tool([script(tmp_path / "tool", text)])
    assert str(refusal.value).startswith(f"{tmp_path / 'tool' if 'started' in reason else 'tool'} {reason}")
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 400


@POSIX
@pytest.mark.parametrize("text", ["sleep 1000", "sleep 1000 & sleep 1000", "sleep 1000 &"])
def test_it_has_a_time_limit_and_so_has_what_it_starts(text, tmp_path, monkeypatch):
    """A child of the program holds its pipes: to end the program alone would not end the wait."""
    monkeypatch.setattr(programs, "PATIENCE", 0.5)
    start = time.monotonic()
    with pytest.raises(ToolError, match=r"^tool did not end within 0.5 s$"):
        run_tool([script(tmp_path / "tool", f"#!/bin/sh\necho $$ > {tmp_path}/group\n{text}")])
    assert time.monotonic() - start < 100
    group = int((tmp_path / "group").read_text())
    while True:  # until the system has buried them
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            break


@pytest.mark.parametrize("command", ["cc '", "'"])
def test_a_compiler_that_is_no_command(command, monkeypatch):
    monkeypatch.setenv("CC", command)
    with pytest.raises(ToolError, match=r"CC is .*No closing quotation"):
        tools.compiler()


def test_a_full_disk_names_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OSError, match="No space left") as refusal, scratch_folder():
        raise OSError(28, "No space left on device")  # as a write says it, without a name
    assert refusal.value.filename == str(tmp_path)
    assert os.listdir(tmp_path) == []
