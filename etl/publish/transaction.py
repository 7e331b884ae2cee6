"""The publish: every table of the target brought to the new state in one transaction.

Belongs here: the order of things and the last proof before the commit. Does not belong here: how
rows are found (``differences.py``) or written (``writers.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Table

from etl.databases.writers import Writer, metadata_for, transaction
from etl.domain.contract import DIFFERENCE_TABLES, HISTORY_TABLES
from etl.domain.errors import LedgerError
from etl.engine.port import Warehouse
from etl.engine.statements import TableName, tables_read
from etl.publish.ages import AGES
from etl.publish.asking import (
    known_tables,
    note_published,
    records_of_last_full_run,
    settle_published,
)
from etl.publish.differences import Difference, publish_difference
from etl.publish.drift import Part, part_to_compare, remember_comparison
from etl.publish.gate import Guard, claim_target, prove_state, refuse_upheaval
from etl.publish.history import remember_run
from etl.publish.replaced import forget_replaced, replaced_rows
from etl.publish.tables import ensure_tables
from etl.settings import Settings
from etl.state.copying import save, save_now
from etl.state.retention import RUNS_AT_ONCE, forget_elsewhere, forget_old, old_runs
from etl.state.store import state_within

_OTHERS = ("sync_runs", "quality_results", "mismatch_ages")
"""Histories that are not made of tables of ``publish``, but of ``ops`` or of the target itself."""

_COUNTED = tuple(name for name in HISTORY_TABLES if name not in _OTHERS)

_RUN_ROW = """
select
    parameters.run_id,
    parameters.dagster_run_id,
    parameters.mode,
    parameters.started_at,
    $published_at::timestamp as published_at,
    (select count(*) from raw.insurance) as insurance_rows,
    (select count(*) from raw.population) as population_rows,
    (select count(*) from clean.rejects) as rejected_rows,
    count(*) filter (reconciled.status = 'VERIFIED') as verified,
    count(*) filter (reconciled.status = 'MISMATCH') as mismatch,
    count(*) filter (reconciled.status = 'REVIEW') as review,
    count(*) filter (reconciled.status = 'NOT_FOUND') as not_found,
    count(*) filter (reconciled.status = 'REJECTED') as rejected,
    $inserted::bigint as rows_inserted,
    $updated::bigint as rows_updated,
    $deleted::bigint as rows_deleted
