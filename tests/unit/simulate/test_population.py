from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from importlib.resources import files

import pytest

from etl.domain.contract import POPULATION
from etl.simulate import SimulationSpec

from .conftest import Registers, as_rows, collect

PROVINCES = {
    row["cccd_code"]: row
    for row in csv.DictReader(
        (files("etl.domain.data") / "province_codes.csv").read_text(encoding="utf-8").splitlines()
    )
}
COUNTRIES = {
    row["cccd_code"]
    for row in csv.DictReader(
        (files("etl.domain.data") / "country_codes.csv").read_text(encoding="utf-8").splitlines()
    )
}
NAMES = list(
    csv.DictReader(
        (files("etl.domain.data") / "name_frequencies.csv").read_text(encoding="utf-8").splitlines()
    )
)


def _year(row) -> int:
    return int(row["date_of_birth"][-4:])


def _share(rows, condition) -> float:
    rows = list(rows)
    return sum(map(condition, rows)) / len(rows)


def test_columns_are_those_of_the_contract(batch) -> None:
    assert batch.population.column_names == [column.name for column in POPULATION]


def test_personal_numbers_are_unique_across_chunks() -> None:
    ids = collect(SimulationSpec(210_000, seed=2, workers=1)).population["personal_id"]
    assert len(set(ids.to_pylist())) == 210_000


def test_personal_numbers_say_place_century_sex_and_year(registers: Registers) -> None:
    for row in registers.population:
        number, year = row["personal_id"], _year(row)
        assert re.fullmatch(r"\d{12}", number)
        assert number[:3] in PROVINCES or number[:3] in COUNTRIES
        assert int(number[3]) == (row["gender"] == "Nữ") + 2 * (year >= 2000)
        assert number[4:6] == f"{year % 100:02d}"


def test_cancelled_numbers_are_nobodys_and_listed_once(registers: Registers) -> None:
    cancelled = [
        number
        for row in registers.population
        for number in (row["former_id_numbers"] or "").split(";")
        if len(number) == 12
    ]
    assert cancelled
    assert len(set(cancelled)) == len(cancelled)
    assert not set(cancelled) & set(registers.citizens)


def test_former_numbers_are_cmnd_or_cancelled_and_some_people_have_several(registers) -> None:
    texts = [row["former_id_numbers"] for row in registers.population if row["former_id_numbers"]]
    assert all(re.fullmatch(r"(\d{9}|\d{12})(;(\d{9}|\d{12}))*", text) for text in texts)
    assert 0.03 < _share(texts, lambda text: ";" in text) < 0.15
    young = [row["former_id_numbers"] or "" for row in registers.population if _year(row) > 2010]
    assert not any(len(number) == 9 for text in young for number in text.split(";"))


@pytest.mark.parametrize("surname", ["Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Vũ"])
def test_surnames_have_their_reference_share(registers: Registers, surname: str) -> None:
    expected = next(
        float(row["share_percent"]) / 100
        for row in NAMES
        if row["part"] == "surname" and row["value"] == surname
    )
    share = _share(registers.population, lambda row: row["full_name"].split()[0] == surname)
    # Families share a surname, so shares scatter more than if people were independent.
    assert share == pytest.approx(expected, rel=0.15, abs=0.004)


@pytest.mark.parametrize(("sex", "gender"), [("F", "Nữ"), ("M", "Nam")])
def test_given_names_have_their_reference_share(registers, sex: str, gender: str) -> None:
    rows = [row for row in NAMES if row["part"] == "given" and row["sex"] == sex]
    total = sum(float(row["share_percent"]) for row in rows)
    seen = Counter(
        row["full_name"].split()[-1] for row in registers.population if row["gender"] == gender
    )
    for row in rows[:10]:
        expected = float(row["share_percent"]) / total
        assert seen[row["value"]] / seen.total() == pytest.approx(expected, rel=0.2)


def test_names_have_two_three_or_four_syllables_in_the_known_proportions(registers) -> None:
    lengths = Counter(len(row["full_name"].split()) for row in registers.population)
    shares = {length: count / lengths.total() for length, count in lengths.items()}
    assert shares[2] == pytest.approx(0.015, abs=0.006)
    assert shares[3] == pytest.approx(0.62, abs=0.025)
    assert shares[4] == pytest.approx(0.36, abs=0.025)


def test_thi_and_van_fade_from_cohort_to_cohort(registers: Registers) -> None:
    for gender, word in (("Nữ", " Thị "), ("Nam", " Văn ")):
        people = [row for row in registers.population if row["gender"] == gender]
        shares = [
            _share(
                (row for row in people if start <= _year(row) < end),
                lambda row, word=word: word in row["full_name"],
            )
            for start, end in ((1930, 1965), (1965, 1985), (1985, 2000), (2000, 2012), (2012, 2027))
        ]
        assert shares == sorted(shares, reverse=True)
        assert shares[0] > shares[-1] * 2


