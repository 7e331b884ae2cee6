"""A SQLAlchemy dialect of DuckDB for Great Expectations, which only reads.

Belongs here: the methods that differ. Does not belong here: anything that writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import duckdb
from duckdb_engine import ConnectionWrapper, Dialect
from sqlalchemy.types import NullType


class ReadingDialect(Dialect):
    """DuckDB's dialect on a lent connection, with transactions that do nothing.

    It is lent the warehouse's connection: a second one would ask for another configuration, which
    DuckDB refuses within one process. Great Expectations reads a result after it has closed its
    transaction, and DuckDB throws the result away with it. Nothing is written through this dialect,
    so no transaction is needed.
    """

    supports_statement_cache = False
    lent: ClassVar[duckdb.DuckDBPyConnection | None] = None
    opened: ClassVar[list[duckdb.DuckDBPyConnection]] = []

    def connect(self, *_: Any, **__: Any) -> Any:
        """Opens another cursor on the lent connection."""
        if self.lent is None:
            raise RuntimeError("no warehouse connection is lent: use lending()")
        self.opened.append(cursor := self.lent.cursor())
        return ConnectionWrapper(cursor)

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begins nothing."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Commits nothing."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Rolls nothing back."""

    def get_columns(  # type: ignore[override]
        self, connection: Any, table_name: str, schema: str | None = None, **_: Any
    ) -> list[dict[str, Any]]:
        """Reflects the columns from DuckDB's own catalogue.

        The inherited way asks PostgreSQL's, in a form that DuckDB does not offer.
        """
        rows = connection.exec_driver_sql(
            'select name, type, not "notnull" from pragma_table_info(?)',
            (f"{schema or 'main'}.{table_name}",),
        ).fetchall()
        return [
            {
                "name": name,
                "type": self.ischema_names.get(kind.split("(")[0].lower(), NullType)(),
                "nullable": bool(nullable),
                "default": None,
            }
            for name, kind, nullable in rows
        ]

    def get_pk_constraint(self, *_: Any, **__: Any) -> dict[str, Any]:  # type: ignore[override]
        """Reflects no key: the warehouse declares none, the suites check uniqueness."""
        return {"constrained_columns": [], "name": None}


@contextmanager
def lending(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Lends the warehouse's connection to the dialect for a while.

    The borrower may leave a result half read and a transaction open, which would keep the file from
    being written: both are ended here.
    """
    ReadingDialect.lent = connection
    try:
        yield
    finally:
        ReadingDialect.lent = None
        while ReadingDialect.opened:
            ReadingDialect.opened.pop().close()
