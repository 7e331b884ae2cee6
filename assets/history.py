"""Dagster's own history: runs, their logs and their checks, deleted when they are old.

Belongs here: the job that prunes, and what it must keep. Does not belong here: the memory of the
warehouse (``ops``): trends, acknowledgements, link history (``etl/state/retention.py``).

Dagster deletes a run's rows, but not its files, its checks and the space
(``DagsterInstance.delete_run`` in 1.13). What it leaves is removed here, for the SQLite storage of
``dagster.yaml``; on another storage, that storage's own tools give the space back.
"""

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage

from assets.jobs import DELTA_SYNC, PRUNE_HISTORY
from assets.resources import DoisoatResource
from etl.domain.errors import DoisoatError
from etl.process.machine import trouble_of_the_machine
from etl.state.retention import DELTAS_STAY

_ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_PATIENCE = 30.0
"""Seconds to wait for a database that somebody else has locked."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a pruning did.

    Attributes:
        deleted: Runs that are gone.
        kept: Old runs that stay, because they hold what the UI last knows of something.
        freed: Bytes that the disk has back.
    """

    deleted: int
    kept: int
    freed: int


def prune(instance: dg.DagsterInstance, keep: timedelta) -> Pruned:
    """Deletes the runs that ended longer ago than that, with all that Dagster holds of them.

    Deltas that ended well are deleted after ``DELTAS_STAY`` already: a run takes 7 MB, and its
    results stand in the state.

    Runs that have not ended stay, and so do those in which an asset was last materialized, a check
    was last made or a job last succeeded: without them the UI would show a table as never built.

    Args:
        instance: The Dagster instance.
        keep: How long a run is kept.
    """
    before, now = _size(instance), datetime.now(UTC)
    old = _ended_before(instance, now - keep)
    old |= _ended_before(instance, now - min(keep, DELTAS_STAY), well=True, job=DELTA_SYNC)
    needed = _last_words(instance) if old else set()
    doomed = old - needed
    for run_id in doomed:
        _delete(instance, run_id)
    if doomed:
        _give_space_back(instance)
    return Pruned(len(doomed), len(old) - len(doomed), max(before - _size(instance), 0))


def _ended_before(
    instance: dg.DagsterInstance, when: datetime, *, well: bool = False, job: str | None = None
) -> set[str]:
    # A run may have been created long before it ended: the time of its end decides.
    statuses = [dg.DagsterRunStatus.SUCCESS] if well else _ENDED
    wanted = dg.RunsFilter(job_name=job, statuses=statuses, created_before=when)
    return {
        record.dagster_run.run_id
        for record in instance.get_run_records(wanted)
        if (record.end_time or record.update_timestamp.timestamp()) < when.timestamp()
    }


def _last_words(instance: dg.DagsterInstance) -> set[str]:
    """Returns the runs that hold the last state of an asset, a check or a job."""
    storage = instance.event_log_storage
    entries = [record.asset_entry for record in instance.get_asset_records()]
    runs = {
        materialized.run_id
        for entry in entries
        if (materialized := entry.last_materialization_record) is not None
    }
    if isinstance(storage, SqlEventLogStorage):
        runs |= _last_checks(storage)
    jobs = {run.job_name for run in instance.get_runs()}
    for job in jobs:
        good = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS])
        runs |= {run.run_id for run in instance.get_runs(good, limit=1)}
    return runs


