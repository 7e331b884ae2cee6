"""What a quality rule is: one expectation, its severity, its owner, and how its failures are found.

Belongs here: the vocabulary in which the suites are written. It imports nothing heavy, so that
Dagster can declare the checks without loading Great Expectations. Does not belong here: the rules
themselves (one module per table) and running them (``runner.py``).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from etl.domain.codes import Owner, Severity
from etl.engine.statements import TableName, tables_read


class Kind(StrEnum):
    """The Great Expectations classes that rules use."""

    COLUMNS_MATCH = "ExpectTableColumnsToMatchOrderedList"
    ROW_COUNT = "ExpectTableRowCountToBeBetween"
    NOT_NULL = "ExpectColumnValuesToNotBeNull"
    UNIQUE = "ExpectColumnValuesToBeUnique"
    IN_SET = "ExpectColumnValuesToBeInSet"
    BETWEEN = "ExpectColumnValuesToBeBetween"
    NO_ROWS = "UnexpectedRowsExpectation"


AT_MOST = "<at_most>"
"""In SQL, the place of the number from ``thresholds.toml``."""

BATCH = "{batch}"
"""In SQL, the place of the table that is judged."""

_SCHEMAS_OF_THE_FLOW = ("raw", "clean", "core", "publish")


@dataclass(frozen=True)
class Rule:
    """One expectation on one table.

    Attributes:
        name: What a person reads in the UI: what is true when it holds.
        kind: The Great Expectations class.
        arguments: Its arguments.
        severity: ``error`` marks the check failed, ``warning`` warns.
        blocking: Whether a failure stops what is downstream, and so the publish.
        owner: Who can correct a failure. For most rules it is whoever runs doisoat: they only fail
            if doisoat or its configuration is at fault.
        why: Why it matters and what to do when it fails, for the person who sees the failure.
        failing: SQL condition that is true of a failing row, over the table's columns; empty for
            rules about the table as a whole.
        limit: What is expected, in words; ``{at_most}`` is the number from ``thresholds.toml``.
        seen: SQL that returns, in words, what was observed, where a count of rows says nothing;
            ``{batch}`` is the table. It must not return a person's data.
    """

    name: str
    kind: Kind
    why: str
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    blocking: bool = False
    owner: Owner = Owner.ENGINEERING
    failing: str = ""
    limit: str = "no row fails"
    seen: str = ""

    def __post_init__(self) -> None:
        """Refuses a number that the check would not show."""
        if AT_MOST in f"{self.arguments}{self.failing}" and "{at_most" not in self.limit:
            raise ValueError(f"the rule {self.name} needs limit='... {{at_most}} ...'")

    @property
    def fingerprint(self) -> str:
        """Identifies this rule: with another number or other SQL it is different."""
        return hashlib.md5(repr(self).encode(), usedforsecurity=False).hexdigest()

    @property
    def looks_beyond(self) -> bool:
        """Says whether its outcome may change while its tables do not.

        That is so if it reads earlier runs, or the clock.
        """
        return self.shows_beyond or _looks_beyond(f"{self.arguments}{self.failing}")

    @property
    def shows_beyond(self) -> bool:
        """Says whether what is seen of it may change while its tables do not."""
        return _looks_beyond(self.seen)

    def is_judged_by_rows(self, whole_by: frozenset[str]) -> bool:
        """Says whether some rows of its table suffice to judge it, where it holds on all others.

        Args:
            whole_by: Rows that agree in these columns are all among the some, or none of them is.
        """
        windows = [
            {column.strip() for column in columns.split(",")}
            for columns in re.findall(r"over \(partition by ([^()]*)\)", self.failing)
        ]
        return (
            bool(self.failing)
            and not (self.looks_beyond or self.reads or self.seen or "select" in self.failing)
            and len(windows) == self.failing.count("over (")
            and (not windows or bool(whole_by))
            and all(whole_by <= columns for columns in windows)
        )

    @property
    def unique_column(self) -> str:
        """The column in which no two rows may agree, unless it is null; empty for other rules."""
        return str(self.arguments["column"]) if self.kind is Kind.UNIQUE else ""

    @property
    def reads(self) -> frozenset[TableName]:
        """The tables of the flow that its SQL names."""
        query = str(self.arguments.get("unexpected_rows_query", ""))
        asked = query or f"select * from {BATCH} where {self.failing or 'true'}"  # noqa: S608 - rules are ours
        if not any(f"{schema}." in asked for schema in _SCHEMAS_OF_THE_FLOW):
            return frozenset()  # most rules look at their own table only
        read = tables_read(asked.replace(BATCH, "batch").replace(AT_MOST, "0"))
        return frozenset(table for table in read if table.schema in _SCHEMAS_OF_THE_FLOW)


def _looks_beyond(sql: str) -> bool:
    return any(word in sql for word in ("ops.", "now()", "current_", "today()"))


@dataclass(frozen=True)
class Suite:
    """The rules of one table.

    Attributes:
        table: The table.
        key: SQL expression that names a failing row without showing personal data.
        rules: Its rules.
    """

    table: TableName
    rules: tuple[Rule, ...]
    key: str = "record_key"

    def __post_init__(self) -> None:
        """Refuses two rules of one name: each has its own history."""
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError(f"two rules of one name in the suite of {self.table.sql}")


def page_file(folder: Path, table: TableName) -> Path:
    """Returns the page of a table in the folder of the Data Docs."""
    return folder / f"{table.sql}.html"


def has_columns(*columns: str) -> Rule:
    """The table has exactly these columns, in this order."""
    return Rule(
        "has_the_agreed_columns",
        Kind.COLUMNS_MATCH,
        "All later steps read these columns. If the table has others, code and warehouse are of "
        "different versions: run doisoat sync.",
        {"column_list": list(columns)},
        blocking=True,
        limit=f"exactly {len(columns)} columns, in their order",
    )


def is_not_empty(what: str, owner: Owner) -> Rule:
    """The table has at least one row."""
    return Rule(
        "is_not_empty",
        Kind.ROW_COUNT,
        f"No {what} at all means that the source or its mapping is wrong: publishing would mark "
        "everybody as gone. Check the source's table and its filter.",
        {"min_value": 1},
        blocking=True,
        owner=owner,
        limit="at least one row",
    )


def has_not_shrunk(table: TableName, what: str, owner: Owner) -> Rule:
    """The table has not lost more rows than allowed since the last full run that was published."""
    return holds(
        "has_not_shrunk",
        "select 1 from (select count(*) as rows_now from {batch}) "  # noqa: S608
        f"where rows_now < (1 - <at_most>) * ({_ROWS_OF_LAST_GOOD.format(table=table.sql)})",
        f"There are many fewer {what} than in the last published full run: a partial load, or a "
        "filter of the source. If they are really gone, raise at_most of this rule for one run, in "
        "the file that [quality] thresholds names (docs/quality.md, Numbers).",
        owner=owner,
        limit="at most {at_most:.0%} of the rows lost since the last published full run",
        seen="select format('{:,} rows; ', count(*)) || coalesce("  # noqa: S608
        f"format('{{:,}}', ({_ROWS_OF_LAST_GOOD.format(table=table.sql)})), 'none') "
        "|| ' in the last published full run' from {batch}",
    )


def has_fresh_changes(what: str, owner: Owner) -> Rule:
    """The newest change time of a register is not older than allowed; registers may have none."""
    time, newest = "try_cast(updated_at as timestamp)", "max(try_cast(updated_at as timestamp))"
    return holds(
        "has_fresh_changes",
        # (This finds a recent row without reading all of them.)
        f"select 1 where exists (from {{batch}} where {time} is not null) and not exists "
        f"(from {{batch}} where {time} >= now()::timestamp - to_days(<at_most>))",
        f"No {what} has changed for a long time: the source is a copy that nobody updates, or its "
        "time of change is mapped wrongly. Ask the register's administrator for the date of "
        "the copy.",
        owner=owner,
        limit="a change within {at_most} days",
        seen=f"select coalesce('the newest change is of ' || {newest}::date, "  # noqa: S608
        "'no row has a change time') from {batch}",
    )


_ROWS_OF_LAST_GOOD = """
    select max_by(checked_rows, checked_at)
    from ops.quality_results
    where
        table_name = '{table}'
        and run_id in (
            select run_id from ops.runs where published_at is not null and mode = 'full'
        )
