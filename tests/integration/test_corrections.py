"""What is proposed, to whom and why: duplicates, shared numbers, deceased people, cards.

All cases are in one pair of registers, which is reconciled once. For each line of the list by which
core.duplicates chooses, there is a citizen whose two records differ only in that line.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from etl.domain.codes import CORRECTION_LABELS
from etl.explain.gather import read_story
from etl.explain.tell import tell
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from tests.support import Registers, citizen, from_warehouse, memory_folder, record

CROWD = range(1, 200)
_free = count(201)
PEOPLE: dict[str, dict[str, object]] = {}
RECORDS: list[dict[str, object]] = []


def _citizen(case: str, **changes: object) -> int:
    number = next(_free)
    PEOPLE[case] = citizen(number, **changes)
    return number


def _record(number: int, record_id: str, **changes: object) -> None:
    RECORDS.append(record(number, record_id=record_id, **changes))


def _pair(case: str, kept: dict[str, object], other: dict[str, object], **of_both: object) -> None:
    """Two records of one citizen; the one to keep has the later id, so only its line decides."""
    number = _citizen(case)
    number_of = {"insurance_number": f"88{number:08d}"}
    _record(number, f"{case}-b", **({**of_both} | kept))
    _record(number, f"{case}-a", **({**number_of, **of_both} | other))


_pair("active", {"status": "active"}, {"status": "ended", "compulsory_si": "1"})
_pair("unknown", {"status": "?"}, {"status": "ended"})
_pair("compulsory", {"compulsory_si": "1"}, {"voluntary_si": "1", "unemployment_insurance": "1"})
_pair("schemes", {"voluntary_si": "1"}, {"updated_at": "2025-06-01 00:00:00"})
_pair("number", {}, {"insurance_number": None, "updated_at": "2025-06-01 00:00:00"})
_number = _citizen("found")
# A letter for a zero: the number is found only after a repair.
_record(_number, "found-a", id_number=f"O{str(PEOPLE['found']['personal_id'])[1:]}",
        updated_at="2025-06-01 00:00:00")  # fmt: skip
_record(_number, "found-b")
_pair("latest", {"updated_at": "2025-06-02 00:00:00"}, {"updated_at": "2025-06-01 00:00:00"})

_number = _citizen("personal")
_record(_number, "personal-a")
_record(_number, "personal-b", insurance_number=PEOPLE["personal"]["personal_id"])

_number = _citizen("equal")
for _id in ("equal-c", "equal-a", "equal-b"):
    _record(_number, _id, insurance_number={"equal-a": "8800000001", "equal-b": "8800000002",
                                            "equal-c": "8800000003"}[_id])  # fmt: skip

# The record to keep has no number; the other record's number is kept.
_pair("numberless", {"insurance_number": None}, {"status": "ended"})

# Another citizen's record has the number of the record that would otherwise be kept.
_number = _citizen("contested")
_record(_number, "contested-a", insurance_number="8700000001")
_record(_number, "contested-b", insurance_number="8700000002")
_record(_citizen("contester"), "contester", insurance_number="8700000001")

# A family's records have one number, which is the father's.
_number = _citizen("father")
_record(_number, "father")
# The name is so rare that name and birth date find the citizen.
_rare = {"full_name": "Giàng Mỹ Uyển"}
_record(_citizen("child", **_rare), "child", id_number=PEOPLE["father"]["personal_id"], **_rare)
_record(_citizen("stranger"), "stranger", full_name="Người Không Ai Biết",
        date_of_birth="1931-02-03", id_number=PEOPLE["father"]["personal_id"])  # fmt: skip
_rare = {"full_name": "Khổng Tước Nhi"}
_record(_citizen("daughter", **_rare), "daughter", id_number=None,
        insurance_number=PEOPLE["father"]["personal_id"], **_rare)  # fmt: skip
# One number that is nobody's.
_rare = {"full_name": "Triệu Khắc Bân"}
_record(_citizen("clerk_1", **_rare), "clerk_1", id_number="001099777777", **_rare)
_rare = {"full_name": "Thạch Sơn Rịp"}
_record(_citizen("clerk_2", **_rare), "clerk_2", id_number="001099777777", **_rare)

_record(_citizen("dead", status="deceased", date_of_death="2024-05-01"), "dead")
_record(_citizen("dead_ended", status="deceased", date_of_death="2024-05-01"), "dead_ended",
        status="ended")  # fmt: skip
_record(_citizen("dead_undated", status="deceased"), "dead_undated")

_record(_citizen("card_of_another"), "card_of_another", insurance_number="8600000001",
        health_card_number="HT2018600000009")  # fmt: skip
_record(_citizen("card_owner"), "card_owner", insurance_number="8600000009")
_record(_citizen("card_right"), "card_right", insurance_number="8600000009",
        health_card_number="HT2018600000002")  # fmt: skip
_record(_citizen("card_alone"), "card_alone", insurance_number="8600000003",
        health_card_number="HT2018600000004")  # fmt: skip
_record(_citizen("card_both"), "card_both", insurance_number="8700000001",
        health_card_number="HT2018600000009")  # fmt: skip
_pair("card_twice", {"insurance_number": "8600000005", "updated_at": "2025-01-01 00:00:00"},
      {"insurance_number": "8600000006", "health_card_number": "HT2018600000007"})  # fmt: skip
# The other record with it is linked to nobody, so it may be the same person.
_record(_citizen("card_unknown"), "card_unknown", insurance_number="8600000010",
        health_card_number="HT2018600000011")  # fmt: skip
_record(_citizen("nobody"), "nobody", full_name="Kẻ Không Ai Hay", date_of_birth="1930-04-05",
        id_number=None, insurance_number="8600000011")  # fmt: skip


@pytest.fixture(scope="module")
def registers() -> Iterator[Registers]:
    folder = memory_folder("doisoat-corrections-")
    made = Registers(
        folder,
        [record(n) for n in CROWD] + RECORDS,
        [citizen(n) for n in CROWD] + list(PEOPLE.values()),
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    with warehouse_for(made.settings, Run("corrections")) as warehouse:
        runner.run(warehouse, made.settings)
    release_lock(made.settings)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


def _proposed(registers: Registers, record_id: str) -> dict[object, tuple[object, object]]:
    """Value and reason by field."""
    rows = from_warehouse(
        registers.settings,
        f"select * from core.corrections where record_id = '{record_id}'",
    )
    found = {row["field"]: (row["proposed_value"], row["reason"]) for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("active", "keep_active"),
        ("unknown", "keep_not_ended"),
        ("compulsory", "keep_compulsory"),
        ("schemes", "keep_more_schemes"),
        ("number", "keep_with_number"),
        ("personal", "keep_personal_number"),
        ("found", "keep_found_by_number"),
        ("latest", "keep_latest"),
    ],
)
def test_the_record_that_is_higher_on_the_ladder_is_kept_and_the_rung_is_the_reason(
    registers: Registers, case: str, reason: str
):
    for record_id in (f"{case}-a", f"{case}-b"):
        assert _proposed(registers, record_id)["record_id"] == (f"{case}-b", reason)


def test_of_records_that_are_equal_the_first_id_is_kept_and_each_group_keeps_one(
    registers: Registers,
):
    for letter in "abc":
        assert _proposed(registers, f"equal-{letter}")["record_id"] == ("equal-a", "keep_first_id")
    kept = from_warehouse(
        registers.settings,
        "select personal_id from core.duplicates group by personal_id "
        "having count(distinct kept_record_id) <> 1 or count(*) filter (place = 1) <> 1",
    )
    assert kept == []


def test_the_others_take_the_number_that_is_kept(registers: Registers):
    assert "insurance_number" not in _proposed(registers, "equal-a")
    assert _proposed(registers, "equal-b")["insurance_number"] == ("8800000001", "number_of_kept")
    personal = PEOPLE["personal"]["personal_id"]
    assert _proposed(registers, "personal-a")["insurance_number"] == (personal, "number_of_kept")


def test_a_kept_record_without_a_number_takes_that_of_the_record_that_goes(registers: Registers):
    rows = _proposed(registers, "numberless-b")
    gone = next(row for row in RECORDS if row["record_id"] == "numberless-a")
    assert rows["record_id"] == ("numberless-b", "keep_active")
    assert rows["insurance_number"] == (gone["insurance_number"], "number_of_kept")


def test_a_number_that_another_person_carries_is_none_to_keep(registers: Registers):
    rows = _proposed(registers, "contested-a")
    assert rows["record_id"] == ("contested-b", "keep_with_number")
    assert rows["insurance_number"] == ("8700000002", "number_of_kept")
    assert _proposed(registers, "contester") == {
        "insurance_number": (None, "look_number_of_several")
    }


def test_of_a_shared_number_each_bearer_who_is_linked_gets_the_own_and_the_owner_nothing(
    registers: Registers,
):
    assert _proposed(registers, "father") == {}
    own = PEOPLE["child"]["personal_id"]
    assert _proposed(registers, "child") == {"id_number": (own, "number_of_another")}
    for case in ("clerk_1", "clerk_2"):
        own = PEOPLE[case]["personal_id"]
        assert _proposed(registers, case) == {"id_number": (own, "number_of_nobody")}


def test_anothers_personal_number_in_the_insurance_numbers_column_is_replaced_there(
    registers: Registers,
):
    own = PEOPLE["daughter"]["personal_id"]
    assert _proposed(registers, "daughter")["insurance_number"] == (own, "number_of_another")


def test_for_a_bearer_who_is_linked_to_nobody_nothing_is_invented(registers: Registers):
    assert _proposed(registers, "stranger") == {
        "id_number": (None, "look_for_the_citizen"),
        "record_id": (None, "look_for_the_citizen"),
    }


def test_no_correction_tells_whose_number_it_is(registers: Registers):
    father = PEOPLE["father"]
    for case in ("child", "stranger", "daughter"):
        rows = from_warehouse(
            registers.settings,
            f"select proposed_value, evidence from core.corrections where record_id = '{case}'",
        )
        shown = {value for row in rows for value in row.values()}
        assert not shown & {father["personal_id"], father["full_name"]}


@pytest.mark.parametrize(
    ("case", "reason", "evidence"),
    [
        ("dead", "deceased", "2024-05-01"),
        ("dead_undated", "deceased_without_date", None),
    ],
)
def test_an_active_record_of_the_dead_is_to_be_closed_with_the_date_as_evidence(
    registers: Registers, case: str, reason: str, evidence: str | None
):
    rows = from_warehouse(
        registers.settings,
        f"select * from core.corrections where record_id = '{case}' and field = 'status'",
    )
    assert [(r["recorded_value"], r["proposed_value"], r["reason"], r["evidence"])
            for r in rows] == [("active", "ended", reason, evidence)]  # fmt: skip
    assert rows[0]["authority"] == "population"


def test_an_ended_record_of_the_dead_needs_nothing(registers: Registers):
    assert _proposed(registers, "dead_ended") == {}


@pytest.mark.parametrize(
    ("case", "field", "value", "reason"),
    [
        ("card_of_another", "health_card_number", "8600000001", "card_of_another"),
        ("card_right", "insurance_number", "8600000002", "number_of_another_record"),
        ("card_alone", "health_card_number", None, "look_at_card"),
        ("card_both", "health_card_number", None, "look_both_elsewhere"),
        ("card_twice-a", "health_card_number", "8600000005", "number_of_kept"),
        ("card_unknown", "health_card_number", None, "look_at_card"),
    ],
)
def test_of_card_and_number_the_one_that_others_carry_is_wrong_else_a_person_looks(
    registers: Registers, case: str, field: str, value: str | None, reason: str
):
    assert _proposed(registers, case)[field] == (value, reason)


def test_every_reason_has_a_label_and_those_that_ask_propose_nothing(registers: Registers):
    rows = from_warehouse(
        registers.settings, "select distinct reason, proposed_value is null as asks "
        "from core.corrections"
    )  # fmt: skip
    assert {row["reason"] for row in rows} <= {label.code for label in CORRECTION_LABELS}
    assert all(row["asks"] == str(row["reason"]).startswith("look_") for row in rows)


def _told(registers: Registers, record_id: str) -> dict[str, Any]:
    story = read_story(registers.settings, record_id=record_id, record_key=None, command="test")
    return {p.label.en: p for p in tell(story).corrections}


def test_explain_says_which_record_to_keep_and_why(registers: Registers):
    told = _told(registers, "active-a")["Record id"]
    assert told.proposed == "active-b"
    assert told.because.en == (
        "Keep record active-b and merge this one into it, because the record to keep is active"
    )
    assert "Giữ hồ sơ active-b" in told.because.vi
    assert _told(registers, "active-b")["Record id"].because.en.startswith("Keep this record")


def test_explain_gives_the_date_of_death(registers: Registers):
    assert "01/05/2024" in _told(registers, "dead")["Status"].because.en


def test_what_leaves_names_records_by_their_published_key(registers: Registers):
    rows = from_warehouse(
        registers.settings,
        "select corrections.* from publish.corrections as corrections "
        "where field = 'record_id' and proposed_value not in "
        "(select record_id from publish.reconciled)",
    )
    assert rows == []
