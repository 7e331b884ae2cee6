"""Places that numbers encode: provinces of the 2004 table, countries, and their 2025 successors.

Belongs here: looking a code up. Does not belong here: parsing the numbers that hold the code.

63 provinces became 34 on 1 July 2025 (Decision 19/2025/QĐ-TTg), and six codes now mean a province
of another name: 15, 24, 52, 80, 82, 91. A personal number keeps the code of its day, so it is
always read with the 2004 table; only an address is read with the table of its date.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from etl.normalise.files import read_rows


class Place(NamedTuple):
    """A place of birth registration.

    Attributes:
        code: Three digits, as in a personal number.
        name: The province of the 2004 table, or the country.
        successor: The province of 2025 that its territory belongs to; None for a country.
    """

    code: str
    name: str
    successor: str | None


@cache
def places() -> dict[str, Place]:
    """All place codes of personal numbers."""
    found = {
        row["cccd_code"]: Place(row["cccd_code"], row["province_2004_2025"], row["province_2025"])
        for row in read_rows("province_codes.csv", "etl.domain")
    }
    for row in read_rows("country_codes.csv", "etl.domain"):
        found[row["cccd_code"]] = Place(row["cccd_code"], row["country_vi"], None)
    return found


@cache
def _card_provinces() -> frozenset[str]:
    ours = {code[1:] for code in places() if code.startswith("0")}
    return frozenset(ours | {row["code"] for row in read_rows("card_provinces.csv")})


def card_province_known(code: str) -> bool:
    """Whether a two-digit code on a health card is a province, old or new, or a special insurer."""
    return code in _card_provinces()


@cache
def province_names() -> dict[str, str]:
    """The names of the 34 provinces of 2025, by their two-digit codes."""
    rows = read_rows("province_codes.csv", "etl.domain")
    return {row["code_2025"]: row["province_2025"] for row in rows}


@cache
def province_codes() -> tuple[str, ...]:
    """The two-digit codes of the 34 provinces of 2025, in order."""
    return tuple(sorted(province_names()))
