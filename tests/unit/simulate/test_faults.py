"""Every kind of fault, alone: the records with the fault show it, and all others are right."""

# ruff: noqa: ARG005, because all checks take the same arguments

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from etl.domain.contract import INSURANCE
from etl.simulate import SimulationSpec
from etl.simulate.calendar import FULL_FORMS
from etl.simulate.faults_numbers import PLACEHOLDERS
from etl.simulate.reference import fault_kinds

from .conftest import Registers, Row, as_rows, collect

KINDS = sorted(fault_kinds())
ROW_KINDS = {"duplicate", "ghost", "junk", "deceased_active"}
FIELD_OF = {
    "name": "full_name",
    "id": "id_number",
    "birth": "date_of_birth",
    "gender": "gender",
    "insurance": "insurance_number",
    "card": "health_card_number",
    "province": "province_code",
    "address": "address",
}
SAME = {
    "full_name": "full_name",
    "id_number": "personal_id",
    "date_of_birth": "date_of_birth",
    "gender": "gender",
    "province_code": "province_code",
    "address": "address",
}
"""Columns of the insurance register that repeat one of the population register."""

Check = Callable[[Any, Row, Registers], bool]


def _bare(text: str) -> str:
    text = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in text if not unicodedata.combining(letter))


def _edits(a: str, b: str) -> int:
    """Returns the optimal string alignment distance."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(row[-1] + 1, rows[-1][j] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def _birth(row: Row) -> date:
    day, month, year = row["date_of_birth"].split("/")
    return date(int(year), int(month), int(day))


def _dated(form: str) -> Check:
    return lambda text, citizen, _: text == _birth(citizen).strftime(form)


def _one_digit_off(text: str, citizen: Row, _: Registers) -> bool:
    return _edits(text, citizen["date_of_birth"]) == 1


def _swapped_days(text: str, citizen: Row, _: Registers) -> bool:
    day, month, year = text.split("/")
    return f"{month}/{day}/{year}" == citizen["date_of_birth"]


def _undo_double_utf8(text: str) -> str:
    return b"".join(
        letter.encode("latin-1") if ord(letter) < 256 else letter.encode("cp1252")
        for letter in text
    ).decode()


def _letters_gone(text: str, citizen: Row, _: Registers) -> bool:
    """Says whether no precomposed letter is left that only Vietnamese has."""
    return not re.search("[ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỷỹỵđĐơưƠƯ]", text)


def _years_between(number: str, citizen: Row, registers: Registers) -> int:
    other = registers.citizens[number]
    return int(citizen["date_of_birth"][-4:]) - int(other["date_of_birth"][-4:])


CHECKS: dict[str, Check] = {
    "name_upper": lambda t, c, _: t == c["full_name"].upper(),
    "name_lower": lambda t, c, _: t == c["full_name"].lower(),
    "name_nfd": lambda t, c, _: unicodedata.normalize("NFC", t) == c["full_name"],
    "name_eth": lambda t, c, _: t.replace("Ð", "Đ").replace("ð", "đ") == c["full_name"],
    "name_unaccented": lambda t, c, _: _bare(t) == _bare(c["full_name"]) and _letters_gone(t, c, _),
    "name_tcvn3": _letters_gone,
    "name_vni": _letters_gone,
    "name_viqr": lambda t, c, _: _letters_gone(t, c, _) and re.search(r"[(^+`'?~.]|dd|DD", t),
    "name_double_utf8": lambda t, c, _: _undo_double_utf8(t) == c["full_name"],
    "name_double_space": lambda t, c, _: " ".join(t.split()) == c["full_name"],
    "name_nbsp": lambda t, c, _: t.replace("\u00a0", " ") == c["full_name"],
    "name_zero_width": lambda t, c, _: t.replace("\u200b", "") == c["full_name"],
    "name_tone_style": lambda t, c, _: _bare(t) == _bare(c["full_name"]),
    "name_i_y": lambda t, c, _: (
        _bare(t).replace("y", "i") == _bare(c["full_name"]).replace("y", "i")
    ),
    "name_typo": lambda t, c, _: _edits(t, c["full_name"]) == 1,
    "name_dropped_middle": lambda t, c, _: (
        set(c["full_name"].split()) - set(t.split()) <= {"Thị", "Văn"}
    ),
    "name_abbreviated": lambda t, c, _: t.startswith("Ng. ") or " T. " in t,
    "name_daily_use": lambda t, c, _: (
        t.split()[:-1] == c["full_name"].split()[:-1]
        or c["full_name"].startswith(t.rpartition(" ")[0])
    ),
    "name_swapped": lambda t, c, _: sorted(t.split()) == sorted(c["full_name"].split()),
    "id_missing": lambda t, c, _: t is None,
    "id_placeholder": lambda t, c, _: t in PLACEHOLDERS,
    "id_former_cmnd": lambda t, c, _: len(t) == 9 and t in c["former_id_numbers"].split(";"),
    "id_cancelled": lambda t, c, _: len(t) == 12 and t in c["former_id_numbers"].split(";"),
    "id_of_parent": lambda t, c, r: (
        18 <= _years_between(t, c, r) <= 60 and r.citizens[t]["gender"] == "Nam"
    ),
    "id_of_spouse": lambda t, c, r: (
        r.citizens[t]["gender"] != c["gender"] and r.citizens[t]["address"] == c["address"]
    ),
    "id_of_sibling": lambda t, c, r: abs(_years_between(t, c, r)) < 45,
    "id_of_twin": lambda t, c, r: r.citizens[t]["personal_id"][4:6] == c["personal_id"][4:6],
    "id_of_stranger": lambda t, c, r: t in r.citizens and t != c["personal_id"],
    "id_family_shared": lambda t, c, r: r.citizens[t]["address"] == c["address"],
    "id_lost_zeros": lambda t, c, _: len(t) < 12 and t.zfill(12) == c["personal_id"],
    "id_dot_zero": lambda t, c, _: t.endswith(".0") and t[:-2].zfill(12) == c["personal_id"],
    "id_apostrophe": lambda t, c, _: t == "'" + c["personal_id"],
    "id_separators": lambda t, c, _: re.sub("[ .-]", "", t) == c["personal_id"],
    "id_letters": lambda t, c, _: t.replace("O", "0").replace("l", "1") == c["personal_id"],
    "id_wrong_digit": lambda t, c, _: (
        sum(a != b for a, b in zip(t, c["personal_id"], strict=True)) == 1
    ),
    "id_swapped_digits": lambda t, c, _: (
        _edits(t, c["personal_id"]) == 1 and sorted(t) == sorted(c["personal_id"])
    ),
    "id_scientific": lambda t, c, _: (
        re.fullmatch(r"\d\.\d\dE\+\d\d", t)
        and float(t) == pytest.approx(int(c["personal_id"]), rel=0.01)
    ),
    "birth_year_only": lambda t, c, _: t == c["date_of_birth"][-4:],
    "birth_month_year": lambda t, c, _: t == c["date_of_birth"][3:],
    "birth_zero_filled": lambda t, c, _: t == "00/00/" + c["date_of_birth"][-4:],
    "birth_filler": lambda t, c, _: t == "01/01/" + c["date_of_birth"][-4:],
    "birth_day_month_swapped": _swapped_days,
    "birth_digit_wrong": _one_digit_off,
    "birth_year_off": lambda t, c, _: (
        t[:6] == c["date_of_birth"][:6] and abs(int(t[6:]) - int(c["date_of_birth"][6:])) == 1
    ),
    "birth_missing": lambda t, c, _: t is None,
    "birth_iso": _dated("%Y-%m-%d"),
    "birth_iso_time": _dated("%Y-%m-%d 00:00:00"),
    "birth_unpadded": lambda t, c, _: t == "{0.day}/{0.month}/{0.year}".format(_birth(c)),
    "birth_dashes": _dated("%d-%m-%Y"),
    "birth_dots": _dated("%d.%m.%Y"),
    "birth_compact": _dated("%Y%m%d"),
    "birth_two_digit_year": _dated("%d/%m/%y"),
    "birth_serial": lambda t, c, _: date(1899, 12, 30) + timedelta(int(t)) == _birth(c),
    "gender_form": lambda t, c, _: (
        (t.strip().lower() in {"nam", "1", "m", "true", "male"}) == (c["gender"] == "Nam")
    ),
    "gender_missing": lambda t, c, _: t is None,
    "gender_wrong": lambda t, c, _: {t, c["gender"]} == {"Nam", "Nữ"},
    "insurance_number_missing": lambda t, c, _: t is None,
    "insurance_number_invalid": lambda t, c, _: not re.fullmatch(r"\d{10}|\d{12}", t),
    "insurance_number_shared": lambda t, c, r: True,
    "card_missing": lambda t, c, _: t is None,
    "card_of_other": lambda t, c, _: re.fullmatch(r"([A-Z]{2}\d{3})?\d{10}", t),
    "card_unknown_code": lambda t, c, _: re.fullmatch(r"(XX|ZZ|QQ|BH|00)401\d{10}", t),
    "province_old_code": lambda t, c, _: re.fullmatch(r"\d\d", t),
    "province_other": lambda t, c, _: re.fullmatch(r"\d\d", t),
    "province_missing": lambda t, c, _: t is None,
    "address_missing": lambda t, c, _: t is None,
    "address_other": lambda t, c, _: t.rpartition(", ")[2] == c["address"].rpartition(", ")[2],
}
CHANGES_NOTHING = {"card_missing", "card_of_other", "card_unknown_code"} | {
    kind for kind in KINDS if kind.startswith("insurance_number")
}
"""Kinds of faults in columns that the population register lacks, so that nothing can differ."""


def test_every_kind_but_those_of_whole_rows_has_a_check() -> None:
    assert set(CHECKS) | ROW_KINDS == set(KINDS)


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_a_fault_does_what_it_says_and_nothing_else(kind: str, rates_file) -> None:
    spec = SimulationSpec(2_500, seed=17, fault_rates=rates_file(**{kind: 0.4}))
    registers = as_rows(collect(spec))
    field = FIELD_OF[kind.split("_", maxsplit=1)[0]]
    hit = 0
    for record, citizen, faults in registers.with_truth():
        if faults:
            assert faults == {kind}
            assert CHECKS[kind](record[field], citizen, registers), kind
            if kind not in CHANGES_NOTHING:
                assert record[field] != citizen[SAME[field]]
        hit += bool(faults)
        for column, original in SAME.items():
            if not faults or column != field:
                assert record[column] == citizen[original]
    assert hit == registers.fault_counts[kind] >= 3


def _alone(rates_file, citizens: int = 4_000, **rates: float) -> Registers:
    return as_rows(collect(SimulationSpec(citizens, seed=6, fault_rates=rates_file(**rates))))


def test_a_duplicate_is_a_second_record_of_its_citizen(rates_file) -> None:
    registers = _alone(rates_file, duplicate=0.2)
    times = Counter(truth["personal_id"] for truth in registers.truth)
    doubled = [truth for truth in registers.truth if truth["faults"] == "duplicate"]
    assert len(doubled) > 100
    assert all(times[truth["personal_id"]] == 2 for truth in doubled)
    assert sum(count - 1 for count in times.values()) == len(doubled)
    numbers = [record["insurance_number"] for record in registers.insurance]
    assert len(set(numbers)) == len(numbers)


def test_a_ghost_is_no_citizen_and_its_number_nobodys(rates_file) -> None:
    registers = _alone(rates_file, ghost=0.2)
    ghosts = [
        record
        for record, truth in zip(registers.insurance, registers.truth, strict=True)
        if truth["faults"] == "ghost"
    ]
    assert len(ghosts) > 100
    assert all(g["id_number"] not in registers.citizens for g in ghosts)
    assert all(re.fullmatch(r"\d{12}", g["id_number"] or "0" * 12) for g in ghosts)
    assert {None} == {t["personal_id"] for t in registers.truth if t["faults"] == "ghost"}
    assert len(registers.population) == 4_000


def test_the_deceased_are_active_only_where_that_is_the_fault(rates_file) -> None:
    registers = _alone(rates_file, 30_000, deceased_active=0.5)
    hit = 0
    for record, citizen, faults in registers.with_truth():
        dead_and_active = citizen["status"] == "deceased" and record["status"] == "active"
        assert dead_and_active == ("deceased_active" in faults)
        hit += dead_and_active
    dead = sum(row["status"] == "deceased" for row in registers.population)
    assert hit / dead == pytest.approx(0.5, abs=0.08)


def test_junk_is_hostile_but_storable(rates_file) -> None:
    registers = _alone(rates_file, junk=0.2)
    junk = [
        record
        for record, truth in zip(registers.insurance, registers.truth, strict=True)
        if truth["faults"] == "junk"
    ]
    names = {record["full_name"] for record in junk}
    assert {"", None, "'; DROP TABLE insurance; --"} <= names
    assert any(name and len(name) == 5_000 for name in names)
    texts = [value for record in junk for value in record.values() if isinstance(value, str)]
    assert not any("\0" in text for text in texts)
    assert {t["personal_id"] for t in registers.truth if t["faults"] == "junk"} == {None}


def test_a_shared_insurance_number_is_on_two_records(rates_file) -> None:
    registers = _alone(rates_file, insurance_number_shared=0.1)
    times = Counter(record["insurance_number"] for record in registers.insurance)
    for record, truth in zip(registers.insurance, registers.truth, strict=True):
        if truth["faults"]:
            assert times[record["insurance_number"]] > 1


def test_a_card_of_another_does_not_end_in_the_own_insurance_number(rates_file) -> None:
    registers = _alone(rates_file, card_of_other=0.1)
    owners = Counter((r["health_card_number"] or "")[-10:] for r in registers.insurance)
    wrong = [
        record
        for record, truth in zip(registers.insurance, registers.truth, strict=True)
        if truth["faults"]
    ]
    assert len(wrong) > 200
    for record in wrong:
        assert record["health_card_number"][-10:] != record["insurance_number"]
    assert sum(count > 1 for count in owners.values()) > 150


def test_family_number_is_used_by_the_whole_household(rates_file) -> None:
    registers = _alone(rates_file, id_family_shared=0.5)
    used = Counter(record["id_number"] for record in registers.insurance)
    assert max(used.values()) >= 3


def test_all_kinds_occur_with_the_projects_own_rates(registers: Registers) -> None:
    assert set(KINDS) - set(registers.fault_counts) == set()


NEEDS_THE_RIGHT_RECORD = {
    *("name_tone_style", "name_i_y", "name_eth", "name_dropped_middle"),
    *("birth_day_month_swapped", "birth_unpadded", "province_old_code", "id_former_cmnd"),
}
"""Kinds of faults that only some names, dates, provinces or people can have."""


@pytest.mark.parametrize(
    "kind",
    sorted(
        kind
        for kind, row in fault_kinds().items()
        if row.among == "records" and row.rate >= 0.003 and kind not in NEEDS_THE_RIGHT_RECORD
    ),
)
def test_rates_are_those_of_the_file(registers: Registers, kind: str) -> None:
    records = len(registers.insurance)
    rate = fault_kinds()[kind].rate
    spread = 4 * (rate / records) ** 0.5
    assert registers.fault_counts[kind] / records == pytest.approx(rate, rel=0.13, abs=spread)


def test_most_records_have_no_fault_that_matters(registers: Registers) -> None:
    matters = {kind for kind, row in fault_kinds().items() if row.matters}
    fine = sum(not faults & matters for _, _, faults in registers.with_truth())
    assert 0.80 < fine / len(registers.insurance) < 0.86


def test_truth_is_one_row_per_record_sorted_within(registers: Registers) -> None:
    ids = [record["record_id"] for record in registers.insurance]
    assert ids == [truth["record_id"] for truth in registers.truth]
    assert len(set(ids)) == len(ids)
    for truth in registers.truth:
        kinds = truth["faults"].split(";")
        assert kinds == sorted(set(kinds))


def test_columns_are_those_of_the_contract(batch) -> None:
    assert batch.insurance.column_names == [column.name for column in INSURANCE]


def test_participation_is_that_of_the_country(registers: Registers) -> None:
    citizens = len(registers.population)
    expected = {
        "compulsory_si": 0.159,
        "voluntary_si": 0.014,
        "unemployment_insurance": 0.142,
        "health_insurance": 0.902,
    }
    for scheme, share in expected.items():
        seen = sum(record[scheme] for record in registers.insurance) / citizens
        assert seen == pytest.approx(share, rel=0.06), scheme
    assert len(registers.insurance) / citizens == pytest.approx(0.91, abs=0.015)


def test_record_order_does_not_follow_the_population(registers: Registers) -> None:
    position = {row["personal_id"]: place for place, row in enumerate(registers.population)}
    places = [position[t["personal_id"]] for t in registers.truth if t["personal_id"]]
    rising = sum(a < b for a, b in pairwise(places)) / len(places)
    assert 0.48 < rising < 0.52
    second = [row for row in registers.truth if "duplicate" in row["faults"].split(";")]
    last = int(registers.truth[-1]["record_id"][1:])
    mean = sum(int(row["record_id"][1:]) for row in second) / len(second)
    assert mean / last == pytest.approx(0.5, abs=0.1)


def test_employers_are_many_and_of_very_unequal_size(registers: Registers) -> None:
    sizes = sorted(
        Counter(r["employer_code"] for r in registers.insurance if r["employer_code"]).values()
    )
    assert sizes[-1] > 10 * sizes[len(sizes) // 2]
    assert all(
        (r["employer_code"] is not None) == bool(r["compulsory_si"]) for r in registers.insurance
    )


def test_cards_hold_the_ten_digits_and_both_forms_of_both_numbers_occur(rates_file) -> None:
    registers = _alone(rates_file)
    forms = Counter()
    for record in registers.insurance:
        number, card = record["insurance_number"], record["health_card_number"]
        assert (card is not None) == bool(record["health_insurance"])
        forms[len(number), len(card or "")] += 1
        if len(number) == 12:
            assert number == record["id_number"]
        elif card:
            assert card[-10:] == number
    assert min(forms[10, 10], forms[10, 15], forms[12, 10], forms[12, 15]) > 100


def test_forms_of_the_calendar_are_kinds_of_the_rates_file() -> None:
    assert set(FULL_FORMS[1:]) <= set(KINDS)
