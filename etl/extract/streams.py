"""A register at one moment: its rows as streams of Arrow batches, counted, all columns text.

Belongs here: ADBC for PostgreSQL, DuckDB for files in a lake, streamed rows for every other
product. Does not belong here: loading (``load.py``).
"""

from __future__ import annotations

import math
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects import postgresql

from etl.databases.arrow import arrow_connection
from etl.databases.connect import POSTGRESQL_SNAPSHOT, reading, text_of_bytes
from etl.databases.refusals import explained, plain_errors
from etl.engine.opening import LakeRegister, open_lake
from etl.extract.mapping import RegisterQuery, in_duckdb, query_of_lake, register_query
from etl.process.stopping import on_stop
from etl.settings import Engine, Source

ROWS_PER_BATCH = 50_000
_BATCHES_AHEAD = 8
_END = object()
# What the driver raises itself, and what Arrow raises in its place while rows arrive.
_OF_THE_SERVER = (adbc_driver_manager.Error, pa.ArrowException, OSError)
# The driver takes the text literally, so a percent sign must not be doubled.
_POSTGRESQL = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


class Reading(ABC):
    """A register at one moment: all that is asked of it sees the same rows.

    Attributes:
        way: ``adbc``, ``files`` or ``rows``: how rows travel.
    """

    way: ClassVar[str]

    @abstractmethod
    def count(self, statement: Select[Any]) -> int:
        """Counts the rows that a statement would read."""

    @abstractmethod
    def moment(self, statement: Select[Any]) -> datetime | date | None:
        """Returns the single date or time that a statement asks for."""

    @abstractmethod
    def batches(self, statement: Select[Any]) -> Iterator[pa.RecordBatch]:
        """Streams the rows of a statement; one stream at a time."""


@contextmanager
def reading_register(
    register: str, source: Source, limits: Engine | None = None
) -> Iterator[tuple[Reading, RegisterQuery]]:
    """Opens a register: what can be asked of it, and how.

    Only one connection is open at a time: some servers would end one that waits while another
    reads, and a user may not be allowed a second one.

    Args:
        register: ``insurance`` or ``population``.
        source: Where it is, and its column mapping.
        limits: Memory and threads for files, which are read here and not by a server.

    Raises:
        ContractError: The source does not offer a required column.
        ConnectionFailedError: The source cannot be reached, or breaks off.
    """
    if source.in_lake:
        kind, path = source.parsed.get_backend_name(), source.parsed.database or ""
        what = f"Reading the {register} register"
        with open_lake(kind, path, source.shown, what, limits or Engine()) as files:
            yield Files(files), query_of_lake(files, register, source)
        return
    with reading(source, f"Connecting to the {register} register") as connection:
        query = register_query(connection, register, source)
        if connection.dialect.name != "postgresql":
            yield Rows(connection, source, register), query
            return
    found = Arrow(source, register)
    try:
        yield found, query
    finally:
        found.close()


class Files(Reading):
    """A register that lies in a lake, read as Arrow."""

    way = "files"

    def __init__(self, files: LakeRegister) -> None:
        """Reads files that are open."""
        self._files = files

    def count(self, statement: Select[Any]) -> int:
        """Counts the rows that a statement would read."""
        return int(self._files.value(f"select count(*) from ({in_duckdb(statement)}) q"))  # noqa: S608

    def moment(self, statement: Select[Any]) -> datetime | date | None:
        """Returns the single date or time that a statement asks for."""
        found = self._files.value(in_duckdb(statement))
        return found if isinstance(found, date) else None

    def batches(self, statement: Select[Any]) -> Iterator[pa.RecordBatch]:
        """Streams the rows of a statement."""
        return self._files.batches(in_duckdb(statement), ROWS_PER_BATCH)


class Rows(Reading):
    """A register read row by row, through SQLAlchemy."""

    way = "rows"

    def __init__(self, connection: Connection, source: Source, register: str) -> None:
        """Reads on a connection that began a snapshot."""
        self._connection, self._source = connection, source
        self._what = f"Reading the {register} register"

    def count(self, statement: Select[Any]) -> int:
        """Counts the rows that a statement would read."""
        return int(self._value(select(func.count()).select_from(statement.subquery("q"))))

    def moment(self, statement: Select[Any]) -> datetime | date | None:
        """Returns the single date or time that a statement asks for."""
        found = self._value(statement)
        return found if isinstance(found, date) else None

    def _value(self, statement: Select[Any]) -> Any:
        with plain_errors(self._source, self._what):
            return self._connection.execute(statement).scalar_one()

    def batches(self, statement: Select[Any]) -> Iterator[pa.RecordBatch]:
        """Streams the rows of a statement."""
        names = [column.name for column in statement.selected_columns]
        with plain_errors(self._source, self._what):
            streaming = self._connection.execution_options(yield_per=ROWS_PER_BATCH)
            for rows in streaming.execute(statement).partitions():
                columns = zip(*rows, strict=True)
                yield pa.record_batch([_text_array(column) for column in columns], names=names)


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
        # As DuckDB writes it, which turns the rows of PostgreSQL into text.
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
    """Writes a float without an exponent: an identity number may have been stored as a float."""
    if not math.isfinite(value):
        return str(value)
    if value.is_integer():
        return str(int(value))
    return format(Decimal(repr(value)), "f")


class Arrow(Reading):
    """A register of PostgreSQL, read as Arrow.

    Reading and loading overlap: a thread fetches the next batches while DuckDB takes the last
    ones, both outside Python's lock.
    """

    way = "adbc"

    def __init__(self, source: Source, register: str) -> None:
        """Connects and begins a snapshot.

        Raises:
            ConnectionFailedError: The server cannot be reached or refuses.
        """
        self._source, self._what = source, f"Reading the {register} register"
        self._connection = arrow_connection(source, self._what)
        try:
            with self._connection.cursor() as cursor:
                for statement in POSTGRESQL_SNAPSHOT:
                    cursor.execute(statement)
        except adbc_driver_manager.Error as error:
            self.close()
            raise explained(source, self._what, error) from None

    def close(self) -> None:
        """Ends the snapshot."""
        self._connection.close()

    def count(self, statement: Select[Any]) -> int:
        """Counts the rows that a statement would read."""
        return int(self._value(f"select count(*) from ({_sql(statement)}) q"))  # noqa: S608

    def moment(self, statement: Select[Any]) -> datetime | date | None:
        """Returns the single date or time that a statement asks for."""
        found = self._value(_sql(statement))
        return found if isinstance(found, date) else None

    def _value(self, query: str) -> Any:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(query)
                row = cursor.fetchone()
        except adbc_driver_manager.Error as error:
            raise explained(self._source, self._what, error) from None
        return row[0] if row else None

    def batches(self, statement: Select[Any]) -> Iterator[pa.RecordBatch]:
        """Streams the rows of a statement while a thread fetches the next ones."""
        return _ahead(self._connection, _sql(statement), self._source, self._what)


def _sql(statement: Select[Any]) -> str:
    return str(statement.compile(dialect=_POSTGRESQL, compile_kwargs={"literal_binds": True}))


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
