"""Writing registers to database tables, which are created with a key and filled in bulk.

Belongs here: refusing to overwrite tables, COPY through ADBC for PostgreSQL, and batched inserts
through SQLAlchemy for all other databases. Does not belong here: what the tables hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
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

from etl.simulate import reference
from etl.simulate.parquet import parquet_file
from etl.simulate.spec import SimulationReport, SimulationSpec
from etl.simulate.writing import KEYS, SCHEMAS, Progress, Sink, write_batches

_BATCH_ROWS = 10_000
_KEY_LENGTH = 32


def write_database(
    spec: SimulationSpec,
    insurance_url: str,
    population_url: str,
    truth: str | Path | None = None,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> SimulationReport:
    """Writes tables `insurance` and `population`, each with a primary key.

    Args:
        spec: The request.
        insurance_url: SQLAlchemy URL of the insurance register.
        population_url: SQLAlchemy URL of the population register; may be the same.
        truth: Where the truth goes: a SQLAlchemy URL (table `truth`), a `.parquet` file, or a
            directory that gets `truth.parquet`. None leaves it out.
        replace: Whether tables and files of those names may be overwritten.
        progress: Called with the number of citizens done so far.

    Raises:
        FileExistsError: A table or file exists already and `replace` is false.
        ValueError: The request cannot be met.
    """
    reference.fault_kinds(spec.fault_rates)
    urls = {"insurance": insurance_url, "population": population_url}
    if truth is not None and "://" in str(truth):
        urls["truth"] = str(truth)
    if not replace:
        _refuse_existing(urls)
    with ExitStack() as stack:
        sinks: dict[str, Sink] = {}
        if truth is not None and "truth" not in urls:
            path = Path(truth)
            path = path if path.suffix == ".parquet" else path / "truth.parquet"
            sinks["truth"] = stack.enter_context(parquet_file(path, "truth", replace=replace))
        for name, url in urls.items():
            sinks[name] = stack.enter_context(_open_table(url, name))
        return write_batches(spec, sinks, progress)


def _refuse_existing(urls: Mapping[str, str]) -> None:
    """Refuses, before anything is changed, if one of the tables exists already."""
    for name, url in urls.items():
        engine = create_engine(_with_driver(make_url(url)))
        found = inspect(engine).has_table(name)
        engine.dispose()
        if found:
            place = engine.url.render_as_string(hide_password=True)
            raise FileExistsError(
                f"{place} has a table {name} already; ask to replace it, or name another database"
            )


@contextmanager
def _open_table(url: str, name: str) -> Iterator[Sink]:
    """Creates a table, replacing one of the same name, and yields a sink for its rows."""
    address = _with_driver(make_url(url))
    engine = create_engine(address)
    try:
        table = _create(engine, name)
        if address.get_backend_name() == "postgresql":
            with _postgresql_sink(address, name) as copy:
                yield copy
        else:
            with engine.connect() as connection:
                yield _InsertSink(connection, table)
    finally:
        engine.dispose()


class _InsertSink:
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


class _CopySink:
    """Writes rows by binary COPY, one transaction per chunk."""

    def __init__(self, connection: Any, name: str) -> None:
        self._connection = connection
        self._name = name

    def write(self, table: pa.Table) -> None:
        """Copies rows."""
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(self._name, table, mode="append")
        self._connection.commit()


@contextmanager
def _postgresql_sink(address: URL, name: str) -> Iterator[Sink]:
    from adbc_driver_postgresql import dbapi

    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(dbapi.connect(plain)) as connection:
        yield _CopySink(connection, name)


def _with_driver(url: URL) -> URL:
    """Returns the URL; if it names no driver for PostgreSQL, with psycopg 3, which is installed."""
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _create(engine: Engine, name: str) -> Table:
    schema, key = SCHEMAS[name], KEYS[name]
    table = Table(
        name,
        MetaData(),
        *(Column(field.name, _type(field, key), primary_key=field.name == key) for field in schema),
    )
    table.drop(engine, checkfirst=True)
    table.create(engine)
    return table


def _type(field: pa.Field, key: str) -> TypeEngine[Any]:
    """Returns the column type; keys have a length, because not every database indexes text."""
    if field.name == key:
        return String(_KEY_LENGTH)
    if pa.types.is_timestamp(field.type):
        return DateTime()
    return SmallInteger() if pa.types.is_integer(field.type) else Text()
