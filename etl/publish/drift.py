"""Rows of the target that somebody else has changed: which are read whole, how they are judged.

The hash beside a row shows what doisoat wrote, not what the row holds now. So every run reads some
of the published rows whole, that is with all columns: one slice of them, or all rows if that was
last done long ago.

Belongs here: which rows a run reads whole, and the SQL that compares them. Does not belong here:
reading and writing the rows (``differences.py``, ``writers.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Table, or_

from etl.engine.port import Warehouse
from etl.settings import Target

SLICES = "0123456789abcdef"
"""A slice is the rows whose hash begins with one of these digits; sixteen runs read every row."""

_FLOAT_TOLERANCE = 1e-5
"""Relative: a MariaDB table of an earlier version keeps six digits of a probability."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows that one run reads whole.

    Attributes:
        digit: The first digit of their hash; None for all rows.
    """

    digit: str | None = None

    def inside(self, table: Table) -> Any:
        """The condition for rows that are read whole; None where all are."""
        if self.digit is None:
            return None
        first, past = table.c.row_hash >= self.digit, self._next
        return first & (table.c.row_hash < past) if past else first

    def outside(self, table: Table) -> Any:
        """The condition for all others. Each row meets one of the two, whatever the collation."""
        below, past = table.c.row_hash < self.digit, self._next
        return or_(below, table.c.row_hash >= past) if past else below

    @property
    def _next(self) -> str | None:
        at = SLICES.index(self.digit or "0") + 1
        return SLICES[at] if at < len(SLICES) else None


def part_to_compare(warehouse: Warehouse, target: Target) -> Part:
    """Returns what this run reads whole: the next slice, or all rows when that is due."""
    known = {"target": target.shown, "days": target.compare_whole_days}
    fresh = warehouse.value(
        "select bool_or(date_diff('day', compared_at, started_at) < $days) "
        "from ops.target_comparisons cross join (select started_at from ops.parameters) "
        "where target = $target and slice is null",
        known,
    )
    if not fresh:
        return Part()
    last = warehouse.value(
        "select max_by(slice, compared_at) from ops.target_comparisons "
        "where target = $target and slice is not null",
        {"target": target.shown},
    )
    return Part(SLICES[(SLICES.index(str(last)) + 1) % len(SLICES)] if last else SLICES[0])


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
    for table, (compared, repaired) in counts.items():
        warehouse.execute(
            "insert into ops.target_comparisons by name select run_id, $target as target, "
            "started_at as compared_at, $slice as slice, $table as table_name, "
            "$compared as compared_rows, $repaired as repaired_rows from ops.parameters",
            {"target": target.shown, "slice": part.digit, "table": table,
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
