"""Crowds: the work grows with the number of rows, and a shared value links nobody by a guess."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from etl.engine.port import Warehouse
from etl.engine.statements import statements
from etl.explain.gather import _gather, find_verdict
from etl.explain.tell import tell
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.settings import Settings
from tests.crowds import Operators, all_crowds, build, land
from tests.support import Registers, memory_folder

SIZE = 2_000
ROWS_PER_ROW = 10
"""How many rows one row of a register may become on the way: blocking keys, gaps, codes."""
SAMPLED = 4 * 1000 * 1000
"""core.level_chances always compares a thousand records with a thousand citizens."""


@dataclass
class Crowded:
    """The registers of the crowds, reconciled."""

    warehouse: Warehouse
    operators: Operators
    rows: int

    def count(self, crowd: str, condition: str = "true") -> int:
        """Counts a crowd's records in ``core.reconciled``."""
        return self.warehouse.number(
            "select count(*) from core.reconciled "
            f"where starts_with(record_id, '{crowd} ') and {condition}"
        )


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    folder = memory_folder("doisoat-crowds-")
    urls = (f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target"))
    yield Registers(folder, [], [], *urls, options={"engine": {"threads": 2}}).settings
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def crowded(settings: Settings) -> Iterator[Crowded]:
    insurance, population = all_crowds(SIZE)
    with warehouse_for(settings, Run("crowds")) as warehouse:
        land(warehouse, insurance, population)
        operators = build(warehouse)
        yield Crowded(warehouse, operators, len(insurance) + len(population))
    release_lock(settings)


@pytest.mark.wide
def test_the_work_grows_with_the_rows_and_not_with_their_pairs(crowded: Crowded) -> None:
    most = ROWS_PER_ROW * crowded.rows
    assert most < SIZE**2 / 5, "or a crowd's pairs would pass"
    assert set(crowded.operators) == {name.sql for name in statements()}
    for table, operators in crowded.operators.items():
        allowed = SAMPLED if table == "core.level_chances" else most
        for rows, operator in operators:
            assert rows <= allowed, f"{table}: {operator} puts out {rows} rows of {crowded.rows}"


def test_every_record_of_a_crowd_is_reconciled(crowded: Crowded) -> None:
    lost = crowded.warehouse.number(
        "select count(distinct record_id) from raw.insurance where trim(record_id) <> '' "
        "and record_id not in (select record_id from core.reconciled)"
    )
    assert lost == 0
    undecided = crowded.warehouse.number(
        "select count(*) from core.reconciled where status <> 'REJECTED' "
        "and personal_id is null and mismatch_codes not similar to '.*(AMBIGUOUS|NOT_IN).*'"
    )
    assert undecided == 0


@pytest.mark.parametrize(
    "crowd", ["namesakes", "namesakes_with_numbers_of_others", "one_former_number"]
)
def test_nobody_is_linked_among_a_crowd_that_shares_all_that_is_known(
    crowded: Crowded, crowd: str
) -> None:
    assert crowded.count(crowd) == SIZE
    assert crowded.count(crowd, "status in ('REVIEW', 'NOT_FOUND')") == SIZE


def test_namesakes_are_told_that_they_are_too_many(crowded: Crowded, settings: Settings) -> None:
    told = crowded.warehouse.rows(
        "select reason, count(*) as records, count(personal_id) as citizens "
        "from core.step_demographic where starts_with(record_id, 'namesakes ') group by reason"
    )
    assert told == [{"reason": "too_many_citizens", "records": SIZE, "citizens": 0}]

    step = _told(crowded, "namesakes 7", "demographic")
    assert "So many citizens have this name and this full birth date" in step


def test_a_number_that_a_crowd_lists_leads_to_nobody(crowded: Crowded, settings: Settings) -> None:
    led = crowded.warehouse.number(
        "select count(*) from core.number_owners where starts_with(record_id, 'one_former_number ')"
    )
    assert led == 0
    weighed = crowded.warehouse.number(
        "select count(*) from core.near_evidence "
        "where starts_with(record_id, 'one_former_number ') and number_agreement = 'same'"
    )
    assert weighed == 0

    step = _told(crowded, "one_former_number 7", "former_id")
    assert "So many citizens list the number" in step


def _told(crowded: Crowded, record_id: str, step: str) -> str:
    warehouse = crowded.warehouse  # its run has not ended, so it is in no snapshot
    story = _gather(warehouse, find_verdict(warehouse, record_id, None))
    return " ".join(
        words.en for found in tell(story).steps if found.step == step for words in found.found
    )


def test_a_number_that_a_crowd_lists_keeps_another_given_name_from_a_link(
    crowded: Crowded,
) -> None:
    assert crowded.count("one_former_number_beside_the_own", "status = 'REVIEW'") == SIZE


def test_a_wrong_digit_is_found_in_the_greatest_crowd(crowded: Crowded) -> None:
    wrong = crowded.warehouse.number(
        "select count(*) from core.links where starts_with(record_id, 'namesakes_with_wrong') "
        "and substr(personal_id, 8) <> "
        "lpad((split_part(record_id, ' ', 2)::integer)::varchar, 5, '0')"
    )
    assert wrong == 0
    linked = "match_step = 'repaired_id'"
    assert crowded.count("namesakes_with_wrong_digits", linked) == SIZE


def test_only_its_owner_is_linked_by_a_number_that_all_carry(crowded: Crowded) -> None:
    by_number = "match_step = 'personal_id'"
    assert crowded.count("one_number", by_number) == 1
    assert crowded.count("one_number", "personal_id is null") == SIZE - 1


def test_other_given_names_go_to_a_person_where_they_may_be_twins(crowded: Crowded) -> None:
    assert crowded.count("other_given_names", "status = 'REVIEW'") >= SIZE - 1


def test_a_card_that_a_crowd_carries_asks_a_person(crowded: Crowded) -> None:
    reasons = crowded.warehouse.rows(
        "select reason, count(*) as records from core.card_conflicts "
        "where starts_with(record_id, 'one_insurance_number ') group by reason"
    )
    assert reasons == [{"reason": "look_both_elsewhere", "records": SIZE}]


def test_of_a_crowd_of_duplicates_one_is_kept(crowded: Crowded) -> None:
    kept = crowded.warehouse.rows(
        "select count(*) as records, count(distinct kept_record_id) as kept "
        "from core.duplicates where starts_with(record_id, 'one_citizen ')"
    )
    assert kept == [{"records": SIZE, "kept": 1}]


def test_two_spellings_of_one_number_are_two_versions_of_a_citizen(crowded: Crowded) -> None:
    refused = crowded.warehouse.number(
        "select count(*) from clean.rejects "
        "where register = 'population' and reason = 'personal_id_conflict' "
        "and replace(record_id, ' ', '')[2:3] = '11'"
    )
    assert refused == 2 * (SIZE // 2)
    assert crowded.count("irregular_numbers", "personal_id is not null") == SIZE - SIZE // 2