def test_minority_names_are_there(registers: Registers) -> None:
    names = [row["full_name"] for row in registers.population]
    for pattern in ("^H'", "^Y .* (Niê|Mlô|Êban|Byă)$", "^Ksor ", "K'", "^Giàng "):
        assert any(re.search(pattern, name) for name in names), pattern


def test_common_names_crowd(registers: Registers) -> None:
    crowd = Counter(row["full_name"] for row in registers.population)
    assert sum(count for count in crowd.values() if count > 1) / crowd.total() > 0.33


def test_twins_share_birth_date_and_address_and_nearly_the_name(registers: Registers) -> None:
    citizens = registers.citizens
    twins = [
        (row, other)
        for number, row in citizens.items()
        if (other := citizens.get(f"{int(number) + 1:012d}"))
        and row["date_of_birth"] == other["date_of_birth"]
        and row["full_name"].split()[:-1] == other["full_name"].split()[:-1]
    ]
    assert len(twins) > len(citizens) * 0.001
    assert all(one["full_name"] != other["full_name"] for one, other in twins)
    assert _share(twins, lambda pair: pair[0]["address"] == pair[1]["address"]) > 0.3


def test_fathers_and_sons_share_name_and_address(registers: Registers) -> None:
    homes = defaultdict(list)
    for row in registers.population:
        homes[(row["address"], row["full_name"], row["gender"])].append(_year(row))
    gaps = [max(years) - min(years) for years in homes.values() if len(years) > 1]
    assert sum(18 <= gap <= 60 for gap in gaps) > 5


def test_households_hold_families(registers: Registers) -> None:
    sizes = Counter(row["address"] for row in registers.population)
    people_with_others = sum(size for size in sizes.values() if size > 1)
    assert people_with_others / sizes.total() > 0.6


def test_some_know_only_their_year_of_birth_and_some_were_born_on_new_year(registers) -> None:
    old = [row["date_of_birth"] for row in registers.population if _year(row) < 1965]
    young = [row["date_of_birth"] for row in registers.population if _year(row) > 1990]
    assert 0.005 < _share(old, lambda text: len(text) == 4) < 0.1
    assert not any(len(text) == 4 for text in young)
    assert _share(old, lambda text: text.startswith("01/01")) > 0.03


def test_the_dead_have_a_date_and_the_living_none(registers: Registers) -> None:
    for row in registers.population:
        assert (row["status"] == "deceased") == (row["date_of_death"] is not None)
        if row["date_of_death"]:
            assert _year(row) <= int(row["date_of_death"][:4]) <= 2026
    assert 0.005 < _share(registers.population, lambda row: row["status"] == "deceased") < 0.04


def test_residence_is_a_province_of_2025_and_often_not_that_of_birth(registers) -> None:
    codes = {row["code_2025"] for row in PROVINCES.values()}
    assert {row["province_code"] for row in registers.population} == codes
    moved = _share(
        registers.population,
        lambda row: (
            PROVINCES.get(row["personal_id"][:3], {}).get("code_2025") != row["province_code"]
        ),
    )
    assert 0.05 < moved < 0.3


def test_a_birth_window_crowds_all_births_into_its_days() -> None:
    spec = SimulationSpec(20_000, seed=3, birth_window_days=7)
    births = collect(spec).population["date_of_birth"].to_pylist()
    days = {f"{day:02d}/06/1990" for day in range(24, 31)} | {"01/01/1990", "1990"}
    assert set(births) <= days
    assert Counter(births)["30/06/1990"] > 2_000


def test_too_many_births_in_one_window_are_an_error() -> None:
    with pytest.raises(ValueError, match="personal number"):
        collect(SimulationSpec(199_000_000, birth_window_days=2, workers=1))


def test_crowded_numbers_end_alike_as_often_as_among_a_hundred_million() -> None:
    crowd = as_rows(collect(SimulationSpec(citizens=20_000, seed=3, crowded_numbers=True)))
    own = Counter(row["personal_id"][-6:] for row in crowd.population)
    former = Counter(
        number[-6:]
        for row in crowd.population
        if row["former_id_numbers"]
        for number in row["former_id_numbers"].split(";")
    )

    assert len({row["personal_id"] for row in crowd.population}) == 20_000
    assert len(own) <= 1000  # at least a thousand endings: twenty citizens share each
    assert 15 < sum(own.values()) / len(own) < 25
    assert len(set(former) & set(own)) > 0.9 * len(own)
