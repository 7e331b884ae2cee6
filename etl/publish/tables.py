"""The target's tables: made where they are missing, and proven to be those of this version.

Belongs here: what can be known of a target before a row is written. Does not belong here: what is
in the tables (``etl.domain.contract``), and writing to them (``writers.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, MetaData, Table, inspect, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn, CreateSchema
from sqlalchemy.types import (
    REAL,
    Boolean,
    DateTime,
    Enum,
    Float,
    Integer,
    NullType,
    Numeric,
    String,
    Text,
    TypeEngine,
)

from etl.databases.connect import engine_for
from etl.databases.refusals import plain_errors
from etl.databases.writers import metadata_for
from etl.domain.errors import PublishError
from etl.settings import Target

_TAKES_BACK = frozenset({"postgresql", "mssql", "sqlite"})


def ensure_tables(target: Target) -> None:
    """Makes the schema and the tables that are missing.

    Raises:
        ConnectionFailedError: The target cannot be reached or refuses.
        PublishError: The target cannot hold what is published.
    """
    metadata = metadata_for(target)
    engine = engine_for(target, read_only=False)
    try:
        with plain_errors(target, "Preparing the target"), engine.begin() as connection:
            _prove_server(connection, target)
            _try_rights(connection, metadata, target)
            _make_tables(connection, metadata, target)
    finally:
        engine.dispose()


def try_tables(target: Target) -> None:
    """Tries to make the schema and the tables that are missing, and rolls that back.

    Where a product cannot roll it back (MySQL, Oracle), only the tables that exist are examined; on
    MySQL and MariaDB the rights are tried by statements that change nothing.

    Raises:
        ConnectionFailedError: The target cannot be reached or refuses.
        PublishError: The target cannot hold what is published.
    """
    metadata = metadata_for(target)
    engine = engine_for(target, read_only=False)
    try:
        with plain_errors(target, "Trying the target"), engine.connect() as connection:
            _prove_server(connection, target)
            _try_rights(connection, metadata, target)
            if connection.dialect.name in _TAKES_BACK:
                _make_tables(connection, metadata, target)
                connection.rollback()
            else:
                inspector = inspect(connection)
                there = [t for t in metadata.sorted_tables if inspector.has_table(t.name, t.schema)]
                _prove_columns(connection, there, target, to_come=True)
    finally:
        engine.dispose()


def _make_tables(connection: Connection, metadata: MetaData, target: Target) -> None:
    if metadata.schema and metadata.schema not in inspect(connection).get_schema_names():
        connection.execute(CreateSchema(metadata.schema))
    metadata.create_all(connection)
    _add_columns(connection, metadata)
    _prove_columns(connection, metadata.sorted_tables, target)
    if connection.dialect.name == "postgresql":
        _prove_rights(connection, metadata, target)


def _add_columns(connection: Connection, metadata: MetaData) -> None:
    """Adds the columns that an earlier version did not publish; in existing rows they are null."""
    inspector = inspect(connection)
    prepare = connection.dialect.identifier_preparer
    for table in metadata.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name, table.schema)}
        added = [c.name for c in table.columns if c.name not in there and c.nullable]
        for name in added:
            column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"alter table {prepare.format_table(table)} add {column}")
        if "since_at" in added:
            runs = metadata.tables[f"{table.schema}.sync_runs" if table.schema else "sync_runs"]
            began = select(runs.c.started_at).where(runs.c.run_id == table.c.since_run)
            connection.execute(update(table).values(since_at=began.scalar_subquery()))


# --- what is proven -----------------------------------------------------------------------------


def _refused(target: Target, what: str, remedy: str) -> PublishError:
    return PublishError(f"{what}; nothing was published.", where=target.shown, remedy=remedy)


_ASK_SERVER = """
select
    current_setting('server_encoding') as encoding,
    pg_is_in_recovery() as standby,
    current_setting('transaction_read_only') as read_only,
    has_database_privilege(current_database(), 'TEMPORARY') as temporary
