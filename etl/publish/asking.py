"""What the target itself knows of runs: whether one was published.

A run that dies right after the commit has published, but the warehouse does not know it. The
target's ``sync_runs`` does: its row is part of the same transaction.

Belongs here: asking the target, and writing its answer into the warehouse. Does not belong here:
publishing (``transaction.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, inspect, select

from etl.databases.connect import engine_for
from etl.databases.refusals import plain_errors
from etl.databases.writers import Writer, metadata_for
from etl.domain.errors import DoisoatError
from etl.engine.port import Warehouse
from etl.settings import Target

AskPublished = Callable[[str], bool | None]
"""Says of a run of Dagster whether it was published; None where the target could not be asked."""

# Runs that may have published: the ledger holds, so they came to their publish, and they began
# after the last run that is known to have published.
_IN_DOUBT = """
select runs.run_id, runs.dagster_run_id
from ops.runs as runs
where
    runs.published_at is null
    and runs.run_id in (select run_id from ops.ledger group by run_id having bool_and(holds))
    and runs.started_at > coalesce(
        (select max(started_at) from ops.runs where published_at is not null),
        timestamp '1970-01-01'
    )
    and ($but::varchar is null or runs.run_id <> $but)
"""


def published_run(target: Target, dagster_run_id: str) -> datetime | None:
    """Returns when a run was published (UTC); None where it was not.

    Raises:
        ConnectionFailedError: The target cannot be reached or refuses.
    """
    found: datetime | None = _ask(
        target, lambda connection, runs: _published_at(connection, runs, dagster_run_id)
    )
    return found


def asking(target: Target) -> AskPublished:
    """Returns a function that asks a target about a run; it returns None where that fails."""

    def ask(dagster_run_id: str) -> bool | None:
        try:
            return published_run(target, dagster_run_id) is not None
        except DoisoatError:
            return None

    return ask


def known_tables(warehouse: Warehouse, writer: Writer, runs: Table, target: Target) -> set[str]:
    """Returns the tables of ``publish`` of which it is known how they stand in the target.

    They are as published last, but for rows that deltas have replaced and noted; and nobody else
    has published since. After a full run there are none, because it builds every table.

    Args:
        warehouse: Of the run.
        writer: The target's open transaction.
        runs: ``sync_runs``.
        target: Which target.
    """
    last = _of_newest_run(warehouse, writer, runs, "run_id")
    return {
        str(row["table_name"])
        for row in warehouse.rows(
            "select published.table_name from ops.published_builds as published "
            "inner join ops.builds as builds "
            "on builds.table_name = 'publish.' || published.table_name "
            "left join ops.replacements as replaced "
            "on builds.table_name = replaced.table_name and builds.build = replaced.build "
            "where published.target = $target and published.run_id = $last "
            "and published.build in (builds.build, replaced.published_build)",
            {"target": target.shown, "last": last},
        )
    }


def records_of_last_full_run(warehouse: Warehouse, writer: Writer, runs: Table) -> int | None:
    """Returns how many records the last full run published; None where there was none."""
    statuses = ("verified", "mismatch", "review", "not_found", "rejected")
    found = _of_newest_run(
        warehouse, writer, runs, " + ".join(statuses), runs.c.mode == "full", *statuses
    )
    return None if found is None else int(str(found))


def _of_newest_run(
    warehouse: Warehouse,
    writer: Writer,
    runs: Table,
    wanted: str,
    where: Any = None,
    *columns: str,
) -> object:
    """Returns a value of the target's last published run."""
    read = writer.read(runs, ["run_id", "published_at", *columns], where)
    with warehouse.lending("published_runs", read.read_all()):
        return warehouse.value(f"select arg_max({wanted}, published_at) from published_runs")  # noqa: S608


def note_published(warehouse: Warehouse, target: Target, tables: Iterable[str]) -> None:
    """Notes which builds stand in the target now; within the transaction of the publish."""
    warehouse.execute("delete from ops.published_builds")
    warehouse.execute(
        "insert into ops.published_builds by name "
        "select $target as target, named.name as table_name, builds.build, parameters.run_id "
        "from (select unnest($tables::varchar[]) as name) as named "
        "inner join ops.builds as builds on builds.table_name = 'publish.' || named.name "
        "cross join ops.parameters as parameters",
        {"target": target.shown, "tables": list(tables)},
    )


def runs_in_doubt(warehouse: Warehouse, but: str | None = None) -> dict[str, str]:
    """Returns runs that may have published without the warehouse's knowing.

    Args:
        warehouse: The warehouse.
        but: A run that is left out, because it is at work.

    Returns:
        Dagster's ids by run.
    """
    rows = warehouse.rows(_IN_DOUBT, {"but": but})
    return {str(row["run_id"]): str(row["dagster_run_id"]) for row in rows}


def settle_published(warehouse: Warehouse, target: Target, but: str | None = None) -> None:
    """Writes into ``ops`` what the target knows of runs that are in doubt.

    Args:
        warehouse: The warehouse.
        target: Is asked only where a run is in doubt.
        but: A run that is left out, because it is at work.

    Raises:
        ConnectionFailedError: The target cannot be reached or refuses.
    """
    doubtful = runs_in_doubt(warehouse, but)
    if doubtful:
        _ask(target, lambda connection, runs: _settle(warehouse, connection, runs, doubtful))


def _settle(
    warehouse: Warehouse, connection: Connection, runs: Table, doubtful: dict[str, str]
) -> None:
    counts = runs.metadata.tables[runs.fullname.replace("sync_runs", "mismatch_counts")]
    of_all = ("run_id", "code", "province_code", "mismatches", "records")
    for run_id, dagster_run_id in doubtful.items():
        at = _published_at(connection, runs, dagster_run_id)
        if at is None:
            continue
        found = connection.execute(
            select(*(counts.c[name] for name in of_all)).where(
                (counts.c.run_id == run_id) & (counts.c.scheme == "all")
            )
        ).all()
        warehouse.execute(
            "update ops.runs set published_at = $at, saved = false where run_id = $run",
            {"at": at, "run": run_id},
        )
        # Rows that the run wrote in its transaction may have been read back from the state.
        warehouse.execute("delete from ops.mismatch_history where run_id = $run", {"run": run_id})
        for row in found:  # a few hundred: codes by provinces
            warehouse.execute(
                "insert into ops.mismatch_history by name select $run as run_id, "
                "$at as published_at, $code as code, $province as province_code, "
                "$mismatches as mismatches, $records as records",
                dict(zip(("run", "code", "province", "mismatches", "records"), row, strict=True))
                | {"at": at},
            )


def _published_at(connection: Connection, runs: Table, dagster_run_id: str) -> datetime | None:
    found: datetime | None = connection.execute(
        select(runs.c.published_at).where(runs.c.dagster_run_id == dagster_run_id)
    ).scalar()
    return found


def _ask(target: Target, question: Callable[[Connection, Table], Any]) -> Any:
    """Puts a question to ``sync_runs``; None where the target has not been made yet."""
    metadata = metadata_for(target)
    (runs,) = (table for table in metadata.sorted_tables if table.name == "sync_runs")
    engine = engine_for(target, read_only=True)
    try:
        with plain_errors(target, "Asking the target"), engine.connect() as connection:
            if not inspect(connection).has_table(runs.name, schema=runs.schema):
                return None
            return question(connection, runs)
    finally:
        engine.dispose()
