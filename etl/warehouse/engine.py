"""The embedded engine: one DuckDB file and the Parquet files beside it, one writer at a time.

Belongs here: opening the warehouse, building a table from a statement, streaming Arrow in and
out. Does not belong here: what the tables mean (the ``.sql`` files) and which run is current
(``etl/warehouse/run.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path

import duckdb
import pyarrow as pa

from etl.errors import WarehouseBusyError
from etl.privacy import RecordKey, owner_only, shut
from etl.settings import Engine
from etl.warehouse.statements import Statement, TableName, macros

SCHEMAS = ("raw", "ref", "clean", "core", "publish", "ops")


class Warehouse:
    """A connection to the warehouse file, with the project's macros at hand.

    Attributes:
        connection: The DuckDB connection, for statements that read.
        files: The folder of the tables that are Parquet files, one file a table.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: Path) -> None:
        self.connection = connection
        self.files = files

    def build(self, statement: Statement) -> int:
        """Replaces a table by the result of its statement.

        Returns:
            The number of rows of the new table.
        """
        self.connection.execute(
            f"create or replace table {statement.name.sql} as\n{statement.query}"
        )
        return self.count(statement.name)

    def count(self, table: TableName) -> int:
        """Returns the number of rows of a table."""
        return self.number(f"select count(*) from {table.sql}")  # noqa: S608

    def number(self, query: str, parameters: Mapping[str, object] | None = None) -> int:
        """Returns the single whole number of a query; 0 where it is null or there is no row."""
        found = self.value(query, parameters)
        return int(str(found)) if found is not None else 0

    def value(self, query: str, parameters: Mapping[str, object] | None = None) -> object:
        """Returns the single value of a query, or None where there is no row."""
        row = self.connection.execute(query, parameters or {}).fetchone()
        return row[0] if row else None

    def rows(
        self, query: str, parameters: Mapping[str, object] | None = None
    ) -> list[dict[str, object]]:
        """Returns the rows of a small result as dictionaries."""
        cursor = self.connection.execute(query, parameters or {})
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def exists(self, table: TableName) -> bool:
        """Says whether a table is there."""
        return bool(
            self.value(
                "select count(*) from information_schema.tables "
                "where table_schema = $schema and table_name = $table",
                {"schema": table.schema, "table": table.table},
            )
        )

    def columns(self, table: TableName) -> list[tuple[str, str]]:
        """Returns name and type of each column, in order."""
        return [
            (str(row["column_name"]), str(row["data_type"]))
            for row in self.rows(
                "select column_name, data_type from duckdb_columns() "
                "where schema_name = $schema and table_name = $table order by column_index",
                {"schema": table.schema, "table": table.table},
            )
        ]

    def load(self, table: TableName, data: pa.Table | pa.RecordBatchReader) -> None:
        """Replaces a table by Arrow data, streaming where the data streams."""
        self.connection.register("incoming", data)
        try:
            self.connection.execute(
                f"create or replace table {table.sql} as select * from incoming"  # noqa: S608
            )
        finally:
            self.connection.unregister("incoming")

    def beside(self) -> Warehouse:
        """Returns the same warehouse by a connection of its own, for another thread.

        Macros and temporary tables are not seen through it.
        """
        return Warehouse(self.connection.cursor(), self.files)

    def file(self, table: TableName) -> Path:
        """Returns the Parquet file of a table that is kept as one."""
        return self.files / f"{table.schema}.{table.table}.parquet"

    def show(self, table: TableName) -> None:
        """Makes a table's Parquet file readable under the table's name."""
        kind = self.value(
            "select table_type from information_schema.tables "
            "where table_schema = $schema and table_name = $table",
            {"schema": table.schema, "table": table.table},
        )
        if kind == "BASE TABLE":  # as versions before this one kept it
            self.connection.execute(f"drop table {table.sql}")
        pattern = escape(str(self.file(table).resolve())).replace("'", "''")
        self.connection.execute(
            f"create or replace view {table.sql} as "  # noqa: S608 - our own folder
            f"select * from read_parquet('{pattern}')"
        )

    def show_files(self) -> None:
        """Makes every Parquet file readable; the folder may have been moved since."""
        for file in sorted(self.files.glob("*.parquet")):
            schema, table, _ = file.name.split(".")
            self.show(TableName(schema, table))

    def append(self, table: TableName, data: pa.Table) -> None:
        """Appends Arrow data to a table, by column name; makes the table where it is missing."""
        if not self.exists(table):
            self.load(table, data)
            return
        self.connection.register("incoming", data)
        try:
            self.connection.execute(
                f"insert into {table.sql} by name select * from incoming"  # noqa: S608
            )
        finally:
            self.connection.unregister("incoming")

    def arrow(self, query: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Returns a result as an Arrow table."""
        return self.connection.execute(query, parameters or {}).to_arrow_table()

    def batches(self, query: str, rows_per_batch: int = 100_000) -> pa.RecordBatchReader:
        """Returns a result as a stream of Arrow batches."""
        return self.connection.execute(query).to_arrow_reader(rows_per_batch)


@contextmanager
def open_warehouse(
    path: Path, *, key: RecordKey, limits: Engine | None = None
) -> Iterator[Warehouse]:
    """Opens the warehouse file for writing, making it where it is missing.

    Args:
        path: The DuckDB file.
        key: Makes the record keys; it stays in memory, as a macro of this connection.
        limits: Memory and threads.

    Raises:
        WarehouseBusyError: Another process holds the file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with owner_only():
        connection = _connect(path)
        try:
            _prepare(connection, key, limits or Engine())
            warehouse = Warehouse(connection, path.with_suffix(".files"))
            warehouse.show_files()
            yield warehouse
        finally:
            connection.close()


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(str(path))
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        raise WarehouseBusyError(
            "Another process has the warehouse open for writing.",
            where=str(path),
            remedy="Wait for the other run to end ('doisoat runs' lists it), or stop it.",
        ) from None
    shut(path)
    return connection


def _prepare(connection: duckdb.DuckDBPyConnection, key: RecordKey, limits: Engine) -> None:
    """Sets limits, schemas and macros of a fresh connection."""
    # Results must not depend on the order of insertion, and keeping it costs memory.
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set autoinstall_known_extensions = false")
    # Packing text takes a fifth of a run's processor time; without, a million records take 1.2 GB.
    connection.execute("set disabled_compression_methods = 'dictionary,fsst,dict_fsst'")
    if limits.memory:
        connection.execute(f"set memory_limit = '{limits.memory}'")
    if limits.threads:
        connection.execute(f"set threads = {limits.threads}")
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    connection.execute(key.macro_sql)
    for macro in macros():
        connection.execute(macro)
