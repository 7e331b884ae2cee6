"""Writing registers to database tables, which are created with a key and filled in bulk.

Belongs here: refusing to overwrite tables, COPY through ADBC for PostgreSQL, and batched inserts
through SQLAlchemy for all other databases. Does not belong here: what the tables hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_manager
import pyarrow as pa
from pydantic import SecretStr
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    inspect,
)
from sqlalchemy.types import TypeEngine

from etl.databases.arrow import arrow_connection
from etl.databases.connect import engine_for
from etl.databases.refusals import explained, plain_errors
from etl.settings import Database
from etl.simulate import reference
from etl.simulate.parquet import parquet_file, refuse_existing_files
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
        ValueError: The request cannot be met, or an URL is none.
        ConfigError: An URL cannot be used, or the file cannot be written.
        ConnectionFailedError: A database cannot be reached or refuses.
    """
    reference.fault_kinds(spec.fault_rates)
    urls = {"insurance": insurance_url, "population": population_url}
    if truth is not None and "://" in str(truth):
        urls["truth"] = str(truth)
    databases = {name: Database(url=SecretStr(url)) for name, url in urls.items()}
    if not replace:
        _refuse_existing(databases)
    with ExitStack() as stack:
        sinks: dict[str, Sink] = {}
        if truth is not None and "truth" not in urls:
            path = Path(truth)
            path = path if path.suffix == ".parquet" else path / "truth.parquet"
            if not replace:
                refuse_existing_files([path])
            sinks["truth"] = stack.enter_context(parquet_file(path, "truth"))
        for name, database in databases.items():
            sinks[name] = stack.enter_context(_open_table(database, name))
        return write_batches(spec, sinks, progress)


def _refuse_existing(databases: Mapping[str, Database]) -> None:
    """Refuses, before anything is changed, if one of the tables exists already."""
    for name, database in databases.items():
        engine = engine_for(database, read_only=False)
        with plain_errors(database, f"Looking for the table {name}"):
            found = inspect(engine).has_table(name)
        engine.dispose()
        if found:
            raise FileExistsError(
                f"{database.shown} has a table {name} already; ask to replace it, or name another "
                "database"
            )


@contextmanager
def _open_table(database: Database, name: str) -> Iterator[Sink]:
    """Creates a table, replacing one of the same name, and yields a sink for its rows.

    Each sink tells its own errors: those of another one pass through here, too.
    """
    engine = engine_for(database, read_only=False)
    try:
        with plain_errors(database, f"Making the table {name}"):
            table = _create(engine, name)
        if database.parsed.get_backend_name() == "postgresql":
            with closing(arrow_connection(database, _writing(name))) as connection:
                yield _CopySink(connection, database, name)
        else:
            with ExitStack() as stack:
                with plain_errors(database, _writing(name)):
                    opened = stack.enter_context(engine.connect())
                yield _InsertSink(opened, database, table)
    finally:
        engine.dispose()


def _writing(name: str) -> str:
    return f"Writing the table {name}"


class _InsertSink:
    """Inserts rows in batches, one transaction per chunk."""

    def __init__(self, connection: Connection, database: Database, table: Table) -> None:
        self._connection = connection
        self._database = database
        self._table = table

    def write(self, table: pa.Table) -> None:
        """Inserts rows."""
        insert = self._table.insert()
        with plain_errors(self._database, _writing(self._table.name)):
            for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
                self._connection.execute(insert, batch.to_pylist())
            self._connection.commit()


class _CopySink:
    """Writes rows by binary COPY, one transaction per chunk."""

    def __init__(self, connection: Any, database: Database, name: str) -> None:
        self._connection = connection
        self._database = database
        self._name = name

    def write(self, table: pa.Table) -> None:
        """Copies rows."""
        try:
            with self._connection.cursor() as cursor:
                cursor.adbc_ingest(self._name, table, mode="append")
            self._connection.commit()
        except adbc_driver_manager.Error as error:
            raise explained(self._database, _writing(self._name), error) from None


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
