"""The column mapping: from the contract to a SELECT over the source's own columns.

Belongs here: reflection, and what to say of missing columns. Does not belong here: running the
SELECT (``streams.py``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import (
    NVARCHAR,
    ColumnClause,
    ColumnElement,
    Connection,
    CursorResult,
    FromClause,
    Inspector,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    inspect,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy import column as named_column
from sqlalchemy import table as named_table
from sqlalchemy.dialects import oracle, postgresql
from sqlalchemy.dialects.mssql import DATETIMEOFFSET
from sqlalchemy.dialects.mysql import BIT
from sqlalchemy.types import (
    BINARY,
    TIMESTAMP,
    VARBINARY,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    NullType,
    Numeric,
    String,
    TypeEngine,
)

from etl.databases.refusals import plain_errors
from etl.databases.sql import bare_sql
from etl.domain.contract import CHANGED_AT, KEYS, REGISTERS, SourceColumn
from etl.domain.errors import ConfigError, ContractError
from etl.engine.opening import LakeRegister
from etl.settings import Source

_IDENTIFIER = re.compile(r"\w+", re.UNICODE)

# Types that are transferred as they are; the source itself turns all others into text.
_NATIVE: tuple[type[TypeEngine[object]], ...] = (String, Integer, Boolean, Date, DateTime)  # type: ignore[assignment]

_BYTES = (LargeBinary, BINARY, VARBINARY)
# Products in which bytes as text would be hex digits or Chinese. MySQL takes them for UTF-8, and
# SQLite stores text as bytes if a program bound it so.
_NO_BYTES = frozenset({"postgresql", "mssql", "oracle", "duckdb"})

# The type of text to which each product can cast anything: SQL Server's plain text cannot hold
# Vietnamese, and Oracle casts nothing to its unbounded type.
_TEXT_OF: dict[str, TypeEngine[str]] = {
    "mssql": NVARCHAR(),
    "oracle": oracle.VARCHAR2(4000),
}


@dataclass(frozen=True, slots=True)
class RegisterQuery:
    """How a register is asked.

    Attributes:
        statement: The SELECT with every contract column, in the contract's order.
        key: The expression of the key in it, as text or a whole number.
        changed_at: The source's own column that says when a row was last changed; None where there
            is none that is a date or a time.
        tombstones: The SELECT of the keys of deleted rows, and when each was deleted; None where
            the register keeps none.
    """

    statement: Select[Any]
    key: ColumnElement[Any]
    changed_at: ColumnElement[Any] | None
    tombstones: Select[Any] | None = None

    @property
    def keys(self) -> Select[Any]:
        """The keys of all rows, as often as there are rows."""
        return self.statement.with_only_columns(self.key.label(_KEY))

    @property
    def keys_and_times(self) -> Select[Any]:
        """The keys of all rows, and when each was changed, as the contract's columns have it."""
        changed_at = self.statement.selected_columns[CHANGED_AT]
        return self.statement.with_only_columns(self.key.label(_KEY), changed_at)

    def changed_since(self, since: datetime) -> Select[Any]:
        """All rows of each key of which one was changed since a moment, or at an unknown time.

        A key may stand in several rows; all rows of a key are replaced together. Those without a
        key (``without_key``) are not among them: one condition for both would have PostgreSQL seek
        each row of the register in a list of keys.

        Args:
            since: In the zone of the source's column, with a zone where the column has one.
        """
        assert self.changed_at is not None  # noqa: S101 - asked for by its callers
        changed = or_(_compared(self.changed_at, ">=", since), self.changed_at.is_(None))
        keys = self.keys.where(changed).subquery("changed")
        given = select(keys.c[_KEY]).where(keys.c[_KEY].is_not(None))
        return self.statement.where(self.key.in_(given))

    @property
    def without_key(self) -> Select[Any]:
        """The rows without a key."""
        return self.statement.where(self.key.is_(None))

    def of_keys_in(self, keys: list[str]) -> Select[Any]:
        """The rows of some keys."""
        values = [int(k) for k in keys] if isinstance(self.key.type, Integer) else keys
        return self.statement.where(self.key.in_(values))

    @property
    def newest_change(self) -> Select[Any]:
        """The newest time of change, even in the future: only to see whether it has changed."""
        return self.statement.with_only_columns(func.max(self.changed_at))

    def last_change(self, now: datetime) -> Select[Any]:
        """When a row was changed last, as the source says; times in the future are ignored.

        Args:
            now: By this machine's clock, as ``changed_since`` takes moments.
        """
        assert self.changed_at is not None  # noqa: S101 - asked for by its callers
        return self.statement.with_only_columns(func.max(self.changed_at)).where(
            _compared(self.changed_at, "<=", now), self.changed_at <= func.current_timestamp()
        )

    def deleted_since(self, since: datetime) -> Select[Any]:
        """The keys of rows that were deleted since a moment, or at an unknown time."""
        assert self.tombstones is not None  # noqa: S101 - asked for by its callers
        key, deleted_at = (column.element for column in self.tombstones.selected_columns)
        asked = self.tombstones.with_only_columns(key.label(_KEY))
        if not isinstance(deleted_at.type, (Date, DateTime)):
            return asked
        return asked.where(or_(_compared(deleted_at, ">=", since), deleted_at.is_(None)))


