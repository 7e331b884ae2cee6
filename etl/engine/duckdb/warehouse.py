"""The embedded engine: one DuckDB file and the Parquet files beside it, one writer at a time.

Belongs here: opening the warehouse, building a table from a statement, streaming Arrow in and
out. Does not belong here: what the tables mean (the ``.sql`` files) and which run is current
(``etl/pipeline/run.py``).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from glob import escape
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from etl.domain.errors import WarehouseHeldError
from etl.engine.builds import forget_build, note_build
from etl.engine.duckdb.damage import trouble
from etl.engine.statements import Statement, TableName, macros
from etl.process.home import make_room, set_aside
from etl.process.privacy import RecordKey, owner_only, shut
from etl.settings import Engine

MANY_PARTS = 100
"""More small parts of one table than that are merged."""
_LARGE_PART = 100_000  # rows

_LOOK_AGAIN = 0.2
"""Seconds between two tries to open a file that another process has."""

SCHEMAS = ("raw", "ref", "clean", "core", "publish", "ops")


class Warehouse:
    """A connection to the warehouse file, with the project's macros at hand.

    Attributes:
        connection: The DuckDB connection, for statements that read.
        files: The folder of the tables that are kept as Parquet: a file each, or a folder of parts.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: Path) -> None:
        self.connection = connection
        self.files = files

    def close(self) -> None:
        """Writes what is in the engine's log to the file, and lets go of it."""
        self.connection.close()

    def build(self, statement: Statement) -> int:
        """Replaces a table by the result of its statement.

        Returns:
            The number of rows of the new table.
        """
        forget_build(self, statement.name)
        self.connection.execute(
            f"create or replace table {statement.name.sql} as\n{statement.query}"
        )
        note_build(self, statement.name, statement.depends_on)
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

    def file(self, table: TableName) -> Path:
        """Returns the Parquet file, or the folder of parts, of a table that is kept as Parquet."""
        return self.files / f"{table.schema}.{table.table}.parquet"

    def show(self, table: TableName) -> None:
        """Makes a table's Parquet readable under the table's name."""
        self._drop_old_table(table)
        self.connection.execute(
            f"create or replace view {table.sql} as "  # noqa: S608 - our own folder
            f"select * from read_parquet({self._quoted_pattern(table)}, hive_partitioning = false)"
        )

    def _drop_old_table(self, table: TableName) -> None:
        """Versions before this one kept as a table of the database what is Parquet now."""
        kind = self.value(
            "select table_type from information_schema.tables "
            "where table_schema = $schema and table_name = $table",
            {"schema": table.schema, "table": table.table},
        )
        if kind == "BASE TABLE":
            self.connection.execute(f"drop table {table.sql}")

    def _quoted_pattern(self, table: TableName) -> str:
        return "'" + self._pattern(table).replace("'", "''") + "'"

    def _pattern(self, table: TableName) -> str:
        file = self.file(table).resolve()
        return escape(str(file)) + ("/*.parquet" if file.is_dir() else "")

    def kept(self, table: TableName) -> bool:
        """Says whether a table is kept as Parquet: a file, or a folder with a part in it at least.

        A process may die between making a folder and its first part, or while it merges parts.
        """
        file = self.file(table)
        return any(file.glob("*.parquet")) if file.is_dir() else file.exists()

    def show_files(self) -> None:
        """Makes every Parquet table readable; the folder may have been moved since."""
        shown = {
            str(row["name"]): str(row["sql"])
            for row in self.rows(
                "select schema_name || '.' || view_name as name, sql "
                "from duckdb_views() where not internal"
            )
        }
        for file in sorted(self.files.glob("*.parquet")):
            schema, table, _ = file.name.split(".")
            name = TableName(schema, table)
            if not self.kept(name):
                self.connection.execute(f"drop view if exists {name.sql}")
            elif self._quoted_pattern(name) not in shown.get(f"{schema}.{table}", ""):
                self.show(name)

    def add_part(self, table: TableName, data: pa.Table) -> None:
        """Adds rows to a table that is kept as a folder of parts.

        It takes a quarter of the work of an insert and needs no connection, so threads may call
        it. A part is there whole or not at all.
        """
        make_room(self.files, folder=True)
        make_room(self.file(table), folder=True)
        self.file(table).mkdir(parents=True, exist_ok=True)
        part = self.file(table) / f"{uuid4().hex}.parquet"
        _unfinished(data, part).replace(part)

    def set_damaged_parts_aside(self, table: TableName) -> None:
        """Moves the parts away that do not begin and end as Parquet does, with what they held."""
        for part in sorted(self.file(table).glob("*.parquet")):
            try:
                pq.read_metadata(part)
            except (pa.ArrowException, OSError):
                set_aside(part)

    def keep_rows(self, table: TableName, condition: str) -> None:
        """Removes the rows of a table of parts that are not in a condition, part by part."""
        parts = self.rows(
            "select distinct filename "  # noqa: S608 - our own words
            "from read_parquet($pattern, filename = true, hive_partitioning = false) "
            f"where not ({condition})",
            {"pattern": self._pattern(table)},
        )
        for part in parts:
            file = Path(str(part["filename"]))
            kept = self.arrow(
                f"select * from read_parquet($file, hive_partitioning = false) where {condition}",  # noqa: S608
                {"file": escape(str(file))},
            )
            _unfinished(kept, file).replace(file)

    def merge_parts(self, table: TableName) -> None:
        """Makes one part of many small ones, each of which must be opened to be read.

        A process that dies on the way loses rows and has none twice: these tables hold what can be
        found again.
        """
        folder = self.file(table)
        for unfinished in folder.glob("*.unfinished"):  # of a process that died
            unfinished.unlink()
        parts = list(folder.glob("*.parquet"))
        if len(parts) <= MANY_PARTS:
            return
        small = [part for part in parts if pq.read_metadata(part).num_rows < _LARGE_PART]
        if len(small) <= MANY_PARTS:  # a national register has more large ones than that
            return
        merged = _unfinished(pa.concat_tables(map(pq.read_table, small)), small[0])
        for part in small:
            part.unlink()
        merged.replace(small[0])

    def discard(self, table: TableName) -> None:
        """Removes a table that is kept as Parquet."""
        self._drop_old_table(table)
        self.connection.execute(f"drop view if exists {table.sql}")
        shutil.rmtree(self.file(table), ignore_errors=True)

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


