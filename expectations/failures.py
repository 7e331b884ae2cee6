"""The history of failing rows: which are new, which still fail, which are corrected.

Belongs here: ``ops.quality_rules``, ``ops.quality_results`` and ``ops.quality_failures`` as the
runner writes them. Does not belong here: judging (``runner.py``) and reading
(``etl/report/triage.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from expectations.rules import Rule, Suite

SAMPLE = 5
"""How many keys a check shows."""

_NOW_FAILING = """
create or replace temp table failing_now as
select
    coalesce({key}, 'no key') as record_key,
    {record_id} as record_id,
    count(*) as failing_rows
from (select *, ({failing}) as fails from {table}) as checked
where fails
group by all
"""

_SHOWN = """
insert into ops.shown_keys by name
select distinct record_key, record_id
from failing_now
anti join ops.shown_keys as shown using (record_key)
where record_id is not null
"""
_OF_RECORDS = "record_key(record_id)"
"""The key for tables of insurance records, by which explain also finds a record."""

_CLOSE = """
update ops.quality_failures as known
set saved = false, closed_run = run.run_id, closed_at = current_timestamp::timestamp
from ops.parameters as run
where
    known.table_name = $table_name and known.check_name = $check_name
    and known.closed_run is null
    and known.record_key not in (select record_key from failing_now)
"""

_OPEN = """
insert into ops.quality_failures by name
select
    $table_name as table_name,
    $check_name as check_name,
    failing_now.record_key,
    run.run_id as first_run,
    current_timestamp::timestamp as first_seen
from failing_now
cross join ops.parameters as run
anti join (
    select record_key
    from ops.quality_failures
    where table_name = $table_name and check_name = $check_name and closed_run is null
) as known on failing_now.record_key = known.record_key
"""

_CLOSE_ALL = """
update ops.quality_failures as known
set saved = false, closed_run = run.run_id, closed_at = current_timestamp::timestamp
from ops.parameters as run
where
    known.table_name = $table_name and list_contains($check_names::varchar[], known.check_name)
    and known.closed_run is null
"""

_STANDINGS = """
select
    check_name,
    failing_since,
    acknowledged_until
from ops.standings
where table_name = $table_name and failing_since is not null
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a failure stands.

    Attributes:
        since: When it began to fail without a break.
        acknowledged_until: When the acknowledgement expires; None without one.
    """

    since: datetime
    acknowledged_until: datetime | None


def keep_failures(warehouse: Warehouse, suite: Suite, rule: Rule) -> tuple[int, tuple[str, ...]]:
    """Writes down which rows fail a rule now: new ones, those that still fail, those corrected.

    Args:
        warehouse: Holds the table and ``ops``.
        suite: The suite of the table.
        rule: A rule that says which rows fail.

    Returns:
        How many rows fail, and a few of their keys, the newest failures first.
    """
    which = {"table_name": suite.table.sql, "check_name": rule.name}
    warehouse.execute(
        _NOW_FAILING.format(
            key=suite.key,
            record_id="record_id" if suite.key == _OF_RECORDS else "null",
            failing=rule.failing,
            table=suite.table.sql,
        )
    )
    for statement in (_CLOSE, _OPEN):
        warehouse.execute(statement, which)
    warehouse.execute(_SHOWN)
    failing = warehouse.number("select sum(failing_rows) from failing_now")
    warehouse.execute("drop table failing_now")
    return failing, sample_of(warehouse, suite, rule)


def sample_of(warehouse: Warehouse, suite: Suite, rule: Rule) -> tuple[str, ...]:
    """Returns a few keys of the rows that fail a rule, the newest failures first."""
    sample = warehouse.rows(
        "select record_key from ops.quality_failures "
        "where table_name = $table_name and check_name = $check_name and closed_run is null "
        "order by first_seen desc, record_key limit $sample",
        {"table_name": suite.table.sql, "check_name": rule.name, "sample": SAMPLE},
    )
    return tuple(str(row["record_key"]) for row in sample)


def close_failures(warehouse: Warehouse, suite: Suite, rules: Iterable[Rule]) -> None:
    """Writes down that no row fails these rules any longer."""
    names = [rule.name for rule in rules]
    if names:
        warehouse.execute(_CLOSE_ALL, {"table_name": suite.table.sql, "check_names": names})


def know_rules(warehouse: Warehouse, suite: Suite) -> None:
    """Writes the suite's rules down, with the words that triage shows."""
    rules = [
        {
            "table_name": suite.table.sql,
            "check_name": rule.name,
            "severity": rule.severity.value,
            "blocking": rule.blocking,
            "owner": rule.owner.value,
            "meaning": rule.why,
            "key_sql": suite.key if rule.failing else "",
            "expected": rule.limit,
        }
        for rule in suite.rules
    ]
    of_table = "from ops.quality_rules where table_name = $table"
    known = warehouse.rows(
        f"select {', '.join(rules[0])} {of_table} order by rowid", {"table": suite.table.sql}
    )
    if known != rules:
        warehouse.execute(f"delete {of_table}", {"table": suite.table.sql})
        warehouse.append(TableName("ops", "quality_rules"), pa.Table.from_pylist(rules))


def trends_of(warehouse: Warehouse, suite: Suite) -> dict[str, tuple[int, ...]]:
    """Returns how many rows failed each rule in the last runs, this one last."""
    rows: list[dict[str, Any]] = warehouse.rows(
        "select check_name, failed_rows from ops.trends where table_name = $table_name",
        {"table_name": suite.table.sql},
    )
    return {row["check_name"]: tuple(row["failed_rows"]) for row in rows}


def standings_of(warehouse: Warehouse, suite: Suite) -> dict[str, Standing]:
    """Returns since when rules fail, and whether somebody has acknowledged it.

    Args:
        warehouse: Holds this run's results already.
        suite: The suite of the table.

    Returns:
        One for each rule that fails now.
    """
    rows: list[dict[str, Any]] = warehouse.rows(_STANDINGS, {"table_name": suite.table.sql})
    return {
        row["check_name"]: Standing(
            row["failing_since"].replace(tzinfo=UTC),
            row["acknowledged_until"].replace(tzinfo=UTC) if row["acknowledged_until"] else None,
        )
        for row in rows
    }