from ops.parameters as parameters
left join core.reconciled as reconciled on true
group by all
"""

# The last result of each rule; of a table that this run did not build, that of an earlier run.
_QUALITY_ROWS = """
select results.run_id, check_name, table_name, severity, passed, checked_rows, failed_rows
from ops.quality_results as results
semi join ops.quality_rules as rules using (table_name, check_name)
qualify row_number() over (partition by table_name, check_name order by checked_at desc) = 1
"""


def inputs_of(name: str) -> frozenset[TableName]:
    """Returns the tables whose rows a table of the target is made of."""
    own = {
        "sync_runs": _RUN_ROW,
        "quality_results": _QUALITY_ROWS,
        "mismatch_ages": "select * from publish.mismatches",
    }
    return tables_read(own.get(name, f"select * from publish.{name}"))  # noqa: S608


@dataclass(frozen=True, slots=True)
class PublishedCounts:
    """What a publish did.

    Attributes:
        rows: Rows of each table now in the target, of this run where it is a history.
        differences: What each table published by difference gained, changed and lost.
        part: Which of the published rows were compared with what they should hold.
    """

    rows: dict[str, int]
    differences: dict[str, Difference]
    part: Part


def publish(
    warehouse: Warehouse, settings: Settings, guards: Iterable[Guard], *, replace: bool = False
) -> PublishedCounts:
    """Publishes what is in the warehouse: readers see the old state or the new one, never a mix.

    Args:
        warehouse: Of the run.
        settings: The target, and the database of the state.
        guards: The rules that must have passed on these very tables.
        replace: Publish to a target of another installation, too, and whatever share of its rows
            would vanish.

    Raises:
        QualityGateError: The tables are of several states, a rule has not passed on them, the
            target is another installation's, or most of its rows would vanish; it is untouched.
        LedgerError: What stands in the target is not what was reconciled; nothing was committed.
        ConnectionFailedError: The target could not be reached; it is as it was before.
        PublishError: The target refused a row; it is as it was before.
    """
    target = settings.target
    prove_state(warehouse, guards)
    ensure_tables(target)
    metadata = metadata_for(target)
    tables = {table.name: table for table in metadata.tables.values()}
    run_id = str(warehouse.value("select run_id from ops.parameters"))
    settle_published(warehouse, target, but=run_id)
    part = part_to_compare(warehouse, target)
    forgotten = old_runs(warehouse, settings)
    with warehouse.transaction(), transaction(target) as writer:
        claim_target(warehouse, writer, tables["installation"], target, replace=replace)
        look = partial(
            refuse_upheaval,
            target=target,
            in_full=records_of_last_full_run(warehouse, writer, tables["sync_runs"]),
        )
        known = known_tables(warehouse, writer, tables["sync_runs"], target)
        differences, rows = {}, {}
        for name in DIFFERENCE_TABLES:
            table, looked = tables[name], look if name == "reconciled" and not replace else None
            differences[name] = publish_difference(
                warehouse, writer, table, part, looked, is_known=name in known and not part.is_all
            )
            rows[name] = writer.count(table)
            if name in known and rows[name] != warehouse.count(TableName("publish", name)):
                # Another hand has changed keys of rows that were not read: a repair, however large.
                differences[name] += publish_difference(warehouse, writer, table, part)
                rows[name] = writer.count(table)
        _prove(warehouse, rows)
        rows |= _publish_run(warehouse, writer, tables, run_id, differences["reconciled"])
        noted = replaced_rows(warehouse, "reconciled") if "reconciled" in known else ""
        remember_run(warehouse, noted)
        note_published(warehouse, target, DIFFERENCE_TABLES)
        forget_replaced(warehouse)
        compared = {name: (d.compared, d.repaired) for name, d in differences.items()}
        remember_comparison(warehouse, target, part, compared)
        _forget_runs(writer, tables, forgotten)
        if settings.state.database is None:
            state = state_within(writer, settings)
            save(warehouse, state)
            forget_old(warehouse, state, settings, forgotten)
    save_now(warehouse, settings)
    if settings.state.database is not None:
        forget_elsewhere(warehouse, settings, forgotten)
    return PublishedCounts(rows, differences, part=part)


def _forget_runs(writer: Writer, tables: dict[str, Table], runs: list[str]) -> None:
    """Deletes the rows of runs that are too old from the histories of the target."""
    for start in range(0, len(runs), RUNS_AT_ONCE):
        some = runs[start : start + RUNS_AT_ONCE]
        for name in HISTORY_TABLES:
            writer.delete_where(tables[name], tables[name].c.run_id.in_(some))


def _prove(warehouse: Warehouse, rows: dict[str, int]) -> None:
    """The last equation of the ledger: published = reconciled, table by table."""
    for name, published in rows.items():
        ours = warehouse.number(f"select count(*) from publish.{name}")  # noqa: S608
        if published != ours:
            raise LedgerError(
                f"The target would hold {published} rows of '{name}' where {ours} were "
                "reconciled; nothing was published.",
                remedy="Somebody else may have written to the target; run again.",
            )


def _publish_run(
    warehouse: Warehouse,
    writer: Writer,
    tables: dict[str, Table],
    run_id: str,
    reconciled: Difference,
) -> dict[str, int]:
    """Adds this run's rows to the histories, in place of those of an earlier try."""
    queries = {name: f"select * from publish.{name}" for name in _COUNTED}  # noqa: S608
    queries["quality_results"] = _QUALITY_ROWS
    queries["mismatch_ages"] = AGES
    rows = {}
    for name, query in queries.items():
        writer.delete_run(tables[name], run_id)
        rows[name] = warehouse.number(f"select count(*) from ({query})")  # noqa: S608
        if rows[name]:
            # run_id is that of the run that publishes, whichever run built the tables.
            ordered = ", ".join(
                f"'{run_id}' as run_id" if column.name == "run_id" else column.name
                for column in tables[name].columns
            )
            writer.insert(
                tables[name],
                warehouse.batches(f"select {ordered} from ({query})"),  # noqa: S608
            )
    writer.delete_run(tables["sync_runs"], run_id)
    run_row = warehouse.arrow(
        _RUN_ROW,
        {
            "published_at": datetime.now(UTC).replace(tzinfo=None),
            "inserted": reconciled.inserted,
            "updated": reconciled.updated + reconciled.repaired,
            "deleted": reconciled.deleted,
        },
    )
    writer.insert(tables["sync_runs"], run_row.to_reader())
    return rows | {"sync_runs": 1}