def _unfinished(data: pa.Table, file: Path) -> Path:
    """Writes a Parquet file beside the place where it will stand, to be put there when whole."""
    unfinished = file.with_suffix(".unfinished")
    # Packing text would take longer than writing it; columns of few distinct values stay small.
    pq.write_table(data, unfinished, compression="none", use_dictionary=True)
    return unfinished


@contextmanager
def open_warehouse(
    path: Path, *, key: RecordKey, limits: Engine | None = None, patience: float = 0
) -> Iterator[Warehouse]:
    """``connect``, and closed in the end; what is written meanwhile is its owner's."""
    with (
        owner_only(),
        closing(connect(path, key=key, limits=limits, patience=patience)) as warehouse,
    ):
        yield warehouse


def connect(
    path: Path, *, key: RecordKey, limits: Engine | None = None, patience: float = 0
) -> Warehouse:
    """Opens the warehouse file for writing, making it where it is missing.

    Args:
        path: The DuckDB file.
        key: Makes the record keys; it stays in memory, as a macro of this connection.
        limits: Memory and threads.
        patience: Seconds to wait for another process that has the file open.

    Raises:
        WarehouseHeldError: Another process holds the file.
        DamagedError: The file cannot be read.
        DiskFullError: There is no room to make or to open it.
        ConfigError: A newer version wrote it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = _connect(path, patience)
    try:
        _prepare(connection, key, limits or Engine())
        warehouse = Warehouse(connection, path.with_suffix(".files"))
        warehouse.show_files()
    except BaseException as error:
        connection.close()
        raise trouble(error, path) or error from None
    return warehouse


def _connect(path: Path, patience: float) -> duckdb.DuckDBPyConnection:
    until = time.monotonic() + patience
    while True:
        try:
            connection = duckdb.connect(str(path))
            break
        except duckdb.Error as error:
            known = trouble(error, path)
            if known is None:
                raise
            if not isinstance(known, WarehouseHeldError) or time.monotonic() > until:
                raise known from None
            time.sleep(_LOOK_AGAIN)
    shut(path)
    return connection


def _prepare(connection: duckdb.DuckDBPyConnection, key: RecordKey, limits: Engine) -> None:
    """Sets limits, schemas and macros of a fresh connection."""
    # Results must not depend on the order of insertion, and keeping it costs memory.
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set enable_progress_bar = false")
    # Times are kept in UTC, wherever the machine stands, and shown as [schedule] timezone says.
    connection.execute("set global timezone = 'UTC'")
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
