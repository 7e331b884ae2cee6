"""Which run is writing: one at a time, with its parameters in the warehouse.

Belongs here: the lock that keeps two runs apart, and ``ops.parameters`` and ``ops.runs``. Does
not belong here: what a run does (``assets/``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from etl.domain.errors import DamagedError, WarehouseBusyError
from etl.engine.opening import connect, open_warehouse, trouble, unreadable_file
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.reference import load_configured_words, load_reference
from etl.process.home import prepare_home, set_aside, take
from etl.process.privacy import load_record_key, owner_only
from etl.settings import Settings
from etl.state.copying import begin, make_ops

PARAMETERS = TableName("ops", "parameters")
RUNS = TableName("ops", "runs")

RUN_WAITS = 60.0
"""Seconds that a run waits for a command that has the warehouse open."""

COMMAND_WAITS = 15.0
"""Seconds that a command waits for another one."""

_NAMED = "run "
"""What stands before a run's id in the lock that it holds."""


@dataclass(frozen=True, slots=True)
class Run:
    """One sync run.

    Attributes:
        dagster_run_id: Dagster's id, as in the UI's address.
        mode: ``full``.
        replace: Publish to a target of another installation, too, and whatever share of its rows
            would vanish.
    """

    dagster_run_id: str
    mode: str = "full"
    replace: bool = False


@dataclass
class _Held:
    """What a run holds from its first step to its end: the lock, and the open warehouse.

    Opening takes as long as many a step; and what one step read, the next finds in memory.
    """

    run_id: str
    lock: IO[str]
    warehouse: Warehouse | None = None

    def close(self) -> None:
        """Closes the warehouse; the next step opens it again."""
        if self.warehouse is not None:
            with owner_only():
                self.warehouse.close()
            self.warehouse = None


class _Lock:
    """The process-wide lock of one warehouse: held by a run until the process or the run ends."""

    _held: dict[Path, _Held] = {}  # noqa: RUF012 - one per process, on purpose

    @classmethod
    def take(cls, file: Path, run_id: str) -> _Held:
        """Takes the lock for a run, if the run has it not."""
        held = cls._held.get(file)
        if held and held.run_id == run_id:
            return held
        cls.release(file)
        handle = take(file, words=f"{_NAMED}{run_id}, process {os.getpid()}")
        if isinstance(handle, str):
            raise WarehouseBusyError(
                f"Another run is at work ({handle}).",
                where=str(file),
                remedy="Wait for it to end ('doisoat runs' lists it), or stop it.",
            )
        return cls._held.setdefault(file, _Held(run_id, handle))

    @classmethod
    def holder(cls, file: Path) -> str | None:
        """Returns the run of this process that has the lock."""
        held = cls._held.get(file)
        return held.run_id if held else None

    @classmethod
    def taken(cls, file: Path) -> bool:
        """Says whether a run of another process is at work."""
        if file in cls._held or not file.exists():
            return False
        handle = take(file)
        if isinstance(handle, str):
            return True
        handle.close()
        return False

    @classmethod
    def release(cls, file: Path) -> None:
        """Gives the lock back, if this process has it."""
        held = cls._held.pop(file, None)
        if held:
            held.close()
            held.lock.truncate(0)
            held.lock.close()


def lock_file(settings: Settings) -> Path:
    """The file that the running sync holds locked."""
    return settings.home / "run.lock"


def run_at_work(settings: Settings) -> str | None:
    """Returns Dagster's id of the run that holds the warehouse, in whichever process; None: none.

    The operating system frees the lock when its process dies, on whatever machine or in whatever
    container that was.
    """
    file = lock_file(settings)
    held = _Lock.holder(file)
    if held is not None or not file.exists():
        return held
    handle = take(file)
    if isinstance(handle, str):
        return handle.removeprefix(_NAMED).partition(",")[0]
    handle.close()
    return None


def release_lock(settings: Settings) -> None:
    """Lets the next run begin; called when a run ends and its process lives on."""
    _Lock.release(lock_file(settings))


