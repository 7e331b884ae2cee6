"""How each database product is read back and written: Arrow for PostgreSQL, rows for the others.

Belongs here: what differs by product when publishing. Does not belong here: what is published
(``differences.py``) and when it is committed (``transaction.py``).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import adbc_driver_manager
import pyarrow as pa
from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from typing_extensions import override

from etl.databases.arrow import arrow_connection
from etl.databases.connect import engine_for
from etl.databases.refusals import explained, plain_errors, sqlstate
from etl.domain.contract import target_metadata
from etl.domain.errors import PublishError
from etl.process.stopping import committing, on_stop
from etl.settings import Database, Target

if TYPE_CHECKING:
    import adbc_driver_postgresql.dbapi as adbc  # which loads pandas

_ROWS_PER_BATCH = 5_000
_OF_A_DATABASE = (adbc_driver_manager.Error, DBAPIError, pa.ArrowException, OSError)
"""What a driver raises while rows arrive, or Arrow in its place."""
_WITH_SCHEMAS = frozenset({"postgresql", "mssql"})


def metadata_for(target: Target) -> MetaData:
    """Returns the target's tables, in its schema where the product has schemas."""
    has_schemas = target.parsed.get_backend_name() in _WITH_SCHEMAS
    return target_metadata(target.schema_name if has_schemas else None)


