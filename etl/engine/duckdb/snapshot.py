"""A snapshot read: a warehouse as a run left it, for one reader of several.

Belongs here: opening a file that nobody writes to any more, under the names that statements use.
Does not belong here: which snapshots there are (``etl/pipeline/snapshots.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from etl.engine.duckdb.damage import trouble
from etl.engine.duckdb.places import places_of, rows_view
from etl.engine.duckdb.warehouse import (
    SCHEMAS,
    DuckDBWarehouse,
    amended,
    patiently,
    set_up,
)
from etl.engine.statements import TableName
from etl.process.privacy import RecordKey, owner_only
from etl.settings import Engine

_OWN = frozenset(
    f"ops.{name}"
    for name in ("runs", "mismatch_history", "acknowledgements", "decisions", "models")
)
"""Small tables that a reader brings up to date for itself, in memory."""


class Snapshot(DuckDBWarehouse):
    """A warehouse that is only read; what is made beside it stays in memory."""

    def can_focus(self, places: TableName) -> bool:
        """Says whether this DuckDB made the tables of places: another may hash differently."""
        if not self.exists(TableName(places.schema, f"{places.table}_later")):
            return False  # an earlier version of doisoat, or another engine
        engines = self.rows(f"select distinct engine from {places.sql}_tables")  # noqa: S608
        return engines == [{"engine": duckdb.__version__}]

    def focus(self, places: TableName, tables: Iterable[TableName], *values: str) -> None:
        """Shows of some tables only the rows that have one of some values as their key."""
        found: dict[str, set[int]] = {}
        for row in self.rows(
            f"select table_name, row_number from {places_of(places)} "  # noqa: S608
            f"where {' or '.join(f'place = hash($v{at})' for at in range(len(values)))}",
            {f"v{at}": value for at, value in enumerate(values)},
        ):
            found.setdefault(str(row["table_name"]), set()).add(int(str(row["row_number"])))
        statements = [
            rows_view(table, f"stored.{table.sql}", found.get(table.sql, ())) for table in tables
        ]
        self.execute("set threads = 1")  # one thread finds one record in half the time
        self.execute(";\n".join(statements))


@contextmanager
def open_snapshot(
    path: Path,
    *,
    key: RecordKey,
    limits: Engine | None = None,
    patience: float = 0,
    only: Collection[TableName] = (),
) -> Iterator[Snapshot]:
    """Opens a snapshot for reading; what the reader makes beside it stays in memory.

    Args:
        path: The DuckDB file; its Parquet files stand beside it.
        key: Makes the record keys.
        limits: Memory and threads.
        patience: Seconds to wait for a foreign program that has the file open for writing.
        only: The tables to show; without any, all are shown, which takes half of the time of
            opening.

    Raises:
        DamagedError: The file cannot be read.
        ConfigError: A newer version wrote it.
    """
    with owner_only():
        connection = duckdb.connect()
        try:
            set_up(connection, key, limits or Engine())
            # What does not fit in memory is spilled beside the file, because it is personal data,
            # too.
            connection.execute(f"set temp_directory = {_quoted(path.with_suffix('.tmp'))}")
            patiently(path, patience, lambda: _attach(connection, path))
            warehouse = Snapshot(connection, path.with_suffix(".files"))
            _show(warehouse, only)
        except BaseException as error:
            connection.close()
            raise trouble(error, path) or error from None
        try:
            yield warehouse
        except duckdb.Error as error:
            raise trouble(error, path) or error from None
        finally:
            connection.close()


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(f"attach {_quoted(path)} as stored (read_only)")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _show(warehouse: DuckDBWarehouse, only: Collection[TableName]) -> None:
    """Shows the stored tables under their names; small tables of ``ops`` are the reader's own."""
    kept = {file.name for file in warehouse.files.glob("*.parquet")}
    statements = []
    for row in warehouse.rows(
        "select schema_name, table_name from duckdb_tables() where database_name = 'stored'"
    ):
        name = TableName(str(row["schema_name"]), str(row["table_name"]))
        if only and name not in only and not any(name in amended(table) for table in only):
            continue
        if name.schema in SCHEMAS and f"{name.sql}.parquet" not in kept:
            what = "table" if name.sql in _OWN else "view"
            statements.append(f"create {what} {name.sql} as from stored.{name.sql}")
    if statements:
        warehouse.connection.execute(";\n".join(statements))
    for file in sorted(kept):
        schema, table, _ = file.split(".")
        name = TableName(schema, table)
        if (not only or name in only) and warehouse.kept(name):
            warehouse.show(name)
