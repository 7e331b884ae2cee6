"""What each table was built from, so that a publish can prove that all are of one state.

A run may build some tables and leave others as an earlier run left them: somebody selects a few in
the UI, or a failed run is continued. Each build of a table has a name, and remembers the builds
that it read.

Belongs here: noting builds, and saying which tables are out of step. Does not belong here: building
(``etl/pipeline/runner.py``), and what a publish demands (``etl/publish/gate.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import uuid4
from weakref import WeakSet

from etl.engine.statements import TableName

if TYPE_CHECKING:
    from etl.engine.port import Warehouse

_OF_THE_FLOW = ("raw", "clean", "core", "publish")


_REMEMBERING: WeakSet[Warehouse] = WeakSet()
"""Warehouses known to have ``ops.builds``: asking before each statement took a third of a small
run."""


def _remembers(warehouse: Warehouse) -> bool:
    """Says whether a warehouse has ``ops.builds``: that of a benchmark has not."""
    if warehouse in _REMEMBERING:
        return True
    if not warehouse.exists(TableName("ops", "builds")):
        return False
    _REMEMBERING.add(warehouse)
    return True


def forget_build(warehouse: Warehouse, table: TableName) -> None:
    """Forgets a build before the table is built again: one that breaks off must not count."""
    if not _remembers(warehouse):
        return
    warehouse.execute("delete from ops.builds where table_name = $table", {"table": table.sql})


def note_build(
    warehouse: Warehouse, table: TableName, inputs: Iterable[TableName], rows: int | None = None
) -> None:
    """Notes that a table was built, from its inputs as they are now; after ``forget_build``.

    Args:
        warehouse: The warehouse.
        table: What was built.
        inputs: What it was built from.
        rows: How many rows it has, if it is a table that may lose some.
    """
    if not _remembers(warehouse):
        return
    warehouse.execute(
        "insert into ops.builds by name select $table as table_name, $build as build, run_id, "
        "current_timestamp::timestamp as built_at, $rows as row_count from ops.parameters",
        {"table": table.sql, "build": uuid4().hex, "rows": rows},
    )
    note_inputs(warehouse, table, inputs)


def note_inputs(warehouse: Warehouse, table: TableName, inputs: Iterable[TableName]) -> None:
    """Notes that what a table holds is in step with its inputs as they are now."""
    if not _remembers(warehouse):
        return
    warehouse.execute(
        "delete from ops.build_inputs where table_name = $table", {"table": table.sql}
    )
    read = [one.sql for one in inputs if one.schema in _OF_THE_FLOW]
    warehouse.execute(
        "insert into ops.build_inputs by name "
        "select $table as table_name, inputs.name as input_name, builds.build as input_build "
        "from (select unnest($inputs::varchar[]) as name) as inputs "
        "left join ops.builds as builds on inputs.name = builds.table_name",
        {"table": table.sql, "inputs": read},
    )


def noted_inputs(warehouse: Warehouse, table: TableName) -> dict[TableName, str]:
    """Returns the builds that a table was built from, by table."""
    if not _remembers(warehouse):
        return {}
    rows = warehouse.rows(
        "select input_name, input_build from ops.build_inputs where table_name = $table",
        {"table": table.sql},
    )
    return {
        TableName.parse(str(row["input_name"])): str(row["input_build"])
        for row in rows
        if row["input_build"]
    }


def noted_rows(warehouse: Warehouse, table: TableName) -> int | None:
    """Returns how many rows a build had, where that was noted."""
    if not _remembers(warehouse):
        return None
    found = warehouse.value(
        "select row_count from ops.builds where table_name = $table", {"table": table.sql}
    )
    return None if found is None else int(str(found))


def build_of(warehouse: Warehouse, table: TableName) -> str:
    """Returns the name of a table's build; empty where none is known."""
    if not _remembers(warehouse):
        return ""
    found = warehouse.value(
        "select build from ops.builds where table_name = $table", {"table": table.sql}
    )
    return str(found or "")


def is_noted(warehouse: Warehouse, table: TableName) -> bool:
    """Says whether a build of a table is known."""
    return bool(build_of(warehouse, table))


def is_in_step(warehouse: Warehouse, table: TableName) -> bool:
    """Says whether a table was built from its inputs as they are now."""
    return is_noted(warehouse, table) and not out_of_step(warehouse, [table])


def state_of(warehouse: Warehouse, tables: Iterable[TableName]) -> str:
    """Returns one name for the builds of some tables: another build gives another name."""
    found = warehouse.value(
        "select md5(string_agg(names.name || '=' || coalesce(build, ''), ';' order by names.name)) "
        "from (select distinct unnest($tables::varchar[]) as name) as names "
        "left join ops.builds as builds on names.name = builds.table_name",
        {"tables": [table.sql for table in tables]},
    )
    return str(found)


def state_of_build(table: TableName, build: str) -> str:
    """Returns what ``state_of`` returned for one table while it was some build."""
    return hashlib.md5(f"{table.sql}={build}".encode(), usedforsecurity=False).hexdigest()


def out_of_step(warehouse: Warehouse, tables: Iterable[TableName]) -> list[tuple[str, str]]:
    """Returns tables that were not built from their inputs as these are now.

    Args:
        warehouse: The warehouse.
        tables: The tables that must have been built.

    Returns:
        Table and input; the input is empty where no build of the table is known.
    """
    rows = warehouse.rows(
        """
        select
            names.name as table_name,
            case when builds.build is null then '' else inputs.input_name end as input_name
        from (select unnest($tables::varchar[]) as name) as names
        left join ops.builds as builds on names.name = builds.table_name
        left join ops.build_inputs as inputs on names.name = inputs.table_name
        left join ops.builds as current on inputs.input_name = current.table_name
        where
            builds.build is null
            or (
                inputs.input_name is not null
                and (current.build is null or inputs.input_build is distinct from current.build)
            )
        order by all
        """,
        {"tables": [table.sql for table in tables]},
    )
    return [(str(row["table_name"]), str(row["input_name"])) for row in rows]
