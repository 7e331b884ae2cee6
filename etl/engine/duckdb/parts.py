"""Tables shown in part: how DuckDB runs a statement over a few rows of large tables.

A second database in memory has every table under its own name, as a view of the whole one or as a
table of a few rows. So a statement can run there unchanged.

Belongs here: that database. Does not belong here: which rows are shown (``etl/pipeline/scope.py``).
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from etl.engine.statements import TableName

_NAME = "in_part"


class Parts:
    """The tables of a warehouse, some of them in part."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schemas: Iterable[str]) -> None:
        """Shows every table whole."""
        self._connection = connection
        (self._whole,) = connection.execute("select current_database()").fetchone() or ("",)
        connection.execute(f"attach ':memory:' as {_NAME}")
        for schema in schemas:
            connection.execute(f"create schema {_NAME}.{schema}")
        self._partial: set[TableName] = set()
        self._shown: set[TableName] = set()
        self._shown_rows: set[TableName] = set()
        self._built: set[TableName] = set()
        self._unwanted: set[TableName] = set()

    def show(self, table: TableName, query: str) -> None:
        """Shows some rows of a table: those of a query over whole tables."""
        self._forget(table)
        self._connection.execute(f"create table {_NAME}.{table.sql} as {query}")
        self._shown_rows.add(table)
        self._partial.add(table)

    def show_whole(self, tables: Iterable[TableName] | None = None) -> None:
        """Shows all rows of some tables again, or of every table."""
        for table in self._partial & {*(self._partial if tables is None else tables)}:
            self._forget(table)

    def make(self, table: TableName, query: str, reads: Iterable[TableName]) -> None:
        """Runs a query that sees parts, and shows its result as the rows of a table."""
        for read in {*reads} - self._partial - self._shown:
            self._connection.execute(
                f"create or replace view {_NAME}.{read.sql} as from {self._whole}.{read.sql}"
            )
            self._shown.add(read)
        built = f"{_NAME}.{table.sql}__built"
        self._connection.execute(f"use {_NAME}")
        try:
            self._connection.execute(f"create or replace table {built} as {query}")
        finally:
            self._connection.execute(f"use {self._whole}")
        self._built.add(table)
        self._unwanted.discard(table)
        # The rows stay for those who judge them, when the statements see the whole table again.
        self._forget(table)
        self._connection.execute(f"create view {_NAME}.{table.sql} as from {built}")
        self._partial.add(table)

    def name_of(self, table: TableName) -> str:
        """Returns the name of the rows shown, for statements over whole tables."""
        return f"{_NAME}.{table.sql}"

    def built_rows(self, table: TableName) -> str:
        """Returns the name of the rows that ``make`` made last; empty where it made none."""
        return f"{_NAME}.{table.sql}__built" if table in self._built else ""

    def forget_built(self, table: TableName) -> None:
        """Drops those rows, at once or when statements are no longer shown them."""
        if table in self._partial and table not in self._shown_rows:
            self._unwanted.add(table)
        elif table in self._built:
            self._drop_built(table)

    def _drop_built(self, table: TableName) -> None:
        self._connection.execute(f"drop table if exists {_NAME}.{table.sql}__built")
        self._built.discard(table)
        self._unwanted.discard(table)

    def _forget(self, table: TableName) -> None:
        kind = "table" if table in self._shown_rows else "view"
        self._connection.execute(f"drop {kind} if exists {_NAME}.{table.sql}")
        self._shown_rows.discard(table)
        self._partial.discard(table)
        self._shown.discard(table)
        if table in self._unwanted:
            self._drop_built(table)
