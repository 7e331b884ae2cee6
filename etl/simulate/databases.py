"""Tables in databases: created with a key, filled in bulk.

Belongs here: COPY through ADBC for PostgreSQL, batched inserts through SQLAlchemy for all other
databases. Does not belong here: anything about what the tables mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    URL,
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    create_engine,
    inspect,
    make_url,
)
from sqlalchemy.types import TypeEngine

_BATCH_ROWS = 10_000
_KEY_LENGTH = 32


@contextmanager
def open_database(
    url: str, name: str, schema: pa.Schema, key: str, *, replace: bool
) -> Iterator[TableSink]:
    """Creates a table and yields a sink for its rows.

    Args:
        url: SQLAlchemy URL.
        name: Name of the table.
        schema: Its columns.
        key: The column that is its primary key.
        replace: Whether a table of that name may be dropped.

    Raises:
        FileExistsError: The table is there already and `replace` is false.
    """
    address = _with_driver(make_url(url))
    engine = create_engine(address)
    try:
        table = _create(engine, name, schema, key, replace=replace)
        if address.get_backend_name() == "postgresql":
            with _postgresql_sink(address, name) as copy:
                yield copy
        else:
            with engine.connect() as connection:
                yield _InsertSink(connection, table)
    finally:
        engine.dispose()


class TableSink:
    """Somewhere that takes rows."""

    def write(self, table: pa.Table) -> None:
        """Takes some rows and makes them durable."""
        raise NotImplementedError


class _InsertSink(TableSink):
    """Inserts rows in batches, one transaction per chunk."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table

    def write(self, table: pa.Table) -> None:
        """Inserts rows."""
        insert = self._table.insert()
        for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
            self._connection.execute(insert, batch.to_pylist())
        self._connection.commit()


class _CopySink(TableSink):
    """Copies rows as binary COPY, one transaction per chunk."""

    def __init__(self, connection: Any, name: str) -> None:
        self._connection = connection
        self._name = name

    def write(self, table: pa.Table) -> None:
        """Copies rows."""
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(self._name, table, mode="append")
        self._connection.commit()


@contextmanager
def _postgresql_sink(address: URL, name: str) -> Iterator[TableSink]:
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415, only where it is needed

    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(dbapi.connect(plain)) as connection:
        yield _CopySink(connection, name)


def _with_driver(url: URL) -> URL:
    """Returns the URL with psycopg 3, the driver that is installed, where it names none."""
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _create(engine: Engine, name: str, schema: pa.Schema, key: str, *, replace: bool) -> Table:
    table = Table(
        name,
        MetaData(),
        *(Column(field.name, _type(field, key), primary_key=field.name == key) for field in schema),
    )
    if inspect(engine).has_table(name):
        if not replace:
            place = engine.url.render_as_string(hide_password=True)
            raise FileExistsError(
                f"{place} has a table {name} already; ask to replace it, or name another database"
            )
        table.drop(engine)
    table.create(engine)
    return table


def _type(field: pa.Field, key: str) -> TypeEngine[Any]:
    """Returns the column type; keys are bounded, because not every database indexes text."""
    if field.name == key:
        return String(_KEY_LENGTH)
    if pa.types.is_timestamp(field.type):
        return DateTime()
    return SmallInteger() if pa.types.is_integer(field.type) else Text()
