"""The warehouse as one DuckDB file and the Parquet files beside it, one writer at a time.

Belongs here: opening it, and how DuckDB does what ``etl/engine/port.py`` promises. Does not belong
here: what the tables mean (the ``.sql`` files) and which run is current (``etl/pipeline/run.py``).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy.dialects import registry

from etl.domain.errors import WarehouseHeldError
from etl.engine.duckdb.damage import trouble
from etl.engine.duckdb.functions import keyed_functions
from etl.engine.duckdb.limits import keep_to, packs_text, slices
from etl.engine.duckdb.parts import Parts
from etl.engine.duckdb.places import make_places
from etl.engine.macros import macros
from etl.engine.port import Parameters, Warehouse, file_id, unfinished
from etl.engine.statements import UNSEEN, TableName
from etl.process.files import whole_file
from etl.process.privacy import RecordKey, owner_only, shut
from etl.settings import Engine
from etl.settings.sizes import bytes_of

_T = TypeVar("_T")

_LOOK_AGAIN = 0.2
"""Seconds between two tries to open a file that another process has."""

SCHEMAS = ("raw", "ref", "clean", "core", "publish", "ops")

_DIALECT = "doisoatduckdb"

_IN_SLICE = "create or replace temp macro in_slice(key) as"


class DuckDBWarehouse(Warehouse):
    """A connection to the warehouse file, with the project's macros at hand.

    Attributes:
        connection: The DuckDB connection.
        files: The folder of the tables that are kept as Parquet: a file each, or a folder of parts.
    """

    FAILED = (duckdb.Error,)
    MISSING = (duckdb.CatalogException, duckdb.BinderException)
    ENGINE = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: Path) -> None:
        self.connection = connection
        self.files = files
        self._knows_how_to_keep_text = False
        self._parts: Parts | None = None

    def close(self) -> None:
        """Writes what is in the engine's log to the file, and lets go of it."""
        self.connection.close()

    def execute(self, statement: str, parameters: Parameters | None = None) -> None:
        """Runs a statement, or several, that have no result."""
        self.connection.execute(statement, parameters or {})

    def build(self, table: TableName, query: str, *, rows_at_work: int = 0) -> int:
        """Replaces a table by the result of a query, piece by piece where that takes less memory.

        A run that breaks off between two pieces leaves a table for which no build is noted.
        """
        self._choose_how_to_keep_text()
        if self.kept(table):  # another engine built it last
            self.discard(table)
        pieces = slices(rows_at_work, self._memory()) if rows_at_work else 1
        if pieces == 1:
            self.execute(f"create or replace table {table.sql} as\n{query}")
            return self.count(table)
        try:
            for piece in range(pieces):
                self.execute(f"{_IN_SLICE} key is not null and hash(key) % {pieces} = {piece}")
                into = "insert into" if piece else "create or replace table"
                self.execute(f"{into} {table.sql}{'' if piece else ' as'}\n{query}")
        finally:
            self.execute(next(macro.create for macro in macros() if macro.name == "in_slice"))
        return self.count(table)

    def show_part(self, table: TableName, query: str) -> None:
        """Makes ``build_part`` see only some rows of a table."""
        self._tables_in_part().show(table, query)

    def show_whole(self, tables: Iterable[TableName] | None = None) -> None:
        """Makes ``build_part`` see all rows of some tables again, or of every table."""
        if self._parts:
            self._parts.show_whole(tables)

    def build_part(self, table: TableName, query: str, reads: Iterable[TableName]) -> int:
        """Builds some rows of a table; from then on ``build_part`` sees only these of it."""
        parts = self._tables_in_part()
        parts.make(table, query, {*reads, *map(TableName.parse, UNSEEN)})
        return self.number(f"select count(*) from {parts.name_of(table)}")  # noqa: S608

    def replace_rows(self, table: TableName, condition: str) -> int:
        """Replaces the rows of a table that meet a condition by those that were built last."""
        self._choose_how_to_keep_text()
        built = self._tables_in_part().name_of(table)
        lost = self.number(f"delete from {table.sql} where {condition}")  # noqa: S608 - our own words
        return lost + self.number(f"insert into {table.sql} by name from {built}")

    def built_rows(self, table: TableName) -> str:
        """Returns the rows of a table that ``build_part`` built last, as SQL; empty where none."""
        return self._parts.built_rows(table) if self._parts else ""

    def forget_built_rows(self, table: TableName) -> None:
        """Gives back the memory of those rows, as soon as no statement is shown them."""
        if self._parts:
            self._parts.forget_built(table)

    def _tables_in_part(self) -> Parts:
        if self._parts is None:
            self._parts = Parts(self.connection, SCHEMAS)
        return self._parts

    def _memory(self) -> int:
        return bytes_of(str(self.value("select current_setting('memory_limit')"))) or 0

    def _choose_how_to_keep_text(self) -> None:
        if self._knows_how_to_keep_text:
            return
        registers = sum(file.stat().st_size for file in self.files.glob("raw.*.parquet"))
        unused = "" if packs_text(registers, self._memory()) else "dictionary,fsst,dict_fsst"
        self.execute(f"set disabled_compression_methods = '{unused}'")
        self._knows_how_to_keep_text = True

    def value(self, query: str, parameters: Parameters | None = None) -> object:
        """Returns the single value of a query, or None where there is no row."""
        row = self.connection.execute(query, parameters or {}).fetchone()
        return row[0] if row else None

    def rows(self, query: str, parameters: Parameters | None = None) -> list[dict[str, object]]:
        """Returns the rows of a small result as dictionaries."""
        cursor = self.connection.execute(query, parameters or {})
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def arrow(self, query: str, parameters: Parameters | None = None) -> pa.Table:
        """Returns a result as an Arrow table."""
        return self.connection.execute(query, parameters or {}).to_arrow_table()

    def batches(self, query: str, rows_per_batch: int = 100_000) -> pa.RecordBatchReader:
        """Returns a result as a stream of Arrow batches."""
        found = self.connection.execute(query).to_arrow_reader(rows_per_batch)

        def rows() -> Iterator[pa.RecordBatch]:
            try:
                yield from found
            except (
                pa.ArrowException,
                OSError,
            ) as error:  # the engine's, by the kind that Arrow has
                words = str(error)
                is_memory = "Out of Memory Error" in words
                raise (duckdb.OutOfMemoryException if is_memory else duckdb.Error)(words) from None

        return pa.RecordBatchReader.from_batches(found.schema, rows())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes the statements within all happen, or none."""
        self.connection.execute("begin")
        try:
            yield
            self.connection.execute("commit")
        except BaseException:
            # After a commit that failed the engine has taken the transaction back itself; the first
            # error says why.
            with suppress(duckdb.Error):
                self.connection.execute("rollback")
            raise

    @contextmanager
    def lending(self, name: str, data: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
        """Lets statements read Arrow data under a name for a while."""
        self.connection.register(name, data)
        try:
            yield
        finally:
            self.connection.unregister(name)

    def in_file(self, file: Path) -> str:
        """Returns SQL for the rows of a Parquet file that is no table."""
        return f"read_parquet('{_quoted(Path(escape(str(file))))}', hive_partitioning = false)"

    @contextmanager
    def for_great_expectations(self) -> Iterator[str]:
        """Lends the connection to Great Expectations, through a dialect that only reads."""
        from etl.engine.duckdb.dialect import lending  # loads SQLAlchemy's dialect of DuckDB

        registry.register(_DIALECT, "etl.engine.duckdb.dialect", "ReadingDialect")
        with lending(self.connection):
            yield f"{_DIALECT}:///:memory:"

    def for_splink(self) -> Any:
        """Returns the tables as Splink reads them."""
        from splink import DuckDBAPI

        return DuckDBAPI(self.connection)

    def as_text(self, values: pa.Array) -> pa.Array:
        """Writes values of any plain type as text, as the engine does."""
        given = self.connection.from_arrow(pa.table({"value": values}))
        written: pa.Table = given.project("value::varchar as value").to_arrow_table()
        return written.column("value").combine_chunks().cast(pa.string())

    def exists(self, table: TableName) -> bool:
        """Says whether a table is there."""
        return bool(self.columns(table))

    def sizes(self) -> dict[TableName, int]:
        """Returns how many bytes on disk each table takes, those kept as Parquet, too."""
        self.execute("checkpoint")
        block = self.number("select block_size from pragma_database_size() limit 1")
        found = {}
        of_file = "where database_name = current_database()"
        for row in self.rows(f"select schema_name, table_name from duckdb_tables() {of_file}"):  # noqa: S608
            table = TableName(str(row["schema_name"]), str(row["table_name"]))
            blocks = self.number(
                f"select count(distinct block_id) from pragma_storage_info('{table.sql}') "  # noqa: S608
                "where persistent"
            )
            found[table] = blocks * block
        for file in self.files.glob("*.parquet"):
            schema, name, _ = file.name.split(".")
            parts = file.glob("*.parquet") if file.is_dir() else [file]
            found[TableName(schema, name)] = sum(part.stat().st_size for part in parts)
        return found

    def columns(self, table: TableName) -> list[tuple[str, str]]:
        """Returns name and type of each column, in order."""
        # (duckdb_tables() and duckdb_columns() look at every table, which takes milliseconds each
        # time.)
        try:
            found = self.rows("select name, type from pragma_table_info($t)", {"t": table.sql})
        except duckdb.CatalogException:
            return []
        return [(str(row["name"]), str(row["type"])) for row in found]

    def copy_from(self, file: Path, tables: Iterable[TableName]) -> None:
        """Adds the rows that tables have in another warehouse's file, in the columns of both."""
        try:
            self.execute(f"attach '{_quoted(file)}' as last (read_only)")
            of_both: dict[str, list[str]] = {}
            for row in self.rows(
                "select schema_name || '.' || table_name as name, column_name "
                "from duckdb_columns() group by all having count(*) = 2"
            ):
                of_both.setdefault(str(row["name"]), []).append(str(row["column_name"]))
            for table in tables:
                if columns := ", ".join(of_both.get(table.sql, ())):
                    self.execute(
                        f"insert into {table.sql} by name select {columns} from last.{table.sql}"  # noqa: S608
                    )
            self.execute("detach last")
        except duckdb.Error as error:
            raise trouble(error, file) or error from None

    def show_beside(self, name: str, path: Path) -> None:
        """Shows the tables of another warehouse's file under ``<name>.<schema>.<table>``."""
        self.execute(f"attach '{_quoted(path)}' as {name} (read_only)")

    def leave(self, file: Path, tables: Mapping[TableName, str]) -> None:
        """Writes the results of queries into a new file of a warehouse."""
        with whole_file(file) as draft, owner_only():
            draft.unlink(missing_ok=True)  # the engine makes its files itself
            self.execute(f"attach '{_quoted(draft)}' as leaving")
            try:
                for schema in SCHEMAS:
                    self.execute(f"create schema leaving.{schema}")
                for table, query in tables.items():
                    self.execute(f"create table leaving.{table.sql} as\n{query}")
                self.execute("checkpoint leaving")
            finally:
                self.execute("detach leaving")

    def make_places(
        self,
        places: TableName,
        keys: Mapping[TableName, str],
        amended: Mapping[TableName, int],
    ) -> int:
        """Makes tables by which a reader finds rows."""
        self.execute("checkpoint")  # first, because to write the file moves rows
        with self.transaction():
            return make_places(self, places, keys, amended)

    def can_focus(self, places: TableName) -> bool:  # noqa: ARG002 - of every engine
        """Says no: the tables of a warehouse that is written to are no views."""
        return False

    def focus(self, places: TableName, tables: Iterable[TableName], *values: str) -> None:
        """Shows all rows."""

    def show(self, table: TableName) -> None:
        """Makes a table's Parquet readable under the table's name."""
        numbered = not self.file(table).is_dir()  # a row's number in a part says nothing
        rows = "* exclude (file_row_number), file_row_number::uinteger as row_number"
        read = (
            f"select {rows if numbered else '*'} from read_parquet({self._quoted_pattern(table)}, "  # noqa: S608
            f"hive_partitioning = false, file_row_number = {numbered})"
        )
        if numbered and self._amendments(table) is not None:
            read = (
                f"select * from ({read}) as recorded anti join {_gone(table)} as gone "  # noqa: S608
                f"on recorded.row_number = gone.row_number union all by name from {_new(table)}"
            )
        view = f"create or replace view {table.sql} as {read}"
        try:
            self.connection.execute(view)
        except duckdb.CatalogException:
            # Early versions kept tables in the database that are Parquet files now.
            self.connection.execute(f"drop table {table.sql}")
            self.connection.execute(view)
        if table.schema == "raw":
            self._knows_how_to_keep_text = False

    def amend(self, table: TableName, *, gone: str, new: str, note: str) -> None:
        """Changes rows of a table that is a single Parquet file; the file stays as it is.

        What differs from the file stands in two tables of the database, whose comment names the
        file.
        """
        if self._amendments(table) is None:
            self.forget_amendments(table)
            self.execute(
                f"create table {_gone(table)} (row_number uinteger); "
                f"create table {_new(table)} as from {table.sql} limit 0"
            )
        after = ", ".join(
            f"(select coalesce(max(row_number), 0) + 1 from {of})"  # noqa: S608 - our own names
            for of in (_gone(table), _new(table))
        )
        first = f"greatest({pq.read_metadata(self.file(table)).num_rows}, {after})"
        self.execute(f"create or replace temp table gone_rows as {gone}")
        self.execute(f"insert into {_gone(table)} from gone_rows except from {_gone(table)}")
        self.execute(f"delete from {_new(table)} where row_number in (from gone_rows)")  # noqa: S608
        self.execute(
            f"insert into {_new(table)} by name select * replace ("  # noqa: S608
            f"coalesce(row_number, {first} - 1 + row_number() over ())::uinteger as row_number"
            f") from ({new})"
        )
        noted = json.dumps({"file": file_id(self.file(table)), "note": note}).replace("'", "''")
        self.execute(f"comment on table {_new(table)} is '{noted}'; drop table gone_rows")
        self.show(table)

    def amendments(self, table: TableName) -> tuple[int, str]:
        """Returns how many rows ``amend`` has taken out of a table's file, and the last note."""
        noted = self._amendments(table)
        if noted is None:
            return 0, ""
        return self.number(f"select count(*) from {_gone(table)}"), noted  # noqa: S608

    def count(self, table: TableName) -> int:
        """Returns the number of rows of a table.

        Of an amended table it is worked out, because each question to it compares all rows of the
        file with those that it lost.
        """
        if table.schema != "raw" or self._amendments(table) is None:
            return super().count(table)
        in_file = pq.read_metadata(self.file(table)).num_rows
        return self.number(
            f"select $rows - (select count(*) from {_gone(table)} where row_number < $rows) "  # noqa: S608
            f"+ (select count(*) from {_new(table)})",
            {"rows": in_file},
        )

    def amended_rows(self, table: TableName) -> str:
        """Returns SQL for the rows of a table that are not in its file."""
        if self._amendments(table) is None:
            return f"(from {table.sql} limit 0)"
        return _new(table)

    def _amendments(self, table: TableName) -> str | None:
        """Returns the last note on a table's file; None where there is none, or on another file."""
        name = TableName.parse(_new(table))
        if not self.exists(name):
            return None
        comment = self.value(
            "select comment from duckdb_tables() where schema_name = $schema "
            "and table_name = $table and database_name in (current_database(), 'stored')",
            {"schema": name.schema, "table": name.table},
        )
        noted = json.loads(str(comment)) if comment else {}
        return noted["note"] if noted.get("file") == file_id(self.file(table)) else None

    def forget_amendments(self, table: TableName) -> None:
        """Drops a table's amendments."""
        self.execute(f"drop table if exists {_gone(table)}; drop table if exists {_new(table)}")

    def _quoted_pattern(self, table: TableName) -> str:
        return "'" + self._pattern(table).replace("'", "''") + "'"

    def _pattern(self, table: TableName) -> str:
        file = self.file(table).resolve()
        return escape(str(file)) + ("/*.parquet" if file.is_dir() else "")

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
            else:  # (rows of a single file may have been amended, or the file replaced since)
                view = shown.get(f"{schema}.{table}", "")
                if self._quoted_pattern(name) not in view or not self.file(name).is_dir():
                    self.show(name)

    def keep_rows(self, table: TableName, condition: str) -> None:
        """Removes the rows that do not meet a condition from a table of parts, part by part."""
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
            unfinished(kept, file).replace(file)

    def discard(self, table: TableName) -> None:
        """Removes a table that is kept as Parquet."""
        for kind in ("view", "table"):  # (a table, where an early version made it)
            with suppress(duckdb.CatalogException):
                self.connection.execute(f"drop {kind} if exists {table.sql}")
        shutil.rmtree(self.file(table), ignore_errors=True)


