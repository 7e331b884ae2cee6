"""What every engine can do: the one interface that the rest of doisoat uses.

Belongs here: the promises of the interface, and what every engine does alike because it works on
files. Does not belong here: what is special to one engine (its folder).

Statements are written in DuckDB's dialect of SQL; an engine that speaks another translates them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from etl.engine.statements import TableName
from etl.process.files import could_not_open
from etl.process.home import make_room, set_aside

FILE_ID = "file_id"
"""The key under which a Parquet file carries its id, by which its amendments refer to it."""

MANY_PARTS = 100
"""If one table has more small parts than that, they are merged."""
_LARGE_PART = 100_000  # rows

Parameters = Mapping[str, object]
"""Values of a statement's ``$names``."""


class Warehouse(ABC):
    """Tables by schema and name, and the statements that make and read them.

    Attributes:
        files: The folder of the tables that are kept as Parquet: a file each, or a folder of parts.
        FAILED: What the engine raises.
        MISSING: What it raises where a table or a column that a statement names is not there.
        ENGINE: The name by which ``[engine] name`` chooses it.
        NO_PARTS: Why it cannot build tables in part, as a message to whoever asked for a delta;
            empty where it can.
    """

    FAILED: ClassVar[tuple[type[Exception], ...]] = ()
    MISSING: ClassVar[tuple[type[Exception], ...]] = ()
    ENGINE: ClassVar[str] = ""
    NO_PARTS: ClassVar[str] = ""

    files: Path

    # --- statements ---------------------------------------------------------------------------

    @abstractmethod
    def close(self) -> None:
        """Writes what is still in memory, and lets go of the warehouse."""

    @abstractmethod
    def execute(self, statement: str, parameters: Parameters | None = None) -> None:
        """Runs a statement, or several, that have no result."""

    @abstractmethod
    def arrow(self, query: str, parameters: Parameters | None = None) -> pa.Table:
        """Returns a result as an Arrow table."""

    @abstractmethod
    def batches(self, query: str, rows_per_batch: int = 100_000) -> pa.RecordBatchReader:
        """Returns a result as a stream of Arrow batches."""

    @abstractmethod
    def rows(self, query: str, parameters: Parameters | None = None) -> list[dict[str, object]]:
        """Returns the rows of a small result as dictionaries."""

    @abstractmethod
    def value(self, query: str, parameters: Parameters | None = None) -> object:
        """Returns the single value of a query, or None where there is no row."""

    def number(self, query: str, parameters: Parameters | None = None) -> int:
        """Returns the single whole number of a query; 0 where it is null or there is no row."""
        found = self.value(query, parameters)
        return int(str(found)) if found is not None else 0

    def count(self, table: TableName) -> int:
        """Returns the number of rows of a table."""
        return self.number(f"select count(*) from {table.sql}")  # noqa: S608

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Makes the statements within all happen, or none."""

    @abstractmethod
    def lending(
        self, name: str, data: pa.Table | pa.RecordBatchReader
    ) -> AbstractContextManager[None]:
        """Lets statements read Arrow data under a name for a while."""

    @abstractmethod
    def in_file(self, file: Path) -> str:
        """Returns SQL for the rows of a Parquet file that is no table."""

    # --- tables -------------------------------------------------------------------------------

    @abstractmethod
    def leave(self, file: Path, tables: Mapping[TableName, str]) -> None:
        """Writes the results of queries into a new file of a warehouse.

        Args:
            file: The file; it is there when all of it is written, or not at all.
            tables: The tables that it gets, in this order, and the query of each. A query may read
                those before it under ``leaving.<schema>.<table>``.
        """

    @abstractmethod
    def build(self, table: TableName, query: str, *, rows_at_work: int = 0) -> int:
        """Replaces a table by the result of a query.

        Args:
            table: The table.
            query: What it holds.
            rows_at_work: How many wide rows the query holds at once. Where they would not fit into
                memory, the table is built piece by piece: ``in_slice`` in the query names the key
                by which it is divided.

        Returns:
            The number of rows of the new table.
        """

    @abstractmethod
    def show_part(self, table: TableName, query: str) -> None:
        """Makes ``build_part`` see only some rows of a table.

        Args:
            table: The table.
            query: The rows that are seen, asked of whole tables.
        """

    @abstractmethod
    def show_whole(self, tables: Iterable[TableName] | None = None) -> None:
        """Makes ``build_part`` see all rows of some tables again, or of every table."""

    @abstractmethod
    def build_part(self, table: TableName, query: str, reads: Iterable[TableName]) -> int:
        """Builds some rows of a table; from then on ``build_part`` sees only these of it.

        Args:
            table: The table.
            query: Its statement.
            reads: The tables that the statement reads.

        Returns:
            How many rows were built.
        """

    @abstractmethod
    def replace_rows(self, table: TableName, condition: str) -> int:
        """Replaces the rows of a table that meet a condition by those that were built last.

        Returns:
            How many rows the table lost and gained in all.
        """

    @abstractmethod
    def built_rows(self, table: TableName) -> str:
        """Returns the rows of a table that ``build_part`` built last, as SQL; empty where none."""

    @abstractmethod
    def forget_built_rows(self, table: TableName) -> None:
        """Gives back the memory of those rows, as soon as no statement is shown them."""

    @abstractmethod
    def exists(self, table: TableName) -> bool:
        """Says whether a table is there."""

    @abstractmethod
    def sizes(self) -> dict[TableName, int]:
        """Returns how many bytes on disk each table takes, those kept as Parquet, too."""

    @abstractmethod
    def columns(self, table: TableName) -> list[tuple[str, str]]:
        """Returns name and type of each column, in order."""

    def load(self, table: TableName, data: pa.Table | pa.RecordBatchReader) -> None:
        """Replaces a table by Arrow data, streaming where the data streams."""
        with self.lending("incoming", data):
            self.build(table, "select * from incoming")

    def append(self, table: TableName, data: pa.Table) -> None:
        """Appends Arrow data to a table, by column name; makes the table where it is missing."""
        if not self.exists(table):
            self.load(table, data)
            return
        with self.lending("incoming", data):
            self.execute(
                f"insert into {table.sql} by name select * from incoming"  # noqa: S608
            )

    @abstractmethod
    def copy_from(self, file: Path, tables: Iterable[TableName]) -> None:
        """Adds the rows that tables have in another warehouse's file, in the columns of both.

        Raises:
            DamagedError: The file cannot be read.
        """

    # --- one row of many ----------------------------------------------------------------------

    @abstractmethod
    def make_places(
        self,
        places: TableName,
        keys: Mapping[TableName, str],
        amended: Mapping[TableName, int],
    ) -> int:
        """Makes a table by which ``focus`` finds rows.

        Args:
            places: Its name.
            keys: Tables, and for each the SQL expression of its key.
            amended: Tables that have only lost and gained rows since this was last called, and at
                most how many they have gained.

        Returns:
            How many rows can be found.
        """

    @abstractmethod
    def show_beside(self, name: str, path: Path) -> None:
        """Shows the tables of another warehouse's file under ``<name>.<schema>.<table>``."""

    @abstractmethod
    def can_focus(self, places: TableName) -> bool:
        """Says whether rows can be found by a table that ``make_places`` made."""

    @abstractmethod
    def focus(self, places: TableName, tables: Iterable[TableName], *values: str) -> None:
        """Shows of some tables only the rows that have one of some values as their key.

        An engine may show more, so the statements that follow must themselves say which rows they
        mean. To be called only where ``can_focus`` is true.
        """

    # --- tables that are kept as Parquet ------------------------------------------------------

    @abstractmethod
    def show(self, table: TableName) -> None:
        """Makes a table's Parquet readable under the table's name.

        A table that is a single file gets one more column, ``row_number``: the place of the row in
        the file, from 0.
        """

    @abstractmethod
    def amend(self, table: TableName, *, gone: str, new: str, note: str) -> None:
        """Changes rows of a table that is a single Parquet file; the file stays as it is.

        Rows that stay keep their ``row_number``, and no number is given to two rows. It is part of
        the surrounding transaction.

        Args:
            table: The table.
            gone: A query of the numbers of the rows that the table loses.
            new: A query of rows to add: all columns; ``row_number`` is that of a row that is gone
                and comes back otherwise, or null.
            note: What ``amendments`` is to return about the table as it is afterwards.
        """

    @abstractmethod
    def amendments(self, table: TableName) -> tuple[int, str]:
        """Returns how many rows ``amend`` has taken out of a table's file, and the last note."""

    @abstractmethod
    def amended_rows(self, table: TableName) -> str:
        """Returns SQL for the rows of a table that are not in its file."""

    @abstractmethod
    def forget_amendments(self, table: TableName) -> None:
        """Drops a table's amendments, after its file was replaced; for another file none count."""

    @abstractmethod
    def show_files(self) -> None:
        """Makes every Parquet table readable; the folder may have been moved since."""

    @abstractmethod
    def discard(self, table: TableName) -> None:
        """Removes a table that is kept as Parquet."""

    @abstractmethod
    def keep_rows(self, table: TableName, condition: str) -> None:
        """Removes the rows that do not meet a condition from a table of parts, part by part."""

    @abstractmethod
    def as_text(self, values: pa.Array) -> pa.Array:
        """Writes values of any plain type as text, as the engine does."""

    def file(self, table: TableName) -> Path:
        """Returns the Parquet file, or the folder of parts, of a table that is kept as Parquet."""
        return self.files / f"{table.schema}.{table.table}.parquet"

    def kept(self, table: TableName) -> bool:
        """Says whether a table is kept as Parquet: a file, or a folder with a part in it at least.

        A folder without a part does not count: a process may have died before it wrote the first
        part, or while it merged parts.
        """
        file = self.file(table)
        return any(file.glob("*.parquet")) if file.is_dir() else file.exists()

    def add_part(self, table: TableName, data: pa.Table) -> None:
        """Adds rows to a table that is kept as a folder of parts.

        It takes a quarter of the work of an insert and needs no connection, so threads may call
        it. A part is there whole or not at all.
        """
        make_room(self.files, folder=True)
        make_room(self.file(table), folder=True)
        self.file(table).mkdir(parents=True, exist_ok=True)
        # (An engine may expect all parts to be like the first one, so an empty part must sort
        # last.)
        part = self.file(table) / f"{'' if data.num_rows else 'x'}{uuid4().hex}.parquet"
        unfinished(data, part).replace(part)

    def set_damaged_parts_aside(self, table: TableName) -> bool:
        """Moves away parts that do not begin and end as Parquet does; the table loses their rows.

        Returns:
            Whether there was one.
        """
        found = False
        for part in sorted(self.file(table).glob("*.parquet")):
            try:
                pq.read_metadata(part)
            except (pa.ArrowException, OSError) as error:
                if could_not_open(error):
                    raise
                set_aside(part)
                found = True
        return found

    def merge_parts(self, table: TableName) -> None:
        """Merges many small parts into one, because each part must be opened to be read.

        A process that dies meanwhile may lose rows but never duplicates any: these tables hold only
        what can be computed again.
        """
        folder = self.file(table)
        for leftover in folder.glob("*.unfinished"):  # of a process that died
            leftover.unlink()
        parts = list(folder.glob("*.parquet"))
        if len(parts) <= MANY_PARTS:
            return
        small = [part for part in parts if pq.read_metadata(part).num_rows < _LARGE_PART]
        if len(small) <= MANY_PARTS:  # a national register has more large ones than that
            return
        merged = unfinished(pa.concat_tables(map(pq.read_table, small)), small[0])
        for part in small:
            part.unlink()
        merged.replace(small[0])

    def spread(
        self, table: TableName, query: str, make: Callable[[pa.Array], pa.Table]
    ) -> int | None:
        """Has other machines apply a function to strings, and adds its rows to a table of parts.

        Args:
            table: The table.
            query: Distinct strings: one column.
            make: Makes the rows of some strings; it is sent to the machines that have these.

        Returns:
            How many strings there were; None if nothing was done, because this machine does it just
            as well.
        """
        del table, query, make
        return None

    # --- other libraries ----------------------------------------------------------------------

    @abstractmethod
    def for_great_expectations(self) -> AbstractContextManager[str]:
        """Lends the tables to Great Expectations, and gives the SQLAlchemy URL of them."""

    @abstractmethod
    def for_splink(self) -> Any:
        """Returns the tables as Splink reads them."""


def file_id(file: Path) -> str:
    """Returns an id that differs between a Parquet file and any other that took its place."""
    metadata = pq.read_metadata(file)
    known = (metadata.metadata or {}).get(FILE_ID.encode(), b"")
    return known.decode() or f"{metadata.num_rows} rows"


def unfinished(data: pa.Table, file: Path) -> Path:
    """Writes a Parquet file beside the place where it will stand, to be put there when whole."""
    beside = file.with_suffix(".unfinished")
    # Packing text would take longer than writing it; columns of few distinct values stay small.
    pq.write_table(data, beside, compression="none", use_dictionary=True)
    return beside
