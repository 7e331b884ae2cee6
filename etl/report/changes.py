"""What changed from one published run to another: ``doisoat runs diff``.

Belongs here: counting links, mismatches and records that came, went and moved. Links and counts
come from the state, which has them for every run that it keeps. Which mismatches were found and
resolved, and which records are new, is known only while the results of both runs are kept. Does not
belong here: layout (``display.py``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from etl.domain.errors import ConfigError
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.snapshots import has, reading, reading_two
from etl.settings import Settings

Row = dict[str, Any]

_READ = tuple(TableName.parse(name) for name in ("ops.runs", "ops.link_history",
              "ops.mismatch_history", "publish.reconciled"))  # fmt: skip

_RUNS_SHOWN = 5


@dataclass(frozen=True)
class PublishedRun:
    """A run whose result was published.

    Attributes:
        run_id: The run.
        started_at: When it began, in UTC.
    """

    run_id: str
    started_at: datetime


@dataclass(frozen=True)
class Changes:
    """What changed between two runs; every row has its province, ``unknown`` where there is none.

    Attributes:
        before: The earlier run.
        after: The later one.
        links: How many links have changed, by step (that of the later run, if it has the link),
            change and province: ``opened``, ``closed``, ``moved`` to another citizen,
            ``other_step``.
        closed: How many links were closed, by reason.
        mismatches: How many records had a code ``before`` and ``after``, by code and province.
        found: How many mismatches are new, by code and province; None if the result of one of the
            runs is no longer kept.
        resolved: How many mismatches are gone, likewise.
        records: How many records are ``new`` and ``gone``, by province; None as above.
    """

    before: PublishedRun
    after: PublishedRun
    links: list[Row]
    closed: list[Row]
    mismatches: list[Row]
    found: list[Row] | None
    resolved: list[Row] | None
    records: list[Row] | None

    def as_dict(self) -> dict[str, Any]:
        """Returns it as plain values, for JSON."""
        return asdict(self)


_LINKS = """
with ended as (
    select *
    from ops.link_history
    where opened_at <= $before and closed_at > $before and closed_at <= $after
),

begun as (
    select *
    from ops.link_history
    where opened_at > $before and opened_at <= $after and (closed_at is null or closed_at > $after)
),

-- (A link that went and came back is the same link.)
links_before as (
    select *
    from ended
    anti join begun using (record_id, personal_id, match_step)
),

links_after as (
    select *
    from begun
    anti join ended using (record_id, personal_id, match_step)
),

changed as (
    select
        coalesce(links_after.record_id, links_before.record_id) as record_id,
        coalesce(links_after.match_step, links_before.match_step) as match_step,
        case
            when links_before.record_id is null then 'opened'
            when links_after.record_id is null then 'closed'
            when links_before.personal_id <> links_after.personal_id then 'moved'
            else 'other_step'
        end as change
    from links_before
    full join links_after on links_before.record_id = links_after.record_id
)

select
    coalesce(reconciled.province_code, 'unknown') as province_code,
    changed.match_step,
    changed.change,
    count(*) as links
from changed
left join publish.reconciled as reconciled on changed.record_id = reconciled.record_id
group by all
order by all
"""

_CLOSED = """
with begun as (
    select *
    from ops.link_history
    where opened_at > $before and opened_at <= $after and (closed_at is null or closed_at > $after)
)

select
    why_closed as reason,
    count(*) as links
from ops.link_history as ended
anti join begun using (record_id, personal_id, match_step)
where opened_at <= $before and closed_at > $before and closed_at <= $after
group by all
order by all
"""

_MISMATCHES = """
select
    code,
    province_code,
    coalesce(sum(mismatches) filter (run_id = $before), 0)::bigint as before,
    coalesce(sum(mismatches) filter (run_id = $after), 0)::bigint as after
