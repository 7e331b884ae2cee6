"""Rows that could not be used: each has its reason, until it is corrected at the source."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from etl.report import triage
from expectations import SUITES
from expectations.runner import run_suite
from tests.support import Registers, Row, citizen, from_warehouse, record, writing

Make = Callable[..., Registers]

EMPTY = dict.fromkeys(("full_name", "date_of_birth", "id_number", "insurance_number"))
SUITE = next(suite for suite in SUITES if suite.table.sql == "clean.rejects")


def _validated_sync(pair: Registers) -> None:
    """A sync whose rejects are evaluated by the rules, so that their failures have an age."""
    pair.write().sync()
    with writing(pair.settings) as warehouse:
        run_suite(warehouse, SUITE)


def _status(pair: Registers, record_id: str) -> str | None:
    found = pair.published(f"select status from {{reconciled}} where record_id = '{record_id}'")
    return found[0]["status"] if found else None


def _failures(pair: Registers) -> list[tuple[str, bool]]:
    """The stored failures, and for each whether it is closed."""
    found = from_warehouse(
        pair.settings,
        "select check_name, closed_run is not null as closed from ops.quality_failures "
        "where table_name = 'clean.rejects' order by first_seen, check_name",
    )
    return [(str(row["check_name"]), bool(row["closed"])) for row in found]


UNUSABLE: dict[str, tuple[list[Row], list[Row]]] = {
    "record_id_missing": ([record(2, record_id=" ")], []),
    "record_id_conflict": ([record(2), record(2, full_name="Trần Văn Khác")], []),
    "row_repeated": ([record(2), record(2)], []),
    "nothing_to_compare": ([record(2, **EMPTY)], []),
    "personal_id_invalid": ([], [citizen(2, personal_id="00108O12")]),
    "personal_id_conflict": ([], [citizen(2), citizen(2, full_name="Trần Văn Khác")]),
}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_a_reject_says_which_column_why_and_what_stood_there(registers: Make, reason: str) -> None:
    records, people = UNUSABLE[reason]
    pair = registers([record(1), *records], [citizen(1), *people])

    pair.sync()

    rows = pair.published("select * from {rejects}")
    assert rows
    for row in rows:
        assert row["reason"] == reason
        assert row["register"] == ("insurance" if records else "population")
        assert row["column_name"]
        assert row["raw_value"] is not None or reason == "nothing_to_compare"
        assert len(row["reason_vi"]) > 10
        assert len(row["reason_en"]) > 10
        assert row["reason_vi"] != row["reason_en"]
    labelled = from_warehouse(pair.settings, "select province_code from clean.rejects")
    assert {row["province_code"] for row in labelled} == {"01"}


def test_a_corrected_row_is_accepted_and_its_failure_closed(registers: Make) -> None:
    pair = registers([record(1), record(2, **EMPTY)], [citizen(1), citizen(2)])
    _validated_sync(pair)
    assert _status(pair, "R000002") == "REJECTED"
    assert _failures(pair) == [("records_have_something_to_compare", False)]

    pair.insurance[1] = record(2)
    _validated_sync(pair)

    assert pair.published("select * from {rejects}") == []
    assert _status(pair, "R000002") == "VERIFIED"
    assert _failures(pair) == [("records_have_something_to_compare", True)]


def test_a_row_that_turns_bad_is_rejected_and_its_link_closed(registers: Make) -> None:
    pair = registers([record(1), record(2)], [citizen(1), citizen(2)])
    _validated_sync(pair)
    assert _status(pair, "R000002") == "VERIFIED"

    pair.insurance[1] = record(2, **EMPTY)
    _validated_sync(pair)

    (reject,) = pair.published("select record_id, reason from {rejects}")
    assert reject == {"record_id": "R000002", "reason": "nothing_to_compare"}
    assert _status(pair, "R000002") == "REJECTED"
    (link,) = from_warehouse(
        pair.settings, "select why_closed from ops.link_history where record_id = 'R000002'"
    )
    assert link["why_closed"] == "no_longer_linked"
    assert _failures(pair) == [("records_have_something_to_compare", False)]


def test_a_citizen_corrected_at_the_source_is_found_again(registers: Make) -> None:
    pair = registers([record(1), record(2)], [citizen(1), citizen(2, personal_id="00108O12")])
    pair.sync()
    # Nobody is found by name and birth date either, because the citizen's row was rejected.
    assert _status(pair, "R000002") == "NOT_FOUND"

    pair.population[1] = citizen(2)
    pair.write().sync()

    assert pair.published("select * from {rejects}") == []
    assert _status(pair, "R000002") == "VERIFIED"


def test_triage_lists_the_rejects_of_a_reason_by_register_place_and_employer(
    registers: Make,
) -> None:
    pair = registers(
        [
            record(1),
            record(2, **EMPTY, province_code="79", employer_code="E7"),
            record(3, **EMPTY),
            record(4, record_id=None),
            record(5, record_id=""),
        ],
        [citizen(1), citizen(2, personal_id="00108O12")],
    )
    _validated_sync(pair)
    settings = pair.settings

    (there,) = triage.read_records(
        settings, "records_have_something_to_compare", province="79", employer="E7"
    )
    keyless = triage.read_records(settings, "rows_have_their_key")
    citizens = triage.read_records(settings, "personal_numbers_are_understood")
    owners = {rule["rule"]: rule["owner"] for rule in triage.read_rules(settings)}

    assert there["register"] == "insurance"
    assert len(triage.read_records(settings, "records_have_something_to_compare")) == 2
    assert len(keyless) == 2, "rows without a key have keys of their own"
    assert [row["register"] for row in citizens] == ["population"]
    assert owners["clean.rejects.personal_numbers_are_understood"] == "population"
    shown = triage.read_row(settings, "records_have_something_to_compare", str(there["record_key"]))
    assert (shown["record_id"], shown["reason"]) == ("R000002", "nothing_to_compare")
    assert "so sánh" in str(shown["reason_vi"])
