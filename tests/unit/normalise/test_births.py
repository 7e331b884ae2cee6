"""Birth dates: how they are read."""

from __future__ import annotations

from datetime import date

import pytest

from etl.normalise import parse_birth

TODAY = date(2026, 11, 22)
THE_DAY = date(1962, 9, 5)


@pytest.mark.parametrize(
    "raw",
    ["05/09/1962", "5/9/1962", "05-09-1962", "05.09.1962", "05 09 1962", "19620905", "05091962",
     "5091962", "1962-09-05", "1962/09/05", "1962-09-05 00:00:00", "1962-09-05T00:00:00.000",
     "05/09/1962 12:00:00 AM", " 05 / 09 / 1962 ", "'05/09/1962", "０５/０９/１９６２",
     "ngày 5 tháng 9 năm 1962", "5-Sep-1962", "5 Sep 1962", "5 thg 9, 1962"],
)  # fmt: skip
def test_every_written_form_gives_the_day(raw):
    parsed = parse_birth(raw, TODAY)
    assert parsed.date == THE_DAY
    assert (parsed.year, parsed.month, parsed.precision, parsed.reject) == (1962, 9, "day", None)


@pytest.mark.parametrize(
    "raw", ["09/1962", "9/1962", "1962-09", "00/09/1962", "1962-09-00", "tháng 9 năm 1962",
            "xx/09/1962", "--/09/1962", "../09/1962"],
)  # fmt: skip
def test_month_and_year_stay_a_month(raw):
    parsed = parse_birth(raw, TODAY)
    assert (parsed.date, parsed.year, parsed.month) == (None, 1962, 9)
    assert parsed.precision == "month"


@pytest.mark.parametrize(
    "raw", ["1962", "00/00/1962", "1962-00-00", "năm 1962", "Năm sinh 1962", "1962.0",
            "xx/xx/1962", "??/??/1962", "--/--/1962", "00/1962"],
)  # fmt: skip
def test_a_year_stays_a_year(raw):
    parsed = parse_birth(raw, TODAY)
    assert (parsed.date, parsed.year, parsed.month) == (None, 1962, None)
    assert parsed.precision == "year"


@pytest.mark.parametrize(
    ("raw", "note", "day"),
    [
        ("01/01/1962", "filler_suspected", date(1962, 1, 1)),
        ("05/09/1962", "day_month_could_swap", THE_DAY),
        ("09/25/1962", "month_first", date(1962, 9, 25)),
        ("05/09/62", "two_digit_year", THE_DAY),
        ("05/09/08", "two_digit_year", date(2008, 9, 5)),
        ("22894", "spreadsheet_serial", date(1962, 9, 5)),
        ("22894.0", "spreadsheet_serial", date(1962, 9, 5)),
        ("1962-09-05 07:30:00", "time_dropped", THE_DAY),
        ("1962-09-04T17:00:00Z", "time_zone_shifted", THE_DAY),
        ("5091962", "lost_zeros", THE_DAY),
    ],
)
def test_what_the_text_leaves_open_is_noted(raw, note, day):
    parsed = parse_birth(raw, TODAY)
    assert parsed.date == day
    assert note in parsed.notes


@pytest.mark.parametrize("raw", ["13/09/1962", "09/09/1962", "1962-05-09", "19620905"])
def test_a_date_that_cannot_be_swapped_says_nothing(raw):
    assert "day_month_could_swap" not in parse_birth(raw, TODAY).notes


@pytest.mark.parametrize(
    ("raw", "reject"),
    [
        (None, "birth_missing"), ("", "birth_missing"), ("N/A", "birth_missing"),
        ("0", "birth_missing"), ("00/00/0000", "birth_missing"), ("không rõ", "birth_missing"),
        ("hôm qua", "birth_unreadable"), ("5/9", "birth_unreadable"),
        ("05/09/196", "birth_unreadable"),
        ("123", "birth_unreadable"), ("1" * 100, "birth_unreadable"),
        ("1962-9-5-1", "birth_unreadable"),
        ("01/01/2999", "birth_in_future"), ("23/11/2026", "birth_in_future"),
        ("2027", "birth_in_future"),
        ("12/2026", "birth_in_future"), ("46349", "birth_in_future"),
        ("1800", "birth_before_1880"), ("31/12/1879", "birth_before_1880"),
        ("31/02/1990", "birth_impossible"), ("99/99/9999", "birth_impossible"),
        ("29/02/1963", "birth_impossible"), ("13/13/1962", "birth_impossible"),
        ("05/00/1962", "birth_impossible"),
        ("01/01/1900", "birth_placeholder"), ("1899-12-30", "birth_placeholder"),
    ],
)  # fmt: skip
def test_what_is_no_birth_date_is_refused_with_the_reason(raw, reject):
    parsed = parse_birth(raw, TODAY)
    assert parsed.reject == reject
    assert (parsed.date, parsed.year, parsed.month, parsed.precision) == (None, None, None, None)


def test_today_is_the_last_possible_day():
    assert parse_birth("22/11/2026", TODAY).date == TODAY


def test_a_leap_day_is_a_day():
    assert parse_birth("29/02/1964", TODAY).date == date(1964, 2, 29)
