"""Where rows stand: how one record of ten million is found without reading the others.

DuckDB can skip row groups by row numbers, but not by keys that are in no order. So one narrow
table, sorted by the hash of a key, says in which row of which table the key stands.

Belongs here: making that table, and showing a reader the rows of one key. Does not belong here:
which tables are looked up, and by what (``etl/pipeline/places.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from etl.engine.statements import TableName

_MANY = 20
"""More rows than that are found by a join, which reads more than their row groups."""


def places_query(keys: Mapping[TableName, str], numbers: Mapping[TableName, int]) -> str:
    """Returns the query of the places of some tables' rows.

    Args:
        keys: The tables, and for each the SQL expression of its key.
        numbers: A number for each table.
    """
    return " union all ".join(
        f"select hash({key}) as place, {numbers[table]}::usmallint as table_number, "  # noqa: S608
        f"rowid as row_number from {table.sql} where {key} is not null"
        for table, key in keys.items()
    )


def rows_view(table: TableName, stored: str, rows: Iterable[int]) -> str:
    """Returns the statement that shows some rows of a stored table in place of all.

    Args:
        table: Its name for statements.
        stored: Its name in the file.
        rows: The numbers of the rows.
    """
    numbers = sorted(rows)
    if not numbers:
        shown = f"select * from {stored} where false"  # noqa: S608 - names of our own
    elif len(numbers) <= _MANY:  # one by one: a list would not skip row groups
        shown = " union all ".join(
            f"select * from {stored} where rowid = {number}"  # noqa: S608
            for number in numbers
        )
    else:
        listed = ", ".join(map(str, numbers))
        shown = f"select * from {stored} where rowid in (select unnest([{listed}]))"  # noqa: S608
    return f"create or replace view {table.sql} as {shown}"
