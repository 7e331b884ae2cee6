"""Provinces as registers write them: by code or by name, of before or after 1 July 2025.

Belongs here: reading one value of a province column. Does not belong here: the place that a
personal number encodes (``places``).

Codes are those of the 2004 table. The 34 codes of 2025 are among them, each for the new province
that took in the territory of the old one. Names are read without accents, with or without Tỉnh and
Thành phố. Where code and name stand together they must agree.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from etl.normalise.files import read_rows
from etl.normalise.syllables import unaccent
from etl.normalise.values import in_any_encoding

_MAX_RAW_LENGTH = 200


class _Provinces(NamedTuple):
    by_code: dict[str, str]
    by_name: dict[str, str]


@cache
def _provinces() -> _Provinces:
    by_code: dict[str, str] = {}
    by_name: dict[str, str] = {}
    for row in read_rows("province_codes.csv", "etl.domain"):
        by_code[row["cccd_code"]] = row["code_2025"]
        for name in (row["province_2004_2025"], row["province_2025"]):
            by_name[_folded(name)] = row["code_2025"]
    for row in read_rows("province_names.csv"):
        by_name[_folded(row["name"])] = row["code_2025"]
    return _Provinces(by_code, by_name)


# What stands before a name, without accents.
_KIND = re.compile(
    r"^(?:(?:uy ban nhan dan|ubnd|bao hiem xa hoi|bhxh) )?"
    r"(?:(?:tinh|thanh pho truc thuoc trung uong|thanh pho|tp|t|city|province)(?: cua)? )?"
)
_APART = re.compile(r"[^a-z0-9]+")


def _folded(name: str) -> str:
    """A name in small letters, without accents and without the kind of place."""
    plain = _APART.sub(" ", unaccent(name.lower())).strip()
    plain = re.sub(r"^tp(?=[a-z]{2})", "tp ", plain)
    return _KIND.sub("", plain) or plain


_CODE = re.compile(r"(\d{1,3})(?:[.,]0+)?")
_CODE_THEN_NAME = re.compile(r"\(?(?P<code>\d{1,3})\)?[-\u2013:._|/ ]+(?P<name>\D{2,})")
_NAME_THEN_CODE = re.compile(r"(?P<name>\D{2,}?)[-\u2013:._|/ (]+(?P<code>\d{1,3})\)?")


def parse_province(raw: str | None) -> str | None:
    """The province that a register names: 79, 079, Tỉnh Thanh Hóa, TP. Hồ Chí Minh, 01 - Hà Nội.

    Args:
        raw: As recorded. Of an address, the last part between commas is read.

    Returns:
        The two digits of its code of 2025, or None when missing or not understood. A number of
        more than three digits is a district's or a commune's code, and not read.
    """
    text = (raw or "").strip()
    if not text or len(text) > _MAX_RAW_LENGTH:
        return None
    return in_any_encoding(text, _read)


def _read(text: str) -> str | None:
    text = text.strip(" '\"\t\r\n\u200b\ufeff")
    if code := _CODE.fullmatch(text):
        return _by_code(code[1])
    if both := _CODE_THEN_NAME.fullmatch(text) or _NAME_THEN_CODE.fullmatch(text):
        of_code, of_name = _by_code(both["code"]), _by_name(both["name"])
        return of_code if of_code == of_name else None
    return _by_name(text) or _by_name(text.rpartition(",")[2])


def _by_code(digits: str) -> str | None:
    return _provinces().by_code.get(digits.zfill(3))


def _by_name(name: str) -> str | None:
    return _provinces().by_name.get(_folded(name))
