"""Numbers and birth dates as public reports, manuals and programs write them.

Each row is an example of a kind; similar values that must be read differently stand beside it.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from itertools import product

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl.normalise import parse_birth, parse_number
from etl.normalise.bulk import normalise_births, normalise_numbers
from etl.normalise.files import read_rows
from tests.support import ROOT

TODAY = date(2026, 11, 25)
THE_DAY = date(1962, 9, 5)
NAME = "4e677579e1bb856e2056c4836e20416e"
FIELDS = ("id", "insurance", "card", "personal")

# --- birth dates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "day"),
    [
        ("196209050000", THE_DAY), ("202605101435", date(2026, 5, 10)),
        ("19620905000000", THE_DAY), ("196209050000.0", THE_DAY),
        ("31/12/26", date(1926, 12, 31)), ("1/12/26", date(1926, 12, 1)),
        ("26/11/26", date(1926, 11, 26)), ("25/11/26", TODAY), ("24/11/26", date(2026, 11, 24)),
        ("31/12/27", date(1927, 12, 31)), ("29/02/28", date(1928, 2, 29)),
        ("12/31/26", date(1926, 12, 31)), ("29/02/00", date(2000, 2, 29)),
        ("1962-09-05 00:00:00+07", THE_DAY), ("1962-09-04 16:00:00+00", THE_DAY),
    ],
)  # fmt: skip
def test_dates_of_registers_and_databases_give_the_day(raw, day):
    parsed = parse_birth(raw, TODAY)
    assert (parsed.date, parsed.reject) == (day, None)


@pytest.mark.parametrize(
    ("raw", "year", "month"),
    [("196200000000", 1962, None), ("196209000000", 1962, 9), ("19620000000000", 1962, None),
     ("00/12/26", 1926, 12), ("00/00/26", 2026, None)],
)  # fmt: skip
def test_a_stamp_without_day_or_month_has_none(raw, year, month):
    parsed = parse_birth(raw, TODAY)
    assert (parsed.date, parsed.year, parsed.month) == (None, year, month)


@pytest.mark.parametrize(
    "raw", ["196213050000", "196209312400", "196209052400", "196209050060", "196200050000",
            "001062000001", "19620905000", "infinity", "-infinity", "Infinity"],
)  # fmt: skip
def test_a_stamp_that_is_none_is_refused(raw):
    assert parse_birth(raw, TODAY).reject is not None


ENGLISH = [row for row in read_rows("month_names.csv") if " " not in row["name"]]
VIETNAMESE = [row for row in read_rows("month_names.csv") if " " in row["name"]]


@pytest.mark.parametrize("form", [
    "{name} 5, 1962", "{name} 5 1962", "{name}-05-1962", "{name}. 5th, 1962", "5 {name} 1962",
    "05-{name}-1962", "5 {name}, 1962", "05{name}1962", "1962 {name} 5", "1962-{name}-05",
    "5/{name}/62", "05-{name}-62", "{name} 05 1962 12:00AM", "5th of {name} 1962",
    "Wed {name} 05 1962 00:00:00 GMT+0700 (Indochina Time)", "Wednesday, {name} 5, 1962",
])  # fmt: skip
def test_an_english_month_fixes_its_place(form):
    for row in ENGLISH:
        for name in (row["name"], row["name"].title(), row["name"].upper()):
            parsed = parse_birth(form.format(name=name), TODAY)
            assert parsed.date == date(1962, int(row["month"]), 5)
            assert not {"day_month_could_swap", "month_first"} & set(parsed.notes)


@pytest.mark.parametrize("form", [
    "5 {month} năm 1962", "ngày 5 {month} năm 1962", "5 {month}, 1962", "{month} ngày 5 năm 1962",
    "năm 1962 {month} ngày 5", "Thứ Tư, 05 {month}, 1962", "ngày 5 {month} năm 62",
])  # fmt: skip
def test_a_vietnamese_month_fixes_its_place(form):
    numbered = [
        (f"{word} {n}", n) for word in ("tháng", "thang", "thg", "Tháng") for n in range(1, 13)
    ]
    named = [(row["name"], int(row["month"])) for row in VIETNAMESE]
    for month, number in [*numbered, *named]:
        parsed = parse_birth(form.format(month=month), TODAY)
        expected = date(1962, number, 5)
        if month.endswith(("năm năm", "nam nam")):  # the second "năm" is "year"
            parsed = parse_birth(form.format(month=month).replace(" năm 19", " 19"), TODAY)
        assert parsed.date == expected, month
        assert "day_month_could_swap" not in parsed.notes


@pytest.mark.parametrize(
    "raw", ["ngày 12 tháng năm 1962", "12 Tháng Năm 1962", "Tháng Năm 12, 1962", "Sep Oct 1962",
            "tháng chạp 1962", "Sep-62", "5 Sep", "ngày 12 tháng ... năm 1962"],
)  # fmt: skip
def test_a_month_left_blank_or_unsure_is_not_guessed(raw):
    assert parse_birth(raw, TODAY).reject == "birth_unreadable"


@pytest.mark.parametrize(
    "raw", ["ngày tháng năm 1962", "tháng năm 1962", "ngày ... tháng ... năm 1962"]
)
def test_a_form_with_nothing_but_the_year_gives_the_year(raw):
    parsed = parse_birth(raw, TODAY)
    assert (parsed.year, parsed.month) == (1962, None)


def test_words_before_a_date_name_no_month():
    parsed = parse_birth("ngày tháng năm sinh 05/09/1962", TODAY)
    assert parsed.date == THE_DAY
    assert "day_month_could_swap" in parsed.notes
    assert parse_birth("tháng 9/5/1962", TODAY).notes == ("day_month_could_swap",)


SHIFTED = "time_zone_shifted"
SUSPECTED = "time_zone_suspected"


@pytest.mark.parametrize(
    ("raw", "day", "notes"),
    [
        ("1990-05-18T16:59:30.000Z", date(1990, 5, 19), {SHIFTED}),
        ("1990-05-18T17:00:30Z", date(1990, 5, 19), {SHIFTED}),
        ("1945-05-08T15:00:00.000Z", date(1945, 5, 9), {SHIFTED}),
        ("1944-05-08T16:00:00Z", date(1944, 5, 9), {SHIFTED}),
        ("1962-09-04T16:00:00Z", THE_DAY, {SHIFTED}),
        ("1962-09-04T17:00:00Z", THE_DAY, {SHIFTED}),
        ("1905-03-04T16:53:30Z", date(1905, 3, 5), {SHIFTED}),
        ("1962-09-04T12:00:00-05:00", THE_DAY, {SHIFTED}),
        ("1962-09-04 23:00:00+07", THE_DAY, {SHIFTED}),
        ("1962-09-05 00:00:00+07:30", THE_DAY, set()),
        ("1962-09-05 00:00:00+07:06:30", THE_DAY, set()),
        ("1962-09-05T00:00:00Z", THE_DAY, set()),
        ("1962-09-05T00:00:00-05:00", THE_DAY, set()),
        ("1962-09-05 01:00:00+08", THE_DAY, set()),
        ("1990-05-18T10:15:00Z", date(1990, 5, 18), set()),
        ("1990-05-18T16:59:59.999Z", date(1990, 5, 19), {SHIFTED, SUSPECTED}),
        ("1990-05-18T16:00:00Z", date(1990, 5, 18), {SUSPECTED}),
        ("1990-05-18T20:15:00Z", date(1990, 5, 19), {SHIFTED, SUSPECTED}),
        ("1990-05-18 17:00:00", date(1990, 5, 18), {SUSPECTED}),
        ("1990-05-18 05:00:00 CH", date(1990, 5, 18), {SUSPECTED}),
        ("1962-09-04 16:00:00", date(1962, 9, 4), {SUSPECTED}),
        ("1945-05-08 15:00:00", date(1945, 5, 8), {SUSPECTED}),
        ("1990-05-18 23:59:30", date(1990, 5, 18), {SUSPECTED}),
        ("1990-05-18 07:30:00", date(1990, 5, 18), set()),
        ("1990-05-18 00:00:30", date(1990, 5, 18), set()),
        ("18/05/1990 12:00:00 SA", date(1990, 5, 18), set()),
    ],
)
def test_a_time_means_the_day_that_it_is_in_viet_nam_and_a_doubt_is_noted(raw, day, notes):
    parsed = parse_birth(raw, TODAY)
    assert parsed.date == day
    assert {note for note in parsed.notes if note.startswith("time_zone")} == notes


@settings(max_examples=300)
@given(
    st.dates(date(1900, 1, 3), date(2026, 1, 1)),
    st.sampled_from(["UTC", "Asia/Ho_Chi_Minh", "Asia/Bangkok", "America/New_York"]),
    st.integers(-59, 59),
)
@example(date(1945, 3, 15), "UTC", -1)  # at 23:00 the clocks were put forward to midnight
def test_midnight_in_viet_nam_is_its_day_in_every_zone(day, zone, seconds):
    midnight = pd.Timestamp(day, tz="Asia/Ho_Chi_Minh") + timedelta(seconds=seconds)
    written = midnight.tz_convert(zone).isoformat(sep=" ", timespec="seconds")
    assert parse_birth(written, TODAY).date == day


@pytest.mark.parametrize(
    "raw", ["1899-12-29T16:53:30.000Z", "1899-12-29 16:53:30", "1899-12-31T17:00:00Z"]
)
def test_day_zero_of_a_spreadsheet_is_no_birth_date_in_any_zone(raw):
    assert parse_birth(raw, TODAY).reject == "birth_placeholder"


@pytest.mark.parametrize(
    "raw", ["1990-05-18 25:00:00", "1990-05-18 10:61:00", "1990-05-18 10:00:00+99"]
)
def test_a_time_that_is_none_is_not_dropped(raw):
    assert parse_birth(raw, TODAY).reject == "birth_unreadable"


def test_a_serial_number_a_few_seconds_short_of_midnight_is_the_next_day():
    assert parse_birth("22893.99966", TODAY).date == THE_DAY
    assert parse_birth("22894.5", TODAY).date == THE_DAY


def test_tomorrow_in_viet_nam_is_the_future():
    assert parse_birth("2026-11-25T17:00:00Z", TODAY).reject == "birth_in_future"


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "field", "number"),
    [
        ("7.9062000001E10", "id", "079062000001"), ("7.9062000001e+10", "id", "079062000001"),
        ("1.79062000001E11", "id", "179062000001"), ("7,9062000001E+10", "id", "079062000001"),
        ("7.9062000010E10", "id", "079062000010"), ("79062000001E0", "id", "079062000001"),
        ("2.95726526E8", "id", "295726526"), ("1.2345679E7", "id", "012345679"),
        ("7.912345678E9", "insurance", "7912345678"), ("7.912345678E9", "card", "7912345678"),
    ],
)  # fmt: skip
def test_scientific_notation_that_keeps_every_digit_is_read(raw, field, number):
    parsed = parse_number(raw, field=field)
    assert (parsed.number, parsed.candidates) == (number, ())
    assert "scientific_notation" in parsed.repairs


def test_ten_digits_stay_a_candidate_in_scientific_notation():
    parsed = parse_number("1.062000001E9")
    assert (parsed.number, parsed.candidates) == (None, ("001062000001",))


@pytest.mark.parametrize(
    "raw", ["1.09E+11", "7.906200001E10", "7.9062E10", "7.9062000001E11", "7.90620000015E10",
            "-7.9062000001E10", "7.9062000001E-10", "1E" + "9" * 200],
)  # fmt: skip
def test_scientific_notation_without_every_digit_is_refused(raw):
    assert parse_number(raw).reject == "number_scientific"


@pytest.mark.parametrize("digits", ["1234567", "7654321", "12345678", "01234567", "11234567"])
@pytest.mark.parametrize("field", FIELDS)
def test_a_passport_is_no_number_of_ours(digits, field):
    for letter, gap in product("ABCDEFGHIJKLMNOPQRSTUVWXYZloi", ["", " ", "-"]):
        parsed = parse_number(f"{letter}{gap}{digits}", field=field)
        assert (parsed.number, parsed.candidates) == (None, ())
        assert parsed.reject == "number_passport"


@pytest.mark.parametrize("raw", ["OI234568", "IO1234567", "О1234568", "|12345678", "L162000001"])
def test_no_letter_leads_a_number_that_is_not_whole(raw):
    assert parse_number(raw).reject == "number_malformed"


@pytest.mark.parametrize(
    ("raw", "field", "reject"),
    [
        ("12345678901", "id", "number_placeholder"), ("79245000001", "id", "number_malformed"),
        ("12345678", "id", "number_placeholder"), ("O12345678", "id", "number_passport"),
        ("O123456789", "insurance", "number_placeholder"),
        ("DN4791234567890", "card", "number_placeholder"),
        ("DN4791111111111", "insurance", "number_placeholder"),
        ("4791234567890", "card", "number_placeholder"),
        ("O12345678901", "id", "number_placeholder"), ("1.23456789E8", "id", "number_placeholder"),
        ("05091962", "id", "number_is_date"), ("15091962", "id", "number_is_date"),
        ("19620915", "id", "number_is_date"), ("15/09/1962", "id", "number_is_date"),
        ("I5O9I962", "id", "number_is_date"), ("15O91962", "id", "number_is_date"),
        ("01234679", "id", "number_malformed"),
        ("54321098765", "id", "number_placeholder"), ("234567890", "id", "number_placeholder"),
        ("9876543210", "insurance", "number_placeholder"),
    ],
)  # fmt: skip
def test_what_a_repair_made_is_judged_like_what_was_typed(raw, field, reject):
    parsed = parse_number(raw, field=field)
    assert (parsed.number, parsed.candidates, parsed.reject) == (None, (), reject)


@pytest.mark.parametrize(
    ("raw", "field", "candidate"),
    [
        ("79O62000001", "id", "079062000001"), ("1234O679", "id", "012340679"),
        ("1O62000001", "id", "001062000001"), ("79O62000001", "personal", "079062000001"),
        ("79O62000001", "insurance", "079062000001"), ("O03062000001", "id", "003062000001"),
        ("O01245000001", "id", "001245000001"), ("116I23456", "insurance", "0116123456"),
    ],
)  # fmt: skip
def test_two_repairs_or_an_unlikely_person_make_a_candidate(raw, field, candidate):
    for parsed in (
        parse_number(raw, field=field),
        parse_number(raw, field=field, birth_year=1962, gender="Nam"),
    ):
        assert (parsed.number, parsed.candidates, parsed.reject) == (None, (candidate,), None)


@pytest.mark.parametrize(
    ("raw", "field", "number"),
    [
        ("O01062000001", "id", "001062000001"), ("0123O5679", "id", "012305679"),
        ("O120878837", "insurance", "0120878837"), ("15321962", "id", "015321962"),
        ("79062000001", "id", "079062000001"), ("01234567O912", "id", None),
    ],
)  # fmt: skip
def test_one_repair_that_makes_a_whole_number_is_made(raw, field, number):
    assert parse_number(raw, field=field).number == number


@pytest.mark.parametrize(
    ("raw", "number", "candidates"),
    [
        ("GD4797912345678;HT3797912345678", "7912345678", ()),
        ("GD4797912345678; HT3797912345678 ;", "7912345678", ()),
        ("GD4797912345678;7912345678", "7912345678", ()),
        ("GD4797912345678;HT3797912345679", None, ("7912345678", "7912345679")),
        ("7912345678/7912345679/7912345678", None, ("7912345678", "7912345679")),
        ("GD4797912345678;DN4791234567890", "7912345678", ()),
        ("GD4797912345678;", "7912345678", ()),
    ],
)
@pytest.mark.parametrize("field", ["card", "insurance"])
def test_cards_in_one_cell_are_one_number_or_candidates(raw, number, candidates, field):
    parsed = parse_number(raw, field=field)
    assert (parsed.number, parsed.candidates) == (number, candidates)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (f"HS4010120878837|{NAME}|07/09/2008|1|48c3a0204ee1bb9969|01 - 028|24/01/2019|-\\",
         "0120878837"),
        (f"0111077012|{NAME}|29/03/1988|1|-|01 - C54|01/07/2023|-|31/07/2023|010501110",
         "0111077012"),
        (f"0111077012|{NAME}|29/03/1988|1|-|01 - C54|01/07/2023|-|$", "0111077012"),
        (f"0111077012|{NAME.upper()}|29/03/1988|1|{'41' * 300}|01 - C54|01/07/2023|-|$",
         "0111077012"),
        (f"001062000001|{NAME}|29/03/1988|1|-|01 - C54|01/07/2023|-|$", "001062000001"),
    ],
)  # fmt: skip
def test_a_health_cards_qr_text_gives_its_number(raw, number):
    for field in ("card", "insurance"):
        parsed = parse_number(raw, field=field)
        assert (parsed.number, parsed.reject) == (number, None)
        assert "qr_text" in parsed.repairs
    if len(number) == 10:
        assert parse_number(raw, field="id").number is None


@pytest.mark.parametrize(
    "raw", ["0111077012|Nguyễn Văn An|29/03/1988|1|-", "0111077012|4e6|29/03/1988|1|-",
            f"1234567890|{NAME}|29/03/1988|1|-", "0111077012|ff|29/03/1988|1|-"],
)  # fmt: skip
def test_what_is_no_qr_text_is_not_read_as_one(raw):
    assert parse_number(raw, field="card").number is None


PAGE = (ROOT / "docs" / "normalisation.md").read_text(encoding="utf-8")


def test_each_example_of_the_documentation_is_true():
    section = PAGE.split("\n## Numbers\n", 1)[1].split("decode_personal_number", 1)[0]
    rows = [
        re.split(r" (?<!\\)\| ", line.strip("| ")) for line in section.splitlines() if "| `" in line
    ]
    told = 0
    for typed, fields, result, *_ in rows:
        for raw in re.findall("`([^`]*)`", typed.replace("\\|", "|")):
            if "…" in raw or fields.startswith("…"):
                continue
            told += 1
            for field in FIELDS if fields == "any" else fields.split(", "):
                parsed = parse_number(raw, field=field)
                if result.startswith("refused"):
                    assert parsed.reject in result, raw
                elif result.startswith("candidate"):
                    assert parsed.candidates == (result.split()[1],), raw
                elif re.search(r"\d{9}", result):
                    assert parsed.number == re.findall(r"\d{9,12}", result)[0], raw
                else:
                    assert parsed.number or parsed.candidates, raw
    assert told > 20


# --- columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "raw", "number"),
    [
        (pd.Series([79062000001.0, None]), ["79062000001", None], ["079062000001", None]),
        (pd.Series([79062000010.0, 1.5]), ["79062000010", "1.5"], ["079062000010", None]),
        (pd.Series([79062000001, None], dtype="Int64"), ["79062000001", None],
         ["079062000001", None]),
        (pa.array([79062000001.0], pa.float32()), ["7.9062e+10"], [None]),
        (pa.array([float("nan"), float("inf"), 2.0**60]), ["nan", "inf", "1.152921504606847e+18"],
         [None, None, None]),
    ],
)  # fmt: skip
def test_a_column_of_floats_is_read_as_whole_numbers(series, raw, number):
    table = normalise_numbers(series)
    assert table["raw"].to_pylist() == raw
    assert table["number"].to_pylist() == number


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([pd.Timestamp(THE_DAY)]), pd.Series([THE_DAY]),
        pd.Series([pd.Timestamp(THE_DAY, tz="Asia/Ho_Chi_Minh")]),
        pd.Series([pd.Timestamp("1962-09-04 16:00", tz="UTC")]),
        pa.array([datetime(1962, 9, 5, microsecond=5)]),
        pd.Series([19620905.0]), pd.Series([22894.0]),
    ],
)  # fmt: skip
def test_a_column_of_dates_is_read_as_days(values):
    assert normalise_births(values, TODAY)["birth_date"].to_pylist() == [THE_DAY]


NUMBERS = st.one_of(
    st.builds(
        lambda place, rest: f"{place}{rest}",
        st.sampled_from(["001", "079", "79", "1", "003", "300", ""]),
        st.text("0123459OIl", min_size=5, max_size=10),
    ),
    st.sampled_from([row * 2 for row in ("0123456789", "9876543210")]).flatmap(
        lambda row: st.builds(
            lambda start, length: row[start : start + length],
            st.integers(0, 9),
            st.integers(7, 15),
        )
    ),
    st.builds(
        lambda letters, digits: letters + digits,
        st.text("OILGDHT", min_size=1, max_size=2),
        st.text("0123456789", min_size=6, max_size=13),
    ),
)
WRITTEN = st.builds(
    lambda parts, join, end: join.join(parts) + end,
    st.lists(NUMBERS, min_size=1, max_size=2),
    st.sampled_from([";", " ", "|", ", ", "/"]),
    st.sampled_from(["", "", ".0", ";", "E10", "E+09"]),
)


@settings(max_examples=400)
@given(st.lists(WRITTEN, min_size=1, max_size=40), st.sampled_from(FIELDS))
def test_a_column_gives_what_each_number_gives(values, field):
    rows = normalise_numbers(pa.array(values), field).to_pylist()
    for raw, row in zip(values, rows, strict=True):
        parsed = parse_number(raw, field=field)
        assert (row["kind"], row["number"], row["reject"]) == (
            parsed.kind, parsed.number, parsed.reject,
        )  # fmt: skip
        assert row["repairs"] == ";".join(parsed.repairs)
        assert row["candidates"] == ";".join(parsed.candidates)
        assert row["warnings"] == ";".join(parsed.warnings)


@settings(max_examples=300)
@given(WRITTEN, st.sampled_from(FIELDS))
def test_a_number_that_was_read_is_read_the_same_again(raw, field):
    parsed = parse_number(raw, field=field)
    if parsed.number and parsed.kind in ("personal", "cmnd", "insurance"):
        again = parse_number(parsed.number, field=field)
        assert (again.number, again.repairs) == (parsed.number, ())


def test_every_form_of_a_time_is_read_alike_by_the_column():
    times = ["T00:00:00Z", " 00:00:00", "T17:00:00Z", " 16:00:00+00", " 17:00:00", " 25:00:00"]
    values = [f"{day}{time}" for day, time in product(["1962-09-04", "05/09/1962"], times)]
    rows = normalise_births(values, TODAY).to_pylist()
    for raw, row in zip(values, rows, strict=True):
        parsed = parse_birth(raw, TODAY)
        assert (row["birth_date"], row["notes"]) == (parsed.date, ";".join(parsed.notes))
