"""The lock of runs: one run at a time; a process that dies releases it.

Belongs here: taking, asking for and giving back the lock. Does not belong here: what a run does
with it (``run.py``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from etl.domain.errors import WarehouseBusyError
from etl.engine.port import Warehouse
from etl.process.home import take
from etl.process.privacy import owner_only
from etl.settings import Settings

_NAMED = "run "
"""What precedes a run's id in the file of the lock that it holds."""

_LINKING = "a reader"
"""What the file holds while a reader makes a snapshot by links, which takes no time."""

_LOOK_AGAIN = 1.0
"""Seconds between two looks whether a run has ended."""

_LINKING_TAKES = 30.0
"""Seconds that linking takes at most: longer than it waits for a program that has the file."""


@dataclass
class Held:
    """What a run holds from its first step to its end: the lock, and the open warehouse.

    It stays open between steps: opening takes as long as some steps do, and what one step read is
    still in memory for the next.
    """

    run_id: str
    lock: IO[str]
    warehouse: Warehouse | None = None

    def close(self) -> None:
        """Closes the warehouse; the next step opens it again."""
        warehouse, self.warehouse = self.warehouse, None
        if warehouse is not None:
            with owner_only():
                warehouse.close()


class Lock:
    """The process-wide lock of one warehouse: held by a run until the process or the run ends."""

    _held: dict[Path, Held] = {}  # noqa: RUF012 - one per process, on purpose

    @classmethod
    def take(cls, file: Path, run_id: str) -> Held:
        """Takes the lock for a run, if the run does not have it."""
        held = cls._held.get(file)
        if held and held.run_id == run_id:
            return held
        cls.release(file)
        handle = _take(file, f"{_NAMED}{run_id}, process {os.getpid()}")
        if isinstance(handle, str):
            raise WarehouseBusyError(
                f"Another run is at work ({handle}).",
                where=str(file),
                remedy="Wait for it to end ('doisoat runs' lists it), or stop it.",
            )
        return cls._held.setdefault(file, Held(run_id, handle))

    @classmethod
    def holder(cls, file: Path) -> str | None:
        """Returns the run of this process that has the lock."""
        held = cls._held.get(file)
        return held.run_id if held else None

    @classmethod
    def release(cls, file: Path) -> None:
        """Gives the lock back, if this process has it."""
        held = cls._held.pop(file, None)
        if held:
            try:
                held.close()
            finally:
                held.lock.truncate(0)
                held.lock.close()


def lock_file(settings: Settings) -> Path:
    """The file that the running sync holds locked."""
    return settings.home / "run.lock"


def run_at_work(settings: Settings) -> str | None:
    """Returns Dagster's id of the run that holds the warehouse, in any process; None if none does.

    The operating system frees the lock when its process dies, also on another machine or in another
    container.
    """
    file = lock_file(settings)
    held = Lock.holder(file)
    if held is not None or not file.exists():
        return held
    handle = take(file)
    if isinstance(handle, str):
        named = handle.startswith(_NAMED)
        return handle.removeprefix(_NAMED).partition(",")[0] if named else None
    handle.close()
    return None


def _take(file: Path, words: str) -> IO[str] | str:
    """Takes the lock; waits while a reader has it, which is only for a moment."""
    until = time.monotonic() + _LINKING_TAKES
    while True:
        handle = take(file, words=words)
        if handle != _LINKING or time.monotonic() > until:
            return handle
        time.sleep(0.01)


def wait_until_free(settings: Settings, seconds: float, tell: Callable[[str], None]) -> None:
    """Waits for the run that is at work to end.

    Args:
        settings: Whose warehouse.
        seconds: How long to wait at most.
        tell: Called once, with words that name the run for which it waits.

    Raises:
        WarehouseBusyError: The run is still at work.
    """
    until = time.monotonic() + seconds
    told = None
    while (run_id := run_at_work(settings)) is not None:
        if run_id != told:
            tell(f"Run {run_id} is at work; waiting for it to end.")
            told = run_id
        if time.monotonic() >= until:
            raise WarehouseBusyError(
                f"Run {run_id} is still at work after {seconds / 60:,.3g} minutes; nothing was "
                "begun.",
                where=str(lock_file(settings)),
                remedy="Wait longer (--wait), or stop it; 'doisoat ui' shows how far it is.",
            )
        time.sleep(min(_LOOK_AGAIN, max(0.0, until - time.monotonic())))


@contextmanager
def while_no_run_is_at_work(settings: Settings) -> Iterator[bool]:
    """Keeps runs from beginning meanwhile; gives False where one is at work."""
    file = lock_file(settings)
    if Lock.holder(file) is not None:
        yield False
        return
    handle = _take(file, _LINKING)
    if isinstance(handle, str):
        yield False
        return
    try:
        yield True
    finally:
        handle.truncate(0)
        handle.close()


def release_lock(settings: Settings) -> None:
    """Lets the next run begin; called when a run ends and its process lives on."""
    Lock.release(lock_file(settings))
