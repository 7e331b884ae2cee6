"""Forgetting what is older than the configuration has it kept.

Belongs here: which histories of the state grow old, and by which moment. Does not belong here: the
histories of the target (``etl/publish/transaction.py``). What people decided, the models, the
access log, and links and failures that are still open are never forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Table, and_, false, not_, or_

from etl.engine.port import Warehouse
from etl.settings import Settings
from etl.state.copying import note_copy
from etl.state.store import State

_OF_RUNS = ("ledger", "quality_results", "mismatch_history", "target_comparisons", "runs")
"""Told of a run: forgotten with it, the run last."""

_ENDED: Mapping[str, str] = MappingProxyType(
    {
        "quality_failures": "closed_at",
        "link_history": "closed_at",
        "acknowledgements": "expires_at",
    }
)
"""What has ended, and when it did."""

_SINCE = """exists (
    select 1
    from ops.standings as standings
    where
        standings.table_name = quality_results.table_name
        and standings.check_name = quality_results.check_name
        and standings.failing_since = quality_results.checked_at
)"""
"""Since when a rule fails that fails still: the one result that tells it."""

RUNS_AT_ONCE = 500
"""How many runs one statement names."""

_OLD_RUNS = """
select run_id
from ops.runs
where
    started_at < (select started_at from ops.parameters) - to_days($days)
    and run_id <> (select run_id from ops.parameters)
    -- What the last result is compared with stays, however old.
    and run_id is distinct from (
        select arg_max(run_id, published_at) from ops.runs where published_at is not null
    )
"""


def old_runs(warehouse: Warehouse, settings: Settings) -> list[str]:
    """Returns the runs that are older than they are to be kept, but the last that was published.

    Args:
        warehouse: Of the run, which has not published yet.
        settings: How long.
    """
    if not (days := settings.state.keep_days):
        return []
    return [str(row["run_id"]) for row in warehouse.rows(_OLD_RUNS, {"days": days})]


def forget_old(warehouse: Warehouse, state: State, settings: Settings, runs: list[str]) -> None:
    """Deletes what is too old, in the state and in its working copy.

    Args:
        warehouse: Of the run; within ``transaction``.
        state: An open transaction.
        settings: How long things are kept.
        runs: What ``old_runs`` returned.
    """
    if not settings.state.keep_days:
        return
    if runs:
        since = warehouse.rows(f"select * from ops.quality_results where {_SINCE}")  # noqa: S608
        for name in _OF_RUNS:
            table = state.tables[name]
            for start in range(0, len(runs), RUNS_AT_ONCE):
                some = runs[start : start + RUNS_AT_ONCE]
                told: Any = table.c.run_id.in_(some)
                if name == "quality_results":
                    told = and_(told, not_(or_(false(), *(_is_row(table, row) for row in since))))
                state.writer.delete_where(table, told)
            kept = _SINCE if name == "quality_results" else "false"
            warehouse.execute(
                f"delete from ops.{name} "  # noqa: S608 - our own words
                f"where list_contains($runs::varchar[], run_id) and not ({kept})",
                {"runs": runs},
            )
            note_copy(warehouse, name, state.state_id, state.bump(name))
    moment = warehouse.value(
        "select started_at - to_days($days) from ops.parameters", {"days": settings.state.keep_days}
    )
    for name, ended in _ENDED.items():
        old = f"from ops.{name} where {ended} < $moment"
        if not warehouse.number(f"select count(*) {old}", {"moment": moment}):
            continue
        table = state.tables[name]
        state.writer.delete_where(table, table.c[ended] < moment)
        warehouse.execute(f"delete {old}", {"moment": moment})
        note_copy(warehouse, name, state.state_id, state.bump(name))


def _is_row(table: Table, row: Mapping[str, object]) -> Any:
    return and_(*(table.c[key.name] == row[key.name] for key in table.primary_key.columns))
