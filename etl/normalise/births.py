"""Birth dates: from the many ways a register writes them to a date with a precision.

Belongs here: reading one value. Does not belong here: comparing two (``compare``), times of day
(``clock``).

A date of year only, or of month and year, is legal and stays one: no day is ever invented. What the
text leaves open (two-digit year, first of January, day and month that could be swapped) is noted,
not decided.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

from etl.normalise.clock import Clock, without_clock
from etl.normalise.files import read_rows

Precision = Literal["day", "month", "year"]

EARLIEST_YEAR = 1880
# Day 0 of Excel's serial numbers, allowing for its false 29 February 1900.
_SERIAL_ZERO = date(1899, 12, 30)
_EARLIEST_SERIAL = 10_000  # 18 May 1927; four digits are a year.
_MAX_RAW_LENGTH = 60


@dataclass(frozen=True, slots=True)
class ParsedBirth:
    """What was understood of one birth date.

    Attributes:
        date: Only when the day is known.
        year: None only when rejected.
        month: None when only the year is known.
        precision: ``day``, ``month``, ``year``, or None when rejected.
        notes: What was done or is in doubt.
        reject: Why it is unusable, else None.
    """

    date: date | None = None
    year: int | None = None
    month: int | None = None
    precision: Precision | None = None
    notes: tuple[str, ...] = ()
    reject: str | None = None


_YMD = re.compile(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})")
_DMY = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})")
_MY = re.compile(r"(\d{1,2})([-/. ])(\d{4})")
_YM = re.compile(r"(\d{4})[-/. ](\d{1,2})")
_SERIAL = re.compile(r"(\d{5})([.,]\d+)?")
_LAST_MINUTE = 1 - 1 / (24 * 60)  # As a share of a day.
_LETTER = re.compile(r"[^\W\d_]")
_DIGITS = re.compile(r"\d+")
# The health sector's form, and with seconds HL7's: zeros stand for an unknown month or day.
_STAMP = re.compile(r"((?:18|19|20)\d{2})(\d{2})(\d{2})([01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?")
_WORDS = re.compile(r"ngày|ngay|sinh|năm|nam", re.I)
_BARE_MONTH = re.compile(r"(.*?)\b(?:tháng|thang|thg)", re.I)
_WEEKDAY = re.compile(
    r"^(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|chủ nhật|thứ \w+)"
    r"\b[.,]* ",
    re.I,
)
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b|\bof\b", re.I)
_UNKNOWN_PART = re.compile(r"(?<![\w])(?:[x?*_]{1,2}|\.{2}|--|…)(?=[-/. ])", re.I)
_SEPARATOR = re.compile(r"\s*([-/.])\s*")
# The sign that replaces a named month, and the orders in which day and year stand around it.
_NAMED = "@"
_AROUND_NAMED = tuple(
    re.compile(form)
    for form in (
        r"(?:(?P<day>\d{1,2}) )?@ (?P<year>\d{4})",
        r"(?P<day>\d{1,2}) @ (?P<year>\d{2})",
        r"@ (?P<day>\d{1,2}) (?P<year>\d{4}|\d{2})",
        r"(?P<year>\d{4}) @(?: (?P<day>\d{1,2}))?",
    )
)


@cache
def placeholders() -> dict[str, str]:
    """Texts that stand where a date is missing, with the reject reason of each."""
    return {row["value"]: row["reject"] for row in read_rows("birth_placeholders.csv")}


@cache
def _months() -> dict[str, int]:
    return {row["name"]: int(row["month"]) for row in read_rows("month_names.csv")}


@cache
def _month_named() -> re.Pattern[str]:
    """A month that is marked as one: by an English name, or by "tháng" before a number or name."""
    vietnamese = sorted(
        {name.removeprefix("tháng ") for name in _months() if name.startswith("tháng ")},
        key=len,
        reverse=True,
    )
    names = "|".join(re.escape(name) for name in vietnamese)
    return re.compile(
        r"(?<![^\W\d_])(?:"
        rf"(?:tháng|thang|thg)\s*(?:(?P<number>\d{{1,2}})(?!\d|\s*[-/.]\s*\d{{1,2}}(?!\d))|(?P<name>{names})(?!\w))"
        r"|th(?P<short>\d{1,2})(?!\d)"
        r"|(?P<english>[a-z]{3,9})(?![^\W\d_])\.?)",
        re.I,
    )


def parse_birth(raw: str | None, today: date | None = None) -> ParsedBirth:
    """Understand one birth date as a register holds it.

    Args:
        raw: Any string; None counts as missing.
        today: The day after which nobody is born yet; the current day by default.

    Returns:
        Date or year and month, precision and notes; ``reject`` says why it is unusable.
    """
    raw = (raw or "").strip()
    if not raw:
        return ParsedBirth(reject="birth_missing")
    if len(raw) > _MAX_RAW_LENGTH:
        return ParsedBirth(reject="birth_unreadable")
    return _Reader(raw, today or date.today()).read()


class _Reader:
    """One value on its way to a date: the text, the notes so far, the last possible day."""

    def __init__(self, raw: str, today: date) -> None:
        self.today = today
        self.notes: list[str] = []
        self.clock: Clock | None = None
        self.months: list[int] = []
        self.month_left_blank = False
        self.text = self._tidy(raw)

    def _tidy(self, raw: str) -> str:
        text = unicodedata.normalize("NFKC", raw).strip(" '\"`\u2018\u2019\t\r\n\u200b\ufeff=")
        text = re.sub("[\u200b-\u200f\ufeff]", "", text)
        return " ".join(text.split())

    def read(self) -> ParsedBirth:
        placeholder = placeholders().get(self.text.lower())
        if placeholder:
            return self._reject(placeholder)
        self.text, self.clock = without_clock(self.text)
        if self.clock:
            self.notes.append("time_dropped")
        self.text = self._without_words(self.text)
        if not self.text.strip("0/-. "):
            return self._reject("birth_missing")
        if self.months:
            return self._around_named() or self._reject("birth_unreadable")
        return self._whole_number() or self._parts() or self._reject("birth_unreadable")

    def _reject(self, reason: str) -> ParsedBirth:
        return ParsedBirth(notes=tuple(self.notes), reject=reason)

    def _without_words(self, text: str) -> str:
        if _LETTER.search(text):
            text = self._without_names(text)
        text = _UNKNOWN_PART.sub("00", text)
        text = _SEPARATOR.sub(r"\1", " ".join(text.replace(",", " ").replace("\\", "/").split()))
        return text.strip(" -/.")

    def _without_names(self, text: str) -> str:
        """The text with each named month replaced by a sign, and without other words."""
        text = _month_named().sub(self._take_month, _WEEKDAY.sub("", text))
        if self.months:
            text = _ORDINAL.sub(" ", text)
        bare = _BARE_MONTH.match(text)
        if bare:
            # A form whose month was left empty, or words before a date: the day is not the month.
            self.month_left_blank = True
            if re.search(r"\d", bare[1]):
                return text
            text = text.replace(bare[0], f"{bare[1]} ", 1)
        return _WORDS.sub(" ", text)

    def _take_month(self, found: re.Match[str]) -> str:
        english = found["english"]
        if english:
            month = _months().get(english.lower())
        elif found["name"]:
            month = _months()["tháng " + found["name"].lower()]
        else:
            month = int(found["number"] or found["short"])
        if month is None:
            return found[0]
        self.months.append(month)
        return f" {_NAMED} "

    def _around_named(self) -> ParsedBirth | None:
        """Day and year around a month that is marked as one, so that their order is certain."""
        text = re.sub(r"[-/. ]+", " ", self.text)
        for form in _AROUND_NAMED:
            match = form.fullmatch(text)
            if match and len(self.months) == 1:
                day = int(match["day"] or 0)
                return self._checked(
                    self._year(match["year"], self.months[0], day), self.months[0], day
                )
        return None

    def _whole_number(self) -> ParsedBirth | None:
        text = self.text
        serial = _SERIAL.fullmatch(text)
        if serial:
            return self._serial(int(serial[1]), float((serial[2] or "0").replace(",", ".")))
        text = re.sub(r"(?<=\d)[.,]0$", "", text)
        if not _DIGITS.fullmatch(text):
            return None
        if len(text) == 4:
            return self._checked(int(text), None, None)
        stamp = _STAMP.fullmatch(text)
        if stamp:
            self.notes.append("time_dropped")
            return self._checked(int(stamp[1]), int(stamp[2]), int(stamp[3]))
        if len(text) == 7:
            self.notes.append("lost_zeros")
            text = text.zfill(8)
        return self._compact(text) if len(text) == 8 else None

    def _serial(self, days: int, time_of_day: float) -> ParsedBirth:
        self.notes.append("spreadsheet_serial")
        if time_of_day >= _LAST_MINUTE:
            self.notes.append("time_zone_shifted")
            days += 1
        if days < _EARLIEST_SERIAL:
            return self._reject("birth_unreadable")
        found = _SERIAL_ZERO + timedelta(days)
        return self._checked(found.year, found.month, found.day)

    def _compact(self, text: str) -> ParsedBirth:
        """Eight digits: year first if that gives a year and a month, else day first."""
        year, month = int(text[:4]), int(text[4:6])
        if EARLIEST_YEAR <= year <= self.today.year and month <= 12:
            return self._checked(year, month, int(text[6:]))
        return self._checked(int(text[4:]), int(text[2:4]), int(text[:2]))

    def _parts(self) -> ParsedBirth | None:
        match = _YMD.fullmatch(self.text)
        if match:
            return self._checked(int(match[1]), int(match[2]), int(match[3]))
        match = _DMY.fullmatch(self.text)
        if match:
            return self._day_first(int(match[1]), int(match[2]), match[3])
        match = _MY.fullmatch(self.text)
        if match and not (self.month_left_blank and match[2] == " "):
            return self._checked(int(match[3]), int(match[1]), None)
        match = _YM.fullmatch(self.text)
        if match:
            return self._checked(int(match[1]), int(match[2]), None)
        return None

    def _day_first(self, day: int, month: int, year_text: str) -> ParsedBirth:
        if month > 12 and 1 <= day <= 12:
            note = "month_first"
            day, month = month, day
        else:
            swap = 1 <= day <= 12 and 1 <= month <= 12 and day != month
            note = "day_month_could_swap" if swap else ""
        year = self._year(year_text, month, day)
        if note:
            self.notes.append(note)
        return self._checked(year, month, day)

    def _year(self, text: str, month: int, day: int) -> int:
        """The year; two digits mean the latest century in which the day is not in the future."""
        if len(text) == 4:
            return int(text)
        self.notes.append("two_digit_year")
        year = self.today.year - self.today.year % 100 + int(text)
        this = (self.today.year, self.today.month, self.today.day)
        return year - 100 if (year, month or 1, day or 1) > this else year

    def _checked(self, year: int, month: int | None, day: int | None) -> ParsedBirth:
        month, day = month or None, day or None
        if day is not None and month is None:
            return self._reject("birth_impossible")
        try:
            first = date(year or 1, month or 1, day or 1)
        except ValueError:
            return self._reject("birth_impossible")
        if day is not None and self.clock:
            first, notes = self.clock.day_meant(first)
            self.notes += notes
        reason = self._refused(first)
        if reason:
            return self._reject(reason)
        if month is None:
            return ParsedBirth(None, year, None, "year", tuple(self.notes))
        if day is None:
            return ParsedBirth(None, year, month, "month", tuple(self.notes))
        if (first.day, first.month) == (1, 1):
            self.notes.append("filler_suspected")
        return ParsedBirth(first, first.year, first.month, "day", tuple(self.notes))

    def _refused(self, first: date) -> str | None:
        if first > self.today:
            return "birth_in_future"
        if first.isoformat() in placeholders():
            return "birth_placeholder"
        return "birth_before_1880" if first.year < EARLIEST_YEAR else None
