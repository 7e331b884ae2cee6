"""Mismatches are right: each number is judged, in the register's words, and each has an answer.

The insurance register of these cases writes as many registers do: Nam and Nữ, Đang tham gia and Đã
dừng, 05/09/1962, provinces by name. All cases are reconciled once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from etl.explain.gather import read_story
from etl.explain.tell import tell
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from expectations import SUITES
from expectations.runner import run_suite
from tests.support import Registers, citizen, decide, from_warehouse, memory_folder, record, writing

CROWD = range(1, 120)
PEOPLE: list[dict[str, object]] = []
RECORDS: list[dict[str, object]] = []


def _date(iso: object) -> str:
    return "/".join(reversed(str(iso).split("-")))


def _case(
    number: int, case: str, person: dict[str, object] | None = None, **changes: object
) -> str:
    """A citizen and the record of that citizen; returns the personal number."""
    owner = citizen(number, **(person or {}))
    PEOPLE.append(owner)
    RECORDS.append(_written(number, owner, record_id=case, **changes))
    return str(owner["personal_id"])


def _written(number: int, owner: dict[str, object], **changes: object) -> dict[str, object]:
    as_owner = {"full_name": owner["full_name"], "gender": owner["gender"],
                "date_of_birth": _date(owner["date_of_birth"]), "id_number": owner["personal_id"],
                "status": "Đang tham gia", "province_code": "Thành phố Hà Nội"}  # fmt: skip
    return record(number, **(as_owner | changes))


NOBODYS = "001099888777"
FORMER = "001060555444"

OWN = {
    "beside": _case(200, "beside", id_number=NOBODYS,
                    insurance_number=citizen(200)["personal_id"]),
    "cancelled": _case(201, "cancelled", {"former_id_numbers": FORMER}, insurance_number=FORMER),
    "both_cancelled": _case(202, "both_cancelled", {"former_id_numbers": "012345611;012345622"},
                            id_number="012345611", insurance_number="7999999202"),
    "letter": _case(203, "letter", id_number=f"O{str(citizen(203)['personal_id'])[1:]}"),
    "card_own": _case(204, "card_own", health_card_number=citizen(204)["personal_id"]),
    "card_foreign": _case(205, "card_foreign", health_card_number=citizen(1)["personal_id"]),
    "card_mirror": _case(206, "card_mirror", insurance_number=citizen(206)["personal_id"],
                         health_card_number="HT2017900000002"),
    "dead_d": _case(207, "dead_d", {"status": "D"}),
    "dead": _case(208, "dead", {"status": "ĐÃ CHẾT", "date_of_death": "2024-05-01"}),
    "sex": _case(209, "sex", gender="Nam"),
    "birth": _case(210, "birth", date_of_birth="1964"),
    "birth_year_only": _case(211, "birth_year_only", {"date_of_birth": "1961"},
                             date_of_birth="05/09/1961"),
    "capitals": _case(212, "capitals", full_name="LE VAN TRONG"),
    "no_number": _case(213, "no_number", insurance_number=None),
    "number_on_card": _case(214, "number_on_card", insurance_number="12",
                            health_card_number="HT2017912345678"),
    "none_of_these": _case(215, "none_of_these"),
    "two_minds": _case(216, "two_minds"),
    "place_unread": _case(217, "place_unread", province_code="0101"),
}  # fmt: skip

_HOME, _NEXT_DOOR = (f"{house} Hàng Bài, Hoàn Kiếm, Hà Nội" for house in (12, 14))
# Only the twin with the longer name is registered.
PEOPLE.append(citizen(300, full_name="Trần Đức Anh", gender="Nam", personal_id="001092000300",
                      date_of_birth="1992-03-04", address=_HOME))  # fmt: skip
RECORDS.append(
    _written(300, PEOPLE[-1], record_id="near_twin", full_name="Trần Đức An", id_number=None,
             address=_HOME)
)  # fmt: skip
# A slip that does not make another name in use.
PEOPLE.append(citizen(301, full_name="Khổng Tước Bình", gender="Nam", personal_id="001093000301",
                      date_of_birth="1993-03-04", address=_NEXT_DOOR))  # fmt: skip
RECORDS.append(
    _written(301, PEOPLE[-1], record_id="slip", full_name="Khổng Tước Bìnhx", id_number=None,
             address=_NEXT_DOOR)
)  # fmt: skip
PEOPLE += [citizen(n, full_name=f"Lê Văn An {'' if n % 2 else 'An'}".strip()) for n in (310, 311)]

RECORDS += [
    # Nothing to compare: no readable name, no date.
    record(400, record_id="rejected", full_name="?", date_of_birth=None, id_number="x",
           province_code="Tỉnh Thanh Hóa", employer_code="DV01", voluntary_si="1",
           status="Đã dừng"),
    # Two rows with one key that agree on the province and differ in the employer.
    record(401, record_id="conflict", province_code="TP. Hồ Chí Minh", employer_code="DV02"),
    record(402, record_id="conflict", province_code="79", employer_code="DV03"),
]  # fmt: skip
CITIZEN_WORDS = {"status": "Còn sống"}


@pytest.fixture(scope="module")
def registers() -> Iterator[Registers]:
    folder = memory_folder("doisoat-right-")
    made = Registers(
        folder,
        [_written(n, citizen(n)) for n in CROWD] + RECORDS,
        [citizen(n, **CITIZEN_WORDS) for n in CROWD] + PEOPLE,
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    decisions = [
        ("none_of_these", None, "2026-01-01 08:00:00"),
        ("two_minds", OWN["two_minds"], "2026-01-01 08:00:00"),
        ("two_minds", citizen(3)["personal_id"], "2026-01-01 08:00:00"),
        ("two_minds", citizen(4)["personal_id"], "2025-01-01 08:00:00"),
    ]
    for record_id, personal_id, at in decisions:
        decide(made.settings, record_id, personal_id, at=datetime.fromisoformat(at))
    with warehouse_for(made.settings, Run("right")) as warehouse:
        runner.run(warehouse, made.settings)
    release_lock(made.settings)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


def _row(registers: Registers, case: str) -> dict[str, Any]:
    (row,) = from_warehouse(
        registers.settings, f"select * from core.reconciled where record_id = '{case}'"
    )
    return row


def _said(registers: Registers, case: str) -> dict[object, tuple[object, object, object]]:
    """Field and both values by code."""
    rows = from_warehouse(
        registers.settings, f"select * from core.mismatches where record_id = '{case}'"
    )
    return {row["code"]: (row["field"], row["insurance_value"], row["population_value"])
            for row in rows}  # fmt: skip


def _proposed(registers: Registers, case: str) -> dict[object, tuple[object, object, object]]:
    """Recorded value, proposed value and reason by field."""
    rows = from_warehouse(
        registers.settings, f"select * from core.corrections where record_id = '{case}'"
    )
    return {row["field"]: (row["recorded_value"], row["proposed_value"], row["reason"])
            for row in rows}  # fmt: skip


# --- each number is judged ----------------------------------------------------------------------


def test_a_wrong_number_beside_a_right_one_is_said(registers: Registers):
    row = _row(registers, "beside")
    assert (row["status"], row["personal_id"]) == ("MISMATCH", OWN["beside"])
    assert _said(registers, "beside")["ID_INVALID"] == ("id_number", NOBODYS, OWN["beside"])
    assert _proposed(registers, "beside")["id_number"] == (
        NOBODYS, OWN["beside"], "register_says",
    )  # fmt: skip


def test_a_cancelled_number_in_the_insurance_numbers_column_is_former(registers: Registers):
    assert _said(registers, "cancelled")["ID_FORMER"] == (
        "insurance_number", FORMER, OWN["cancelled"],
    )  # fmt: skip
    assert _proposed(registers, "cancelled")["insurance_number"] == (
        FORMER, OWN["cancelled"], "register_says",
    )  # fmt: skip


def test_a_repaired_number_is_shown_as_recorded_beside_the_right_one(registers: Registers):
    recorded = next(r for r in RECORDS if r["record_id"] == "letter")["id_number"]
    right = OWN["letter"]
    assert recorded != right
    assert _said(registers, "letter")["ID_REPAIRED"] == ("id_number", recorded, right)
    assert _proposed(registers, "letter")["id_number"] == (recorded, right, "register_says")


# --- cards --------------------------------------------------------------------------------------


def test_a_card_with_the_holders_own_personal_number_is_no_conflict(registers: Registers):
    assert "CARD_CONFLICT" not in _said(registers, "card_own")


@pytest.mark.parametrize("case", ["card_foreign", "card_mirror"])
def test_a_card_with_anothers_number_is_a_conflict_whatever_stands_beside_it(
    registers: Registers, case: str
):
    assert "CARD_CONFLICT" in _said(registers, case)
    recorded, proposed, reason = _proposed(registers, case)["health_card_number"]
    assert reason == "card_of_another"
    assert (
        recorded
        != proposed
        == next(r["insurance_number"] for r in RECORDS if r["record_id"] == case)
    )


# --- the registers' own words -------------------------------------------------------------------


def test_values_are_in_the_words_of_the_registers(registers: Registers):
    assert _said(registers, "sex")["GENDER_DIFFERENT"] == ("gender", "Nam", "Nữ")
    assert _proposed(registers, "sex")["gender"] == ("Nam", "Nữ", "register_says")
    assert _proposed(registers, "dead")["status"] == ("Đang tham gia", "Đã dừng", "deceased")
    born = citizen(210)["date_of_birth"]
    assert _said(registers, "birth")["BIRTH_PARTIAL"] == ("date_of_birth", "1964", born)
    assert _proposed(registers, "birth")["date_of_birth"] == (
        "1964", _date(born), "register_says",
    )  # fmt: skip
    recorded, proposed, _ = _proposed(registers, "capitals")["full_name"]
    assert (recorded, proposed) == ("LE VAN TRONG", "LÊ VĂN TRỌNG")


def test_a_register_that_knows_less_is_not_proposed(registers: Registers):
    assert _proposed(registers, "birth_year_only")["date_of_birth"] == (
        "05/09/1961", None, "look_birth_incomplete",
    )  # fmt: skip


def test_a_missing_insurance_number_is_on_the_card_or_is_the_personal_number(registers: Registers):
    assert _proposed(registers, "no_number")["insurance_number"] == (
        None, OWN["no_number"], "personal_number_replaces",
    )  # fmt: skip
    assert _proposed(registers, "number_on_card")["insurance_number"] == (
        "12", "7912345678", "number_on_card",
    )  # fmt: skip


def test_every_mismatch_that_asks_has_an_answer(registers: Registers):
    rows = from_warehouse(
        registers.settings,
        "select code, remedy from publish.mismatches where severity <> 'info' and remedy = 'none'",
    )
    assert rows == []
    remedies = from_warehouse(registers.settings, "select distinct remedy from publish.mismatches")
    labelled = from_warehouse(
        registers.settings, "select code from publish.codes where kind = 'remedy'"
    )
    assert {row["remedy"] for row in remedies} <= {row["code"] for row in labelled}


# --- vocabularies -------------------------------------------------------------------------------


def test_unknown_spellings_are_counted_and_the_citizens_status_is_told(registers: Registers):
    unread = from_warehouse(
        registers.settings,
        "select register, column_name, raw, copies from clean.vocabularies where value is null "
        "order by all",
    )
    assert {tuple(row.values()) for row in unread} == {
        ("insurance", "province_code", "0101", 1),
        ("population", "status", "D", 1),
    }
    assert "DECEASED_ACTIVE" not in _said(registers, "dead_d")
    assert _facts(registers, "dead_d")["Status"] == "D (not understood)"
    assert _facts(registers, "dead")["Status"] == "deceased, 01/05/2024"
    assert _facts(registers, "sex")["Status"] == "alive"


def _facts(registers: Registers, case: str) -> dict[str, str]:
    told = tell(read_story(registers.settings, record_id=case, record_key=None, command="test"))
    return {label.en: value.en for label, value in told.candidates[0].facts}


def test_provinces_are_read_by_name(registers: Registers):
    assert _row(registers, "sex")["province_code"] == "01"
    assert _row(registers, "place_unread")["province_code"] is None


# --- rejected records ---------------------------------------------------------------------------


def test_a_rejected_record_keeps_what_its_rows_say(registers: Registers):
    row = _row(registers, "rejected")
    assert row["status"] == "REJECTED"
    assert (row["province_code"], row["employer_code"]) == ("38", "DV01")
    assert (row["voluntary_si"], row["health_insurance"], row["compulsory_si"]) == (
        True, True, False,
    )  # fmt: skip
    row = _row(registers, "conflict")
    assert (row["province_code"], row["employer_code"]) == ("79", None)
    assert row["health_insurance"] is True
    counted = from_warehouse(
        registers.settings,
        "select rejected from publish.coverage where scheme = 'voluntary_si' "
        "and province_code = '38'",
    )
    assert [row["rejected"] for row in counted] == [1]


def test_a_reject_names_the_column_that_is_wrong(registers: Registers):
    rows = from_warehouse(
        registers.settings,
        "select record_id, column_name, raw_value from clean.rejects where register = 'insurance' "
        "order by all",
    )
    named = {(row["record_id"], row["column_name"], row["raw_value"]) for row in rows}
    assert named == {
        ("rejected", "full_name;id_number", "? | x"),
        ("conflict", "record_id", "conflict"),
    }


# --- decisions and doubts -----------------------------------------------------------------------


def test_a_near_twin_goes_to_a_person_and_a_slip_that_is_no_name_is_linked(registers: Registers):
    assert _row(registers, "near_twin")["status"] == "REVIEW"
    (candidate,) = from_warehouse(
        registers.settings, "select * from publish.candidates where record_id = 'near_twin'"
    )
    assert candidate["reason"] == "near_twin"
    assert (candidate["full_name"], candidate["date_of_birth"], candidate["gender"]) == (
        "Trần Đức Anh", "1992-03-04", "Nam",
    )  # fmt: skip
    assert (candidate["status"], candidate["address"]) == (
        "alive", _HOME,
    )  # fmt: skip
    assert _row(registers, "slip")["personal_id"] == "001093000301"


def test_none_of_these_is_a_decision(registers: Registers):
    row = _row(registers, "none_of_these")
    assert (row["status"], row["personal_id"]) == ("NOT_FOUND", None)


@pytest.mark.parametrize("table", ["core.step_steward", "core.candidates", "core.reconciled"])
def test_decisions_of_every_kind_stop_no_publish(registers: Registers, table: str):
    """Before, a blocking rule did not know "none of these" and two decisions of one moment."""
    (suite,) = (suite for suite in SUITES if suite.table.sql == table)
    with writing(registers.settings) as warehouse:
        judged = run_suite(warehouse, suite)
    assert [r.rule.name for r in judged if r.rule.blocking and not r.passed] == []


def test_two_decisions_of_one_moment_go_back_to_a_person(registers: Registers):
    assert _row(registers, "two_minds")["status"] == "REVIEW"
    rows = from_warehouse(
        registers.settings, "select * from core.candidates where record_id = 'two_minds'"
    )
    assert {row["personal_id"] for row in rows} == {OWN["two_minds"], citizen(3)["personal_id"]}
    assert {(row["match_step"], row["reason"]) for row in rows} == {
        ("steward", "decisions_contradict")
    }
