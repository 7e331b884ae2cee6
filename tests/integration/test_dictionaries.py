"""The dictionaries: each distinct string once; they are extended until the normaliser changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from etl.clean import dictionaries
from etl.engine import port
from etl.engine.duckdb.warehouse import open_warehouse
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.normalise import NORMALISER_VERSION
from etl.normalise.digits import stand_ins
from etl.process.privacy import RecordKey
from tests.support import INSURANCE_COLUMNS, POPULATION_COLUMNS

Load = Callable[..., None]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "warehouse.duckdb", key=RecordKey(b"tests")) as warehouse:
        yield warehouse


@pytest.fixture
def read(warehouse: Warehouse) -> Load:
    """Makes the raw tables anew, with the same values in both registers' columns of a kind."""

    def load(**values: Sequence[str | None]) -> None:
        rows = max(map(len, values.values()))
        for register, columns in (
            ("insurance", INSURANCE_COLUMNS),
            ("population", POPULATION_COLUMNS),
        ):
            padded = {
                name: pa.array([*values.get(name, ()), *[None] * rows][:rows], pa.string())
                for name in columns
            }
            warehouse.load(TableName("raw", register), pa.table(padded))

    return load


def remembered(warehouse: Warehouse, table: str, column: str) -> dict[object, object]:
    rows = warehouse.rows(f"select raw, {column} as answer from clean.{table}")
    assert len(rows) == len({row["raw"] for row in rows})
    return {row["raw"]: row["answer"] for row in rows}


def mark_all(warehouse: Warehouse, table: str, column: str, answer: str) -> None:
    """Writes another answer into every row, so that a row that is computed anew differs."""
    name = TableName("clean", table)
    marked = warehouse.arrow(f"select * replace ({answer} as {column}) from {name.sql}")
    warehouse.discard(name)
    warehouse.add_part(name, marked)
    warehouse.show(name)


def test_each_distinct_string_stands_once_though_both_registers_hold_it(warehouse, read):
    read(full_name=["NGUYỄN VĂN AN", "NGUYỄN VĂN AN", "Nguyễn Văn An", None])
    assert dictionaries.extend(warehouse, "names").new == 2
    assert remembered(warehouse, "names", "canonical") == {
        "NGUYỄN VĂN AN": "Nguyễn Văn An",
        "Nguyễn Văn An": "Nguyễn Văn An",
    }


def test_a_later_run_adds_what_is_new_and_computes_nothing_again(warehouse, read):
    read(full_name=["NGUYỄN VĂN AN", "Lê Hoà"])
    dictionaries.extend(warehouse, "names")
    mark_all(warehouse, "names", "canonical", "'as it was'")

    read(full_name=["Lê Hoà", "Trần Thuý"])
    assert dictionaries.extend(warehouse, "names").new == 1
    assert remembered(warehouse, "names", "canonical") == {
        "NGUYỄN VĂN AN": "as it was",
        "Lê Hoà": "as it was",
        "Trần Thuý": "Trần Thúy",
    }
    assert dictionaries.extend(warehouse, "names").new == 0


def test_another_version_of_the_normaliser_begins_anew(warehouse, read):
    read(full_name=["Lê Hoà"])
    dictionaries.extend(warehouse, "names")
    mark_all(warehouse, "names", "canonical", "'as it was'")
    mark_all(warehouse, "names", "normaliser_version", "-1")

    assert dictionaries.extend(warehouse, "names").new == 1
    assert remembered(warehouse, "names", "canonical") == {"Lê Hoà": "Lê Hòa"}
    versions = remembered(warehouse, "names", "normaliser_version")
    assert set(versions.values()) == {NORMALISER_VERSION}


def test_one_string_may_be_two_kinds_of_number(warehouse, read):
    read(id_number=["1162000001 "], insurance_number=["1162000001 "])
    dictionaries.extend(warehouse, "numbers")
    mark_all(warehouse, "numbers", "warnings", "'as it was'")
    assert dictionaries.extend(warehouse, "numbers").new == 0
    rows = warehouse.rows("select field, number, candidates, warnings from clean.numbers")
    assert sorted(rows, key=str) == [
        {"field": "id", "number": None, "candidates": "001162000001", "warnings": "as it was"},
        {"field": "insurance", "number": "1162000001", "candidates": "", "warnings": "as it was"},
    ]


def test_plain_numbers_never_enter_a_dictionary(warehouse, read):
    read(id_number=["001062000001"], insurance_number=["7912345678"], personal_id=["001062000001"])
    assert dictionaries.extend(warehouse, "numbers").new == 0


