"""How fast one record's story is told, for a result of a given size.

    python -m benchmarks.lookup --citizens 1000000 [--home FOLDER] [--lookups 30]

Registers are simulated, written as raw files and reconciled once; the home can be kept for another
measurement. Then the stories of records are told in turn, by id and by pseudonym. The time runs
from opening the snapshot to the whole story, including the line in the access log, without Python's
start and imports. Also measured: the same statements without places, which read the tables whole;
the verdict alone (most of its time is opening the snapshot); and making the places.

Belongs here: the time of ``doisoat explain``. Does not belong here: whether the story is right
(``tests/integration/test_explain.py``).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from etl.bench.registers import fresh_warehouse, land, settings_of
from etl.engine.statements import TableName
from etl.explain.gather import read_story
from etl.pipeline import runner
from etl.pipeline.places import LOOKED_UP, PLACES, focus_on_record
from etl.pipeline.snapshots import reading
from etl.process.privacy import load_record_key
from etl.settings import Settings
from etl.simulate import SimulationSpec, write_parquet


def prepare(home: Path, citizens: int) -> str:
    """Reconciles registers of that size, unless the home has them; says what it took."""
    if (home / "warehouse.duckdb").exists():
        return "kept from an earlier measurement"
    with tempfile.TemporaryDirectory(dir=home) as folder:
        write_parquet(SimulationSpec(citizens=citizens, seed=17), Path(folder))
        with fresh_warehouse(home) as warehouse:
            registers = ("insurance", "population")
            land(warehouse, {name: Path(folder) / f"{name}.parquet" for name in registers})
            built = runner.build_all(warehouse)
    whole = sum(table.processor_seconds for table in built)
    (places,) = (table for table in built if table.table == PLACES)
    return (
        f"{whole:,.0f} s of processor time, {places.processor_seconds:,.1f} s of it for "
        f"{places.rows:,} places"
    )


def sample(settings: Settings, lookups: int) -> list[str]:
    """Chooses records of every status, the same in each run."""
    with reading(settings) as warehouse:
        found = warehouse.rows(
            "select record_id from core.reconciled "
            "qualify row_number() over (partition by status order by hash(record_id)) <= $each "
            "order by hash(record_id)",
            {"each": -(-lookups // 4)},
        )
    return [str(row["record_id"]) for row in found][:lookups]


def timed(tell: Callable[[str], object], records: list[str]) -> tuple[float, float, float]:
    """Returns the milliseconds of the first, the median and the slowest."""
    taken = []
    for record in records:
        began = time.perf_counter()
        tell(record)
        taken.append((time.perf_counter() - began) * 1000)
    return taken[0], statistics.median(taken), max(taken)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--citizens", type=int, default=300_000)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--lookups", type=int, default=30)
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="doisoat-lookup-"))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    took = prepare(home, chosen.citizens)
    settings = settings_of(home)
    records = sample(settings, chosen.lookups)
    key = load_record_key(home)

    def by_id(record: str) -> object:
        return read_story(settings, record_id=record, record_key=None, command="benchmark")

    def found(record: str) -> object:
        with reading(settings, only=LOOKED_UP) as warehouse:
            focus_on_record(warehouse, record_id=record)
            return warehouse.rows(
                "select * from core.reconciled where record_id = $it", {"it": record}
            )

    def by_key(record: str) -> object:
        return read_story(settings, record_id=None, record_key=key.of(record), command="benchmark")

    def scanning(record: str) -> object:
        with patch("etl.pipeline.places._known", return_value=False):
            return by_id(record)

    with reading(settings) as warehouse:
        size = warehouse.count(TableName("core", "reconciled"))
    table = Table(title=f"{size:,} records: one record's story, milliseconds")
    for column in ("way", "first", "median", "slowest"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way, tell, some in (
        ("its verdict alone, by record id", found, records),
        ("by record id", by_id, records),
        ("by a pseudonym that no check has shown", by_key, records[:10]),
        ("by record id, without places", scanning, records[:10]),
    ):
        table.add_row(way, *(f"{value:,.0f}" for value in timed(tell, some)))
    Console().print(table)
    print(f"Reconciling took {took}.")


if __name__ == "__main__":
    main()
