"""Where rows stand: how one record of ten million is found without reading the others.

DuckDB can skip row groups by row numbers, but not by keys that are in no order. So one narrow
table, sorted by the hash of a key, says in which row of which table the key stands.

To sort the places of all rows takes longer than most steps of a delta. A delta leaves most rows
where they were: rows that are replaced leave gaps, new ones come behind the last, and only where
the engine closes gaps when it writes its file do the rows behind them move up. So the places of the
rows before the first gap that was closed still stand, and only the others are sorted again, into a
table of their own (``<places>_later``).

Belongs here: making these tables, and showing a reader the rows of one key. Does not belong here:
which tables are looked up, and by what (``etl/pipeline/places.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from etl.engine.port import Warehouse
from etl.engine.statements import TableName

_MANY = 20
"""More rows than that are found by a join, which reads more than their row groups."""

_SORTED_AGAIN = 0.5
"""If more than this share of the places would be in the second table, all are sorted again."""

_FEW = 1_000_000
"""Up to so many places are always sorted again: that takes no time."""

_ALL = 1 << 40
"""More than any row number."""

_SAMPLED = 1 / 4096
"""The share of the places by which is found which rows have moved."""


def make_places(
    warehouse: Warehouse,
    places: TableName,
    keys: Mapping[TableName, str],
    amended: Mapping[TableName, int],
) -> int:
    """Makes the tables by which a reader finds rows, or brings them up to date.

    Args:
        warehouse: With the tables, written to its file: that moves rows.
        places: The name of the table of places; the names of the others begin with it.
        keys: The tables, and for each the SQL expression of its key.
        amended: Those that have only lost and gained rows since their places were made, and at most
            how many they have gained.

    Returns:
        How many rows can be found.
    """
    numbers = {table: number for number, table in enumerate(sorted(keys))}
    until = _standing(warehouse, places, keys, numbers, amended)
    later = _places(keys, numbers, until)
    moved = warehouse.number(f"select count(*) from ({later})")  # noqa: S608 - our own names
    stay = warehouse.count(places) if until else 0
    made = TableName(places.schema, f"{places.table}_later")
    if moved + stay <= _FEW or moved > _SORTED_AGAIN * stay:
        later, made = _places(keys, numbers, {}), places
        until = dict.fromkeys(keys, _ALL)
        warehouse.execute(f"create or replace table {places.sql}_later as from ({later}) limit 0")
    warehouse.execute(
        f"create or replace table {made.sql} as select * from ({later}) order by place"  # noqa: S608
    )
    named = " union all ".join(
        f"select {number} as table_number, '{table.sql}' as table_name, "  # noqa: S608
        # (Another version may hash differently.)
        f"'{duckdb.__version__}' as engine, {until[table]} as until, count(*) as behind "
        f"from {table.sql} where rowid >= {until[table]}"
        for table, number in numbers.items()
    )
    warehouse.execute(f"create or replace table {places.sql}_tables as {named}")
    return warehouse.number(f"select count(*) from {places_of(places)}")  # noqa: S608


def places_of(places: TableName) -> str:
    """Returns all places that count (``table_name``, ``place``, ``row_number``), as SQL."""
    return f"""(
        select named.table_name, places.place, places.row_number
        from {places.sql} as places
        inner join {places.sql}_tables as named using (table_number)
        where places.row_number < named.until
        union all
        select named.table_name, places.place, places.row_number
        from {places.sql}_later as places
        inner join {places.sql}_tables as named using (table_number)
    )"""  # noqa: S608 - our own names


def _places(
    keys: Mapping[TableName, str], numbers: Mapping[TableName, int], after: Mapping[TableName, int]
) -> str:
    """Returns the places of some tables' rows, of each from some row number on, as SQL."""
    return " union all ".join(
        f"select hash({key}) as place, {numbers[table]}::usmallint as table_number, "  # noqa: S608
        f"rowid as row_number from {table.sql} "
        f"where {key} is not null and rowid >= {after.get(table, 0)}"
        for table, key in keys.items()
    )


def _standing(
    warehouse: Warehouse,
    places: TableName,
    keys: Mapping[TableName, str],
    numbers: Mapping[TableName, int],
    amended: Mapping[TableName, int],
) -> dict[TableName, int]:
    """Returns for each table the row number before which no row has moved since places were made.

    Rows move up only, and all that are behind a row that has moved have moved, too. So the rows
    before one that is still in its place are in theirs. Two kinds of rows do not show this: those
    of a key that occurs several times, because the next may have moved up into the place of the one
    before; and those as far behind as a row may be that was deleted and came again.
    """
    known = _known_tables(warehouse, places, numbers) if amended else {}
    if not known:
        return {}
    sampled = f"""
        select
            table_number,
            place,
            any_value(row_number) as row_number
        from {places.sql} as places
        inner join {places.sql}_tables as named using (table_number)
        where place < {int(_SAMPLED * (1 << 64))} and row_number < until
        group by table_number, place
        having count(*) = 1
    """  # noqa: S608 - our own names
    warehouse.execute(f"create or replace temp table sampled_places as {sampled}")
    in_place = " union all ".join(
        f"select {numbers[table]} as table_number, sampled.row_number "  # noqa: S608 - our own names
        f"from {table.sql} as rows_now "
        "inner join sampled_places as sampled on rows_now.rowid = sampled.row_number "
        f"and sampled.table_number = {numbers[table]} and sampled.place = hash({keys[table]}) "
        f"where rows_now.rowid < {warehouse.count(table) - known[table] - gained}"
        for table, gained in amended.items()
    )
    found = warehouse.rows(
        f"select table_number, max(row_number) + 1 as until from ({in_place}) group by table_number"  # noqa: S608
    )
    warehouse.execute("drop table sampled_places")
    until = {int(str(row["table_number"])): int(str(row["until"])) for row in found}
    return {table: until.get(number, 0) for table, number in numbers.items()}


def _known_tables(
    warehouse: Warehouse, places: TableName, numbers: Mapping[TableName, int]
) -> dict[TableName, int]:
    """Returns how many rows each table had behind those whose places were kept.

    Nothing, if the places are not of these tables, or were made by another version.
    """
    tables = TableName(places.schema, f"{places.table}_tables")
    if "behind" not in dict(warehouse.columns(tables)):
        return {}
    rows = warehouse.rows(f"select * from {tables.sql}")  # noqa: S608 - our own names
    known = {
        TableName.parse(str(row["table_name"])): int(str(row["behind"]))
        for row in rows
        if row["engine"] == duckdb.__version__
        and numbers.get(TableName.parse(str(row["table_name"]))) == row["table_number"]
    }
    return known if known.keys() == numbers.keys() else {}


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
