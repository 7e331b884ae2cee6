"""What is remembered of a published run: links opened and closed, and how many mismatches.

Belongs here: ``ops.link_history`` and ``ops.mismatch_history``. Does not belong here: deciding
links (``etl/reconcile``), and judging the counts (``expectations``).
"""

from __future__ import annotations

from etl.engine.port import Warehouse

# A link stays open as long as record, citizen and step are the same. Why it closed follows from
# what stands in its place.
_CLOSE = """
update ops.link_history as history
set
    saved = false,
    closed_run = parameters.run_id,
    closed_at = parameters.started_at,
    why_closed = case
        when not exists (
            select 1 from {links} as r where r.record_id = history.record_id
        ) then 'record_gone'
        when exists (
            select 1 from {links} as l
            where l.record_id = history.record_id and l.personal_id = history.personal_id
        ) then 'other_step'
        when exists (
            select 1 from {links} as l
            where l.record_id = history.record_id and l.personal_id is not null
        ) then 'other_citizen'
        else 'no_longer_linked'
    end
from ops.parameters as parameters
where
    history.closed_run is null
    and {of_changed}
    and not exists (
        select 1 from {links} as links
        where
            links.record_id = history.record_id
            and links.personal_id = history.personal_id
            and links.match_step = history.match_step
    )
"""

_OPEN = """
insert into ops.link_history by name
select
    links.record_id,
    links.personal_id,
    links.match_step,
    parameters.run_id as opened_run,
    parameters.started_at as opened_at
from {links} as links
cross join ops.parameters as parameters
anti join (select * from ops.link_history where closed_run is null and {of_changed}) as history
    on
        links.record_id = history.record_id
        and links.personal_id = history.personal_id
        and links.match_step = history.match_step
where links.personal_id is not null
"""

_IS_UP_TO_DATE = """
with remembered as (
    select
        count(*) as links,
        sum(hash(record_id, personal_id, match_step)::hugeint) as content
    from ops.link_history
    where closed_run is null
),

published as (
    select
        count(*) as links,
        sum(hash(record_id, personal_id, match_step)::hugeint) as content
    from publish.reconciled
    where personal_id is not null
)

select
    remembered.links = published.links
    and remembered.content is not distinct from published.content
from remembered
cross join published
"""

_FORGET_COUNTS = """
delete from ops.mismatch_history
where run_id = (select run_id from ops.parameters)
"""

_COUNTS = """
insert into ops.mismatch_history by name
select
    parameters.run_id,
    current_timestamp::timestamp as published_at,
    counts.code,
    counts.province_code,
    counts.mismatches,
    counts.records
from publish.mismatch_counts as counts
cross join ops.parameters as parameters
where counts.scheme = 'all'
"""

_PUBLISHED = """
update ops.runs
set saved = false, published_at = current_timestamp::timestamp
where
    run_id = (select run_id from ops.parameters)
    -- A run that built what this one publishes is published with it: one that failed late.
    or (
        published_at is null
        and run_id in (select run_id from ops.builds where table_name = 'publish.reconciled')
    )
"""


def remember_run(warehouse: Warehouse, changed: str = "") -> None:
    """Brings both histories to the state of the run; calling it again changes nothing.

    Args:
        warehouse: Within ``transaction``, so that nothing is remembered unless the publish commits.
        changed: Has the records, as ``record_id``, that alone can have another link than in the
            last published run; empty where that is not known.
    """
    if changed:
        _remember_links(warehouse, f"record_id in (select record_id from {changed})")  # noqa: S608
    # (The history may be older than the last publish: somebody has imported another state.)
    if not (changed and warehouse.value(_IS_UP_TO_DATE)):
        _remember_links(warehouse, "true")
    for statement in (_FORGET_COUNTS, _COUNTS, _PUBLISHED):
        warehouse.execute(statement)


def _remember_links(warehouse: Warehouse, of_changed: str) -> None:
    links = f"(select * from publish.reconciled where {of_changed})"  # noqa: S608 - our own words
    for statement in (_CLOSE, _OPEN):
        warehouse.execute(statement.format(of_changed=of_changed, links=links))
