"""With the fast lane most records skip the waterfall, and the tables are the same without it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl.bench.registers import fresh_warehouse, land
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.pipeline.graph import pipeline
from etl.simulate import SimulationSpec, write_parquet
from tests.support import Registers, citizen, memory_folder, record

SETTLED = TableName("core", "settled")
ONLY_OF_OTHERS = {"claims", "linkable", "number_owners", "number_pairs", "step_personal_id"}
"""Tables that hold only the records which are not settled."""

Tables = dict[str, tuple[int, str]]


@pytest.fixture(scope="module", params=["as in a nation", "three thousand births a day"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[tuple[int, Tables, Tables]]:
    """How many records are settled, and every table with the fast lane and without it."""
    folder = memory_folder("doisoat-lane-")
    crowded = request.param != "as in a nation"
    spec = SimulationSpec(9_000, seed=11, birth_window_days=3 if crowded else None)
    write_parquet(spec, folder)
    registers = {name: folder / f"{name}.parquet" for name in ("insurance", "population")}
    with fresh_warehouse(folder / "home") as warehouse:
        land(warehouse, registers)
        _decide(warehouse, folder)
        runner.build_all(warehouse)
        settled, with_lane = warehouse.count(SETTLED), _tables(warehouse)
        warehouse.execute(f"delete from {SETTLED.sql}")
        after = [
            table for name, table in pipeline().items() if SETTLED in pipeline().upstream(name)
        ]
        runner.build_all(warehouse, after)
        yield settled, with_lane, _tables(warehouse)
    shutil.rmtree(folder, ignore_errors=True)


def _decide(warehouse: Warehouse, folder: Path) -> None:
    """A steward has linked a few records: some to their own citizens, some to others."""
    warehouse.execute(
        "insert into ops.decisions by name "
        "select 'd' || row_number() over (order by record_id) as decision_id, record_id, "
        "if(hash(record_id) % 2 = 0, personal_id, '001050000001') as personal_id, "
        "'steward' as decided_by, timestamp '2026-01-01' as decided_at, 'seen' as reason "
        f"from read_parquet('{folder}/truth.parquet') "
        "where personal_id is not null and hash(record_id) % 97 = 0"
    )


def _tables(warehouse: Warehouse) -> Tables:
    found = {}
    for name in pipeline():
        if name.schema in ("core", "publish") and name.table != "places":
            columns = ", ".join(sorted(
                column for column, _ in warehouse.columns(name) if column != "run_id"
            ))  # fmt: skip
            (row,) = warehouse.rows(
                f"select count(*) as n, sum(hash({columns})::hugeint)::varchar as h from {name.sql}"
            )
            found[name.sql] = (int(str(row["n"])), str(row["h"]))
    return found


def test_most_records_are_settled(both_ways: tuple[int, Tables, Tables]) -> None:
    settled, with_lane, without = both_ways

    assert settled > 0.7 * with_lane["core.reconciled"][0]
    assert without["core.settled"][0] == 0
    assert without["core.claims"][0] > with_lane["core.claims"][0] + 0.9 * settled


def test_every_other_table_is_the_same(both_ways: tuple[int, Tables, Tables]) -> None:
    _, with_lane, without = both_ways
    own = {f"core.{table}" for table in ONLY_OF_OTHERS} | {"core.settled"}

    assert {name for name in with_lane if with_lane[name] != without[name]} <= own
    assert with_lane["core.links"] == without["core.links"]


def test_what_is_settled_is_what_the_waterfall_would_link(
    both_ways: tuple[int, Tables, Tables],
) -> None:
    settled, with_lane, without = both_ways
    steps = without["core.step_personal_id"][0] - with_lane["core.step_personal_id"][0]

    assert steps == settled


def test_a_number_that_was_anothers_before_is_company_to_that_other(
    registers: Callable[..., Registers],
) -> None:
    """Record 1 agrees in everything, and its number also leads to citizen 3, who had it before.

    So record 3, which has another given name, is not the only claim on citizen 3: a person looks.
    """
    surname, middle, _ = str(citizen(3)["full_name"]).split()
    other = record(3, full_name=f"{surname} {middle} Quỳnh")
    apart = registers([record(1), other], [citizen(1), citizen(3)])
    beside = registers(
        [record(1), other],
        [citizen(1), citizen(3, former_id_numbers=citizen(1)["personal_id"])],
    )
    found = "select record_id, status from {reconciled} order by record_id"

    for pair, status in ((apart, "MISMATCH"), (beside, "REVIEW")):
        pair.sync()
        assert [row["status"] for row in pair.published(found)] == ["VERIFIED", status]
