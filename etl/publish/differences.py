"""What differs between the warehouse and the target, found in the warehouse by hash.

Belongs here: new, changed, drifted and gone rows of the tables that are published by difference.
Does not belong here: writing them (``writers.py``), and how drift is recognised (``drift.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from etl.databases.writers import Writer, key_columns
from etl.engine.port import Warehouse
from etl.publish.ages import OF as AGED
from etl.publish.ages import note_ages
from etl.publish.drift import Part, drifted, no_summary, summary

RUN_COLUMNS = {
    "reconciled": {"first_seen_run": "run_id", "last_changed_run": "run_id"},
    "mismatches": {"since_run": "run_id", "since_at": "started_at"},
}
"""Columns that hold a run's id or its start: set when a row is new; when it changes, only
``last_changed_run`` is set."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rows a table gains, changes and loses.

    Attributes:
        inserted: Rows that are new.
        updated: Rows that the reconciliation has changed.
        deleted: Rows that are gone.
        compared: Published rows that were read with all columns.
        repaired: Those of them that somebody else had changed; they are written again.
        unkept: Those of the repaired rows that the target still returns with other values.
    """

    inserted: int
    updated: int
    deleted: int
    compared: int = 0
    repaired: int = 0
    unkept: int = 0

    @property
    def total(self) -> int:
        """Rows touched."""
        return self.inserted + self.updated + self.deleted + self.repaired


def publish_difference(
    warehouse: Warehouse,
    writer: Writer,
    table: Table,
    part: Part,
    look_first: Callable[[Difference, int], None] | None = None,
    *,
    unchanged: bool = False,
) -> Difference:
    """Brings one published table to the warehouse's state, touching only what differs.

    Args:
        warehouse: Of the run.
        writer: The target's open transaction.
        table: The table.
        part: The published rows that are read whole and compared column by column.
        look_first: Called with what would change, and how many rows are published, before anything
            is written; it may raise.
        unchanged: The table is the build that was published last: only the part is compared, to
            find what somebody else has changed.
    """
    keys = key_columns(table)
    ours = f"publish.{table.name}"
    if unchanged := unchanged and part.digit is not None and table.name != AGED:
        ours = f"(select * from {ours} where left(row_hash, 1) = '{part.digit}')"  # noqa: S608
        look_first = None
    same_key = " and ".join(f"ours.{key} = theirs.{key}" for key in keys)
    of_run = RUN_COLUMNS.get(table.name, {})
    data = [column.name for column in table.columns if column.name not in of_run]
    columns = ", ".join(f"ours.{name}" for name in data)
    runs = "".join(f", parameters.{value} as {name}" for name, value in of_run.items())
    change = ", parameters.run_id as last_changed_run" if "last_changed_run" in of_run else ""
    content = [name for name in data if name not in (*keys, "row_hash")]
    has_drifted = drifted(table, content)
    gone = f"published as theirs anti join {ours} as ours on {same_key}"

    def count(what: str) -> int:
        return warehouse.number(f"select count(*) from {what}")  # noqa: S608 - our own words

    def differing(*what: str) -> str:
        same = " and ".join(f"ours.{key} = differing.{key}" for key in keys)
        chosen = " or ".join(f"differing.what = '{one}'" for one in what)
        return f"{ours} as ours semi join differing on {same} and ({chosen})"

    _read_published(warehouse, writer, table, keys, content, part, only_inside=unchanged)
    published = count("published")
    # The tables are compared by their text keys once, and not again for each of the questions
    # below.
    warehouse.execute(
        f"""
        create or replace temp table differing as
        select
            {", ".join(f"ours.{key}" for key in keys)},
            case
                when theirs.{keys[0]} is null then 'new'
                when ours.row_hash is distinct from theirs.row_hash then 'changed'
                else 'drifted'
            end as what
        from {ours} as ours
        left join published as theirs on {same_key}
        where
            theirs.{keys[0]} is null
            or ours.row_hash is distinct from theirs.row_hash
            or ({has_drifted})
        """  # noqa: S608 - our own words
    )
    found = Difference(
        inserted=count("differing where what = 'new'"),
        updated=count("differing where what = 'changed'"),
        deleted=count(gone) if published else 0,
        compared=count("published where content is not null"),
        repaired=count("differing where what = 'drifted'"),
    )
    if look_first:
        look_first(found, published)
    if found.deleted:
        names = ", ".join(f"theirs.{key}" for key in keys)
        writer.delete(table, warehouse.batches(f"select {names} from {gone}"))  # noqa: S608
    if found.updated or found.repaired:
        writer.update(
            table,
            warehouse.batches(
                f"select {columns}{change} from {differing('changed', 'drifted')} "  # noqa: S608
                "cross join ops.parameters"
            ),
        )
    if found.inserted:
        new = differing("new") if published else f"{ours} as ours"
        writer.insert(
            table,
            warehouse.batches(f"select {columns}{runs} from {new} cross join ops.parameters"),  # noqa: S608
        )
    unkept = 0
    if found.repaired:
        _read_published(warehouse, writer, table, keys, content, part, only_inside=unchanged)
        both = f"{ours} as ours inner join published as theirs on {same_key}"
        unkept = count(f"{both} where {has_drifted}")
    if table.name == AGED:
        note_ages(warehouse)
    warehouse.execute("drop table published")
    warehouse.execute("drop table differing")
    return Difference(
        found.inserted, found.updated, found.deleted, found.compared, found.repaired, unkept
    )


def _read_published(
    warehouse: Warehouse,
    writer: Writer,
    table: Table,
    keys: list[str],
    content: list[str],
    part: Part,
    *,
    only_inside: bool,
) -> None:
    """Copies the published keys and hashes, and the content of a part, into a temporary table."""
    light = [*keys, *(["since_at"] if table.name == AGED else []), "row_hash"]
    _copy(
        warehouse,
        writer.read(table, [*light, *content], part.inside(table)),
        f"create or replace temp table published as select {', '.join(light)}, "  # noqa: S608
        f"{summary(table, content)} from incoming",
    )
    if part.digit is not None and not only_inside:
        _copy(
            warehouse,
            writer.read(table, light, part.outside(table)),
            f"insert into published select {', '.join(light)}, "  # noqa: S608
            f"{no_summary(table, content)} from incoming",
        )


def _copy(warehouse: Warehouse, reader: Any, statement: str) -> None:
    try:
        with warehouse.lending("incoming", reader):
            warehouse.execute(statement)
    finally:
        reader.close()
