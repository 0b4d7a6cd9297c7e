"""How a command runs, and how an error is reported."""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from digitnn_fast.checks import printable
from digitnn_fast.commands import garbage, plain
from digitnn_fast.commands.progress import Loudness
from digitnn_fast.levels import LevelsWarning

USER_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # the last two as shells have it: 128 + the signal's number


def run(arguments: list[str]) -> int:
    """Run a command and return the exit code.

    Not `app()`: click's own way prints an empty line on Ctrl-C and several on a wrong option.
    """
    Loudness.quiet = Loudness.verbose = False
    try:
        with _warnings_in_one_line():
            code = _invoke(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except Exception as error:
        if Interruption.came:  # C code in the middle of an import makes an ImportError of it
            return _fail("interrupted", INTERRUPTED)
        if isinstance(error, BrokenPipeError) or isinstance(error.__cause__, BrokenPipeError):
            return BROKEN_PIPE  # the reader has closed the pipe, as `head` does
        if (reason := _reason(error)) is None:
            raise
        if Loudness.verbose:
            import traceback

            traceback.print_exc()
        return _fail(f"error: {reason}", USER_ERROR)


class Interruption:
    """Whether Ctrl-C was pressed."""

    came = False

    @classmethod
    def handle(cls, number: int, frame: FrameType | None) -> None:
        """As Python does, and keep it in mind."""
        cls.came = True
        signal.default_int_handler(number, frame)


def _invoke(arguments: list[str]) -> int:
    given = plain.parsed(arguments)
    if given is None:
        from digitnn_fast.commands import root

        return root.invoke(arguments)
    plain.predict(**given)
    return 0


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print what is strange about the user's data, once, instead of Python's two lines each time."""
    said = False

    def show(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
        from digitnn_fast.kernels.machine.cache import CacheWarning
        from digitnn_fast.kernels.machine.without import NumPyWarning

        nonlocal said
        if issubclass(category, (CacheWarning, NumPyWarning)):
            print(printable(f"WARNING: {message}"), file=sys.stderr)
        elif not issubclass(category, LevelsWarning):
            python(message, category, *where, **how)
        elif not said:
            print(printable(f"WARNING: {message}"), file=sys.stderr)
            said = True

    with warnings.catch_warnings():
        warnings.simplefilter("always", LevelsWarning)
        python, warnings.showwarning = warnings.showwarning, show
        yield


def _reason(error: Exception) -> str | None:
    """The message of an error that the user can fix; None for a bug, which needs its traceback."""
    if format_message := getattr(error, "format_message", None):  # typer's; their class moved between its versions
        return str(format_message())
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}".removesuffix(": ")
    if isinstance(error, OSError):
        # A full disk behind an open file has no name, unless whoever writes gives it one, as all of ours do.
        name = error.filename or ("standard output" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else "")
        return ": ".join(str(part) for part in (name, error.strerror or error) if part)
    return str(error) if isinstance(error, ValueError) else None


def _fail(text: str, code: int) -> int:
    print(printable(text), file=sys.stderr)
    return code


def main() -> NoReturn:
    """Run the command of this process."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a file's name may hold any byte
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, Interruption.handle)
    code = run(sys.argv[1:])
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is left to do is Python's, which would word it at length
    if code == BROKEN_PIPE:
        # Buffered output has nowhere to go, and Python would complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    garbage.freeze()
    sys.exit(code)


def _open_streams() -> None:
    """Give a process that was started with closed streams, as by `>&-`, streams that lead nowhere.

    Otherwise the next file that is opened becomes number 1, and what is printed would go into it.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: SIM115
