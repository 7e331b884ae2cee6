"""The same registers give the same bytes, whatever the number of threads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from etl.clean import dictionaries
from etl.engine.port import Warehouse
from etl.engine.statements import TableName, statements
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.publish import publish
from etl.publish.ledger import balance
from etl.simulate import SimulationSpec, write_database
from tests.support import Registers, memory_folder

pytestmark = pytest.mark.wide

CITIZENS = 5_000
THREADS = (1, 2, 4)


@dataclass
class Night:
    """The result of one run.

    Attributes:
        tables: The hash of each table's rows, whatever their order.
        changes: Rows inserted, updated and deleted in the target, by table.
    """

    tables: dict[str, str]
    changes: dict[str, int]


@pytest.fixture(scope="module")
def nights() -> Iterator[list[Night]]:
    """One run after another on registers in which 1,250 people are born a day."""
    folder = memory_folder("doisoat-same-")
    urls = {name: f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")}
    spec = SimulationSpec(citizens=CITIZENS, seed=3, birth_window_days=4)
    write_database(spec, urls["insurance"], urls["population"], truth=folder)
    found = []
    for threads in THREADS:
        registers = Registers(
            folder,
            [],
            [],
            urls["insurance"],
            urls["population"],
            urls["target"],
            options={"engine": {"threads": threads}},
        )
        settings = registers.settings
        with warehouse_for(settings, Run(f"on {threads}")) as warehouse:
            runner.run(warehouse, settings)
            balance(warehouse)
            counts = publish(warehouse, settings, ())
            changes = {name: d.total for name, d in counts.differences.items()}
            found.append(Night({name.sql: _hash(warehouse, name) for name in _tables()}, changes))
        release_lock(settings)
    yield found
    shutil.rmtree(folder, ignore_errors=True)


def _tables() -> list[TableName]:
    return [*statements(), *(TableName("clean", table) for table in dictionaries.tables())]


def _hash(warehouse: Warehouse, name: TableName) -> str:
    columns = ", ".join(
        column for column, _ in warehouse.columns(name) if column not in ("run_id", "read_at")
    )
    return str(
        warehouse.value(
            "select md5(string_agg(row_text, chr(10) order by row_text)) "
            f"from (select to_json(held)::varchar as row_text "
            f"from (select {columns} from {name.sql}) as held)"
        )
    )


def test_every_table_is_the_same_whatever_the_number_of_threads(nights: list[Night]) -> None:
    first, *others = nights
    for night in others:
        differing = [name for name, value in first.tables.items() if night.tables[name] != value]
        assert differing == []


def test_the_next_night_changes_nothing_in_the_target(nights: list[Night]) -> None:
    first, *others = nights
    assert first.changes["reconciled"] > CITIZENS / 2
    for night in others:
        assert set(night.changes.values()) == {0}


def test_what_leaves_with_a_probability_is_among_it(nights: list[Night]) -> None:
    assert nights[0].changes["candidates"] > 0, "or nothing was weighed"