"""


def _prove_server(connection: Connection, target: Target) -> None:
    """Refuses a PostgreSQL that cannot hold Vietnamese, or that this user cannot write."""
    if connection.dialect.name != "postgresql":
        return
    found = connection.execute(text(_ASK_SERVER)).one()
    if found.encoding != "UTF8":
        raise _refused(
            target,
            f"The target's database is in {found.encoding}, which cannot hold every Vietnamese "
            "letter",
            "Make one in UTF-8: create database … encoding 'UTF8' template template0.",
        )
    if found.standby or found.read_only == "on":
        why = "it is a standby" if found.standby else "default_transaction_read_only is on"
        raise _refused(
            target,
            f"The target may only be read: {why}",
            "Name the primary server in the URL."
            if found.standby
            else "Switch it off for this user: alter role … set default_transaction_read_only = "
            "off.",
        )
    if not found.temporary:
        raise _refused(
            target,
            "The target's user may not make temporary tables, which every sync but the first one "
            "needs",
            "As the database's owner: grant temporary on database … to this user.",
        )


_ASK_RIGHTS = """
select
    row_security_active(to_regclass(:name)) as hidden,
    has_table_privilege(to_regclass(:name), 'SELECT') as may_select,
    has_table_privilege(to_regclass(:name), 'INSERT') as may_insert,
    has_table_privilege(to_regclass(:name), 'UPDATE') as may_update,
    has_table_privilege(to_regclass(:name), 'DELETE') as may_delete
"""


def _prove_rights(connection: Connection, metadata: MetaData, target: Target) -> None:
    """Refuses tables of PostgreSQL that this user does not see whole, or may not write."""
    prepare = connection.dialect.identifier_preparer
    for table in metadata.sorted_tables:
        name = prepare.format_table(table)
        found = connection.execute(text(_ASK_RIGHTS), {"name": name}).mappings().one()
        rights = ("select", "insert", "update", "delete")
        lacking = [right.upper() for right in rights if not found[f"may_{right}"]]
        if lacking:
            raise _refused(
                target,
                f"The user lacks a right: {', '.join(lacking)} on the target's table "
                f"'{table.name}'",
                "As its owner: grant select, insert, update, delete on all tables in schema "
                f"{table.schema} to this user.",
            )
        if found["hidden"]:
            raise _refused(
                target,
                f"Row-level security hides rows of the target's table '{table.name}' from this "
                "user",
                "Give the user the attribute BYPASSRLS, or: alter table … disable row level "
                "security.",
            )


_OF_RIGHTS = frozenset({1044, 1142, 1143})
"""MySQL's errors for a missing right to a database, a table or a column; it checks rights first."""

_HARMLESS = frozenset({1050, 1054, 1060, 1072, 1146, 1364})
"""MySQL's errors that only come where no right is missing: a table exists or is missing, a column
is missing, stands twice, or has no value."""


def _try_rights(connection: Connection, metadata: MetaData, target: Target) -> None:
    """Refuses a MySQL or MariaDB where the user lacks a right that a publish needs.

    MySQL checks the rights to a statement before it checks whether it can be executed. So each of
    these statements touches no row or cannot be executed: none makes or changes a table.
    """
    if connection.dialect.name not in ("mysql", "mariadb"):
        return
    inspector, prepare = inspect(connection), connection.dialect.identifier_preparer
    there = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        name, column = prepare.format_table(table), prepare.format_column(table.columns[0])
        tried = {
            "SELECT": f"select {column} from {name} limit 0",  # noqa: S608 - names of ours
            "INSERT": f"insert into {name} ({column}) select 1 from dual where 1 = 0",  # noqa: S608
            "UPDATE": f"update {name} set {column} = 1 where 1 = 0",  # noqa: S608
            "DELETE": f"delete from {name} where 1 = 0",  # noqa: S608
        }
        if table.name not in there:
            tried["CREATE"] = f"create table {name} (a int, a int)"
            if table.indexes:
                tried["INDEX"] = f"create index a on {name} (a, a)"
        elif {c.name for c in table.columns} - {
            c["name"] for c in inspector.get_columns(table.name)
        }:
            tried["ALTER"] = f"alter table {name} add column a int, add column a int"
        lacking = [right for right, statement in tried.items() if _denied(connection, statement)]
        if lacking:
            place = prepare.quote(target.parsed.database or "")
            needed = "select, insert, update, delete, create, index, alter"
            raise _refused(
                target,
                f"The user lacks a right: {', '.join(lacking)} on the target's table "
                f"'{table.name}'",
                f"As the server's administrator: grant {needed} on {place}.* to this user.",
            )