def last_published(warehouse: Warehouse) -> tuple[str, datetime] | None:
    """Returns the run whose result the target holds, and when (UTC); None before the first."""
    found: list[dict[str, Any]] = warehouse.rows(
        "select run_id, published_at from ops.runs where published_at is not null "
        "order by published_at desc limit 1"
    )
    return (found[0]["run_id"], found[0]["published_at"]) if found else None


@contextmanager
def warehouse_for(settings: Settings, run: Run) -> Iterator[Warehouse]:
    """Lends the warehouse to one step of a run.

    The first step of a run takes the lock, opens the warehouse for the whole run, loads the
    reference tables and writes the run's parameters, which every statement reads; later steps
    find them there.

    Raises:
        WarehouseBusyError: Another run or process is writing.
    """
    held = _Lock.take(lock_file(settings), run.dagster_run_id)
    with owner_only():
        try:
            if held.warehouse is None:
                held.warehouse = _opened(settings, run)
            yield held.warehouse
        except BaseException as error:
            held.close()  # nothing of a step that broke off is left to the next
            path = settings.warehouse_path
            known = trouble(error, path) or unreadable_file(error, path)
            if isinstance(known, DamagedError):
                set_aside(known.file)
            raise known or error from None


def _opened(settings: Settings, run: Run) -> Warehouse:
    try:
        warehouse = _connected(settings)
    except DamagedError as damaged:
        # What a run needs it builds anew; the memory is read from its copy.
        set_aside(damaged.file)
        if (log := settings.warehouse_path.with_name(f"{damaged.file.name}.wal")).exists():
            set_aside(log)
        warehouse = _connected(settings)
    _clear_spilled(settings)
    if _current(warehouse) != run.dagster_run_id:
        begin(warehouse, settings, replace=run.replace)
        load_reference(warehouse)
        load_configured_words(warehouse, settings)
        warehouse.execute(_sql("ops_views.sql"))
        _begin(warehouse, settings, run)
    return warehouse


def _connected(settings: Settings) -> Warehouse:
    key = load_record_key(settings.home)
    path, limits = settings.warehouse_path, settings.engine
    return connect(path, key=key, limits=limits, patience=RUN_WAITS)


def _clear_spilled(settings: Settings) -> None:
    """Deletes what did not fit in the memory of a process that was killed."""
    spilled = settings.warehouse_path.with_name(f"{settings.warehouse_path.name}.tmp")
    shutil.rmtree(spilled, ignore_errors=True)


@contextmanager
def warehouse_between_runs(settings: Settings) -> Iterator[Warehouse]:
    """Opens the warehouse for a command that belongs to no run, such as a look at the counts.

    It waits a while for another command that has the file, and not for a run, which takes long.

    Raises:
        WarehouseBusyError: A run is at work, or another process has the file.
        DamagedError: The file cannot be read.
    """
    prepare_home(settings.home)
    patience = 0 if _Lock.taken(lock_file(settings)) else COMMAND_WAITS
    path, limits = settings.warehouse_path, settings.engine
    key = load_record_key(settings.home)
    with open_warehouse(path, key=key, limits=limits, patience=patience) as warehouse:
        try:
            if warehouse.exists(RUNS):
                make_ops(warehouse)
            yield warehouse
        except warehouse.FAILED as error:
            raise trouble(error, path) or error from None


def _current(warehouse: Warehouse) -> str | None:
    if not warehouse.exists(PARAMETERS):
        return None
    found = warehouse.value(f"select dagster_run_id from {PARAMETERS.sql}")  # noqa: S608
    return str(found) if found else None


def _sql(name: str) -> str:
    return files("etl.pipeline").joinpath(name).read_text("utf-8")


def _begin(warehouse: Warehouse, settings: Settings, run: Run) -> None:
    started = datetime.now(UTC).replace(tzinfo=None)
    run_id = f"{started:%Y%m%dT%H%M%S}-{run.dagster_run_id[:8]}"
    common = {
        "run_id": [run_id],
        "dagster_run_id": [run.dagster_run_id],
        "mode": [run.mode],
        "started_at": pa.array([started], pa.timestamp("us")),
    }
    warehouse.load(
        PARAMETERS,
        pa.table({**common, **{k: [v] for k, v in settings.reconcile.model_dump().items()}}),
    )
    warehouse.append(RUNS, pa.table(common))
