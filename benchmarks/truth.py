"""How often the links of the last demo are right, compared with the simulator's truth.

doisoat demo --citizens 100000 --seed 2021
python -m benchmarks.truth
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from etl.demo.demonstration import DEMO_HOME

_QUERY = """
select
    reconciled.status,
    count(*) as records,
    count(*) filter (truth.personal_id = reconciled.personal_id) as linked_right,
    count(*) filter (
        reconciled.personal_id is not null
        and truth.personal_id is distinct from reconciled.personal_id
    ) as linked_wrong,
    count(*) filter (truth.personal_id is null) as no_citizen,
    count(*) filter (
        exists (
            select 1 from warehouse.core.candidates as candidates
            where
                candidates.record_id = truth.record_id
                and candidates.personal_id = truth.personal_id
        )
    ) as true_citizen_among_candidates
from warehouse.core.reconciled as reconciled
inner join truth on reconciled.record_id = truth.record_id
group by grouping sets ((reconciled.status), ())
order by grouping(reconciled.status), records desc
"""


def main() -> None:
    """Compares and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=DEMO_HOME)
    home = parser.parse_args().home
    connection = duckdb.connect()
    connection.execute(f"attach '{home / 'warehouse.duckdb'}' as warehouse (read_only)")
    connection.execute(f"create view truth as from '{home / 'truth.parquet'}'")
    found = connection.execute(_QUERY)
    table = Table("status", title="The last demo beside its truth")
    for column in (found.description or [])[1:]:
        table.add_column(column[0].replace("_", " "), justify="right")
    for status, *counts in found.fetchall():
        table.add_row(status or "all", *(f"{count:,}" for count in counts))
    Console().print(table)


if __name__ == "__main__":
    main()
