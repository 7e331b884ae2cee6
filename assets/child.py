"""A service of Dagster's as a child that does not outlive its parent.

Belongs here: ending, with all that it started, when ``doisoat ui`` has ended in whatever way. Does
not belong here: the services, which are Dagster's.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress

import psutil

PATIENCE = 15.0
"""Seconds that a service has to end by itself, and the runs that it started to be cancelled."""


def _end_with(parent: int) -> None:
    """Waits until a pipe ends that the parent holds open and nobody writes to."""
    os.read(parent, 1)
    family = psutil.Process().children(recursive=True)
    os.kill(os.getpid(), signal.SIGINT)
    # Runs get a signal and cancel themselves; processes that are left after that are no runs.
    for process in family:
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(family, timeout=PATIENCE)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    threading.Event().wait(PATIENCE if not left else 1)
    os._exit(1)


def main() -> None:
    """Runs a command of Dagster with the arguments that follow the pipe's number."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    # A shell has its background jobs ignore this signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.argv[2] == "daemon":
        from dagster._daemon.cli import run_command

        run_command(sys.argv[3:])
    else:
        from dagster._cli import cli

        cli(sys.argv[2:])


if __name__ == "__main__":
    main()
