"""If memory is short, large tables are built in slices, with the same rows for any number."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from etl.bench.registers import fresh_warehouse, land
from etl.engine.duckdb.limits import slices
from etl.engine.port import Warehouse
from etl.engine.statements import TableName, statements
from etl.pipeline import runner
from etl.simulate import SimulationSpec, write_parquet
from tests.support import memory_folder

SLICED = sorted(name.sql for name, statement in statements().items() if statement.sliced_by)


@pytest.fixture(scope="module")
def linked() -> Iterator[Warehouse]:
    folder = memory_folder("doisoat-slices-")
    write_parquet(SimulationSpec(9_000, seed=12, birth_window_days=3), folder)
    registers = {name: folder / f"{name}.parquet" for name in ("insurance", "population")}
    with fresh_warehouse(folder / "home") as warehouse:
        land(warehouse, registers)
        runner.build_all(warehouse)
        yield warehouse
    shutil.rmtree(folder, ignore_errors=True)


def _content(warehouse: Warehouse, name: TableName) -> tuple[int, str]:
    columns = ", ".join(sorted(column for column, _ in warehouse.columns(name)))
    (row,) = warehouse.rows(
        f"select count(*) as n, sum(hash({columns})::hugeint)::varchar as h from {name.sql}"
    )
    return int(str(row["n"])), str(row["h"])


@pytest.mark.parametrize("table", SLICED)
@pytest.mark.wide
def test_a_table_in_many_pieces_is_the_table_in_one(linked: Warehouse, table: str) -> None:
    name = TableName.parse(table)
    whole = _content(linked, name)
    assert whole[0] > 100

    rows = linked.build(name, statements()[name].query, rows_at_work=10**9)  # more than fit

    assert (rows, _content(linked, name)[1]) == whole


def test_what_is_built_afterwards_is_whole_again(linked: Warehouse) -> None:
    name = TableName.parse(SLICED[0])
    whole = linked.count(name)

    linked.build(name, statements()[name].query, rows_at_work=10**9)
    linked.build(name, statements()[name].query)

    assert linked.count(name) == whole


def test_one_piece_is_enough_where_memory_is() -> None:
    assert slices(0, 10**9) == slices(1_000_000, 10**9) == 1
    assert slices(100_000_000, 16 * 10**9) == 5