def _denied(connection: Connection, statement: str) -> bool:
    """Says whether the user lacks the right to a statement that does nothing."""
    try:
        connection.exec_driver_sql(statement)
    except DBAPIError as error:
        code = error.orig.args[0] if error.orig and error.orig.args else None
        if code not in _OF_RIGHTS | _HARMLESS:
            raise
        return code in _OF_RIGHTS
    return False


def _prove_columns(
    connection: Connection, tables: Iterable[Table], target: Target, *, to_come: bool = False
) -> None:
    """Refuses tables whose columns somebody, or another version, has made differently.

    Args:
        connection: To the target.
        tables: Those that are there.
        target: Where they are, for the message.
        to_come: Whether columns that a sync would add may be missing.
    """
    remedy = "It is not of this version of doisoat: rename it and run again, and it is made anew."
    inspector, dialect = inspect(connection), connection.dialect
    for table in tables:
        there = {c["name"]: c["type"] for c in inspector.get_columns(table.name, table.schema)}
        lacking = [
            c.name for c in table.columns if c.name not in there and not (to_come and c.nullable)
        ]
        if lacking:
            raise _refused(
                target,
                f"The target's table '{table.name}' has no column {', '.join(lacking)}",
                remedy,
            )
        other = [
            f"{c.name} is {there[c.name].compile(dialect)} and must be {c.type.compile(dialect)}"
            for c in table.columns
            if c.name in there and not _fits(c.type, there[c.name], dialect.name)
        ]
        if other:
            raise _refused(
                target,
                f"The target's table '{table.name}' has columns of another type: "
                f"{'; '.join(other)}",
                remedy,
            )
        if dialect.name in ("mysql", "mariadb"):
            _prove_letters(connection, table, target)


def _fits(wanted: TypeEngine[Any], there: TypeEngine[Any], product: str) -> bool:
    """Says whether a column takes everything that is published to it."""
    if isinstance(there, NullType):  # SQLite: a column without a type takes anything
        return True
    if isinstance(wanted, String):
        return _holds_text(wanted, there, product)
    kind = next(kind for kind in _TAKEN_BY if isinstance(wanted, kind))
    if product != "postgresql":
        return isinstance(there, _TAKEN_BY[kind])
    # PostgreSQL's binary COPY converts nothing.
    if kind is Integer:
        return isinstance(there, Integer) and there.as_generic().__class__ is wanted.__class__
    return isinstance(there, kind) and not isinstance(there, REAL)


def _holds_text(wanted: String, there: TypeEngine[Any], product: str) -> bool:
    if not isinstance(there, String) or isinstance(there, Enum):
        return False
    if product == "sqlite" or not isinstance(there.length, int):
        return True  # SQLite takes a length for a comment
    needed = None if isinstance(wanted, Text) else wanted.length
    return needed is not None and there.length >= needed


_TAKEN_BY: dict[type[TypeEngine[Any]], tuple[type[TypeEngine[Any]], ...]] = {
    Boolean: (Boolean, Integer, Numeric),
    Integer: (Integer, Numeric),
    Float: (Float, Numeric),
    DateTime: (DateTime,),
}
"""The types that take a kind of value, in products that convert."""


_ASK_LETTERS = """
select column_name as name, character_set_name as letters
from information_schema.columns
where table_schema = coalesce(:schema, database()) and table_name = :name
    and character_set_name <> 'utf8mb4'
order by ordinal_position
"""


def _prove_letters(connection: Connection, table: Table, target: Target) -> None:
    """Refuses a table of MySQL or MariaDB whose text is not in utf8mb4."""
    asked = {"schema": table.schema, "name": table.name}
    found = connection.execute(text(_ASK_LETTERS), asked).all()
    ours = [f"{name} is in {letters}" for name, letters in found if name in table.columns]
    if ours:
        raise _refused(
            target,
            f"The target's table '{table.name}' cannot hold every letter: {', '.join(ours)}",
            f"Run: alter table {table.name} convert to character set utf8mb4. Or rename it and run "
            "again, and it is made anew.",
        )