from ops.mismatch_history
where run_id in ($before, $after)
group by code, province_code
order by all
"""


def published_runs(warehouse: Warehouse) -> list[PublishedRun]:
    """Returns the runs whose result was published, the newest first."""
    rows = warehouse.rows(
        # A run that failed late is published with the run that continued it, at the same moment.
        "select run_id, started_at from ops.runs where published_at is not null "
        "qualify row_number() over (partition by published_at order by started_at desc) = 1 "
        "order by started_at desc"
    )
    return [PublishedRun(**row) for row in rows]  # type: ignore[arg-type]


def read_changes(settings: Settings, before: str | None, after: str | None) -> Changes:
    """Compares two published runs.

    Args:
        settings: Whose state and results.
        before: The earlier run; the one before ``after`` where it is None.
        after: The later run; the last that was published where it is None.

    Raises:
        NothingYetError: Nothing has been reconciled yet.
        ConfigError: There is no published run of that name, or none before it.
    """
    with reading(settings, has(*_READ), _READ) as warehouse:
        earlier, later = _chosen(published_runs(warehouse), before, after)
        span = {"before": earlier.started_at, "after": later.started_at}
        runs = {"before": earlier.run_id, "after": later.run_id}
        links, closed = warehouse.rows(_LINKS, span), warehouse.rows(_CLOSED, span)
        mismatches = [
            row for row in warehouse.rows(_MISMATCHES, runs) if row["province_code"] != "all"
        ]
    found = resolved = records = None
    with reading_two(settings, earlier.run_id, later.run_id) as both:
        if both is not None:
            found = both.rows(_came_of("", "earlier."))
            resolved = both.rows(_came_of("earlier.", ""))
            records = _records(both)
    return Changes(earlier, later, links, closed, mismatches, found, resolved, records)


def links_since_the_last(warehouse: Warehouse) -> dict[str, int] | None:
    """Counts the links that the last published run opened, closed and moved; None for the first."""
    runs = published_runs(warehouse)[:2]
    if len(runs) < 2:
        return None
    later, earlier = runs
    rows = warehouse.rows(_LINKS, {"before": earlier.started_at, "after": later.started_at})
    found = dict.fromkeys(("opened", "closed", "moved", "other_step"), 0)
    for row in rows:
        found[str(row["change"])] += int(str(row["links"]))
    return found


def _came_of(here: str, there: str) -> str:
    """Returns the query that counts the mismatches of one result that are not in the other."""
    return f"""
        select
            coalesce(ours.province_code, 'unknown') as province_code,
            ours.code,
            count(*) as mismatches
        from {here}publish.mismatches as ours
        anti join {there}publish.mismatches as theirs
            on ours.record_id = theirs.record_id and ours.code = theirs.code
        group by all
        order by all
    """  # noqa: S608 - our own words


def _records(both: Warehouse) -> list[Row]:
    def alone(here: str, there: str) -> dict[str, int]:
        rows = both.rows(
            f"""
            select
                coalesce(ours.province_code, 'unknown') as province_code,
                count(*) as records
            from {here}publish.reconciled as ours
            anti join {there}publish.reconciled as theirs on ours.record_id = theirs.record_id
            group by all
            """  # noqa: S608 - our own words
        )
        return {str(row["province_code"]): int(str(row["records"])) for row in rows}

    new, gone = alone("", "earlier."), alone("earlier.", "")
    return [
        {"province_code": province, "new": new.get(province, 0), "gone": gone.get(province, 0)}
        for province in sorted(new.keys() | gone.keys())
    ]


def _chosen(
    runs: list[PublishedRun], before: str | None, after: str | None
) -> tuple[PublishedRun, PublishedRun]:
    """Returns both runs, the earlier first, whatever the order in which they were named."""
    later = _named(runs, after) if after else runs[0] if runs else None
    if later is None:
        raise ConfigError("No run has been published yet.", remedy="Run: doisoat sync")
    older = [run for run in runs if run.started_at < later.started_at]
    earlier = _named(runs, before) if before else older[0] if older else None
    if earlier is None:
        raise ConfigError(
            "There is one published run only: nothing to compare it with."
            if len(runs) == 1
            else "No run was published before that one.",
            remedy="Run doisoat sync again, when the registers have changed.",
        )
    if earlier == later:
        raise ConfigError("Both are the same run.", remedy="Name two: 'doisoat runs' lists them.")
    first, second = sorted((earlier, later), key=lambda run: run.started_at)
    return first, second


def _named(runs: list[PublishedRun], name: str) -> PublishedRun:
    found = [run for run in runs if run.run_id == name]
    if not found:
        last = ", ".join(run.run_id for run in runs[:_RUNS_SHOWN])
        raise ConfigError(
            "There is no published run of that name.",
            remedy=f"'doisoat runs' lists them; the last that were published: {last or 'none'}.",
        )
    return found[0]