def _compared(column: ColumnElement[Any], how: str, moment: datetime) -> ColumnElement[bool]:
    """Compares a column with a moment, as a date or in UTC as the column keeps it."""
    value: datetime | date = moment
    if not isinstance(column.type, DateTime):
        value = moment.date()
    elif not column.type.timezone:
        value = (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)
    elif moment.tzinfo is None:
        value = moment.replace(tzinfo=UTC)
    return column.op(how, is_comparison=True)(literal(value, column.type))


_KEY = "row_key"


def register_query(connection: Connection, register: str, source: Source) -> RegisterQuery:
    """Builds the SELECT of a register's contract columns, and the queries that a delta needs.

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
    origin, product = _origin(connection, register, source), connection.dialect.name
    kinds = _kinds_of_expressions(connection, origin, register, source)
    deleted = source.delta.deleted
    setting = f"{register}.delta.deleted"
    gone = _query_origin(connection, source, deleted, setting) if deleted else None
    return _register_query(origin, gone, register, source, product, kinds)


def query_of_lake(files: LakeRegister, register: str, source: Source) -> RegisterQuery:
    """Builds what ``register_query`` does, for a register that lies in a lake.

    Args:
        files: The register, opened.
        register: ``insurance`` or ``population``.
        source: Where it is, and its column mapping.

    Raises:
        ContractError: A required column is missing.
        ConfigError: The mapping names a contract column that does not exist.
    """
    _check_mapping(register, source, REGISTERS[register])
    if source.query is None:
        found = files.columns(f"from {files.VIEW}")
        origin: FromClause = named_table(files.VIEW, *(named_column(n, _kind(k)) for n, k in found))
    else:
        origin = _lake_origin(files, source.query, f"{register}.query")
    columns = ((c.name, _column(origin, c, source, "duckdb")) for c in REGISTERS[register])
    asked = {name: c for name, c in columns if c is not None and isinstance(c.type, NullType)}
    kinds: dict[str, TypeEngine[Any]] = {}
    if asked:
        told = files.columns(in_duckdb(select(*asked.values()).select_from(origin)))
        kinds = {name: _kind(kind) for name, (_, kind) in zip(asked, told, strict=True)}
    deleted = source.delta.deleted
    gone = _lake_origin(files, deleted, f"{register}.delta.deleted") if deleted else None
    return _register_query(origin, gone, register, source, "duckdb", kinds)


def in_duckdb(statement: Select[Any]) -> str:
    """Writes a statement in DuckDB's dialect, which for these statements is PostgreSQL's."""
    return str(statement.compile(dialect=_DUCKDB, compile_kwargs={"literal_binds": True}))


_DUCKDB = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


def _lake_origin(files: LakeRegister, written: str, setting: str) -> FromClause:
    """A SELECT over the files as origin."""
    query = bare_sql(written, "duckdb", setting)
    columns = [named_column(name, _kind(kind)) for name, kind in files.columns(query)]
    return text(query.replace(":", "\\:")).columns(*columns).subquery("q")


def _kind(kind: str) -> TypeEngine[Any]:
    """The type of a column of files; columns of any other type are read as text."""
    if kind.startswith("DECIMAL("):
        return Numeric()
    return _DUCKDB_TYPES.get(kind, NullType())


_DUCKDB_TYPES: dict[str, TypeEngine[Any]] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), Integer()),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), Integer()),
    **dict.fromkeys(("FLOAT", "DOUBLE"), Float()),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"), DateTime()),
    "TIMESTAMP WITH TIME ZONE": DateTime(timezone=True),
    "VARCHAR": String(), "BOOLEAN": Boolean(), "DATE": Date(), "BLOB": LargeBinary(),
}  # fmt: skip


def _register_query(
    origin: FromClause,
    gone: FromClause | None,
    register: str,
    source: Source,
    product: str,
    kinds: Mapping[str, TypeEngine[Any]],
) -> RegisterQuery:
    """Builds the queries of a register whose columns are known."""
    statement = select_from(origin, register, source, product, kinds)
    key = statement.selected_columns[KEYS[register]]
    changed_at = _own(origin, register, CHANGED_AT, source, product, kinds)
    if changed_at is not None and not _is_moment(changed_at.type, product):
        changed_at = None
    tombstones = None if gone is None else _tombstones(gone, register, source, product)
    return RegisterQuery(statement, key.element, changed_at, tombstones)


def _tombstones(origin: FromClause, register: str, source: Source, product: str) -> Select[Any]:
    """The SELECT of deleted keys, over the query that the configuration has for them.

    Raises:
        ContractError: It has not two columns.
    """
    columns = list(origin.columns)
    if len(columns) != 2:
        raise ContractError(
            f"The query of [{register}.delta] deleted gives {len(columns)} columns.",
            where=source.shown,
            remedy="It must give two: the key of a deleted row, and when it was deleted.",
        )
    key = _as_text(columns[0], product)
    return select(key.label(_KEY), columns[1].label("deleted_at")).select_from(origin)


def _is_moment(kind: TypeEngine[Any], product: str) -> bool:
    # (SQLite stores any value in any column, so a declared date or time says nothing. For moments
    # with a zone, the drivers of SQL Server and Oracle lose or confuse the zone.)
    zoned = isinstance(kind, (TIMESTAMP, DATETIMEOFFSET)) and product in ("mssql", "oracle")
    return isinstance(kind, (Date, DateTime)) and product != "sqlite" and not zoned


def _own(
    origin: FromClause,
    register: str,
    name: str,
    source: Source,
    product: str,
    kinds: Mapping[str, TypeEngine[Any]],
) -> ColumnElement[Any] | None:
    """A contract column as the source has it, with its type where the server names it."""
    (column,) = (column for column in REGISTERS[register] if column.name == name)
    found = _column(origin, column, source, product)
    kind = kinds.get(name)
    return found if found is None or kind is None else type_coerce(found, kind)


def select_from(
    origin: FromClause,
    register: str,
    source: Source,
    product: str,
    kinds: Mapping[str, TypeEngine[Any]] | None = None,
) -> Select[Any]:
    """Builds the SELECT over a table, view or query that is known.

    Args:
        origin: The table, with its columns.
        register: ``insurance`` or ``population``.
        source: The column mapping.
        product: SQLAlchemy's name of the database product.
        kinds: Contract column -> type, of the columns that are an expression, where the server
            names it.

    Raises:
        ContractError: A required column is missing.
    """
    contract = REGISTERS[register]
    columns: list[ColumnElement[Any]] = []
    missing: list[str] = []
    for column in contract:
        found = _column(origin, column, source, product)
        if found is not None and (kind := (kinds or {}).get(column.name)) is not None:
            found = type_coerce(found, kind)
        if found is not None and product in _NO_BYTES and isinstance(found.type, _BYTES):
            raise _bytes_refused(register, column.name, source, product)
        if found is None and (column.required or column.name in source.columns):
            missing.append(f"{column.name} ({column.meaning})")
        columns.append((null() if found is None else _as_text(found, product)).label(column.name))
    if missing:
        raise ContractError(
            f"The {register} register does not offer: {'; '.join(missing)}. "
            f"Its columns are: {', '.join(c.name for c in origin.columns)}.",
            where=source.asked,
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


def _bytes_refused(register: str, name: str, source: Source, product: str) -> ContractError:
    reads = "decode(column)" if product == "duckdb" else "convert_from(column, 'UTF8')"
    where = "a lake" if product == "duckdb" else "PostgreSQL"
    return ContractError(
        f"The {register} register keeps '{name}' as bytes, and does not say of which encoding.",
        where=source.asked,
        remedy=f"Map it under [{register}.columns] to an SQL expression that makes text of it; in "
        f'{where}: {name} = "{reads}".',
    )


def _origin(connection: Connection, register: str, source: Source) -> FromClause:
    if source.query is not None:
        return _query_origin(connection, source, source.query, f"{register}.query")
    inspector, written = inspect(connection), source.table or ""
    # Some servers refuse a question about a schema that is not there.
    schemas = inspector.get_schema_names() if "." in written else []
    for named, name in _readings(written):
        schema = named and (_the_one(named, schemas) or named)
        if schema and schema not in schemas and connection.dialect.name not in _SEVERAL_DATABASES:
            continue
        there = inspector.has_table(name, schema)
        found = name if there else _of_other_case(inspector, schema, name)
        if found is not None:
            # Only the columns are reflected: a foreign key may lead to a table that this user
            # cannot see.
            columns = _columns(connection, inspector, found, schema)
            return named_table(found, *columns, schema=schema)
    raise ContractError(
        f"The {register} register has no table or view '{written}'. {_offered(inspector, written)}",
        where=source.shown,
        remedy=f"Set 'table' under [{register}] in the configuration; a name that holds a dot is "
        "written in double quotes within it: table = '\"the.name\"'.",
    )


_SEVERAL_DATABASES = frozenset({"mssql", "oracle"})
"""Products whose schemas may belong to another database or a synonym, and are not listed."""

_MYSQL_COLUMNS = """
select column_name as name, data_type as kind
from information_schema.columns
where table_schema = coalesce(:schema, database()) and table_name = :name
order by ordinal_position
"""
_MYSQL_TYPES: dict[str, TypeEngine[Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), Integer()),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), String()),
    **dict.fromkeys(("datetime", "timestamp"), DateTime()),
    "date": Date(),
    "bit": BIT(),
}


def _columns(
    connection: Connection, inspector: Inspector, name: str, schema: str | None
) -> list[ColumnClause[Any]]:
    """The columns of a table or view with their types."""
    if connection.dialect.name in ("mysql", "mariadb"):
        # Reflection asks how a view was made, for which a user needs another right than SELECT.
        asked = {"schema": schema, "name": name}
        found = connection.execute(text(_MYSQL_COLUMNS), asked).all()
        return [named_column(n, _MYSQL_TYPES.get(kind.lower(), NullType())) for n, kind in found]
    return [
        named_column(c["name"], _under_domains(c["type"]))
        for c in inspector.get_columns(name, schema)
    ]


def _under_domains(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type that a domain of PostgreSQL narrows."""
    while isinstance(kind, postgresql.DOMAIN):
        kind = kind.data_type
    return kind


