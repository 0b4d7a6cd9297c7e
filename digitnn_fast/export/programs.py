"""Programs that are not ours: compilers, emulators, node. Each has a time limit, and fails in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from digitnn_fast.checks import shortened
from digitnn_fast.export.ways import SelfTestError

PATIENCE = 600  # seconds until a program counts as hung


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new temporary folder, which goes with the block; an OSError that names no file names it."""
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error


class ToolError(SelfTestError):
    """A compiler or another program is here and failed, or did not end; `words` are its own, if it said any."""

    def __init__(self, text: str, words: str = "") -> None:
        super().__init__(f"{text}: {words}" if words else text)
        self.words = words


def run_tool(
    command: Sequence[str | Path], given: bytes = b"", folder: Path | None = None, errors_too: bool = False
) -> bytes:
    """What a command, run in a folder, prints; ToolError if it fails, or does not end within PATIENCE.

    With `errors_too` that is also what it prints to stderr, which then is not told if it fails.

    It gets a process group of its own. What it starts itself has its pipes, and would keep us waiting when it is gone.
    """
    name = os.path.basename(os.fsdecode(command[0]))
    stderr = subprocess.STDOUT if errors_too else subprocess.PIPE
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": stderr}
    try:
        process = subprocess.Popen(command, cwd=folder, start_new_session=os.name == "posix", **pipes)  # type: ignore[call-overload]
    except (OSError, ValueError) as error:  # not for this processor, no permission
        reason = error.strerror if isinstance(error, OSError) else error
        raise ToolError(f"{os.fsdecode(command[0])} can't be started: {reason}") from error
    try:
        out, errors = process.communicate(given, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{name} did not end within {PATIENCE} s") from error
    except OSError as error:
        raise ToolError(f"{name} failed: {error.strerror}") from error
    finally:
        if process.returncode is None:
            _end(process)
    if process.returncode:
        raise ToolError(f"{name} failed with exit code {process.returncode}", _first_words(errors or b""))
    printed: bytes = out
    return printed


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and all that it started; also after Ctrl-C, which its own process group does not hear of."""
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()


def _first_words(errors: bytes) -> str:
    """The line that names the error, as far as there is one, else the beginning."""
    lines = [" ".join(line.split()) for line in errors.decode(errors="replace").splitlines() if line.strip()]
    named = next((line for line in lines if "error" in line.lower()), "")
    return shortened(named or " ".join(lines), 300) or "it said nothing"
