"""The rows of published tables that deltas have replaced since the last publish.

A publish that knows them need not read every key and hash of the target to find what differs: all
other rows are as they were published.

Belongs here: noting those rows as they were published. Does not belong here: which rows a delta
replaces (``etl/pipeline/scope.py``), and comparing them with the target (``differences.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from etl.databases.writers import key_columns
from etl.domain.contract import DIFFERENCE_TABLES, target_metadata
from etl.engine.builds import build_of
from etl.engine.port import Warehouse
from etl.engine.statements import TableName

_REPLACEMENTS = TableName("ops", "replacements")


@contextmanager
def noting_replaced(warehouse: Warehouse, table: TableName, condition: str) -> Iterator[None]:
    """Notes which rows of a table are replaced within; to be called in a transaction.

    Args:
        warehouse: Of the run.
        table: The table; nothing is noted unless it is published by difference.
        condition: True of the rows that are replaced and of those that replace them.
    """
    published = _published_build(warehouse, table)
    if not published or not _begun(warehouse, table, published):
        yield
        return
    rows, keys = _rows(table.table), ", ".join(_keys(table.table))
    before = f"select {keys}, row_hash from {table.sql} where {condition}"  # noqa: S608 - our own words
    warehouse.execute(f"create or replace temp table rows_before as {before}")
    yield
    for query in (
        f"select * from rows_before anti join {rows} using ({keys})",  # noqa: S608
        f"select {keys}, null from {table.sql} anti join {rows} using ({keys}) where {condition}",  # noqa: S608
    ):
        warehouse.execute(f"insert into {rows} {query}")
    warehouse.execute("drop table rows_before")
    which = {"table": table.sql}
    warehouse.execute("delete from ops.replacements where table_name = $table", which)
    warehouse.execute(
        "insert into ops.replacements by name select table_name, $published as published_build, "
        "build from ops.builds where table_name = $table",
        {**which, "published": published},
    )


def replaced_rows(warehouse: Warehouse, name: str) -> str:
    """Returns the rows noted of a table of ``publish``, as SQL.

    They are the keys of the rows that were replaced, gone or new, and ``row_hash`` as it was
    published: null where no such row was.
    """
    if warehouse.exists(TableName.parse(_rows(name))):
        return _rows(name)
    return f"(select {', '.join(_keys(name))}, row_hash from publish.{name} limit 0)"  # noqa: S608


def forget_replaced(warehouse: Warehouse) -> None:
    """Forgets what was noted, once all of it is published; within the publish's transaction."""
    for name in DIFFERENCE_TABLES:
        warehouse.execute(f"drop table if exists {_rows(name)}")
    warehouse.execute("delete from ops.replacements")


def _begun(warehouse: Warehouse, table: TableName, published: str) -> bool:
    """Says whether rows can be noted: none where the table was built whole since the publish."""
    build = build_of(warehouse, table)
    if build == published:
        none = f"select {', '.join(_keys(table.table))}, row_hash from {table.sql} limit 0"  # noqa: S608
        warehouse.execute(f"create or replace table {_rows(table.table)} as {none}")
        return True
    noted = warehouse.value(
        "select build from ops.replacements "
        "where table_name = $table and published_build = $published",
        {"table": table.sql, "published": published},
    )
    return bool(build) and build == noted


def _published_build(warehouse: Warehouse, table: TableName) -> str:
    """Returns the build that was published last, of a table whose rows are to be noted."""
    is_noted = table.schema == "publish" and table.table in DIFFERENCE_TABLES
    if not is_noted or not warehouse.exists(_REPLACEMENTS):
        return ""
    found = warehouse.value(
        "select build from ops.published_builds where table_name = $table", {"table": table.table}
    )
    return str(found or "")


def _rows(name: str) -> str:
    return f"ops.replaced_{name}"


def _keys(name: str) -> list[str]:
    return key_columns(target_metadata(None).tables[name])
