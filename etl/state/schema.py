"""The state's tables, made and brought forward by Alembic.

Belongs here: which version the state has, and the way to this one. Does not belong here: the
changes themselves (``migrations``), and what is in the tables (``store.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from typing import TYPE_CHECKING, TextIO

from sqlalchemy import Connection, column, inspect, select, table
from sqlalchemy.schema import CreateSchema

from etl.databases.connect import engine_for
from etl.databases.refusals import plain_errors
from etl.domain.errors import ConfigError
from etl.settings import Settings
from etl.state.tables import metadata_for

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The version of the state that this version of doisoat reads and writes."""

_VERSIONS = "schema_version"
_TAKES_BACK = frozenset({"postgresql", "mssql"})


def bring_forward(settings: Settings) -> None:
    """Makes the state's tables, or brings those of an earlier version forward.

    Raises:
        ConnectionFailedError: The database cannot be reached or refuses.
        ConfigError: A newer version of doisoat wrote the state.
    """
    database = settings.state_database
    engine = engine_for(database, read_only=False)
    try:
        with plain_errors(database, "Preparing the state"), engine.connect() as connection:
            if version_of(connection, settings) != HEAD:
                _migrate(connection, settings)
                connection.commit()
    finally:
        engine.dispose()


def try_to_bring_forward(settings: Settings) -> str:
    """Tries to make the state or bring it forward, and rolls that back.

    Where a product cannot roll it back, only the present version is checked.

    Returns:
        What is well, in words.

    Raises:
        ConnectionFailedError: The database cannot be reached or refuses.
        ConfigError: A newer version of doisoat wrote the state.
    """
    database = settings.state_database
    engine = engine_for(database, read_only=False)
    try:
        with plain_errors(database, "Trying the state"), engine.connect() as connection:
            found = version_of(connection, settings)
            if found == HEAD:
                return f"of this version, in {database.shown}"
            if connection.dialect.name in _TAKES_BACK:
                _migrate(connection, settings)
                connection.rollback()
            return f"will be {'brought forward' if found else 'made'} in {database.shown}"
    finally:
        engine.dispose()


def version_of(connection: Connection, settings: Settings) -> str | None:
    """Returns the version of the state in a database; None where there is none."""
    metadata, prefix = metadata_for(settings)
    name = prefix + _VERSIONS
    if not inspect(connection).has_table(name, schema=metadata.schema):
        return None
    versions = table(name, column("version_num"), schema=metadata.schema)
    return connection.execute(select(versions.c.version_num)).scalar()


def statements_to_head(settings: Settings) -> str:
    """Returns the SQL that makes the state's tables, or brings those that are there forward.

    Raises:
        ConnectionFailedError: The database cannot be reached: it says which version is there.
        ConfigError: A newer version of doisoat wrote the state.
    """
    from alembic import command

    database = settings.state_database
    engine = engine_for(database, read_only=False)
    try:
        with plain_errors(database, "Reading the state"), engine.connect() as connection:
            found = version_of(connection, settings)
            metadata, _ = metadata_for(settings)
            made = StringIO()
            if found == HEAD:
                return "-- The state is of this version: nothing is to be done.\n"
            if metadata.schema and metadata.schema not in inspect(connection).get_schema_names():
                schema = CreateSchema(metadata.schema).compile(dialect=connection.dialect)
                alone = "GO\n" if connection.dialect.name == "mssql" else ""  # a batch of its own
                made.write(f"{schema};\n{alone}\n")
            config = _config(connection, settings, made)
            with _newer_refused(settings):
                command.upgrade(config, f"{found or 'base'}:head", sql=True)
            return made.getvalue()
    finally:
        engine.dispose()


def _config(connection: Connection, settings: Settings, out: TextIO | None = None) -> Config:
    from alembic.config import Config

    metadata, prefix = metadata_for(settings)
    config = Config(output_buffer=out)
    config.set_main_option("script_location", "etl.state:migrations")
    config.attributes.update(
        connection=connection,
        schema=metadata.schema,
        prefix=prefix,
        version_table=prefix + _VERSIONS,
    )
    return config


@contextmanager
def _newer_refused(settings: Settings) -> Iterator[None]:
    from alembic.util import CommandError

    try:
        yield
    except CommandError:
        raise ConfigError(
            "The state was written by a newer version of doisoat.",
            where=settings.state_database.shown,
            remedy="Use that version, or name another place under [state].",
        ) from None


def _migrate(connection: Connection, settings: Settings) -> None:
    from alembic import command

    metadata, _ = metadata_for(settings)
    if metadata.schema and metadata.schema not in inspect(connection).get_schema_names():
        connection.execute(CreateSchema(metadata.schema))
    config = _config(connection, settings)
    with _newer_refused(settings):
        try:
            command.upgrade(config, "head")
        except BaseException:
            with suppress(Exception):
                connection.rollback()
            raise
