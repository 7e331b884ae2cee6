"""The column mapping: from the contract to a SELECT over the source's own columns.

Belongs here: reflection, what is missing and how it is said. Does not belong here: running the
SELECT (``streams.py``).
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from sqlalchemy import (
    NVARCHAR,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Select,
    Table,
    Text,
    case,
    cast,
    func,
    inspect,
    literal_column,
    null,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects import oracle
from sqlalchemy.dialects.mysql import BIT
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import Boolean, Date, DateTime, Enum, Integer, NullType, String, TypeEngine

from etl.contract import REGISTERS, SourceColumn
from etl.errors import ConfigError, ContractError
from etl.extract.connect import plain_errors
from etl.settings import Source

_IDENTIFIER = re.compile(r"\w+", re.UNICODE)

# What travels as it is; everything else is turned into text by the source itself.
_NATIVE: tuple[type[TypeEngine[object]], ...] = (String, Integer, Boolean, Date, DateTime)  # type: ignore[assignment]

# What each product can turn anything into: SQL Server's plain text knows no Vietnamese, and
# Oracle casts nothing to its unbounded one.
_TEXT_OF: dict[str, TypeEngine[str]] = {
    "mssql": NVARCHAR(),
    "oracle": oracle.VARCHAR2(4000),
}


def register_select(connection: Connection, register: str, source: Source) -> Select[Any]:
    """Builds the SELECT that offers a register as the contract wants it.

    Args:
        connection: To the source, for reflection.
        register: ``insurance`` or ``population``.
        source: Where it is, and its column mapping.

    Returns:
        A SELECT with every contract column, in the contract's order, null where not offered.

    Raises:
        ContractError: There is no such table, or a required column is missing.
        ConfigError: The mapping names a contract column that does not exist.
    """
    _check_mapping(register, source, REGISTERS[register])
    origin = _origin(connection, register, source)
    return select_from(origin, register, source, connection.dialect.name)


def select_from(origin: FromClause, register: str, source: Source, product: str) -> Select[Any]:
    """Builds the SELECT over a table, view or query that is known.

    Args:
        origin: The table, with its columns.
        register: ``insurance`` or ``population``.
        source: The column mapping.
        product: SQLAlchemy's name of the database product.

    Raises:
        ContractError: A required column is missing.
    """
    contract = REGISTERS[register]
    columns: list[ColumnElement[Any]] = []
    missing: list[str] = []
    for column in contract:
        found = _column(origin, column, source)
        if found is None and (column.required or column.name in source.columns):
            missing.append(f"{column.name} ({column.meaning})")
        columns.append((null() if found is None else _as_text(found, product)).label(column.name))
    if missing:
        raise ContractError(
            f"The {register} register does not offer: {'; '.join(missing)}. "
            f"Its columns are: {', '.join(c.name for c in origin.columns)}.",
            where=source.table or "query",
            remedy=f"Map each to a column or SQL expression under [{register}.columns] in the "
            "configuration.",
        )
    return select(*columns).select_from(origin)


def _check_mapping(register: str, source: Source, contract: tuple[SourceColumn, ...]) -> None:
    known = [column.name for column in contract]
    for name in source.columns:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ConfigError(
                f"[{register}.columns] maps '{name}', which is no column of the contract{hint}",
                remedy=f"The contract has: {', '.join(known)}.",
            )


def _origin(connection: Connection, register: str, source: Source) -> FromClause:
    if source.query is not None:
        return _query_origin(connection, register, source)
    schema, _, name = (source.table or "").rpartition(".")
    try:
        return Table(name, MetaData(), schema=schema or None, autoload_with=connection)
    except NoSuchTableError:
        inspector = inspect(connection)
        there = inspector.get_table_names(schema or None) + inspector.get_view_names(schema or None)
        raise ContractError(
            f"The {register} register has no table or view '{source.table}'. "
            f"There are: {', '.join(sorted(there)) or 'none that this user may see'}.",
            where=source.shown,
            remedy=f"Set 'table' under [{register}] in the configuration.",
        ) from None


def _query_origin(connection: Connection, register: str, source: Source) -> FromClause:
    """A SELECT as origin: its columns are learnt by asking for none of its rows."""
    # A colon is the database's own (a time format, a cast), never the name of a parameter.
    query = (source.query or "").strip().rstrip(";").replace(":", "\\:")
    with plain_errors(source, f"Reading the columns of the {register} query"):
        names = list(connection.execute(text(f"select * from ({query}) q where 1 = 0")).keys())  # noqa: S608
    return text(query).columns(*(literal_column(name).label(name) for name in names)).subquery("q")


def _column(origin: FromClause, column: SourceColumn, source: Source) -> ColumnElement[Any] | None:
    wanted = source.columns.get(column.name, column.name)
    by_name = {c.name: c for c in origin.columns}
    folded = {c.name.lower(): c for c in origin.columns}
    if wanted in by_name:
        return by_name[wanted]
    if wanted.lower() in folded:
        return folded[wanted.lower()]
    if _IDENTIFIER.fullmatch(wanted):
        return None
    return literal_column(f"({wanted})")


def _as_text(column: ColumnElement[Any], product: str) -> ColumnElement[Any]:
    """Asks for a column as it is where it travels well, and else as the source's own text."""
    kind = column.type
    if product == "sqlite":
        # A column of SQLite holds anything, whatever its type says: no value is interpreted
        # but true and false, which SQLite keeps as 1 and 0.
        return (
            _sqlite_flag(column) if isinstance(kind, Boolean) else type_coerce(column, NullType())
        )
    if isinstance(kind, BIT):
        return type_coerce(column, Integer()) + literal_column("0")
    if isinstance(kind, DateTime) and kind.timezone and product == "postgresql":
        return cast(func.timezone("UTC", column), Text) + "+00"
    if isinstance(kind, _NATIVE) and not isinstance(kind, Enum):
        return column
    return cast(column, _TEXT_OF.get(product, Text()))


def _sqlite_flag(column: ColumnElement[Any]) -> ColumnElement[Any]:
    plain = type_coerce(column, NullType())
    words = case((plain == 1, "true"), (plain == 0, "false"), else_=plain)
    return type_coerce(words, NullType())