def _kinds_of_expressions(
    connection: Connection, origin: FromClause, register: str, source: Source
) -> dict[str, TypeEngine[Any]]:
    """Asks PostgreSQL for the types of the mapping's expressions, without reading any row.

    For expressions, too, a moment must be written in UTC whoever asks, and bytes are refused.
    """
    if connection.dialect.name != "postgresql":
        return {}
    columns = ((c.name, _column(origin, c, source, "postgresql")) for c in REGISTERS[register])
    asked = {name: c for name, c in columns if c is not None and isinstance(c.type, NullType)}
    if not asked:
        return {}
    with plain_errors(source, f"Reading the columns of the {register} register"):
        found = connection.execute(select(*asked.values()).select_from(origin).limit(0))
    return dict(zip(asked, _kinds(found), strict=True))


def _kinds(found: CursorResult[Any]) -> list[TypeEngine[Any]]:
    """The types of a result's columns in PostgreSQL; of a domain, the type that it narrows."""
    described: Any = found.cursor.description if found.cursor else ()
    return [_POSTGRESQL_TYPES.get(one[1], NullType()) for one in described]


_QUOTED = r'"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]'
_NAMES = re.compile(rf"({_QUOTED}|[^\".`\[]+)(?:\.({_QUOTED}|[^\".`\[]+))?")