@pytest.mark.parametrize(
    ("column", "field"),
    [("id_number", "id"), ("insurance_number", "insurance"), ("health_card_number", "card")],
)
def test_a_stand_in_is_no_plain_number(warehouse, read, column, field):
    values = sorted(v for v in stand_ins() if v.isdigit() and len(v) in (9, 10, 12))
    values += [f"DN479{value}" for value in values if len(value) == 10]
    read(**{column: values})
    dictionaries.extend(warehouse, "numbers")
    asked = f"select raw, reject from clean.numbers where field = '{field}'"
    assert {
        row["raw"]: row["reject"] is not None for row in warehouse.rows(asked)
    } == dict.fromkeys(values, True)


def test_births_and_deaths_share_a_dictionary_and_only_the_future_is_read_again(warehouse, read):
    read(date_of_birth=["05/09/1962", "01/01/2999"], date_of_death=["05/09/1962", "07/2020"])
    assert dictionaries.extend(warehouse, "births").new == 3
    mark_all(warehouse, "births", "notes", "'as it was'")
    assert dictionaries.extend(warehouse, "births").restated.to_pylist() == ["01/01/2999"]
    assert remembered(warehouse, "births", "notes") == {
        "05/09/1962": "as it was", "07/2020": "as it was", "01/01/2999": "",
    }  # fmt: skip


def test_a_day_of_two_digits_that_came_about_is_read_again(warehouse, read):
    this, past = date.today(), date.today() - timedelta(days=400)
    came = [f"{this:%d/%m/%y}", f"{past:%d/%m/%y}", "29/02/00"]
    read(date_of_birth=[*came, "05/09/62", f"{this + timedelta(1):%d/%m/%y}"])
    dictionaries.extend(warehouse, "births")
    right = remembered(warehouse, "births", "birth_date")
    # The dates as they were read before their day had come.
    earlier = "if(year(birth_date) >= 2000, birth_date - interval 100 years, birth_date)::date"
    mark_all(warehouse, "births", "birth_date", earlier)
    assert remembered(warehouse, "births", "birth_date") != right
    restated = dictionaries.extend(warehouse, "births").restated
    assert sorted(restated.to_pylist()) == sorted(came)
    assert remembered(warehouse, "births", "birth_date") == right
    assert not len(dictionaries.extend(warehouse, "births").restated)


def test_strings_come_in_batches_of_a_bounded_size(warehouse, read, monkeypatch):
    monkeypatch.setattr(dictionaries, "STRINGS_PER_BATCH", 3)
    names = [f"Nguyễn Văn {letter}" for letter in "ABCDĐEGHIK"]
    read(full_name=names)
    assert dictionaries.extend(warehouse, "names").new == len(names)
    assert set(remembered(warehouse, "names", "canonical")) == set(names)


def test_many_small_parts_become_one_and_nothing_is_lost(warehouse, read, monkeypatch):
    monkeypatch.setattr(port, "MANY_PARTS", 4)
    names = [f"Nguyễn Văn {letter}" for letter in "ABCDĐEGHIK"]
    for known in range(1, len(names) + 1):
        read(full_name=names[:known])
        assert dictionaries.extend(warehouse, "names").new == 1
    assert set(remembered(warehouse, "names", "raw")) == set(names)
    assert len(list(warehouse.file(TableName("clean", "names")).iterdir())) <= 5


def test_many_large_parts_are_left_alone(warehouse, read, monkeypatch):
    monkeypatch.setattr(port, "MANY_PARTS", 2)
    monkeypatch.setattr(port, "_LARGE_PART", 0)
    names = ["Lê Hoà", "Trần Thuý", "Nguyễn Văn An", "Phạm Thị Lan"]
    for known in range(1, len(names) + 1):
        read(full_name=names[:known])
        assert dictionaries.extend(warehouse, "names").new == 1
    assert dictionaries.extend(warehouse, "names").new == 0
    assert set(remembered(warehouse, "names", "raw")) == set(names)


def test_a_part_that_was_being_written_when_the_process_died_is_not_there(warehouse, read):
    read(full_name=["Lê Hoà"])
    dictionaries.extend(warehouse, "names")
    (warehouse.file(TableName("clean", "names")) / "half.unfinished").write_bytes(b"PAR1")

    read(full_name=["Lê Hoà", "Trần Thuý"])
    assert dictionaries.extend(warehouse, "names").new == 1
    assert set(remembered(warehouse, "names", "raw")) == {"Lê Hoà", "Trần Thuý"}
