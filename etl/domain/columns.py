"""The kinds of columns of our own tables in any database: keys, codes, text.

Belongs here: what a kind is called by each product, so that it holds every Vietnamese letter and
tells every two keys apart. Does not belong here: tables (``contract.py``, ``etl/state/tables.py``).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DateTime, MetaData, String, Text
from sqlalchemy.dialects.mssql import NVARCHAR
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT
from sqlalchemy.ext.compiler import compiles

KEY_LENGTH = 191
"""Characters of a key in the target: 191 of utf8mb4 fit MySQL's smallest index limit."""


class _Key(String):
    """A key, compared letter by letter: 'r1' and 'R1' are different records.

    MySQL and SQL Server would by default take keys for equal that differ by case, by accents or
    by a space at the end.
    """


@compiles(_Key, "mysql", "mariadb")
def _mysql_key(kind: _Key, compiler: Any, **_: Any) -> str:
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    return f"VARCHAR({kind.length}) CHARACTER SET utf8mb4 COLLATE {collation}"


@compiles(_Key, "mssql")
def _mssql_key(kind: _Key, compiler: Any, **_: Any) -> str:  # noqa: ARG001 - the hook's shape
    return f"NVARCHAR({kind.length}) COLLATE Latin1_General_100_BIN2"


# Lengths are bounded only where the column is a key or an index: MySQL and SQL Server cannot
# index unbounded text. Their own unbounded text is too short (64 KB), or knows no Vietnamese.
KEY = _Key(KEY_LENGTH)
CODE = String(32)
TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb").with_variant(NVARCHAR(), "mssql")

# MySQL rounds a moment to the second unless it is told otherwise.
MOMENT = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")


def in_every_letter(metadata: MetaData) -> None:
    """Gives tables letters that hold all of Vietnamese, whatever their database was made with."""
    for table in metadata.tables.values():
        table.dialect_kwargs.update(mysql_charset="utf8mb4", mariadb_charset="utf8mb4")
