"""The Dagster UI as a child of the command line, from start to the last process ended.

Belongs here: the child's environment and its end. Does not belong here: what the UI shows.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from types import FrameType

import psutil

from assets.pages import pages_served
from assets.processes import bury_dead_runs
from assets.running import instance_for, root_file
from etl.errors import ConfigError
from etl.settings import Settings

_PATIENCE = 20.0
"""Seconds that Dagster's services have to end by themselves."""

# The successor that it recommends wants a project of its own layout.
_QUIET = "ignore:Function `dev_command` is superseded"


def serve(settings: Settings, port: int) -> int:
    """Serves the UI, and the Data Docs beside it, until somebody ends it.

    Args:
        settings: The configuration whose runs it shows.
        port: The port on the loopback address.

    Returns:
        The exit code: 0 where a person or a signal ended it.

    Raises:
        ConfigError: The port is taken.
    """
    _refuse_taken(port)
    instance = instance_for(settings)
    bury_dead_runs(instance)
    instance.dispose()
    command = [
        sys.executable, "-m", "dagster", "dev",
        "--workspace", str(root_file("workspace.yaml").resolve()),
        "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning",
    ]  # fmt: skip
    warnings = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), _QUIET)))
    # SIGINT too: a shell's background job is born deaf to it, and so would its children be.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    with pages_served(settings):
        child = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONWARNINGS": warnings},
            # Dagster takes a dagster.yaml in the current folder for a mistake.
            cwd=settings.dagster_home,
            # Ctrl+C reaches this process alone, which then ends the others in their order.
            start_new_session=True,
        )
        try:
            return child.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(child)


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ConfigError(
                f"Something already listens on port {port} of this machine.",
                remedy="Perhaps the UI is open already; else give another --port.",
            )


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends Dagster and whatever it started; impatience (a second Ctrl+C) ends them at once."""
    family = _family(child.pid)
    try:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE)
        psutil.wait_procs(family, timeout=3)
    except KeyboardInterrupt:
        pass
    finally:
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        child.wait()


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
