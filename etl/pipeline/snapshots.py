"""Snapshots: what finished runs left, for readers who never meet the writer.

A run writes to a file of its own. When it has ended, its file and the Parquet files beside it are
linked into a folder of ``snapshots``, which costs no copying; the next run begins another file and
replaces Parquet files by new ones, so that what was linked never changes.

Belongs here: making, choosing, reading and pruning snapshots. Does not belong here: the run that
writes (``run.py``).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from etl.domain.errors import DoisoatError, NothingYetError, WarehouseBusyError
from etl.engine.opening import connect, open_snapshot, trouble
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.lock import run_at_work, while_no_run_is_at_work
from etl.process.files import hard_copy
from etl.process.home import make_room
from etl.process.privacy import load_record_key, owner_only
from etl.settings import Settings
from etl.state.copying import make_views

PATIENCE = 15.0
"""Seconds to wait for a foreign program that has the warehouse's file open for writing."""

_FILE = "warehouse.duckdb"
_IN_USE = "in_use"
_WHOLE = "whole"
"""The mark in the snapshot of a run that made every table."""

_EARLIER = "00000000T000000-earlier_version"
"""The snapshot of a file that an earlier version wrote: older than any run of this one."""

_LAST_TABLE = TableName("publish", "reconciled")


def run_of_file(settings: Settings) -> Path:
    """The file that says which run wrote the warehouse: its run id."""
    return settings.warehouse_path.with_suffix(".run")


def keep_snapshot(settings: Settings) -> Path | None:
    """Links what the last run left into a snapshot, if that was not done yet.

    It must be called while no run is at work: by a run before it begins, or by a reader that holds
    the lock of runs.

    Returns:
        The snapshot; None where nothing was left.

    Raises:
        DamagedError: The file of the last run cannot be read.
        DiskFullError: There is no room to merge its log into it.
    """
    path = settings.warehouse_path
    named = run_of_file(settings)
    kept = snapshots(settings)
    if not named.is_file():
        if begins_anew(settings).exists():
            return None
        if kept:  # a run that died before its first step: it left nothing
            return kept[0]
    if not path.is_file():
        return None
    run_id = named.read_text("utf-8").split()[0] if named.is_file() else _EARLIER
    folder = settings.snapshots / run_id
    if (folder / _FILE).is_file():
        return folder
    with owner_only():
        _settle_log(settings)
        make_room(settings.snapshots, folder=True)
        unfinished = settings.snapshots / f".{run_id}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        hard_copy(path, unfinished / _FILE)
        files = path.with_suffix(".files")
        for file in sorted(files.rglob("*.parquet")):
            if file.is_file():
                copy = (unfinished / _FILE).with_suffix(".files") / file.relative_to(files)
                copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                hard_copy(file, copy)
        (unfinished / _IN_USE).touch()
        with _opened(settings, unfinished) as warehouse:
            if warehouse.exists(_LAST_TABLE):
                (unfinished / _WHOLE).touch()
        shutil.rmtree(folder, ignore_errors=True)  # half of one, whose deletion was interrupted
        unfinished.rename(folder)
    return folder


def begins_anew(settings: Settings) -> Path:
    """The mark that the last run left nothing to continue from, because its file was damaged.

    The registers' files may be younger than the snapshots then. It is there until a run has begun.
    """
    return settings.warehouse_path.with_suffix(".anew")


def _settle_log(settings: Settings) -> None:
    """Merges the log of a killed process into the database file, which readers may not do.

    Closing would do so, too, but would say nothing if it cannot.
    """
    path = settings.warehouse_path
    if not path.with_name(f"{path.name}.wal").exists():
        return
    warehouse = connect(path, key=load_record_key(settings.home), limits=settings.engine)
    try:
        warehouse.execute("checkpoint")
    except Exception as error:
        raise trouble(error, path) or error from None
    finally:
        warehouse.close()


def prune(settings: Settings) -> None:
    """Deletes old snapshots; keeps the configured number of whole ones, and the last one.

    One that is being read stays until the next time.
    """
    newest = snapshots(settings)
    whole = [folder for folder in newest if (folder / _WHOLE).exists()]
    kept = {*whole[: settings.engine.keep_snapshots], *newest[:1]}
    for folder in newest:
        if folder not in kept and (handle := _alone(folder)):
            with handle, suppress(OSError):
                folder.rename(folder.with_name(f".{folder.name}.unfinished"))
    # (Earlier versions deleted under a snapshot's own name, and may have been killed meanwhile.)
    halves = (one for one in settings.snapshots.glob("[!.]*") if not (one / _FILE).exists())
    for leftover in (*settings.snapshots.glob(".*.unfinished"), *halves):
        if "." not in leftover.name or leftover.suffix == ".unfinished":  # else it was set aside
            shutil.rmtree(leftover, ignore_errors=True)


def snapshots(settings: Settings) -> list[Path]:
    """Returns the snapshots, the newest first."""
    if not settings.snapshots.is_dir():
        return []
    folders = [
        folder
        for folder in settings.snapshots.iterdir()
        if "." not in folder.name and (folder / _FILE).exists()  # neither set aside nor unfinished
    ]
    return sorted(folders, key=_age, reverse=True)