def amended(table: TableName) -> tuple[TableName, TableName]:
    """The tables of a table's amendments: the row numbers that it lost, the rows that it gained."""
    return (
        TableName(table.schema, f"{table.table}_gone"),
        TableName(table.schema, f"{table.table}_new"),
    )


def _gone(table: TableName) -> str:
    return amended(table)[0].sql


def _new(table: TableName) -> str:
    return amended(table)[1].sql


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


@contextmanager
def open_warehouse(
    path: Path, *, key: RecordKey, limits: Engine | None = None, patience: float = 0
) -> Iterator[DuckDBWarehouse]:
    """As ``connect``, and closes it in the end; files made meanwhile are for their owner only."""
    with (
        owner_only(),
        closing(connect(path, key=key, limits=limits, patience=patience)) as warehouse,
    ):
        yield warehouse


def connect(
    path: Path, *, key: RecordKey, limits: Engine | None = None, patience: float = 0
) -> DuckDBWarehouse:
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
        set_up(connection, key, limits or Engine())
        warehouse = DuckDBWarehouse(connection, path.with_suffix(".files"))
        warehouse.show_files()
    except BaseException as error:
        connection.close()
        raise trouble(error, path) or error from None
    return warehouse


def _connect(path: Path, patience: float) -> duckdb.DuckDBPyConnection:
    # The newest format packs text best.
    connection = patiently(
        path,
        patience,
        lambda: duckdb.connect(str(path), config={"storage_compatibility_version": "latest"}),
    )
    shut(path)
    return connection