"""


def is_filled(column: str, why: str, **options: Any) -> Rule:
    """A column is never null (or mostly not, where ``thresholds.toml`` says so)."""
    return Rule(
        options.pop("name", f"{column}_is_filled"), Kind.NOT_NULL, why, {"column": column},
        failing=f"{column} is null", **options,
    )  # fmt: skip


def is_unique(column: str, why: str, **options: Any) -> Rule:
    """A column's values differ."""
    return Rule(
        f"{column}_is_unique", Kind.UNIQUE, why, {"column": column},
        failing=f"count(*) over (partition by {column}) > 1", **options,
    )  # fmt: skip


def is_one_of(column: str, values: tuple[str, ...], why: str, **options: Any) -> Rule:
    """A column holds only words of a vocabulary."""
    listed = ", ".join(f"'{value}'" for value in values)
    return Rule(
        f"{column}_is_known", Kind.IN_SET, why, {"column": column, "value_set": list(values)},
        failing=f"{column} not in ({listed})", **options,
    )  # fmt: skip


def is_between(column: str, low: float, high: float | None, why: str, **options: Any) -> Rule:
    """A column's values lie in a range, its ends included; nulls do not fail."""
    upper = f" or {column} > {high}" if high is not None else ""
    bounds = {"min_value": low} | ({"max_value": high} if high is not None else {})
    return Rule(
        f"{column}_is_in_range", Kind.BETWEEN, why, {"column": column, **bounds},
        failing=f"{column} < {low}{upper}", **options,
        limit=f"{low} to {high}" if high is not None else f"{low} or more",
    )  # fmt: skip


def holds(name: str, broken: str, why: str, **options: Any) -> Rule:
    """Something is true of a table as a whole.

    Args:
        name: What is true when the rule holds.
        broken: SQL that returns a row when it is not; ``{batch}`` is the table.
        why: Why it matters and what to do.
        options: Severity, blocking, owner, limit.
    """
    return Rule(name, Kind.NO_ROWS, why, {"unexpected_rows_query": broken}, **options)


def never(name: str, condition: str, why: str, **options: Any) -> Rule:
    """No row is in a condition.

    Args:
        name: What is true when the rule holds.
        condition: SQL over the table's columns, window functions included.
        why: Why it matters and what to do.
        options: Severity, blocking, owner.
    """
    # The condition is computed as a column first, so that it may use window functions.
    escaped = condition.replace("{", "{{").replace("}", "}}")
    query = f"select 1 from (select ({escaped}) as fails from {{batch}}) where fails"  # noqa: S608
    return Rule(
        name, Kind.NO_ROWS, why, {"unexpected_rows_query": query}, failing=condition, **options
    )
