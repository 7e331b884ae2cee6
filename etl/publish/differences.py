"""What differs between the warehouse and the target, found in the warehouse by hash.

Belongs here: new, changed and gone rows of the tables that are published by difference. Does not
belong here: writing them (``writers.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Table

from etl.publish.writers import Writer, key_columns
from etl.warehouse.engine import Warehouse

RUN_COLUMNS = {
    "reconciled": ("first_seen_run", "last_changed_run"),
    "mismatches": ("since_run",),
}
"""Columns that remember runs: set when a row is new; only ``last_changed_run`` when it changes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rows a table gains, changes and loses."""

    inserted: int
    updated: int
    deleted: int

    @property
    def total(self) -> int:
        """Rows touched."""
        return self.inserted + self.updated + self.deleted


def publish_difference(
    warehouse: Warehouse, writer: Writer, table: Table, run_id: str
) -> Difference:
    """Brings one published table to the warehouse's state, touching only what differs."""
    keys = key_columns(table)
    _read_published(warehouse, writer, table, keys)
    ours = f"publish.{table.name}"
    same_key = " and ".join(f"ours.{key} = theirs.{key}" for key in keys)
    data = [c.name for c in table.columns if c.name not in RUN_COLUMNS.get(table.name, ())]
    columns = ", ".join(f"ours.{name}" for name in data)
    runs = "".join(f", '{run_id}' as {name}" for name in RUN_COLUMNS.get(table.name, ()))
    change = f", '{run_id}' as last_changed_run" if table.name == "reconciled" else ""
    parts = {
        "deleted": f"select {', '.join(f'theirs.{k}' for k in keys)} from published as theirs "  # noqa: S608
        f"anti join {ours} as ours on {same_key}",
        "updated": f"select {columns}{change} from {ours} as ours inner join published as theirs "  # noqa: S608
        f"on {same_key} where ours.row_hash is distinct from theirs.row_hash",
        "inserted": f"select {columns}{runs} from {ours} as ours "  # noqa: S608
        f"anti join published as theirs on {same_key}",
    }
    actions = {"deleted": writer.delete, "updated": writer.update, "inserted": writer.insert}
    counts = {}
    for part, query in parts.items():
        counts[part] = warehouse.number(f"select count(*) from ({query})")  # noqa: S608
        if counts[part]:
            actions[part](table, warehouse.batches(query))
    warehouse.connection.execute("drop table published")
    return Difference(**counts)


def _read_published(warehouse: Warehouse, writer: Writer, table: Table, keys: list[str]) -> None:
    """Copies the keys and hashes of what is published into a temporary table."""
    reader = writer.read(table, [*keys, "row_hash"])
    warehouse.connection.register("incoming", reader)
    try:
        warehouse.connection.execute(
            "create or replace temp table published as select * from incoming"
        )
    finally:
        warehouse.connection.unregister("incoming")
        reader.close()
