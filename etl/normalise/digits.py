"""The digits in a cell: cleaning, look-alike letters, scientific notation, stand-ins, dates.

Belongs here: from typed text to digits, and which digits cannot be anybody's number. Does not
belong here: what kind of number the digits are (``numbers``).
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import cache
from typing import NamedTuple

from etl.normalise.births import EARLIEST_YEAR
from etl.normalise.files import read_rows

MAX_DIGITS = 15
_FEWEST_DIGITS = 8  # A CMND that lost its zero.

_SCIENTIFIC = re.compile(r"([+-]?)(\d+)(?:[.,](\d*))?\s*[eE]\s*([+-]?\d+)(?:[.,]0+)?", re.A)
_DECIMAL = re.compile(r"(?<=\d)[.,]0{1,2}$")
SEPARATORS = re.compile(r"[\s.\-_/\u2010-\u2015,:]+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\x00-\x08]")
_PASSPORT = re.compile("[A-Z][0-9]{7,8}")


@cache
def _lookalikes() -> dict[int, str]:
    return {ord(row["character"]): row["digit"] for row in read_rows("digit_lookalikes.csv")}


@cache
def ascii_lookalikes() -> dict[str, str]:
    """Capital letters of the keyboard that are read as digits."""
    return {chr(code): d for code, d in _lookalikes().items() if code < 128 and chr(code).isupper()}


@cache
def stand_ins() -> frozenset[str]:
    """Values that stand where a number is missing, lower case.

    Those of ``data/number_placeholders.csv``, one digit repeated, and runs along the keyboard:
    345678901, 987654321.
    """
    up, down = "0123456789" * 3, "9876543210" * 3
    made = {
        row[start : start + length]
        for row in (up, down, *(digit * MAX_DIGITS for digit in "0123456789"))
        for length in range(_FEWEST_DIGITS, MAX_DIGITS + 1)
        for start in range(10)
        if start + length <= len(row)
    }
    return frozenset(made | {row["value"] for row in read_rows("number_placeholders.csv")})


class Cleaned(NamedTuple):
    """A typed value without separators and the like, and what was removed."""

    text: str
    repairs: tuple[str, ...]


def cleaned(raw: str) -> Cleaned:
    """A typed value in capitals, without separators, quotes and a spreadsheet's ``.0``."""
    text = raw.strip()
    if text.isascii() and text.isalnum():
        return Cleaned(text.upper(), ())
    repairs: list[str] = []

    def step(before: str, after: str, repair: str) -> str:
        if after != before and repair not in repairs:
            repairs.append(repair)
        return after

    if not (text.isascii() and text.isprintable()):
        text = step(text, _INVISIBLE.sub("", text), "invisible_characters")
        text = step(text, unicodedata.normalize("NFKC", text), "full_width").strip()
    text = step(text, text.strip("'\"`\u2018\u2019\u00b4= "), "apostrophe")
    if ";" in text:
        text = step(text, text.strip("; "), "separators")
    text = step(text, _DECIMAL.sub("", text), "decimal_point")
    text = step(text, SEPARATORS.sub("", text), "separators")
    return Cleaned(text.upper(), tuple(repairs))


def letters_read_as_digits(text: str) -> str | None:
    """The value with look-alike letters as digits; None when letters remain or are too many."""
    letters = sum(not ("0" <= c <= "9") for c in text)
    read = text.translate(_lookalikes())
    good = read.isascii() and read.isdigit() and 0 < letters <= 3 and len(read) >= _FEWEST_DIGITS
    return read if good else None


def with_digits_for_letters(text: str) -> str:
    """The value with look-alike letters as digits, whatever else it holds."""
    return text.translate(_lookalikes())


def is_scientific(raw: str) -> bool:
    """Whether a number is written with an exponent: ``1.09E+11``."""
    return _scientific(raw) is not None


def digits_of_scientific(raw: str) -> str | None:
    """The whole number behind scientific notation, if all its digits are given.

    Returns:
        ``79062000001`` for ``7.9062000001E10``; None for ``7.9E10``, whose last digits a
        spreadsheet may have rounded away, and for what is no whole number.
    """
    match = _scientific(raw)
    if match is None or match[1] == "-":
        return None
    fraction, exponent = match[3] or "", int(match[4])
    beyond = fraction[exponent:] if exponent >= 0 else "1"
    if exponent > len(fraction) or beyond.strip("0"):
        return None
    return (match[2] + fraction[:exponent]).lstrip("0") or "0"


def _scientific(raw: str) -> re.Match[str] | None:
    return _SCIENTIFIC.fullmatch(raw.strip(" '\"="))


def is_passport(text: str) -> bool:
    """Whether a cleaned value is a passport's number: a letter and seven or eight digits."""
    return text[:1] > "9" and _PASSPORT.fullmatch(text) is not None


def is_date(text: str) -> bool:
    """Whether eight digits are a day that somebody could be born on, in either order."""
    return any(
        _is_day(int(year), int(month), int(day))
        for year, month, day in (
            (text[4:], text[2:4], text[:2]),
            (text[:4], text[4:6], text[6:]),
        )
    )


def _is_day(year: int, month: int, day: int) -> bool:
    if not EARLIEST_YEAR <= year <= this_year():
        return False
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def this_year() -> int:
    """The year after which nobody is born yet."""
    return date.today().year