def _readings(written: str) -> Iterator[tuple[str | None, str]]:
    """How a table's name may be meant: ``schema.table``, either in quotes, or a name with dots."""
    if any(mark in written for mark in '"`[') and (quoted := _NAMES.fullmatch(written)):
        first, second = (_unquoted(part) for part in quoted.groups(""))
        yield (first, second) if second else (None, first)
    dots = [at for at, letter in enumerate(written) if letter == "."]
    for dot in reversed(dots):
        if 0 < dot < len(written) - 1:
            yield written[:dot], written[dot + 1 :]
    yield None, written


def _unquoted(part: str) -> str:
    if part[:1] in ('"', "`", "["):
        return part[1:-1].replace('""', '"')
    return part


def _of_other_case(inspector: Inspector, schema: str | None, name: str) -> str | None:
    """The only table whose name differs just by case, or by how its accents are encoded."""
    return _the_one(name, _tables(inspector, schema))


def _the_one(name: str, there: list[str]) -> str | None:
    """The name itself, or the only one that differs just by case, or by how accents are encoded."""
    folded = [one for one in there if _folded(one) == _folded(name)]
    return name if name in there else folded[0] if len(folded) == 1 else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _tables(inspector: Inspector, schema: str | None) -> list[str]:
    """Tables and views of a schema, of every kind that can be read."""
    found: set[str] = set()
    for kind in ("table", "view", "materialized_view", "foreign_table"):
        if names := getattr(inspector, f"get_{kind}_names", None):
            with suppress(NotImplementedError):
                found.update(names(schema))
    return sorted(found)