def _last_checks(storage: SqlEventLogStorage) -> set[str]:
    """Returns the runs in which each check was last planned, and last made."""
    checks = AssetCheckExecutionsTable.c
    last = db.select(db.func.max(checks.id)).group_by(checks.asset_key, checks.check_name)
    made = last.where(checks.evaluation_event.is_not(None))
    query = db.select(checks.run_id).where(db.or_(checks.id.in_(last), checks.id.in_(made)))
    with storage.index_connection() as connection:
        return {str(row[0]) for row in connection.execute(query)}


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    """Deletes a run, then what Dagster forgets to delete with it."""
    instance.delete_run(run_id)
    events, runs = instance.event_log_storage, instance.run_storage
    if isinstance(events, SqlEventLogStorage):
        with events.index_connection() as connection:
            connection.execute(
                AssetCheckExecutionsTable.delete().where(
                    AssetCheckExecutionsTable.c.run_id == run_id
                )
            )
    if isinstance(runs, SqlRunStorage):
        with runs.connect() as connection:
            connection.execute(RunTagsTable.delete().where(RunTagsTable.c.run_id == run_id))
    if isinstance(events, SqliteEventLogStorage):
        file = Path(events.path_for_shard(run_id))
        for left in file.parent.glob(f"{file.name}*"):  # with -wal and -shm
            left.unlink(missing_ok=True)
    with suppress(NotImplementedError):
        instance.compute_log_manager.delete_logs(prefix=[run_id])


def _give_space_back(instance: dg.DagsterInstance) -> None:
    """Compacts what SQLite only marks as free."""
    events, runs = instance.event_log_storage, instance.run_storage
    if not (isinstance(events, SqliteEventLogStorage) and isinstance(runs, SqlRunStorage)):
        return
    troubles = []
    for connect in (events.index_connection, runs.connect):
        with connect() as connection:
            file = connection.exec_driver_sql("pragma database_list").one()[2]
        try:
            with closing(sqlite3.connect(file, _PATIENCE)) as found:
                found.execute("vacuum")
                found.execute("pragma wal_checkpoint(truncate)")
        except sqlite3.Error as error:
            if not _is_locked(error):
                troubles.append(_trouble(error, file))
    if troubles:
        raise troubles[0]


def _is_locked(error: sqlite3.Error) -> bool:
    """Says whether a reader is in the way: then the next pruning gives the space back."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # (the rest says how it is locked)
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _trouble(error: sqlite3.Error, file: str) -> DoisoatError:
    return trouble_of_the_machine(error, file) or DoisoatError(
        "Old runs were deleted from Dagster's history, and the space that they took could not be "
        f"given back: SQLite reported {getattr(error, 'sqlite_errorname', type(error).__name__)}.",
        where=file,
        remedy="Look in the system's log for what the disk reports; 'doisoat check' tries the "
        "home.",
    )


def _size(instance: dg.DagsterInstance) -> int:
    """Returns the bytes of all files; the UI's come and go meanwhile (SQLite's -wal and -shm)."""
    size = 0
    for folder, _, names in os.walk(instance.root_directory):
        for name in names:
            with suppress(FileNotFoundError):
                size += Path(folder, name).lstat().st_size
    return size


def prune_job() -> dg.JobDefinition:
    """The job that prunes; it works on Dagster's files only, never on the warehouse."""

    @dg.op(name="prune_old_runs", description="Deletes runs older than [schedule] keep_days.")
    def prune_old_runs(context: dg.OpExecutionContext, doisoat: DoisoatResource) -> None:
        doisoat.name_process(context)
        days = doisoat.settings.schedule.keep_days
        try:
            pruned = prune(context.instance, timedelta(days=days))
        except DoisoatError as error:  # a plain message, without a stack trace
            raise dg.Failure(
                str(error), metadata={"exit_code": error.exit_code}, allow_retries=False
            ) from None
        context.add_output_metadata(
            {
                "runs_deleted": pruned.deleted,
                "old_runs_kept": pruned.kept,
                "freed": f"{pruned.freed / 1e6:,.1f} MB",
                "keep_days": days,
            }
        )

    @dg.job(
        name=PRUNE_HISTORY,
        description="Deletes from Dagster's history the runs older than [schedule] keep_days. "
        "A delta that ended well is kept a week at most. The last word on each table, check and "
        "job stays; the warehouse is not touched.",
    )
    def prune_history() -> None:
        prune_old_runs()

    return prune_history
