"""Forgetting the histories of old runs, after the time that the configuration sets, and deltas.

A delta may run every quarter of an hour, and a run of a nation writes thousands of counts. After a
week only the last published run of each day is kept of the deltas; full runs are kept.

Belongs here: which runs are old, which histories of the state grow, and by which moment. Does not
belong here: the histories of the target (``etl/publish/transaction.py``). What people decided, the
models, the access log, and links and failures that are still open are never forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType

from etl.domain.errors import DoisoatError
from etl.engine.port import Warehouse
from etl.process.home import notice
from etl.settings import Settings
from etl.state.copying import installation, note_written, save
from etl.state.store import State, open_state

DELTAS_STAY = timedelta(days=7)
"""How long a delta is kept that is not the last published run of its day."""

_OF_RUNS = ("ledger", "quality_results", "mismatch_history", "target_comparisons")
"""Histories of runs, whose rows are forgotten with the run."""

_STILL_ASKED: Mapping[str, str] = MappingProxyType(
    {
        # When each rule held last and failed last, and since when it fails.
        "quality_results": """
            (told.table_name, told.check_name, told.checked_at) in (
                select (results.table_name, results.check_name, max(results.checked_at))
                from ops.quality_results as results
                group by results.table_name, results.check_name, results.passed
            )
            or (told.table_name, told.check_name, told.checked_at) in (
                select (standings.table_name, standings.check_name, standings.failing_since)
                from ops.standings as standings
            )""",
        # When the whole target was compared last, and which part of it.
        "target_comparisons": """
            told.run_id in (
                select arg_max(compared.run_id, compared.compared_at)
                from ops.target_comparisons as compared
                group by compared.target, compared.slice is null
            )""",
    }
)
"""Rows that are kept although their run is forgotten, because later runs need them."""

_ENDED: Mapping[str, str] = MappingProxyType(
    {
        "quality_failures": "closed_at",
        "link_history": "closed_at",
        "acknowledgements": "expires_at",
    }
)
"""Tables whose rows end, and the column that says when."""

RUNS_AT_ONCE = 500
"""How many runs one statement names."""

_RUNS = """
select
    runs.run_id,
    runs.mode = 'delta' as is_delta,
    runs.started_at,
    runs.published_at,
    parameters.started_at as now
from ops.runs as runs
cross join ops.parameters as parameters
where runs.run_id <> parameters.run_id
"""


def old_runs(warehouse: Warehouse, settings: Settings) -> list[str]:
    """Returns the runs whose histories are to be forgotten.

    The last published delta and the last published full run stay: rules and the guard against
    losing many records compare with them.

    Args:
        warehouse: Of the run, which has not published yet.
        settings: How long, and where a day begins.
    """
    runs = warehouse.rows(_RUNS)
    published = sorted(
        (run for run in runs if run["published_at"]), key=lambda run: _moment(run["published_at"])
    )
    last_of_a_day = {_day(run["started_at"], settings): run["run_id"] for run in published}
    stays = {*last_of_a_day.values()}
    newest = {run["is_delta"]: run["run_id"] for run in published}  # of deltas, of full runs
    last = {*newest.values()}

    def is_old(run: Mapping[str, object]) -> bool:
        age = _moment(run["now"]) - _moment(run["started_at"])
        days = settings.state.keep_days
        is_spare = run["is_delta"] and run["run_id"] not in stays
        return bool((days and age > timedelta(days)) or (is_spare and age > DELTAS_STAY))

    return [str(run["run_id"]) for run in runs if run["run_id"] not in last and is_old(run)]


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime)  # noqa: S101 - a column of moments
    return value


def _day(value: object, settings: Settings) -> date:
    return settings.schedule.local(_moment(value)).date()


def forget_elsewhere(warehouse: Warehouse, settings: Settings, runs: list[str]) -> None:
    """Forgets in a database that is not the target's, after the publish.

    Where it cannot be reached, the next run does it.

    Args:
        warehouse: Of the run.
        settings: Of the state.
        runs: What ``old_runs`` returned.
    """
    if not (runs or settings.state.keep_days):
        return
    try:
        with warehouse.transaction(), open_state(settings) as state:
            state.adopt(installation(warehouse))
            forget_old(warehouse, state, settings, runs)
    except DoisoatError as error:
        notice(
            f"The history of old runs could not be deleted yet; the next run will do it. {error}"
        )


def forget_old(warehouse: Warehouse, state: State, settings: Settings, runs: list[str]) -> None:
    """Deletes what is to be forgotten, in the state and in its working copy.

    Args:
        warehouse: Of the run; within ``transaction``.
        state: An open transaction.
        settings: How long things are kept.
        runs: What ``old_runs`` returned.
    """
    if runs:
        _delete_runs(warehouse, state, "runs", runs)
    for name in _OF_RUNS:
        _forget_of_runs(warehouse, state, name)
    if settings.state.keep_days:
        _forget_ended(warehouse, state, settings.state.keep_days)
    save(warehouse, state)


def _forget_of_runs(warehouse: Warehouse, state: State, name: str) -> None:
    """Deletes the rows of forgotten runs from one history, but for those still needed."""
    asked = _STILL_ASKED.get(name, "false")
    spare = (
        f"from ops.{name} as told "  # noqa: S608 - our own words
        f"where told.run_id not in (select runs.run_id from ops.runs as runs) and not ({asked})"
    )
    runs = [str(row["run_id"]) for row in warehouse.rows(f"select distinct told.run_id {spare}")]
    if not runs:
        return
    kept = f"create or replace temp table kept as select * from ops.{name} as told "  # noqa: S608
    warehouse.execute(
        f"{kept} where list_contains($runs::varchar[], told.run_id) and ({asked})", {"runs": runs}
    )
    _delete_runs(warehouse, state, name, runs)
    # (They must be saved again: the state has lost them with the other rows of their runs.)
    warehouse.execute(
        f"insert into ops.{name} by name select * replace (false as saved) from kept; "  # noqa: S608
        "drop table kept"
    )


def _delete_runs(warehouse: Warehouse, state: State, name: str, runs: list[str]) -> None:
    table = state.tables[name]
    for start in range(0, len(runs), RUNS_AT_ONCE):
        state.writer.delete_where(table, table.c.run_id.in_(runs[start : start + RUNS_AT_ONCE]))
    warehouse.execute(
        f"delete from ops.{name} where list_contains($runs::varchar[], run_id)",  # noqa: S608
        {"runs": runs},
    )
    note_written(warehouse, state, name)


def _forget_ended(warehouse: Warehouse, state: State, days: int) -> None:
    moment = warehouse.value(
        "select started_at - to_days($days) from ops.parameters", {"days": days}
    )
    for name, ended in _ENDED.items():
        old = f"from ops.{name} where {ended} < $moment"
        if not warehouse.number(f"select count(*) {old}", {"moment": moment}):
            continue
        table = state.tables[name]
        state.writer.delete_where(table, table.c[ended] < moment)
        warehouse.execute(f"delete {old}", {"moment": moment})
        note_written(warehouse, state, name)