def _offered(inspector: Inspector, written: str) -> str:
    """Names the tables of a schema; if there are many, only those with the most similar names."""
    named, name = next(_readings(written))
    schemas = inspector.get_schema_names() if named else []
    schema = named and _the_one(named, schemas)
    if named and not schema:
        return f"There is no schema '{named}'; there are: {', '.join(schemas)}."
    there = _tables(inspector, schema)
    prefix = f"{schema}." if schema else ""
    shown = there
    if len(there) > _NAMES_SHOWN:
        near = get_close_matches(name, there, n=_NAMES_SHOWN // 2, cutoff=0.3)
        shown = near or there[:_NAMES_SHOWN]
    more = f" and {len(there) - len(shown)} more" if len(there) > len(shown) else ""
    listed = ", ".join(f"{prefix}{one}" for one in shown) or "none that this user may see"
    return f"There are: {listed}{more}."


_NAMES_SHOWN = 40


def _query_origin(connection: Connection, source: Source, written: str, setting: str) -> FromClause:
    """A SELECT as origin: its columns are found by running it without reading any row."""
    product = connection.dialect.name
    # A colon belongs to the SQL (a time format, a cast) and never begins a parameter.
    query = bare_sql(written, product, setting).replace(":", "\\:")
    with plain_errors(source, f"Reading the columns of {setting}"):
        found = connection.execute(text(f"select * from ({query}) q where 1 = 0"))  # noqa: S608
        kinds: list[TypeEngine[Any]] = [NullType()] * len(found.keys())
        if product == "postgresql":
            kinds = _kinds(found)
        columns = [named_column(n, k) for n, k in zip(found.keys(), kinds, strict=True)]
    return text(query).columns(*columns).subquery("q")


# By the number of the type; columns of any other type are read as text.
_POSTGRESQL_TYPES: dict[int, TypeEngine[Any]] = {
    16: Boolean(), 17: LargeBinary(), 20: Integer(), 21: Integer(), 23: Integer(),
    1082: Date(), 1114: TIMESTAMP(), 1184: TIMESTAMP(timezone=True),
}  # fmt: skip


def _column(
    origin: FromClause, column: SourceColumn, source: Source, product: str
) -> ColumnElement[Any] | None:
    wanted = source.columns.get(column.name, column.name)
    by_name = {c.name: c for c in origin.columns}
    folded = {_folded(c.name): c for c in origin.columns}
    if wanted in by_name:
        return by_name[wanted]
    if _folded(wanted) in folded:
        return folded[_folded(wanted)]
    if _IDENTIFIER.fullmatch(wanted):
        return None
    return literal_column(f"({bare_sql(wanted, product, column.name)})")


def _as_text(column: ColumnElement[Any], product: str) -> ColumnElement[Any]:
    """Asks for a column as it is if its type is transferred well, and else as the source's text."""
    kind = column.type
    if product == "sqlite":
        # A column of SQLite holds anything, whatever its type says: no value is interpreted
        # but true and false, which SQLite keeps as 1 and 0.
        return (
            _sqlite_flag(column) if isinstance(kind, Boolean) else type_coerce(column, NullType())
        )
    if product == "postgresql":
        return _postgresql_text(column)
    if product == "duckdb":
        return _duckdb_text(column)
    if isinstance(kind, BIT):
        return type_coerce(column, Integer()) + literal_column("0")
    if isinstance(kind, _NATIVE) and not isinstance(kind, Enum):
        return column
    return cast(column, _TEXT_OF.get(product, Text()))


def _postgresql_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Has the server turn all but whole numbers and flags into text.

    The driver returns bytes for types that it does not know (enums, ``citext``, ``name``, domains),
    and it does not know infinite dates.
    """
    kind = column.type
    if isinstance(kind, DateTime) and kind.timezone:
        return cast(func.timezone("UTC", column), Text) + "+00"
    return column if isinstance(kind, (Integer, Boolean)) else cast(column, Text)


def _duckdb_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Has DuckDB turn all but text, whole numbers and flags into text.

    A whole number that a program stored as a float, because some rows have none, is written without
    decimals; NaN becomes null. Dates and times become text, because Arrow does not know all of
    them; those with a zone are written in UTC, which is the session's zone.
    """
    kind = column.type
    if isinstance(kind, (Float, Numeric)):
        whole = column == func.trunc(column)
        digits = cast(cast(column, Numeric(38, 0)), Text)
        if not isinstance(kind, Float):
            return case((whole, digits), else_=cast(column, Text))
        short = and_(whole, func.abs(column) < _MOST_DIGITS)
        return case((func.isnan(column), null()), (short, digits), else_=cast(column, Text))
    return column if isinstance(kind, (String, Integer, Boolean)) else cast(column, Text)


_MOST_DIGITS: ColumnElement[Any] = literal_column("1e37")


def _sqlite_flag(column: ColumnElement[Any]) -> ColumnElement[Any]:
    plain = type_coerce(column, NullType())
    words = case((plain == 1, "true"), (plain == 0, "false"), else_=plain)
    return type_coerce(words, NullType())
