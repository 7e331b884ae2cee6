"""A delta builds few rows of the large tables, and they are the same as if built whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.bench.registers import fresh_warehouse, land
from etl.engine.builds import out_of_step
from etl.engine.duckdb import places as kept_places
from etl.engine.port import Warehouse
from etl.engine.statements import Kind, Stage, TableName, statements
from etl.extract import Changes, Extraction
from etl.extract.delta import changed_keys, key_of, touched_keys
from etl.pipeline import places, runner, scope
from etl.pipeline.graph import pipeline
from etl.simulate import SimulationSpec, write_parquet
from tests.support import memory_folder

pytestmark = pytest.mark.wide

CITIZENS = 6_000

# What happens to a share of the rows, chosen by a hash of the key. 'own' are the row's columns,
# 'other' those of another row of the register.
_LIFE = {
    "insurance": {
        "name": {"full_name": "other.full_name"},
        "birth": {"date_of_birth": "other.date_of_birth"},
        "given": {"full_name": "own.full_name || 'n'"},
        "swap": {"id_number": "other.id_number"},
        "typo": {"id_number": "left(own.id_number, 10) || '77'"},
        "none": {"id_number": "null"},
        "insured": {"insurance_number": "other.insurance_number"},
        "card": {"health_card_number": "other.health_card_number"},
        "place": {"province_code": "other.province_code", "address": "other.address"},
        "ended": {"status": "'ended'"},
        "key": {"record_id": "other.record_id"},
        "lost": {"record_id": "null"},
    },
    "population": {
        "name": {"full_name": "other.full_name"},
        "birth": {"date_of_birth": "other.date_of_birth"},
        "person": {"full_name": "other.full_name", "date_of_birth": "other.date_of_birth"},
        "former": {"former_id_numbers": "other.former_id_numbers"},
        "past": {"former_id_numbers": "other.personal_id"},
        "end": {"former_id_numbers": "'123' || right(own.personal_id, 6)"},
        "filler": {"former_id_numbers": "'123456780'"},
        "death": {"date_of_death": "'2026-02-01'", "status": "'deceased'"},
        "place": {"province_code": "other.province_code", "address": "other.address"},
        "key": {"personal_id": "other.personal_id"},
        "spelt": {"personal_id": "own.personal_id || ' '"},
        "lost": {"personal_id": "null"},
        "gender": {"gender": "other.gender"},
    },
}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = memory_folder("doisoat-scope-")
    write_parquet(SimulationSpec(CITIZENS, seed=21, birth_window_days=40), folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def built(home: Path) -> Iterator[Warehouse]:
    with fresh_warehouse(home / "home") as warehouse:
        land(warehouse, {name: home / f"{name}.parquet" for name in _LIFE})
        for register in _LIFE:
            runner.note_build(warehouse, TableName("raw", register), ())
        # So that a citizen more or less decides whether others share too many of a record's keys.
        warehouse.execute("update ops.parameters set block_limit = 12")
        runner.build_all(warehouse)
        warehouse.execute("update ops.parameters set mode = 'delta'")
        yield warehouse


def _change(warehouse: Warehouse, register: str, seed: int, per_million: int) -> Extraction:
    """Changes, deletes and adds rows of a register, as an extraction would leave it."""
    key = key_of(register)
    events = {"deleted": None, "added": {}, **_LIFE[register]}
    warehouse.execute(
        f"create or replace temp table befallen as "
        f"select own.*, hash({key}, {seed}) % 1000000 // {per_million} as event, "
        f"row_number() over (order by hash({key}, {seed}), row_number) as turn "
        f"from raw.{register} as own where event < {len(events)}"
    )
    warehouse.execute(
        "create or replace temp table other_rows as "
        "select *, row_number() over (order by turn desc) as meets from befallen"
    )
    columns = [
        name
        for name, _ in warehouse.columns(TableName("raw", register))
        if name not in {"row_number", "record_id" if register == "insurance" else "personal_id"}
    ]
    own_key = "record_id" if register == "insurance" else "personal_id"
    parts = []
    for number, changed in enumerate(events.values()):
        if changed is None:
            continue
        values = {name: f"own.{name}" for name in (own_key, *columns)} | changed
        if not changed:  # a new row beside the old one
            parts.append(
                f"select {', '.join(values.values())} from befallen as own where event = 1"
            )
            values[own_key] = f"own.{own_key} || '{seed}'"
        written = ", ".join(
            f"({value})::varchar as {name}" if name != "read_at" else f"{value} as {name}"
            for name, value in values.items()
        )
        parts.append(
            f"select {written} from befallen as own "
            f"inner join other_rows as other on own.turn = other.meets where own.event = {number}"
        )
    # All rows with one key are replaced together.
    warehouse.execute(
        "create or replace temp table new_rows as "
        f"select * from ({' union all by name '.join(parts)})"
    )
    warehouse.execute(
        f"create or replace temp table {changed_keys(register)} as "
        f"select distinct {key} as row_key from befallen union select {key} from new_rows"
    )
    warehouse.execute(
        f"create or replace temp table {touched_keys(register)} as select '' as row_key limit 0"
    )
    warehouse.execute(
        f"insert into new_rows by name select * exclude (row_number) from raw.{register} as own "
        f"semi join {changed_keys(register)} on {key} = row_key "
        "anti join befallen on own.row_number = befallen.row_number"
    )
    with warehouse.transaction():
        warehouse.amend(
            TableName("raw", register),
            gone=f"select row_number from raw.{register} "
            f"semi join {changed_keys(register)} on {key} = row_key",
            new="select *, null::uinteger as row_number from new_rows",
            note="changed",
        )
        runner.forget_build(warehouse, TableName("raw", register))
        runner.note_build(warehouse, TableName("raw", register), ())
    return Extraction(register, 0, "rows", Changes(1, 1, 1))


def _begin(warehouse: Warehouse) -> scope.Scope:
    scope._SCOPES.pop(warehouse, None)
    begun = scope.begin_scope(warehouse)
    assert not begun._given_up, out_of_step(warehouse, pipeline())
    return begun


def _differences(warehouse: Warehouse) -> dict[str, tuple[int, int]]:
    """Builds every table whole; returns for each how many rows were wrong and how many missing."""
    found = {}
    for table in pipeline().of("clean", "core", "publish"):
        if table.statement is None or table.kind is Kind.STATISTIC:
            continue
        name = table.name
        warehouse.execute(f"create or replace temp table before as from {name.sql}")
        runner._build(warehouse, table)
        wrong = warehouse.number(f"select count(*) from (from before except all from {name.sql})")
        missing = warehouse.number(f"select count(*) from (from {name.sql} except all from before)")
        if wrong or missing:
            found[name.sql] = (wrong, missing)
    return found


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))]
)
@pytest.mark.parametrize("per_million", [200, 2_500])
def test_few_rows_are_built_as_all_would_be(built: Warehouse, seed: int, per_million: int) -> None:
    begun = _begin(built)
    for register in _LIFE:
        begun.note(_change(built, register, seed, per_million))

    runner.build_all(built)

    assert begun._stages == list(Stage), "a scope was given up"
    assert _differences(built) == {}
    runner.build_all(built)  # so that all tables fit together again, places too


def test_the_scope_is_small(built: Warehouse) -> None:
    begun = _begin(built)
    for register in _LIFE:
        begun.note(_change(built, register, 9, 100))

    runner.build_all(built)

    assert built.number("select count(*) from scope_records") < 0.1 * CITIZENS
    _differences(built)
    runner.build_all(built)


@pytest.mark.parametrize("few", [0, 1_000_000])
def test_the_places_of_rows_are_right_when_the_file_is_written(
    built: Warehouse, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced rows leave gaps, which the engine closes when it writes its file.

    The places of the rows before the first closed gap are kept, if there are more than a few.
    """
    monkeypatch.setattr(kept_places, "_FEW", few)
    monkeypatch.setattr(kept_places, "_SAMPLED", 1 / 4)
    later = []
    for seed in range(30, 36):
        begun = _begin(built)
        for register in _LIFE:
            begun.note(_change(built, register, seed, 200))
        runner.build_all(built)
        later.append(built.count(TableName("publish", "places_later")))

        built.execute("checkpoint")

        places_now = kept_places.places_of(places.PLACES)
        for table, key in places._KEYS.items():
            both = [
                f"select rowid as row_number, hash({key}) as place from {table.sql} "
                f"where {key} is not null",
                f"select row_number, place from {places_now} where table_name = '{table.sql}' "
                f"and row_number in (select rowid from {table.sql})",
            ]
            lost, wrong = (
                built.number(f"select count(*) from ({one} except {other})")
                for one, other in (both, reversed(both))
            )
            assert (lost, wrong) == (0, 0), table.sql
    assert any(later) == (few == 0), "the places of rows that stayed were kept"
    _differences(built)
    runner.build_all(built)


