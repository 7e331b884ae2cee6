"""What differs between the warehouse and the target, found in the warehouse by hash.

Belongs here: new, changed, drifted and gone rows of the tables that are published by difference.
Does not belong here: writing them (``writers.py``), and how drift is recognised (``drift.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from typing import Any

from sqlalchemy import Table

from etl.databases.writers import Writer, key_columns
from etl.engine.port import Warehouse
from etl.publish.ages import OF as AGED
from etl.publish.ages import SINCE, is_since_known, note_ages
from etl.publish.drift import Part, drifted, no_summary, summary
from etl.publish.replaced import replaced_rows

RUN_COLUMNS = {
    "reconciled": {"first_seen_run": "run_id", "last_changed_run": "run_id"},
    "mismatches": {"since_run": "run_id", "since_at": "started_at"},
}
"""Columns that hold a run's id or its start: set when a row is new; when it changes, only
``last_changed_run`` is set."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rows a table gains, changes and loses.

    Attributes:
        inserted: Rows that are new.
        updated: Rows that the reconciliation has changed.
        deleted: Rows that are gone.
        compared: Published rows that were read with all columns.
        repaired: Those of them that somebody else had changed; they are written again.
        unkept: Those of the repaired rows that the target still returns with other values.
    """

    inserted: int
    updated: int
    deleted: int
    compared: int = 0
    repaired: int = 0
    unkept: int = 0

    def __add__(self, again: Difference) -> Difference:
        """Adds what a second comparison of the same part has found."""
        sums = (one + other for one, other in zip(astuple(self), astuple(again), strict=True))
        return replace(Difference(*sums), compared=again.compared)

    @property
    def total(self) -> int:
        """Rows touched."""
        return self.inserted + self.updated + self.deleted + self.repaired


def publish_difference(
    warehouse: Warehouse,
    writer: Writer,
    table: Table,
    part: Part,
    look_first: Callable[[Difference, int], None] | None = None,
    *,
    is_known: bool = False,
) -> Difference:
    """Brings one published table to the warehouse's state, touching only what differs.

    Args:
        warehouse: Of the run.
        writer: The target's open transaction.
        table: The table.
        part: The published rows that are read whole and compared column by column.
        look_first: Called with what would change, and how many rows are published, before anything
            is written; it may raise.
        is_known: Whether it is known how the rows stand in the target (``known_tables``), but for
            what somebody else has changed: besides the part, only replaced rows are compared, else
            all. If afterwards the target has not as many rows as it should have, it was not so,
            and all rows must be compared.
    """
    compared = _Compared(warehouse, writer, table, part)
    by_replaced = is_known and compared.by_replaced_rows()
    if not by_replaced:
        compared.by_all_rows()
    found = compared.found()
    published = compared.rows_known() if by_replaced else compared.count("published")
    if look_first:
        look_first(found, published)
    compared.write(found, is_first=not published)
    if table.name == AGED:
        are_the_same = by_replaced and not (found.inserted or found.updated or found.deleted)
        known_since = SINCE.sql if by_replaced else "published"
        note_ages(warehouse, "" if are_the_same else known_since)
    unkept = compared.unkept() if found.repaired else 0
    compared.forget()
    return replace(found, unkept=unkept)


_IN_PART = "ours_in_part"
"""Our rows, where not all of them are compared."""


class _Compared:
    """One table compared with the target.

    The rows of the target stand in ``published``, keys of rows that are to be written in
    ``differing``.
    """

    def __init__(self, warehouse: Warehouse, writer: Writer, table: Table, part: Part) -> None:
        self._warehouse, self._writer, self._table, self._part = warehouse, writer, table, part
        self._keys = key_columns(table)
        of_run = RUN_COLUMNS.get(table.name, {})
        self._data = [column.name for column in table.columns if column.name not in of_run]
        self._content = [name for name in self._data if name not in (*self._keys, "row_hash")]
        self._ours = f"publish.{table.name}"

    def rows_known(self) -> int:
        """Returns how many rows the target has, unless somebody else has changed that."""
        table, noted = f"publish.{self._table.name}", self._noted
        of_noted = f"{table} semi join {noted} using ({', '.join(self._keys)})"
        were_published = f"{noted} where row_hash is not null"
        return self.count(table) - self.count(of_noted) + self.count(were_published)

    def by_replaced_rows(self) -> bool:
        """Compares the rows that were replaced since the last publish, and the part.

        Returns:
            Whether all else can be as it was published. If not, somebody else has added rows,
            deleted some or changed their keys or hashes: all rows must be compared.
        """
        table, warehouse, keys = f"publish.{self._table.name}", self._warehouse, self._keys
        noted = self._noted
        ours_of_noted = f"{table} semi join {noted} using ({', '.join(keys)})"
        were_published = f"from {noted} where row_hash is not null"
        if self._table.name == AGED and not is_since_known(warehouse):
            return False
        is_of_part = self._part.sql
        warehouse.execute(
            f"""
            create or replace temp table {_IN_PART} as
            select * from {table} where {is_of_part}
            union all by name
            select * from {ours_of_noted} where not ({is_of_part})
            """  # noqa: S608 - our own words
        )
        self._ours = _IN_PART
        self._read_part()
        warehouse.execute(
            f"""
            insert into published by name
            select {", ".join(keys)}, row_hash, {no_summary(self._table, self._content)}
            from ({were_published} and not ({is_of_part}))
            anti join published using ({", ".join(keys)})
            """  # noqa: S608 - our own words
        )
        self._find_differing()
        unlike = f"anti join (from {noted} where row_hash is {{}}) using ({', '.join(keys)})"
        new = self.count(f"differing {unlike.format('null')} where what = 'new'")
        gone = self.count(f"({self._gone}) {unlike.format('not null')}")
        if new or gone:
            self._ours = table
        return not (new or gone)

    def by_all_rows(self) -> None:
        """Compares all rows: by key and hash, and those of the part by every column."""
        self._read_part()
        if not self._part.is_all:
            _copy(
                self._warehouse,
                self._writer.read(self._table, self._light, self._part.outside(self._table)),
                f"insert into published select {', '.join(self._light)}, "  # noqa: S608
                f"{no_summary(self._table, self._content)} from incoming",
            )
        self._find_differing()

    def found(self) -> Difference:
        """Returns how much differs."""
        return Difference(
            inserted=self.count("differing where what = 'new'"),
            updated=self.count("differing where what = 'changed'"),
            deleted=self.count(f"({self._gone})"),
            compared=self.count("published where content is not null"),
            repaired=self.count("differing where what = 'drifted'"),
        )

    def write(self, found: Difference, *, is_first: bool) -> None:
        """Writes what differs; all rows if it is the first publish."""
        of_run = RUN_COLUMNS.get(self._table.name, {})
        columns = ", ".join(f"ours.{name}" for name in self._data)
        change = ", parameters.run_id as last_changed_run" if "last_changed_run" in of_run else ""
        runs = "".join(f", parameters.{value} as {name}" for name, value in of_run.items())
        if found.deleted:
            self._writer.delete(self._table, self._warehouse.batches(self._gone))
        if found.updated or found.repaired:
            self._writer.update(
                self._table,
                self._warehouse.batches(
                    f"select {columns}{change} from {self._differing('changed', 'drifted')} "  # noqa: S608
                    "cross join ops.parameters"
                ),
            )
        if found.inserted:
            new = f"{self._ours} as ours" if is_first else self._differing("new")
            if self._ours == _IN_PART:  # another hand may have given a row such a key
                keys = f"select {', '.join(self._keys)} from differing where what = 'new'"  # noqa: S608
                self._writer.delete(self._table, self._warehouse.batches(keys))
            self._writer.insert(
                self._table,
                self._warehouse.batches(
                    f"select {columns}{runs} from {new} cross join ops.parameters"  # noqa: S608
                ),
            )

    def unkept(self) -> int:
        """Reads the part again, and counts rows that the target returns with other values."""
        self._read_part()
        both = f"{self._ours} as ours inner join published as theirs on {self._same_key}"
        return self.count(f"{both} where {drifted(self._table, self._content)}")

    def forget(self) -> None:
        """Drops what was made for the comparison."""
        for made in ("published", "differing", _IN_PART):
            self._warehouse.execute(f"drop table if exists {made}")

    def count(self, what: str) -> int:
        """Counts rows."""
        return self._warehouse.number(f"select count(*) from {what}")  # noqa: S608 - our own words

    @property
    def _light(self) -> list[str]:
        """The columns that are read of every row."""
        return [*self._keys, *(["since_at"] if self._table.name == AGED else []), "row_hash"]

    @property
    def _noted(self) -> str:
        """The rows that were replaced since the last publish."""
        return replaced_rows(self._warehouse, self._table.name)

    @property
    def _same_key(self) -> str:
        return " and ".join(f"ours.{key} = theirs.{key}" for key in self._keys)

    @property
    def _gone(self) -> str:
        names = ", ".join(f"theirs.{key}" for key in self._keys)
        return (
            f"select {names} from published as theirs "  # noqa: S608 - our own words
            f"anti join {self._ours} as ours on {self._same_key}"
        )

    def _differing(self, *what: str) -> str:
        same = " and ".join(f"ours.{key} = differing.{key}" for key in self._keys)
        chosen = " or ".join(f"differing.what = '{one}'" for one in what)
        return f"{self._ours} as ours semi join differing on {same} and ({chosen})"

    def _read_part(self) -> None:
        """Copies keys, hashes and content of the part into a temporary table."""
        _copy(
            self._warehouse,
            self._writer.read(
                self._table, [*self._light, *self._content], self._part.inside(self._table)
            ),
            f"create or replace temp table published as select {', '.join(self._light)}, "  # noqa: S608
            f"{summary(self._table, self._content)} from incoming",
        )

    def _find_differing(self) -> None:
        """Compares the tables by their text keys once, and not again for each question."""
        key = self._keys[0]
        has_drifted = drifted(self._table, self._content)
        self._warehouse.execute(
            f"""
            create or replace temp table differing as
            select
                {", ".join(f"ours.{key}" for key in self._keys)},
                case
                    when theirs.{key} is null then 'new'
                    when ours.row_hash is distinct from theirs.row_hash then 'changed'
                    else 'drifted'
                end as what
            from {self._ours} as ours
            left join published as theirs on {self._same_key}
            where
                theirs.{key} is null
                or ours.row_hash is distinct from theirs.row_hash
                or ({has_drifted})
            """  # noqa: S608 - our own words
        )


def _copy(warehouse: Warehouse, reader: Any, statement: str) -> None:
    try:
        with warehouse.lending("incoming", reader):
            warehouse.execute(statement)
    finally:
        reader.close()
