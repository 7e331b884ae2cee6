"""What a change adds where it is missing.

Belongs here: adding a table or a column that is not there yet. Does not belong here: which ones
(``versions``).

MySQL, MariaDB and Oracle commit each table and each column by itself. A migration that broke off
there has left some of them, and the next one has to go on from there.
"""

from __future__ import annotations

from typing import Any

from alembic import context, op
from sqlalchemy import Column, inspect

_LETTERS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def add_table(name: str, *columns: Column[Any], comment: str) -> None:
    """Makes a table, unless it is there with all of these columns.

    A table of this name that lacks one of them is somebody else's: then the database refuses.
    """
    given = context.config.attributes
    if {column.name for column in columns} <= _columns(name):
        return
    op.create_table(
        given["prefix"] + name, *columns, schema=given["schema"], comment=comment, **_LETTERS
    )


def add_columns(name: str, *columns: Column[Any]) -> None:
    """Adds to a table those columns that it does not have."""
    given = context.config.attributes
    there = _columns(name)
    for column in columns:
        if column.name not in there:
            op.add_column(given["prefix"] + name, column, schema=given["schema"])


def _columns(name: str) -> set[str]:
    """The columns that a table has in the database; none where there is no such table."""
    given = context.config.attributes
    found, place = inspect(given["connection"]), {"schema": given["schema"]}
    if not found.has_table(given["prefix"] + name, **place):
        return set()
    return {column["name"] for column in found.get_columns(given["prefix"] + name, **place)}
