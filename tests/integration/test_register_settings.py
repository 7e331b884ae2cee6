"""What the settings for other kinds of registers change, and that nothing changes without them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import Registers, citizen, from_warehouse, record

STREET = "214 Đường Hoa Mai, Khu Biệt Thự Sông Xanh, 70215"
HOUSE = "19 Ngõ Trạm Bơm, Khu Lò Gốm, 30127"
PEOPLE = [
    citizen(0, personal_id="001070900001", full_name="Lodge Raquel", date_of_birth="11/07/1970",
            gender=None, address=STREET),
    citizen(0, personal_id="001071900002", full_name="Cuming Bianca", date_of_birth="29/11/1971",
            gender=None, address=HOUSE),
]  # fmt: skip


def _unnumbered(case: str, name: str, born: str | None, address: str) -> dict[str, object]:
    return record(
        0, record_id=case, full_name=name, date_of_birth=born, gender=None, id_number=None,
        insurance_number=None, address=address,
    )  # fmt: skip


RECORDS = [
    # The same address and birth date, another given name: a twin, or a badly damaged name.
    _unnumbered("another_given_name", "Lodge Gillian", "11/07/1970", STREET),
    # A slip in the name, no date, three slips in the address: the only key is two of its words.
    _unnumbered("slips", "Cumings Bianca", None, "19 Ngõ Trạm Bwm, Khulò Gốm, 30172"),
]


@pytest.fixture
def small(registers: Callable[..., Registers]) -> Registers:
    crowd = range(1, 1200)
    made = registers()
    made.population = [citizen(n) for n in crowd] + PEOPLE
    made.insurance = [record(n) for n in crowd] + RECORDS
    return made.write()


def statuses(small: Registers, **settings: object) -> dict[str, tuple[object, object]]:
    """Returns status and citizen of the two records, after a sync with the settings."""
    # Small registers give little evidence, so one wrong link in a thousand is allowed.
    bold = {"wrong_links_per_million": 1000}
    small.options = {**small.options, "reconcile": bold | settings}
    assert small.sync().broken == []
    found = small.published(
        "select record_id, status, match_step, personal_id from {reconciled} "
        "where record_id not like 'R%'"
    )
    return {row["record_id"]: (row["status"], row["personal_id"]) for row in found}


def test_as_it_ships_a_twin_is_possible_and_slips_hide_an_address(small: Registers) -> None:
    found = statuses(small)

    assert found["another_given_name"] == ("REVIEW", None)
    assert found["slips"] == ("NOT_FOUND", None)


def test_where_there_are_no_relatives_evidence_decides(small: Registers) -> None:
    found = statuses(small, relatives=False)

    assert found["another_given_name"] == ("MISMATCH", "001070900001")
    assert found["slips"] == ("NOT_FOUND", None)


def test_where_addresses_name_houses_they_are_looked_up_word_by_word(small: Registers) -> None:
    found = statuses(small, street_addresses=True)

    assert found["another_given_name"] == ("REVIEW", None), "the rules still bind"
    assert found["slips"] == ("REVIEW", None)
    candidates = small.published("select personal_id from {candidates} where record_id = 'slips'")
    assert [row["personal_id"] for row in candidates] == ["001071900002"]
    (compared,) = from_warehouse(
        small.settings, "select * from core.near_scores where record_id = 'slips'"
    )
    assert compared["address_agreement"] in ("near", "partly")
