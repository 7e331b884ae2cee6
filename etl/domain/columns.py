"""The kinds of columns of doisoat's own tables in any database: keys, codes, text, moments.

Belongs here: the type that each database product has for a kind, so that it holds every Vietnamese
letter and distinguishes any two keys. Does not belong here: tables (``contract.py``,
``etl/state/tables.py``).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DateTime, MetaData, String, Text
from sqlalchemy.dialects.mssql import NVARCHAR
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT
from sqlalchemy.ext.compiler import compiles

KEY_LENGTH = 191
"""Characters of a key in the target: 191 characters of utf8mb4 fit MySQL's smallest index limit."""


class _Key(String):
    """A key, compared letter by letter: 'r1' and 'R1' are different records.

    By default MySQL and SQL Server would treat keys as equal that differ only in case, in accents
    or in a space at the end.
    """


@compiles(_Key, "mysql", "mariadb")
def _mysql_key(kind: _Key, compiler: Any, **_: Any) -> str:
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    return f"VARCHAR({kind.length}) CHARACTER SET utf8mb4 COLLATE {collation}"


@compiles(_Key, "mssql")
def _mssql_key(kind: _Key, compiler: Any, **_: Any) -> str:  # noqa: ARG001 - the hook's shape
    return f"NVARCHAR({kind.length}) COLLATE Latin1_General_100_BIN2"


# Lengths are bounded only where the column is a key or an index: MySQL and SQL Server cannot
# index unbounded text. SQLAlchemy's ``Text`` would be too short in MySQL (64 KB), and in SQL Server
# it could not hold Vietnamese.
KEY = _Key(KEY_LENGTH)
CODE = String(32)
TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb").with_variant(NVARCHAR(), "mssql")

# MySQL rounds a moment to the second unless ``fsp`` asks for more digits.
MOMENT = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")


def in_every_letter(metadata: MetaData) -> None:
    """Gives tables a character set with all Vietnamese letters, whatever their database has."""
    for table in metadata.tables.values():
        table.dialect_kwargs.update(mysql_charset="utf8mb4", mariadb_charset="utf8mb4")
