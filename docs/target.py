"""Writes docs/target.md: the tables that a run publishes, column by column.

python docs/target.py

The tables are those of ``etl/domain/contract.py``, with the comments that are also written into the
target.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Table

from etl.domain.contract import DIFFERENCE_TABLES, HISTORY_TABLES, target_metadata

PAGE = Path(__file__).with_suffix(".md")

_HEAD = """# What is published

<!-- Written by `python docs/target.py`; change etl/domain/contract.py and run it. -->

For whoever reads the result with SQL or a reporting tool: the tables in the schema `doisoat` of \
the target. Counts need no SQL: each published run draws one page of charts \
(`charts/run.html` under `[quality] pages_url`, [configuration.md](configuration.md)), and the \
workbench's overview shows a province's counts to users with the role `viewer` \
([stewards.md](stewards.md)).

The table `codes` has every code of these tables in words, in Vietnamese and English. \
[reconciliation.md](reconciliation.md) explains statuses, steps and mismatch codes. Moments are \
in UTC. A * marks the columns of a table's key.

"""

QUERIES = {
    "Records of each status, by province": """\
select province_code, status, count(*) as records
from reconciled
group by province_code, status
order by province_code, status""",
    "Open mismatches that are oldest, in words": """\
select codes.vi, mismatches.province_code, count(*) as records, min(mismatches.since_at) as since
from mismatches
inner join codes on codes.kind = 'mismatch' and codes.code = mismatches.code
where mismatches.severity <> 'info'
group by codes.vi, mismatches.province_code
order by since""",
    "Records whose person is not in the population register, run by run": """\
select sync_runs.published_at, mismatch_counts.mismatches, mismatch_counts.records
from mismatch_counts
inner join sync_runs on sync_runs.run_id = mismatch_counts.run_id
where
    mismatch_counts.code = 'NOT_IN_POPULATION'
    and mismatch_counts.scheme = 'all'
    and mismatch_counts.province_code = 'all'
order by sync_runs.published_at""",
}
"""Questions that are asked often, and the statement that answers each."""

_PARTS = {
    "The present state": (
        "A publish writes only the rows that are new, changed or gone, all in one transaction.",
        DIFFERENCE_TABLES,
    ),
    "Histories": (
        "Each published run adds its rows; [operations.md](operations.md#histories-that-grow) says "
        "how long they stay.",
        HISTORY_TABLES,
    ),
    "The installation": ("", ("installation",)),
}


def page() -> str:
    """Returns the page."""
    queries = "".join(f"{asked}:\n\n```sql\n{sql}\n```\n\n" for asked, sql in QUERIES.items())
    tables = target_metadata(None).tables
    parts = [
        f"## {title}\n\n"
        + (f"{said}\n\n" if said else "")
        + "".join(_one(tables[n]) for n in names)
        for title, (said, names) in _PARTS.items()
    ]
    return f"{_HEAD}## Often asked\n\n{queries}{''.join(parts)}".rstrip() + "\n"


def _one(table: Table) -> str:
    """Returns the section of one table."""
    rows = "".join(
        f"| `{column.name}`{' *' if column.primary_key else ''} | {column.comment} |\n"
        for column in table.columns
    )
    return f"### {table.name}\n\n{table.comment}.\n\n| column | |\n|---|---|\n{rows}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
