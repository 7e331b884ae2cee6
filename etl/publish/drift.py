"""Rows of the target that somebody else has changed: which are read whole, how they are judged.

The hash beside a row shows what doisoat wrote, not what the row holds now. So runs read some of the
published rows whole, that is with all columns: the next slices, the more the longer ago the last
were read, or all rows if that was last done long ago.

Belongs here: which rows a run reads whole, and the SQL that compares them. Does not belong here:
reading and writing the rows (``differences.py``, ``writers.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Table, false, or_, true

from etl.engine.port import Warehouse
from etl.settings import Target

SLICES = 256
"""A slice is the rows whose hash begins with the same two of the digits 0 to f."""

_A_DAY = 16
"""A run reads so many slices for each day since the last were read, if half of one is due: one run
a day reads a sixteenth of the rows, and of the runs of every quarter of an hour each third reads
one slice."""

_LEAST = 0.5
"""Slices: if less is due, none is read yet."""

_FLOAT_TOLERANCE = 1e-5
"""Relative: a MariaDB table of an earlier version keeps six digits of a probability."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows that one run reads whole.

    Attributes:
        slices: Their slices, one after the other; empty where none is due, None for all rows.
    """

    slices: range | None = None

    @property
    def is_all(self) -> bool:
        """Whether all rows are read whole."""
        return self.slices is None

    @property
    def last(self) -> str | None:
        """The last slice, as ``ops.target_comparisons`` notes it; None for all rows."""
        return _digits(self.slices.stop - 1) if self.slices else None

    def inside(self, table: Table) -> Any:
        """The condition for rows that are read whole; None where all are."""
        if self.slices is None:
            return None
        if not self.slices:
            return false()
        first, past = self._bounds
        from_here = table.c.row_hash >= first
        return from_here & (table.c.row_hash < past) if past else from_here

    def outside(self, table: Table) -> Any:
        """The condition for all others. Each row meets one of the two, whatever the collation."""
        if self.slices is not None and not self.slices:
            return true()
        first, past = self._bounds
        below = table.c.row_hash < first
        return or_(below, table.c.row_hash >= past) if past else below

    @property
    def sql(self) -> str:
        """The condition for our own rows that are read whole."""
        if self.slices is None:
            return "true"
        if not self.slices:
            return "false"
        first, past = self._bounds
        return f"row_hash >= '{first}'" + (f" and row_hash < '{past}'" if past else "")

    @property
    def _bounds(self) -> tuple[str, str | None]:
        """The first digits of the first slice, and of the one past the last; None at the end."""
        slices = self.slices or range(SLICES)
        return _digits(slices.start), _digits(slices.stop) if slices.stop < SLICES else None


def _digits(slice_: int) -> str:
    return f"{slice_:02x}"


def part_to_compare(warehouse: Warehouse, target: Target) -> Part:
    """Returns what this run reads whole: the next slices that are due, or all rows."""
    known = {"target": target.shown, "days": target.compare_whole_days}
    fresh = warehouse.value(
        "select bool_or(date_diff('day', compared_at, started_at) < $days) "
        "from ops.target_comparisons cross join (select started_at from ops.parameters) "
        "where target = $target and slice is null and compared_at <= started_at",
        known,
    )
    if not fresh:
        return Part()
    last, days = next(
        iter(
            warehouse.rows(
                "select max_by(slice, compared_at) filter (slice is not null) as last, "
                "epoch(any_value(started_at) - max(compared_at)) / 86400 as days "
                "from ops.target_comparisons cross join (select started_at from ops.parameters) "
                "where target = $target and compared_at <= started_at",
                {"target": target.shown},
            )
        )
    ).values()
    # (Earlier versions had sixteen slices, and noted one digit.)
    start = (int(f"{last}f"[:2], 16) + 1) % SLICES if last else 0
    due = _A_DAY * float(str(days))
    if due < _LEAST:
        return Part(range(0))
    return Part(range(start, min(start + math.ceil(due), SLICES)))


def remember_comparison(
    warehouse: Warehouse, target: Target, part: Part, counts: Mapping[str, tuple[int, int]]
) -> None:
    """Writes down what a run compared; calling it again changes nothing.

    Args:
        warehouse: Of the run.
        target: What was compared.
        part: Which of its rows.
        counts: By table, rows that were read whole, and those that were put right.
    """
    warehouse.execute(
        "delete from ops.target_comparisons where run_id = (select run_id from ops.parameters)"
    )
    if not part.is_all and not part.slices:
        return
    for table, (compared, repaired) in counts.items():
        warehouse.execute(
            "insert into ops.target_comparisons by name select run_id, $target as target, "
            "started_at as compared_at, $slice as slice, $table as table_name, "
            "$compared as compared_rows, $repaired as repaired_rows from ops.parameters",
            {"target": target.shown, "slice": part.last, "table": table,
             "compared": compared, "repaired": repaired},
        )  # fmt: skip


# --- the SQL ------------------------------------------------------------------------------------


def summary(table: Table, data: list[str]) -> str:
    """The columns that stand for a row's content, where it was read whole."""
    return ", ".join([f"{_content(table, data)} as content", *_floats(table, data)])


def no_summary(table: Table, data: list[str]) -> str:
    """The same columns, empty, of a row that was not read whole."""
    floats = (f"null::double as {name}" for name in _floats(table, data))
    return ", ".join(["null::ubigint as content", *floats])


def drifted(table: Table, data: list[str]) -> str:
    """The condition for a row whose hash is unchanged but that holds something else than written.

    ``ours`` is the row as it is published, ``theirs`` what was read of it from the target. Where
    the hashes differ, it is an ordinary change.
    """
    floats = "".join(
        f" or (ours.{name} is null) <> (theirs.{name} is null)"
        f" or coalesce(abs(ours.{name} - theirs.{name})"
        f" > {_FLOAT_TOLERANCE} * abs(ours.{name}), false)"
        for name in _floats(table, data)
    )
    return (
        "ours.row_hash = theirs.row_hash and theirs.content is not null "
        f"and (theirs.content <> {_content(table, data, 'ours.')}{floats})"
    )


def _content(table: Table, data: list[str], side: str = "") -> str:
    """A hash of all columns that every product returns exactly as they were written.

    An empty text counts as null, as which Oracle keeps it.
    """
    exact = [name for name in data if name not in _floats(table, data)]
    return f"hash({', '.join(_plain(table, name, side) for name in exact)})"


def _plain(table: Table, name: str, side: str) -> str:
    kind = table.c[name].type.python_type
    if kind is str:
        return f"nullif({side}{name}::varchar, '')"
    return f"{side}{name}::{_EXACT.get(kind, 'bigint')}"


_EXACT: Mapping[type, str] = MappingProxyType({bool: "boolean", datetime: "timestamp"})
"""Types that products return as written. (MySQL keeps whole seconds only, so no moment has
more.)"""


def _floats(table: Table, data: list[str]) -> list[str]:
    return [name for name in data if table.c[name].type.python_type is float]
