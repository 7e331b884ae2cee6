"""Registers that lie in a lake, as Parquet files or a Delta or Iceberg table, asked by DuckDB.

Belongs here: one state of the files, and what their errors mean. Does not belong here: which files
there are (``lake_files.py``), and what is asked of them (``etl/extract``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import duckdb
import pyarrow as pa

from etl.domain.errors import (
    ConfigError,
    ConnectionFailedError,
    DoisoatError,
    ServerAwayError,
    installing,
)
from etl.engine.duckdb.iceberg import IcebergTable
from etl.engine.duckdb.lake_files import Listing, listing, refuse_lossy
from etl.engine.duckdb.limits import keep_to
from etl.process.privacy import WITHHELD
from etl.process.stopping import on_stop
from etl.settings import Engine

_SETTINGS = (
    # Without this, what does not fit into memory would be written to the current folder.
    "set temp_directory = ''",
    "set preserve_insertion_order = false",
    "set timezone = 'UTC'",
    "set autoinstall_known_extensions = false",
    "set enable_progress_bar = false",
)


class LakeRegister:
    """The rows of a register that lies in files, at one moment.

    Attributes:
        VIEW: The name under which they are asked for.
    """

    VIEW: ClassVar[str] = "register"

    def __init__(self, shown: str, what: str, limits: Engine) -> None:
        """Opens nothing yet.

        Args:
            shown: Where it is, for messages.
            what: What is done with it, for messages.
            limits: Memory and threads.
        """
        self._shown, self._what = shown, what
        self._path, self._listing = "", Listing(Path(), {})
        self._failure: Callable[[], DoisoatError | None] = lambda: None
        self._connection = duckdb.connect()
        for setting in _SETTINGS:
            self._connection.execute(setting)
        keep_to(limits, self._connection)

    def close(self) -> None:
        """Lets go of the files."""
        self._connection.close()

    def show_parquet(self, path: str) -> None:
        """Shows the rows of Parquet files.

        Args:
            path: A file, a folder, or a pattern of either.

        Raises:
            ConnectionFailedError: There are none, or they cannot be read.
            ConfigError: They belong to a table, or some of their folders name other columns.
            ContractError: They keep a column in types that do not go together.
        """
        with self._plain():
            # (Resolved here, so that a link that is changed meanwhile has no effect.)
            self._path = path = os.path.realpath(path)
            self._listing = found = listing(path)
            if not found.marks:
                raise ConnectionFailedError(
                    f"{self._what}: no Parquet file is there.",
                    where=path,
                    remedy="Name a folder with files that end in .parquet, or files of other names "
                    "by a pattern (folder/*); relative paths start at the configuration file's "
                    "folder.",
                )
            listed = f"[{', '.join(_quoted(str(file)) for file in found.marks)}]"
            schemas = self._connection.execute(
                "select file_name, name, duckdb_type, num_children "  # noqa: S608
                f"from parquet_schema({listed}) order by file_name, column_id"
            ).fetchall()
            refuse_lossy(schemas, self._shown)
            partitions = found.partitions()
            # A column that a file lacks is null there; a folder k=01 gives the text 01.
            rows = (
                f"from read_parquet({listed}, union_by_name = true, hive_types_autocast = false, "
                f"hive_partitioning = {bool(partitions)})"
            )
            if above := found.folders_above() - partitions if partitions else ():
                columns = {str(name).lower() for _, name, *_ in schemas}
                rows = self._without(rows, above, columns)
            self._show(rows)

    def _without(self, rows: str, above: Iterable[str], columns: set[str]) -> str:
        """Leaves out the columns that DuckDB takes from folders above the register."""
        if taken := sorted(name for name in above if name.lower() in columns):
            raise ConfigError(
                f"{self._what}: a folder above it ({taken[0]}=…) would be taken for the column "
                f"'{taken[0]}' of its files.",
                where=self._shown,
                remedy="Move the register, or mount it, to a path without such a folder.",
            )
        named = ", ".join(_name(name) for name in sorted(above))
        return f"from (select * exclude ({named}) {rows})"

    def show_delta(self, path: str) -> None:
        """Shows the rows of a Delta table as its log has them at this moment.

        Raises:
            ConfigError: The package that reads it is not installed, or cannot read its path.
            ConnectionFailedError: There is no such table, or it cannot be read.
        """
        try:
            from deltalake import DeltaTable
            from deltalake.exceptions import DeltaError, TableNotFoundError
        except ModuleNotFoundError:
            raise ConfigError(
                "The package that reads Delta tables is not installed.",
                where=self._shown,
                remedy=installing("lake"),
            ) from None
        path = os.path.realpath(path)
        if unquote(path) != path:
            raise ConfigError(
                f"{self._what}: the package 'deltalake' takes %20 and the like in a path for "
                "other letters.",
                where=path,
                remedy="Rename the folder.",
            )
        try:
            table = DeltaTable(path)
            self._connection.register("delta_rows", _Rescanned(table.scan))
        except (TableNotFoundError, DeltaError, OSError) as error:
            none = isinstance(error, TableNotFoundError)
            raise ConnectionFailedError(
                f"{self._what}: no Delta table is there."
                if none
                else f"{self._what}: the Delta table cannot be read ({type(error).__name__}).",
                where=path,
                remedy="Name the folder that holds _delta_log; relative paths start at the "
                "configuration file's folder."
                if none
                else "This user must be able to read its folder; the table may need more than this "
                "version of the package 'deltalake' knows.",
            ) from None
        with self._plain():
            self._show("from delta_rows")

    def show_iceberg(self, path: str) -> None:
        """Shows the rows of an Iceberg table as one of its metadata files has them.

        Raises:
            DoisoatError: As ``IcebergTable`` does.
        """
        table = IcebergTable(os.path.realpath(path), self._what)
        self._failure = table.failure
        self._connection.register("iceberg_rows", _Rescanned(table.rows))
        with self._plain():
            self._show("from iceberg_rows")

    def _show(self, rows: str) -> None:
        """Makes the view; times with nanoseconds are cut to microseconds.

        DuckDB cannot compare times with nanoseconds with moments, and nobody needs these digits.
        """
        names = [name for name, kind in self._columns(rows) if kind == "TIMESTAMP_NS"]
        named = [_name(name) for name in names]
        cut = [f"{name}::timestamp as {name}" for name in named]
        replaced = f"select * replace ({', '.join(cut)}) {rows}" if cut else rows
        self._connection.execute(f"create or replace temp view {self.VIEW} as {replaced}")

    def columns(self, query: str) -> list[tuple[str, str]]:
        """Returns name and type of each column of a query, which is bound and not run."""
        with self._plain():
            return self._columns(query)

    def _columns(self, query: str) -> list[tuple[str, str]]:
        bound = self._connection.sql(query)
        return [(name, str(kind)) for name, kind in zip(bound.columns, bound.types, strict=True)]

    def value(self, query: str) -> Any:
        """Returns the single value of a query."""
        with self._plain(), on_stop(self._connection.interrupt):
            row = self._connection.execute(query).fetchone()
        return row[0] if row else None

    def batches(self, query: str, rows_per_batch: int) -> Iterator[pa.RecordBatch]:
        """Streams the rows of a query.

        Raises:
            ServerAwayError: Somebody has changed the files meanwhile.
        """
        with self._plain(), on_stop(self._connection.interrupt):
            yield from self._connection.execute(query).to_arrow_reader(rows_per_batch)
            self._refuse_changed()

    def _refuse_changed(self) -> None:
        """Refuses files that came, went or were written since they were listed."""
        if self._path:
            before, now = self._listing.marks, listing(self._path).marks
            if changed := next(iter(dict(before.items() ^ now.items())), None):
                raise self._changed(changed)

    def _changed(self, file: Path) -> ServerAwayError:
        return ServerAwayError(
            f"{self._what}: somebody changed its files while they were read.",
            where=str(file),
            remedy="Run again when they are written; best is a writer that makes another folder "
            "each time, or a Delta table.",
        )

    @contextmanager
    def _plain(self) -> Iterator[None]:
        """Turns errors of DuckDB and of files into what happened, where, and what to do.

        The words of the original error are dropped: they may quote values.
        """
        try:
            yield
        except FileNotFoundError as error:  # since they were listed
            raise self._changed(Path(str(error.filename))) from None
        except OSError as error:
            raise self._unreadable(str(error.filename or self._shown)) from None
        except (duckdb.Error, pa.ArrowException) as error:
            self._look_again()
            raise self._failure() or self._meant(error) from None

    def _look_again(self) -> None:
        """Checks whether an error comes from files that have changed since they were listed."""
        try:
            self._refuse_changed()
        except OSError as error:
            raise self._changed(Path(str(error.filename or self._path))) from None

    def _meant(self, error: BaseException) -> DoisoatError:
        words = str(error)
        named = next((str(file) for file in self._listing.marks if str(file) in words), "")
        of_a_file = named or "arrow_scan" in words
        if isinstance(error, _OF_THE_SQL) or (
            isinstance(error, duckdb.InvalidInputException) and not of_a_file
        ):
            return ConnectionFailedError(
                f"{self._what}: DuckDB, which reads the files, does not understand an SQL "
                "expression of the mapping, or it does not fit a value.",
                where=self._shown,
                remedy="Try each expression under [insurance.columns] or [population.columns], and "
                f"'query', by hand in DuckDB; a query reads the rows 'from {self.VIEW}'.",
            )
        if isinstance(error, duckdb.OutOfMemoryException):
            return ConfigError(
                f"{self._what}: what the mapping or 'query' asks does not fit into memory.",
                where=self._shown,
                remedy="Ask for less: a query that only filters rows needs little.",
            )
        return self._unreadable(named or self._shown, type(error).__name__)

    def _unreadable(self, where: str, kind: str = "") -> ConnectionFailedError:
        told = f" DuckDB reported {kind}; {WITHHELD}." if kind else ""
        if not self._path:
            return ServerAwayError(
                f"{self._what}: a file of it cannot be read, or is there no longer.{told}",
                where=where,
                remedy="Run again. Whoever deletes old files of a table (vacuum, expired "
                "snapshots) must keep those of its last versions for as long as somebody reads "
                "them; where a file of the newest version is lost, the table must be restored.",
            )
        return ConnectionFailedError(
            f"{self._what}: a file of it cannot be read.{told}",
            where=where,
            remedy="It must be Parquet that is whole, and this user must be able to read it; of a "
            "folder, to list it, too.",
        )


_OF_THE_SQL = (
    duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException,
    duckdb.SyntaxException, duckdb.ConversionException, duckdb.OutOfRangeException,
    duckdb.TypeMismatchException, duckdb.NotImplementedException,
)  # fmt: skip


class _Rescanned:
    """Arrow data that is scanned again for each reader: a query may name it twice."""

    def __init__(self, scan: Callable[[], Any]) -> None:
        self._scan = scan

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        rows = pa.RecordBatchReader.from_stream(self._scan())
        known = pa.schema([field.with_type(_not_a_view(field.type)) for field in rows.schema])
        return rows.cast(known).__arrow_c_stream__(requested_schema)


def _not_a_view(kind: pa.DataType) -> pa.DataType:
    """The type without views: DuckDB has Arrow filter the rows, which Arrow cannot do by a view."""
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(_not_a_view(kind.value_type))
    return kind


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + re.sub(r"([*?\[])", r"[\1]", text).replace("'", "''") + "'"


@contextmanager
def open_lake(
    kind: str, path: str, shown: str, what: str, limits: Engine
) -> Iterator[LakeRegister]:
    """Opens a register that lies in a lake, for reading.

    Args:
        kind: ``parquet``, ``delta`` or ``iceberg``.
        path: A folder, a file, or a pattern of either; of a table, its folder.
        shown: Where it is, for messages.
        what: What is done with it, for messages.
        limits: Memory and threads.

    Raises:
        ConnectionFailedError: It is not there or cannot be read.
        ConfigError: It is of another kind, or the package that reads it is not installed.
    """
    with closing(LakeRegister(shown, what, limits)) as found:
        show = {
            "parquet": found.show_parquet,
            "delta": found.show_delta,
            "iceberg": found.show_iceberg,
        }
        show[kind](path)
        yield found