def patiently(path: Path, patience: float, opens: Callable[[], _T]) -> _T:
    """Opens a file that another process may have, waiting for that process a while.

    Raises:
        WarehouseHeldError: The other process still has the file.
        DamagedError: The file cannot be read.
    """
    until = time.monotonic() + patience
    while True:
        try:
            return opens()
        except duckdb.Error as error:
            known = trouble(error, path)
            if known is None:
                raise
            if not isinstance(known, WarehouseHeldError) or time.monotonic() > until:
                raise known from None
            time.sleep(_LOOK_AGAIN)


def set_up(connection: duckdb.DuckDBPyConnection, key: RecordKey, limits: Engine) -> None:
    """Sets limits, schemas and macros of a fresh connection."""
    # Results must not depend on the order of insertion, and keeping it costs memory.
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set enable_progress_bar = false")
    # A delta changes some rows in each of many tables, and writing the file rewrites the ends of
    # all of them: not after each 16 MB. (Before rows are numbered, ``make_places`` writes it.)
    connection.execute("set checkpoint_threshold = '256MB'")
    # Times are kept in UTC, wherever the machine stands, and shown as [schedule] timezone says.
    connection.execute("set global timezone = 'UTC'")
    connection.execute("set autoinstall_known_extensions = false")
    keep_to(limits, connection)
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    connection.execute(keyed_functions(key))
    for macro in macros():
        connection.execute(macro.create)
