"""Birth dates: from the many ways a register writes them to a date with a precision.

Belongs here: reading one value. Does not belong here: comparing two (``compare``).

A date of year only, or of month and year, is legal and stays one: no day is ever invented. What is
left open by the text (two-digit year, first of January, day and month that could change places) is
noted, not decided.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Literal

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


_TIME = re.compile(
    r"^(.*\d)[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([AaPp][Mm]|[SsCc][AaHh])?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?$"
)
_YMD = re.compile(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})")
_DMY = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})")
_MY = re.compile(r"(\d{1,2})[-/. ](\d{4})")
_YM = re.compile(r"(\d{4})[-/. ](\d{1,2})")
_SERIAL = re.compile(r"(\d{5})(?:[.,]\d+)?")
_DIGITS = re.compile(r"\d+")
_WORDS = re.compile(r"ngày|ngay|sinh|tháng|thang|thg|năm|nam|th(?=\d)", re.I)
_UNKNOWN_PART = re.compile(r"(?<![\w])(?:[x?*_]{1,2}|\.{2}|--|…)(?=[-/. ])", re.I)
_SEPARATOR = re.compile(r"\s*([-/.])\s*")


@cache
def placeholders() -> dict[str, str]:
    """Texts that stand where a date is missing, with the reject reason of each."""
    return {row["value"]: row["reject"] for row in read_rows("birth_placeholders.csv")}


@cache
def _months() -> dict[str, int]:
    return {row["name"]: int(row["month"]) for row in read_rows("month_names.csv")}


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
        self.shift = timedelta()
        self.text = self._tidy(raw)

    def _tidy(self, raw: str) -> str:
        text = unicodedata.normalize("NFKC", raw).strip(" '\"`\u2018\u2019\t\r\n\u200b\ufeff=")
        text = re.sub("[\u200b-\u200f\ufeff]", "", text)
        return " ".join(text.split())

    def read(self) -> ParsedBirth:
        placeholder = placeholders().get(self.text.lower())
        if placeholder:
            return self._reject(placeholder)
        self.text = self._without_time(self.text)
        self.text = self._without_words(self.text)
        if not self.text.strip("0/-. "):
            return self._reject("birth_missing")
        return self._whole_number() or self._parts() or self._reject("birth_unreadable")

    def _reject(self, reason: str) -> ParsedBirth:
        return ParsedBirth(notes=tuple(self.notes), reject=reason)

    def _without_time(self, text: str) -> str:
        match = _TIME.match(text)
        if match is None:
            return text
        self.notes.append("time_dropped")
        hour, minute, zone = int(match[2]), int(match[3]), match[6]
        if zone and zone.strip("Z+-0:") == "" and hour in (16, 17) and minute == 0:
            # Midnight in Vietnam, exported as universal time: the day before, 16:00 or 17:00.
            self.notes.append("time_zone_shifted")
            self.shift = timedelta(days=1)
        return match[1].strip()

    def _without_words(self, text: str) -> str:
        text = _WORDS.sub(" ", text)
        text = re.sub(
            r"[A-Za-z]{3,9}\.?",
            lambda m: f" {_months().get(m.group().lower().strip('.'), m.group())} ",
            text,
        )
        text = _UNKNOWN_PART.sub("00", text)
        text = _SEPARATOR.sub(r"\1", " ".join(text.replace(",", " ").replace("\\", "/").split()))
        return text.strip(" -/.")

    def _whole_number(self) -> ParsedBirth | None:
        text = self.text
        serial = _SERIAL.fullmatch(text)
        if serial:
            return self._serial(int(serial[1]))
        text = re.sub(r"(?<=\d)[.,]0$", "", text)
        if not _DIGITS.fullmatch(text):
            return None
        if len(text) == 4:
            return self._checked(int(text), None, None)
        if len(text) == 7:
            self.notes.append("lost_zeros")
            text = text.zfill(8)
        return self._compact(text) if len(text) == 8 else None

    def _serial(self, days: int) -> ParsedBirth:
        self.notes.append("spreadsheet_serial")
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
        if match:
            return self._checked(int(match[2]), int(match[1]), None)
        match = _YM.fullmatch(self.text)
        if match:
            return self._checked(int(match[1]), int(match[2]), None)
        return None

    def _day_first(self, day: int, month: int, year_text: str) -> ParsedBirth:
        year = int(year_text)
        if len(year_text) == 2:
            self.notes.append("two_digit_year")
            year += 2000 if year <= self.today.year % 100 else 1900
        if month > 12 and 1 <= day <= 12:
            self.notes.append("month_first")
            day, month = month, day
        elif 1 <= day <= 12 and 1 <= month <= 12 and day != month:
            self.notes.append("day_month_could_swap")
        return self._checked(year, month, day)

    def _checked(self, year: int, month: int | None, day: int | None) -> ParsedBirth:
        month, day = month or None, day or None
        if day is not None and month is None:
            return self._reject("birth_impossible")
        reason = self._impossible(year, month, day)
        if reason:
            return self._reject(reason)
        if month is None:
            return ParsedBirth(None, year, None, "year", tuple(self.notes))
        if day is None:
            return ParsedBirth(None, year, month, "month", tuple(self.notes))
        return self._full(date(year, month, day) + self.shift)

    def _full(self, found: date) -> ParsedBirth:
        if found.isoformat() in placeholders():
            return self._reject("birth_placeholder")
        if (found.day, found.month) == (1, 1):
            self.notes.append("filler_suspected")
        return ParsedBirth(found, found.year, found.month, "day", tuple(self.notes))

    def _impossible(self, year: int, month: int | None, day: int | None) -> str | None:
        try:
            first = datetime(year or 1, month or 1, day or 1).date()
        except ValueError:
            return "birth_impossible"
        if first > self.today:
            return "birth_in_future"
        if first.isoformat() in placeholders():
            return "birth_placeholder"
        return "birth_before_1880" if year < EARLIEST_YEAR else None
