"""The command of a process: `python -m digitnn_fast`, and `digitnn-fast`, which is the same.

It imports the command line only when Ctrl-C is taken care of: there is nothing yet that an interruption could leave
half done, and 0.3 s of imports are long enough for one.
"""

from __future__ import annotations

import gc
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

INTERRUPTED = 130  # as shells have it: 128 + the signal's number


def stop_at_once(*_: object) -> NoReturn:
    """End this process in one line, without Python's own words on what it was just importing."""
    try:
        os.write(2, b"interrupted\n")
    finally:  # also if it is closed, or a pipe that nobody reads
        os._exit(INTERRUPTED)


def main() -> NoReturn:
    """Run the command of this process."""
    theirs = signal.getsignal(signal.SIGINT)
    if theirs is signal.default_int_handler:  # and not nohup's, or a shell's for what runs in the background
        signal.signal(signal.SIGINT, stop_at_once)
    gc.disable()  # until `commands.garbage.begin`
    from digitnn_fast.commands.app import main as run_command

    signal.signal(signal.SIGINT, theirs)
    run_command()


if __name__ == "__main__":
    main()
