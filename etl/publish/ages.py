"""How long mismatches have been open, as they are published.

Belongs here: the ages of what is published, worked out while the rows published before are still
known. Does not belong here: ``since_at`` of each mismatch, which the target remembers
(``differences.py``).
"""

from __future__ import annotations

from etl.engine.port import Warehouse

OF = "mismatches"
"""The table whose rows have an age."""

_AGES = """
create or replace temp table mismatch_ages as
with opened as (
    select
        ours.code,
        coalesce(ours.province_code, 'unknown') as province_code,
        coalesce(theirs.since_at, parameters.started_at) as since_at,
        parameters.started_at - coalesce(theirs.since_at, parameters.started_at) as age,
        parameters.run_id
    from publish.mismatches as ours
    left join published as theirs
        on ours.record_id = theirs.record_id and ours.code = theirs.code
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


def note_ages(warehouse: Warehouse) -> None:
    """Works out the ages of the mismatches; ``published`` must hold those published before."""
    warehouse.execute(_AGES)
