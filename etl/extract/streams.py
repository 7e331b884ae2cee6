"""Streams of Arrow batches out of a source, all columns text.

Belongs here: ADBC for PostgreSQL, streamed rows for every other product. Does not belong here:
loading (``load.py``).
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects import postgresql

from etl.databases.arrow import arrow_connection
from etl.databases.connect import POSTGRESQL_SNAPSHOT, text_of_bytes
from etl.databases.refusals import explained, plain_errors
from etl.process.stopping import on_stop
from etl.settings import Source

ROWS_PER_BATCH = 50_000
_BATCHES_AHEAD = 8
_END = object()
# What the driver raises when asked; and while rows arrive, when Arrow stands between.
_OF_THE_SERVER = (adbc_driver_manager.Error, pa.ArrowException, OSError)
# The driver takes the text as it is: a percent sign must not be doubled.
_POSTGRESQL = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


def row_stream(
    connection: Connection, statement: Select[Any], source: Source, register: str
) -> tuple[int, Iterator[pa.RecordBatch]]:
    """Counts the rows and streams them, both from one snapshot, through SQLAlchemy.

    Returns:
        The number of rows in the snapshot, and the batches.
    """
    count = row_count(connection, statement, source, register)
    names = [column.name for column in statement.selected_columns]

    def batches() -> Iterator[pa.RecordBatch]:
        with plain_errors(source, f"Reading the {register} register"):
            streaming = connection.execution_options(yield_per=ROWS_PER_BATCH)
            for rows in streaming.execute(statement).partitions():
                columns = zip(*rows, strict=True)
                yield pa.record_batch([_text_array(column) for column in columns], names=names)

    return count, batches()


def row_count(connection: Connection, statement: Select[Any], source: Source, register: str) -> int:
    """Counts the rows that a statement would read, through SQLAlchemy."""
    with plain_errors(source, f"Reading the {register} register"):
        counted = connection.execute(select(func.count()).select_from(statement.subquery("q")))
        return int(counted.scalar_one())


def _text_array(values: tuple[Any, ...]) -> pa.Array:
    """Turns a column of a batch into text; most columns are text already."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str | None:
    """Writes one value as text, dates the ISO way; only for columns that are not text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        # As DuckDB writes it, by which the rows of PostgreSQL become text.
        whole = value.isoformat(sep=" ")
        return whole.rstrip("0") if value.microsecond and not value.tzinfo else whole
    if isinstance(value, date):
        return value.isoformat()
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return text_of_bytes(value)
    return _digits(value) if isinstance(value, float) else str(value)


def _digits(value: float) -> str:
    """Writes a number without an exponent: a number of a person may have been kept as one."""
    if not math.isfinite(value):
        return str(value)
    if value.is_integer():
        return str(int(value))
    return format(Decimal(repr(value)), "f")


def adbc_stream(
    statement: Select[Any], source: Source, register: str
) -> tuple[int, Iterator[pa.RecordBatch]]:
    """Counts the rows of PostgreSQL and streams them as Arrow, both from one snapshot.

    Reading and loading overlap: a thread fetches the next batches while DuckDB takes the last
    ones, both outside Python's lock.

    Returns:
        The number of rows in the snapshot, and the batches.
    """
    query, what = _sql(statement), f"Reading the {register} register"
    connection, count = _snapshot(query, source, what)
    return count, _ahead(connection, query, source, what)


def adbc_count(statement: Select[Any], source: Source, register: str) -> int:
    """Counts the rows of PostgreSQL on a connection as that which reads them."""
    connection, count = _snapshot(_sql(statement), source, f"Reading the {register} register")
    connection.close()
    return count


def _sql(statement: Select[Any]) -> str:
    return str(statement.compile(dialect=_POSTGRESQL, compile_kwargs={"literal_binds": True}))


def _snapshot(query: str, source: Source, what: str) -> tuple[adbc.Connection, int]:
    """Connects, begins a snapshot and counts a query's rows in it."""
    connection = arrow_connection(source, what)
    try:
        with connection.cursor() as cursor:
            for statement in POSTGRESQL_SNAPSHOT:
                cursor.execute(statement)
            cursor.execute(f"select count(*) from ({query}) q")  # noqa: S608
            return connection, int(cursor.fetchone()[0])
    except adbc_driver_manager.Error as error:
        connection.close()
        raise explained(source, what, error) from None


def _ahead(
    connection: adbc.Connection, query: str, source: Source, what: str
) -> Iterator[pa.RecordBatch]:
    """Yields the batches of a query while a thread fetches the next ones."""
    ahead: queue.Queue[object] = queue.Queue(_BATCHES_AHEAD)
    stop = threading.Event()
    thread = threading.Thread(target=_fetch, args=(connection, query, ahead, stop), daemon=True)
    thread.start()
    try:
        with on_stop(connection.adbc_cancel):
            while (item := ahead.get()) is not _END:
                if isinstance(item, _OF_THE_SERVER):
                    raise explained(source, what, item) from None
                if isinstance(item, BaseException):
                    raise item
                yield item
    finally:
        stop.set()
        thread.join(timeout=30)
        connection.close()


def _fetch(
    connection: adbc.Connection, query: str, into: queue.Queue[object], stop: threading.Event
) -> None:
    """Puts a query's batches into a queue, then its end, or the error that broke it off."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            for batch in cursor.fetch_record_batch():
                _put(into, batch, stop)
                if stop.is_set():
                    return
        _put(into, _END, stop)
    except BaseException as error:
        _put(into, error, stop)


def _put(into: queue.Queue[object], item: object, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            into.put(item, timeout=0.2)
        except queue.Full:
            continue
        return
