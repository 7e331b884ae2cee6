"""The state's tables, made and brought forward by Alembic.

Belongs here: which version the state has, and the way to this one. Does not belong here: the
changes themselves (``migrations``), and what is in the tables (``store.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from typing import TYPE_CHECKING, TextIO

from sqlalchemy import Connection, MetaData, Table, column, inspect, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema, DropTable

from etl.databases.connect import engine_for
from etl.databases.refusals import plain_errors
from etl.domain.errors import ConfigError, DoisoatError, ServerAwayError
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
    what = "Preparing the state"
    if _is_at_head(settings, what):
        return
    try:
        with _connected(settings, what, waits=True) as connection:
            _take_turn(connection)
            found = version_of(connection, settings)
            if found != HEAD:
                _migrate(connection, settings, found)
                connection.commit()
    except DoisoatError:
        # Where processes cannot take turns, another one may have stood in the way by doing the
        # same; if it has finished, all is well.
        with suppress(DoisoatError):
            if _is_at_head(settings, what):
                return
        raise


def try_to_bring_forward(settings: Settings) -> str:
    """Tries to make the state or bring it forward, and rolls that back.

    Where a product cannot roll it back, only the present version is checked.

    Returns:
        What is well, in words.

    Raises:
        ConnectionFailedError: The database cannot be reached or refuses.
        ConfigError: A newer version of doisoat wrote the state.
    """
    shown = settings.state_database.shown
    with _connected(settings, "Trying the state") as connection:
        found = version_of(connection, settings)
        if found != HEAD and connection.dialect.name in _TAKES_BACK:
            _take_turn(connection)
            found = version_of(connection, settings)
            if found != HEAD:
                _migrate(connection, settings, found)
                connection.rollback()
        if found == HEAD:
            return f"of this version, in {shown}"
        return f"will be {'brought forward' if found else 'made'} in {shown}"


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

    with _connected(settings, "Reading the state") as connection:
        found = version_of(connection, settings)
        metadata, prefix = metadata_for(settings)
        made = StringIO()
        if found == HEAD:
            return "-- The state is of this version: nothing is to be done.\n"
        versions = Table(prefix + _VERSIONS, MetaData(), schema=metadata.schema)
        if not found and inspect(connection).has_table(versions.name, schema=versions.schema):
            # A migration broke off: it made this table, which is empty, before all others.
            made.write(f"{DropTable(versions).compile(dialect=connection.dialect)};\n\n".lstrip())
        if metadata.schema and metadata.schema not in inspect(connection).get_schema_names():
            schema = CreateSchema(metadata.schema).compile(dialect=connection.dialect)
            alone = "GO\n" if connection.dialect.name == "mssql" else ""  # a batch of its own
            made.write(f"{schema};\n{alone}\n")
        _refuse_newer(found, settings)
        command.upgrade(_config(connection, settings, made), f"{found or 'base'}:head", sql=True)
        return made.getvalue()


@contextmanager
def _connected(settings: Settings, what: str, *, waits: bool = False) -> Iterator[Connection]:
    """Opens a connection to the state's database, and tells its errors in plain words."""
    database = settings.state_database
    engine = engine_for(database, read_only=False, waits=waits)
    try:
        with plain_errors(database, what), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _is_at_head(settings: Settings, what: str) -> bool:
    with _connected(settings, what) as connection:
        return version_of(connection, settings) == HEAD


_TURNS = {
    # Until the transaction ends. A transaction that looks from one moment would not see what the
    # other process has done meanwhile.
    "postgresql": (
        "set transaction isolation level read committed",
        f"select pg_advisory_xact_lock({int.from_bytes(b'doisoat')})",
    ),
    # Until the connection is closed.
    "mysql": ("select get_lock(concat('doisoat ', left(sha1(database()), 32)), 60)",),
}
_TURNS["mariadb"] = _TURNS["mysql"]


def _take_turn(connection: Connection) -> None:
    """Waits until no other process brings the state forward.

    A transaction on a SQLite file waits when it begins. Other products, and clusters that have no
    such locks, are left to ``bring_forward``.
    """
    connection.rollback()  # what was seen before may be out of date
    try:
        for statement in _TURNS.get(connection.dialect.name, ()):
            connection.execute(text(statement))
    except DBAPIError:
        connection.rollback()


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


def _refuse_newer(found: str | None, settings: Settings) -> None:
    if found and found > HEAD:
        raise ConfigError(
            "The state was written by a newer version of doisoat.",
            where=settings.state_database.shown,
            remedy="Use that version, or name another place under [state].",
        )


def _migrate(connection: Connection, settings: Settings, found: str | None) -> None:
    from alembic import command
    from alembic.util import CommandError

    _refuse_newer(found, settings)
    metadata, _ = metadata_for(settings)
    if metadata.schema and metadata.schema not in inspect(connection).get_schema_names():
        connection.execute(CreateSchema(metadata.schema))
    config = _config(connection, settings)
    try:
        command.upgrade(config, "head")
    except CommandError:  # the version is not the one that it was a moment ago
        raise ServerAwayError(
            "Another process brings the state forward at this moment.",
            where=settings.state_database.shown,
            remedy="Run again.",
        ) from None
    except BaseException:
        with suppress(Exception):
            connection.rollback()
        raise