class Writer(ABC):
    """One open transaction on the target.

    Attributes:
        broke_off: The error that broke off a stream of ``read``. Whoever pulls the stream sees only
            what Arrow makes of it.
        cut_off: The error that broke off a stream of rows for the database, of which a driver in
            another language sees only the words.
    """

    broke_off: Exception | None = None
    cut_off: Exception | None = None

    def _watched(
        self, rows: pa.RecordBatchReader, *, is_given: bool = False
    ) -> pa.RecordBatchReader:
        """Notes the error that breaks off a stream of the database's rows, or of rows for it."""

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                yield from rows
            except Exception as error:
                if is_given:
                    self.cut_off = error
                elif isinstance(error, _OF_A_DATABASE):
                    self.broke_off = error
                raise

        return pa.RecordBatchReader.from_batches(rows.schema, batches())

    @abstractmethod
    def read(self, table: Table, columns: list[str], where: Any = None) -> pa.RecordBatchReader:
        """Streams columns of a published table, as it is inside this transaction.

        Args:
            table: The table.
            columns: Names of its columns.
            where: The rows to read, as a condition of SQLAlchemy; all where it is None.
        """

    def hold_still(self) -> None:  # noqa: B027 - most products do so by themselves
        """Makes all reads of this transaction see one moment; to be called before the first one."""

    @abstractmethod
    def insert(self, table: Table, rows: pa.RecordBatchReader) -> None:
        """Adds rows; the stream's column names are the table's."""

    @abstractmethod
    def update(self, table: Table, rows: pa.RecordBatchReader) -> None:
        """Sets the stream's columns where the table's primary key is the stream's."""

    @abstractmethod
    def delete(self, table: Table, keys: pa.RecordBatchReader) -> None:
        """Removes the rows of the given primary keys."""

    @abstractmethod
    def delete_where(self, table: Table, where: Any = None) -> None:
        """Removes rows.

        Args:
            table: The table.
            where: Which, as a condition of SQLAlchemy; all where it is None.
        """

    @abstractmethod
    def first(
        self, table: Table, order: Any, most: int, wanted: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        """Returns the first rows in some order.

        Args:
            table: The table.
            order: The order, as an expression of SQLAlchemy.
            most: How many.
            wanted: Which rows, as conditions of SQLAlchemy.
        """

    @abstractmethod
    def increase(self, table: Table, column: str, where: Any) -> int:
        """Adds one to a column of some rows, and returns how many rows.

        Args:
            table: The table.
            column: Its column of whole numbers.
            where: Which rows, as a condition of SQLAlchemy.
        """

    def delete_run(self, table: Table, run_id: str) -> None:
        """Removes what an earlier try of the same run left in a history table."""
        self.delete_where(table, table.c.run_id == run_id)

    @abstractmethod
    def count(self, table: Table) -> int:
        """Counts the rows, as they are inside this transaction."""


def key_columns(table: Table) -> list[str]:
    """Returns the names of the primary key's columns."""
    return [column.name for column in table.primary_key.columns]


class RowWriter(Writer):
    """Any product that SQLAlchemy reaches, by batches of rows."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @override
    def read(self, table: Table, columns: list[str], where: Any = None) -> pa.RecordBatchReader:
        schema = pa.schema([(name, _arrow_type(table, name)) for name in columns])

        def batches() -> Iterator[pa.RecordBatch]:
            statement = _selected(table, columns, where)
            # Set for this statement only: on the connection, it would apply to later ones, too.
            options = {"yield_per": _ROWS_PER_BATCH}
            found = self.connection.execute(statement, execution_options=options)
            for rows in found.partitions():
                arrays = [
                    _array(column, field.type)
                    for column, field in zip(zip(*rows, strict=True), schema, strict=True)
                ]
                yield pa.record_batch(arrays, schema=schema)

        return self._watched(pa.RecordBatchReader.from_batches(schema, batches()))

    def _many(self, statement: Any, rows: pa.RecordBatchReader, rename: dict[str, str]) -> None:
        for batch in rows:
            for start in range(0, batch.num_rows, _ROWS_PER_BATCH):
                values = batch.slice(start, _ROWS_PER_BATCH).to_pylist()
                if rename:
                    values = [{rename.get(k, k): v for k, v in row.items()} for row in values]
                self.connection.execute(statement, values)

    @override
    def insert(self, table: Table, rows: pa.RecordBatchReader) -> None:
        self._many(insert(table), rows, {})

    def _matching(self, table: Table) -> tuple[Any, dict[str, str]]:
        keys = key_columns(table)
        matches = and_(*(table.c[key] == bindparam(f"key_{key}") for key in keys))
        return matches, {key: f"key_{key}" for key in keys}

    @override
    def update(self, table: Table, rows: pa.RecordBatchReader) -> None:
        matches, rename = self._matching(table)
        changed = [name for name in rows.schema.names if name not in rename]
        statement = update(table).where(matches).values({name: bindparam(name) for name in changed})
        self._many(statement, rows, rename)

    @override
    def delete(self, table: Table, keys: pa.RecordBatchReader) -> None:
        matches, rename = self._matching(table)
        self._many(delete(table).where(matches), keys, rename)

    @override
    def delete_where(self, table: Table, where: Any = None) -> None:
        self.connection.execute(_deleting(table, where))

    @override
    def first(
        self, table: Table, order: Any, most: int, wanted: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        found = self.connection.execute(_first(table, order, most, wanted))
        return [dict(row) for row in found.mappings()]

    @override
    def increase(self, table: Table, column: str, where: Any) -> int:
        return int(self.connection.execute(_increasing(table, column, where)).rowcount)

    @override
    def count(self, table: Table) -> int:
        return int(self.connection.execute(select(func.count()).select_from(table)).scalar_one())


def _deleting(table: Table, where: Any) -> Any:
    return delete(table) if where is None else delete(table).where(where)


def _first(table: Table, order: Any, most: int, wanted: Sequence[Any]) -> Any:
    return select(table).where(*wanted).order_by(order).limit(most)


def _increasing(table: Table, column: str, where: Any) -> Any:
    return update(table).where(where).values({column: table.c[column] + 1})


def _selected(table: Table, columns: list[str], where: Any) -> Any:
    statement = select(*(table.c[name] for name in columns))
    return statement if where is None else statement.where(where)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Values of one column. SQLite stores any type anywhere: one of another type is an error."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        if pa.types.is_string(kind):
            return pa.array([None if v is None else str(v) for v in values], kind)
        odd = math.nan if pa.types.is_floating(kind) else None
        fits = float if pa.types.is_floating(kind) else int
        return pa.array(
            [v if v is None or isinstance(v, (fits, int)) else odd for v in values], kind
        )


def _arrow_type(table: Table, name: str) -> pa.DataType:
    kind = table.c[name].type.python_type
    return _ARROW_TYPES.get(kind, pa.string())


_ARROW_TYPES = {
    int: pa.int64(),
    bool: pa.bool_(),
    float: pa.float64(),
    datetime: pa.timestamp("us"),
}


class ArrowWriter(Writer):
    """PostgreSQL, by COPY of Arrow batches on one ADBC connection."""

    def __init__(self, connection: adbc.Connection) -> None:
        self.connection = connection
        self._reading: adbc.Cursor | None = None

    @override
    def hold_still(self) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")

    @override
    def read(self, table: Table, columns: list[str], where: Any = None) -> pa.RecordBatchReader:
        # A stream ends when its cursor is let go, so the cursor is kept until the next read.
        if self._reading is not None:
            self._reading.close()
        self._reading = self.connection.cursor()
        self._reading.execute(_sql(_selected(table, columns, where)))
        return self._watched(self._reading.fetch_record_batch())

    @override
    def insert(self, table: Table, rows: pa.RecordBatchReader) -> None:
        with self.connection.cursor() as cursor:
            cursor.adbc_ingest(
                table.name,
                self._watched(rows, is_given=True),
                mode="append",
                db_schema_name=table.schema,
            )

    def _stage(self, cursor: adbc.Cursor, table: Table, rows: pa.RecordBatchReader) -> Table:
        name = f"doisoat_staged_{table.name}"
        cursor.execute(f"drop table if exists pg_temp.{name}")
        cursor.adbc_ingest(name, self._watched(rows, is_given=True), mode="create", temporary=True)
        return Table(name, MetaData(), *(c._copy() for c in table.columns))

    @override
    def update(self, table: Table, rows: pa.RecordBatchReader) -> None:
        changed = [name for name in rows.schema.names if name not in key_columns(table)]
        with self.connection.cursor() as cursor:
            staged = self._stage(cursor, table, rows)
            matches = and_(*(table.c[key] == staged.c[key] for key in key_columns(table)))
            statement = update(table).where(matches)
            cursor.execute(_sql(statement.values({name: staged.c[name] for name in changed})))
            cursor.execute(f"drop table pg_temp.{staged.name}")

    @override
    def delete(self, table: Table, keys: pa.RecordBatchReader) -> None:
        with self.connection.cursor() as cursor:
            staged = self._stage(cursor, table, keys)
            matches = and_(*(table.c[key] == staged.c[key] for key in key_columns(table)))
            cursor.execute(_sql(delete(table).where(matches)))
            cursor.execute(f"drop table pg_temp.{staged.name}")

    @override
    def delete_where(self, table: Table, where: Any = None) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(_sql(_deleting(table, where)))

    @override
    def first(
        self, table: Table, order: Any, most: int, wanted: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        with self.connection.cursor() as cursor:
            cursor.execute(_sql(_first(table, order, most, wanted)))
            found: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
            return found

    @override
    def increase(self, table: Table, column: str, where: Any) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(_sql(_increasing(table, column, where)))
            return int(cursor.rowcount)

    @override
    def count(self, table: Table) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(_sql(select(func.count()).select_from(table)))
            return int(cursor.fetchone()[0])


_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def _sql(statement: Any) -> str:
    return str(statement.compile(dialect=_POSTGRESQL, compile_kwargs={"literal_binds": True}))


@contextmanager
def transaction(
    target: Database, what: str = "Publishing", *, publishes: bool = True
) -> Iterator[Writer]:
    """Opens one transaction: others see all of it, or nothing.

    Args:
        target: The database that is written to.
        what: What is done, for messages.
        publishes: Whether its commit publishes the result, or only writes the state.

    Raises:
        ConnectionFailedError: The database cannot be reached, refuses, or breaks off; it is as it
            was before.
        PublishError: It refused a row.
    """
    opened = _arrow_transaction if target.parsed.get_backend_name() == "postgresql" else _rows
    with opened(target, what, publishes) as writer:
        try:
            yield writer
        except Exception:
            if writer.cut_off is not None:
                raise writer.cut_off from None
            if (first := writer.broke_off) is not None:
                raise explained(target, what, getattr(first, "orig", None) or first) from None
            raise


@contextmanager
def _arrow_transaction(target: Database, what: str, publishes: bool) -> Iterator[Writer]:
    connection = arrow_connection(target, what)
    try:
        with connection.cursor() as cursor:
            cursor.execute("set local row_security = off")  # makes hidden rows an error
        with on_stop(connection.adbc_cancel):  # else the server may go on waiting for a lock
            yield ArrowWriter(connection)
        with committing(publishes=publishes):
            connection.commit()
    except adbc_driver_manager.Error as error:
        raise _refused(target, what, error) from None
    finally:
        connection.close()


@contextmanager
def _rows(target: Database, what: str, publishes: bool) -> Iterator[Writer]:
    engine = engine_for(target, read_only=False)
    try:
        with plain_errors(target, what):
            try:
                with engine.connect() as connection, connection.begin() as begun:
                    with on_stop(partial(_cancel, connection)):
                        yield RowWriter(connection)
                    with committing(publishes=publishes):
                        begun.commit()
            except (IntegrityError, DataError) as error:
                raise _row_refused(target, sqlstate(error.orig or error)) from None
    finally:
        engine.dispose()


def _cancel(connection: Connection) -> None:
    """Cancels a server's work for a process that is about to end, where the driver can."""
    driver = connection.connection.driver_connection
    for name in ("cancel_safe", "cancel", "interrupt"):  # psycopg, Oracle and SQL Server, SQLite
        if cancel := getattr(driver, name, None):
            cancel()
            return


def _refused(target: Database, what: str, error: adbc_driver_manager.Error) -> Exception:
    """A row or statement that the server refused, or a server that went away."""
    state = sqlstate(error)
    if state.startswith(("22", "23")):
        return _row_refused(target, state)
    return explained(target, what, error)


def _row_refused(target: Database, state: str) -> PublishError:
    shown = f" (SQLSTATE {state})" if state else ""
    return PublishError(
        f"The target refused a row{shown}; it is as it was before.",
        where=target.shown,
        remedy="Look in the database server's own log for the table and constraint; the "
        "target's tables must be those of this version of doisoat.",
    )
