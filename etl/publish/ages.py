"""How long mismatches have been open, as they are published.

Belongs here: the ages of what is published, worked out while the rows published before are still
known. Does not belong here: ``since_at`` of each mismatch in the target, which remembers it
(``differences.py``).
"""

from __future__ import annotations

from etl.engine.port import Warehouse
from etl.engine.statements import TableName

OF = "mismatches"
"""The table whose rows have an age."""

SINCE = TableName("ops", "mismatches_since")
"""Since when each mismatch has been open that was published last, and its province; a copy of what
the target has."""

_SINCE = """
create or replace table ops.mismatches_since as
select
    ours.record_id,
    ours.code,
    coalesce(ours.province_code, 'unknown') as province_code,
    coalesce(before.since_at, parameters.started_at) as since_at
from publish.mismatches as ours
left join {before} as before
    on ours.record_id = before.record_id and ours.code = before.code
cross join ops.parameters as parameters
"""

_AGES = """
create or replace temp table mismatch_ages as
with opened as (
    select
        since.code,
        since.province_code,
        since.since_at,
        parameters.started_at - since.since_at as age,
        parameters.run_id
    from ops.mismatches_since as since
    cross join ops.parameters as parameters
)

select
    run_id,
    code,
    coalesce(province_code, 'all') as province_code,
    count(*) as mismatches,
    min(since_at) as oldest_since_at,
    count(*) filter (age <= interval 7 days) as up_to_7_days,
    count(*) filter (age > interval 7 days and age <= interval 30 days) as up_to_30_days,
    count(*) filter (age > interval 30 days and age <= interval 90 days) as up_to_90_days,
    count(*) filter (age > interval 90 days) as over_90_days
from opened
group by grouping sets ((run_id, code, province_code), (run_id, code))
"""

AGES = "select * from mismatch_ages"
"""The ages, after ``note_ages``."""


def is_since_known(warehouse: Warehouse) -> bool:
    """Says whether ``SINCE`` is there; that of an earlier version had no provinces."""
    return "province_code" in {name for name, _ in warehouse.columns(SINCE)}


def note_ages(warehouse: Warehouse, before: str) -> None:
    """Works out the ages of the mismatches, and keeps ``SINCE``; within the publish's transaction.

    Args:
        warehouse: Of the run.
        before: Has the mismatches that were published before, with ``since_at``; empty where those
            in ``SINCE`` are the ones that are published.
    """
    if before:
        warehouse.execute(_SINCE.format(before=before))
    warehouse.execute(_AGES)
