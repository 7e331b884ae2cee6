"""The column mapping: from the contract to a SELECT over the source's own columns.

Belongs here: reflection, what is missing and how it is said. Does not belong here: running the
SELECT (``streams.py``).
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Select,
    Table,
    Text,
    cast,
    inspect,
    literal_column,
    null,
    select,
    text,
)
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import Boolean, Date, DateTime, Integer, String, TypeEngine

from etl.contract import REGISTERS, SourceColumn
from etl.errors import ConfigError, ContractError
from etl.extract.connect import plain_errors
from etl.settings import Source

_IDENTIFIER = re.compile(r"\w+", re.UNICODE)

# What travels as it is; everything else is turned into text by the source itself.
_NATIVE: tuple[type[TypeEngine[object]], ...] = (String, Integer, Boolean, Date, DateTime)  # type: ignore[assignment]


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
    contract = REGISTERS[register]
    _check_mapping(register, source, contract)
    origin = _origin(connection, register, source)
    columns: list[ColumnElement[Any]] = []
    missing: list[str] = []
    for column in contract:
        found = _column(origin, column, source)
        if found is None and (column.required or column.name in source.columns):
            missing.append(f"{column.name} ({column.meaning})")
        columns.append((null() if found is None else _as_text(found)).label(column.name))
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
    query = (source.query or "").strip().rstrip(";")
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
    return cast(literal_column(f"({wanted})"), Text)


def _as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, _NATIVE):
        return column
    return cast(column, Text)