@pytest.mark.parametrize("again", [["t"], ["s", "t"], ["a"], []])
def test_a_row_that_comes_again_into_its_place_hides_no_gap(
    again: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_places, "_FEW", 0)
    monkeypatch.setattr(kept_places, "_SAMPLED", 1)
    monkeypatch.setattr(kept_places, "_SORTED_AGAIN", 99)
    table, made = TableName("core", "letters"), TableName("core", "spots")
    letters = [chr(number) for number in range(ord("a"), ord("t") + 1)]
    for gone in letters:
        with fresh_warehouse(tmp_path / gone) as warehouse:
            warehouse.execute(f"create table {table.sql} as select unnest({letters}) as letter")
            warehouse.make_places(made, {table: "letter"}, {})
            for letter in {gone, *again}:
                warehouse.execute(f"delete from {table.sql} where letter = '{letter}'")
            for letter in ["new", *(one for one in again if one != gone)]:
                warehouse.execute(f"insert into {table.sql} values ('{letter}')")

            warehouse.make_places(made, {table: "letter"}, {table: 2 * len(again) + 2})

            right = warehouse.number(
                f"select count(*) from {table.sql} as letters "
                f"inner join {kept_places.places_of(made)} as places "
                "on letters.rowid = row_number and place = hash(letter)"
            )
            assert right == warehouse.count(table), gone


@pytest.mark.parametrize("name", sorted(n.sql for n, s in statements().items() if s.delta))
def test_what_a_table_reads_in_part_is_told_by_a_column(built: Warehouse, name: str) -> None:
    """Every condition for the rows that are removed can be evaluated on the table."""
    begun = _begin(built)
    statement = statements()[TableName.parse(name)]
    assert begun._gone(statement.delta, statement.name)