def _age(folder: Path) -> tuple[str, int]:
    """Orders snapshots by the second at which their run began, and then by when they were made.

    A folder's own time changes with what a reader spills into it.
    """
    made = folder / _IN_USE
    return folder.name.partition("-")[0], made.stat().st_mtime_ns if made.exists() else 0


def _alone(folder: Path) -> IO[str] | None:
    """Takes a snapshot's lock exclusively; None where somebody reads it."""
    try:
        handle = (folder / _IN_USE).open("a", encoding="utf-8")
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


@contextmanager
def _read_with_others(folder: Path) -> Iterator[bool]:
    """Keeps a snapshot from being deleted; gives False where it is gone already."""
    try:
        handle = (folder / _IN_USE).open("rb")
    except OSError:
        yield False
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield os.path.lexists(folder / _FILE)


@contextmanager
def reading(
    settings: Settings,
    ask: Callable[[Warehouse], bool] | None = None,
    only: Collection[TableName] = (),
) -> Iterator[Warehouse]:
    """Opens the last result for reading: many may, while a run is at work, too.

    Args:
        settings: Whose.
        ask: Says of a snapshot whether it has what is asked for: a run that was stopped or killed
            leaves a part of the tables only. By default the newest is taken.
        only: The tables that will be read, where they are known: opening takes half the time. By
            default all are there, and the views of ``ops``.

    Raises:
        NothingYetError: No run has left what is asked for.
        WarehouseBusyError: The first run is still at work.
        DamagedError: The newest cannot be read.
    """
    # (A snapshot may be pruned between being found and being held; there is a newer one then.)
    for folder in _after_making_the_newest(settings):
        with _read_with_others(folder) as there:
            if not there:
                continue
            with _opened(settings, folder, only) as warehouse:
                if ask is None or ask(warehouse):
                    yield warehouse
                    return
    if run_at_work(settings):
        raise WarehouseBusyError(
            "The first run is still at work, and there is no result yet.",
            where=str(settings.home),
            remedy="Wait for it to end; 'doisoat ui' shows how far it is.",
        )
    raise NothingYetError


@contextmanager
def holding(settings: Settings, chosen: Callable[[str], bool]) -> Iterator[Path]:
    """Keeps the newest snapshot of a run from being pruned, and gives its folder.

    Args:
        settings: Whose.
        chosen: Says of a run, by its id, whether its snapshot is wanted.

    Raises:
        NothingYetError: There is none.
    """
    for folder in _after_making_the_newest(settings):
        if chosen(folder.name):
            with _read_with_others(folder) as there:
                if there:
                    yield folder
                    return
    raise NothingYetError


@contextmanager
def opened(
    settings: Settings, folder: Path, only: Collection[TableName] = ()
) -> Iterator[Warehouse]:
    """Opens a snapshot that is held, for reading all of it, or some tables."""
    with _opened(settings, folder, only) as warehouse:
        yield warehouse


@contextmanager
def reading_two(settings: Settings, earlier: str, later: str) -> Iterator[Warehouse | None]:
    """Opens the results of two runs for reading, where both are still kept; else None.

    Args:
        settings: Whose.
        earlier: A run, whose tables are under ``earlier.<schema>.<table>``.
        later: Another, whose tables are under their names.
    """
    folders = {folder.name: folder for folder in _after_making_the_newest(settings)}
    if not {earlier, later} <= folders.keys():
        yield None
        return
    with (
        _read_with_others(folders[earlier]) as first,
        _read_with_others(folders[later]) as second,
    ):
        if not (first and second):
            yield None
            return
        with _opened(settings, folders[later]) as warehouse:
            warehouse.show_beside("earlier", snapshot_file(folders[earlier]))
            yield warehouse


@contextmanager
def _opened(
    settings: Settings, folder: Path, only: Collection[TableName] = ()
) -> Iterator[Warehouse]:
    key = load_record_key(settings.home)
    with open_snapshot(
        folder / _FILE, key=key, limits=settings.engine, patience=PATIENCE, only=only
    ) as warehouse:
        if not only:
            with suppress(*warehouse.MISSING):  # of an earlier version, or a run that broke off
                make_views(warehouse)
        yield warehouse


def _after_making_the_newest(settings: Settings) -> list[Path]:
    """Makes the snapshot of a run that has just ended; returns all, the newest first."""
    with while_no_run_is_at_work(settings) as alone:
        if alone:
            try:
                keep_snapshot(settings)
            except DoisoatError:
                raise
            except Exception as error:
                raise trouble(error, settings.warehouse_path) or error from None
            prune(settings)
    return snapshots(settings)


def snapshot_file(folder: Path) -> Path:
    """The DuckDB file of a snapshot."""
    return folder / _FILE


def room_of_a_run(settings: Settings) -> int:
    """Returns how many bytes of the disk the next run takes, if it is as large as the last was.

    The last result is kept for readers meanwhile, and new files of the registers are written beside
    the old ones. 0 before the first run.
    """
    path = settings.warehouse_path
    found = [path, *(snapshot_file(folder) for folder in snapshots(settings))]
    made = [file.stat().st_size for file in found if file.is_file()]
    registers = path.with_suffix(".files").glob("raw.*.parquet")
    return sum([*made[:1], *(file.stat().st_size for file in registers if file.is_file())])


def has(*tables: TableName) -> Callable[[Warehouse], bool]:
    """Returns a function that says whether a snapshot has some tables."""
    return lambda warehouse: all(warehouse.exists(table) for table in tables)
