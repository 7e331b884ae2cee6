"""The counts behind the charts of a run.

Belongs here: reading the tables of ``publish``, and counting the records of the probabilistic step
by the probability of their best citizen. Does not belong here: how the counts look
(``drawing.py``), and any value of a record.

Small counts by province are not hidden, because the target's tables ``waterfall`` and
``mismatch_counts`` show them, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etl.domain.codes import UNKNOWN_PROVINCE, Status
from etl.domain.errors import ConfigError
from etl.engine.port import Warehouse
from etl.engine.statements import TableName, tables_read

Row = dict[str, Any]

BIN = 0.25
"""Width of a bar in the chart of probabilities, in powers of ten of the odds."""

FARTHEST = 7.0
"""Odds beyond ten million to one are drawn at the edge."""

_PROVINCES = """
select
    code_2025 as code,
    min(regexp_replace(province_2025, '^(Tỉnh|Thành phố) ', '')) as name
from ref.provinces
group by code_2025
"""

_STEPS = """
select province_code, match_step, step_order, came_in, linked, to_review, went_on
from publish.waterfall
where province_code <> 'all'
order by province_code, step_order
"""

# The best citizen of each record that the probabilistic step weighed, by odds.
_PROBABILITIES = """
with best as (
    select
        record_id,
        least(greatest(max(match_probability), 1e-12), 1 - 1e-12) as p
    from core.near_scores
    group by record_id
),

placed as (
    select
        least(greatest(log10(best.p / (1 - best.p)), -$farthest), $farthest - $bin) as odds,
        case
            when links.record_id is not null then 'probabilistic'
            when candidates.record_id is not null then 'review'
            else 'not_found'
        end as outcome
    from best
    left join core.links as links
        on best.record_id = links.record_id and links.match_step = 'probabilistic'
    left join core.candidates as candidates
        on best.record_id = candidates.record_id and candidates.candidate_rank = 1
)

select
    floor(odds / $bin) * $bin as start,
    outcome,
    count(*) as records
from placed
group by all
order by all
"""

_MISMATCHES = """
select counts.code, counts.province_code, counts.mismatches, counts.records, codes.vi, codes.en
from publish.mismatch_counts as counts
inner join ref.mismatch_codes as codes on counts.code = codes.code
where counts.scheme = 'all'
"""

_STATUSES = """
select status, count(*) as records
from core.reconciled
group by status
"""

_RECORDS = """
select province_code, records - rejected as records
from publish.coverage
where scheme = 'all' and records > rejected
"""

TABLES = frozenset(
    table
    for query in (_PROVINCES, _STEPS, _PROBABILITIES, _STATUSES, _MISMATCHES, _RECORDS)
    for table in tables_read(query)
)
"""The tables that the counts are read from."""


@dataclass(frozen=True)
class Counts:
    """What the charts of a run are drawn from.

    Attributes:
        run_id: The run.
        started_at: When it began (UTC).
        statuses: Records by status, in the order of ``etl.domain.codes.Status``.
        provinces: Name of each province by its code of 2025, with the unknown province.
        steps: What each step did, by province, in order.
        probabilities: Records by the odds of their best citizen and what became of them.
        wrong_links_per_million: The threshold of a link, as configured.
        review_probability: The threshold of a review.
        mismatches: Records with each code, by province and for ``all``.
        records: Records that could be used, by province and for ``all``.
    """

    run_id: str
    started_at: datetime
    statuses: dict[str, int]
    provinces: dict[str, str]
    steps: list[Row]
    probabilities: list[Row]
    wrong_links_per_million: float
    review_probability: float
    mismatches: list[Row]
    records: dict[str, int]


def read_counts(warehouse: Warehouse) -> Counts:
    """Reads the counts of the run that is in the warehouse.

    Raises:
        ConfigError: Nothing has been reconciled yet, or another version has written the warehouse.
    """
    if not warehouse.exists(TableName("publish", "waterfall")):
        raise ConfigError("Nothing has been reconciled yet.", remedy="Run: doisoat sync")
    try:
        return _read(warehouse)
    except warehouse.MISSING:
        raise ConfigError(
            "The warehouse was made by another version of doisoat, or its run broke off.",
            remedy="Run: doisoat sync",
        ) from None


def _read(warehouse: Warehouse) -> Counts:
    parameters = warehouse.rows(
        "select run_id, started_at, wrong_links_per_million, review_probability from ops.parameters"
    )[0]
    found = {str(row["status"]): int(str(row["records"])) for row in warehouse.rows(_STATUSES)}
    started = parameters["started_at"]
    assert isinstance(started, datetime)  # noqa: S101 - the column's type
    names = {str(row["code"]): str(row["name"]) for row in warehouse.rows(_PROVINCES)}
    return Counts(
        run_id=str(parameters["run_id"]),
        started_at=started,
        statuses={status.value: found.get(status.value, 0) for status in Status},
        provinces=names | {UNKNOWN_PROVINCE: "(không rõ · unknown)"},
        steps=warehouse.rows(_STEPS),
        probabilities=warehouse.rows(_PROBABILITIES, {"bin": BIN, "farthest": FARTHEST}),
        wrong_links_per_million=float(str(parameters["wrong_links_per_million"])),
        review_probability=float(str(parameters["review_probability"])),
        mismatches=warehouse.rows(_MISMATCHES),
        records={
            str(row["province_code"]): int(str(row["records"])) for row in warehouse.rows(_RECORDS)
        },
    )
