"""Numbers of persons: personal number, CMND, insurance number, health card.

Belongs here: what one typed value means, the repairs it took, and where its structure disagrees
with the record. Does not belong here: whether such a number exists (that is reconciliation), the
layout of cards (``cards``), place names (``places``).

A personal number has no check digit and the law promises no more than 12 digits, so structure is
evidence: a disagreement is a warning, never a reject. A repair is made only where one reading is
left; otherwise the readings are candidates and ``number`` is None.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, NamedTuple

from etl.normalise.cards import parse_card
from etl.normalise.files import read_rows
from etl.normalise.places import places
from etl.normalise.values import Gender, parse_gender

Field = Literal["id", "insurance", "card", "personal"]
Kind = Literal["personal", "cmnd", "insurance", "card"]

_MAX_RAW_LENGTH = 300  # Room for an identity card's QR text.
_MAX_DIGITS = 15
_SHORTEST_PAIR = 19  # Two numbers of nine digits and what stands between them.


@dataclass(frozen=True, slots=True)
class ParsedNumber:
    """What was understood of one number.

    Attributes:
        kind: By shape: ``personal`` (12 digits), ``cmnd`` (9), ``insurance`` (10), ``card`` (15).
        number: Digits; for a card the insurance number inside; None when refused or ambiguous.
        card_code: Object code, benefit level and province of a 15-character card, else None.
        repairs: What was changed to read it.
        warnings: Where structure and record disagree.
        candidates: Possible numbers where the repair is ambiguous.
        reject: Why there is no number, else None.
    """

    kind: Kind | None = None
    number: str | None = None
    card_code: str | None = None
    repairs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    reject: str | None = None


class PersonalNumber(NamedTuple):
    """What a personal number says of its holder.

    Attributes:
        place_code: Three digits.
        place_name: Province of the 2004 table or country; None for an unknown code.
        place_name_2025: The province of 2025, None for a country or an unknown code.
        sex: ``M`` or ``F``.
        birth_year: Four digits.
    """

    place_code: str
    place_name: str | None
    place_name_2025: str | None
    sex: Gender
    birth_year: int


def decode_personal_number(number: str) -> PersonalNumber:
    """Take a personal number apart: place, sex, birth year.

    The fourth digit is century and sex: 0/1 male/female of 1900-99, 2/3 of 2000-99, and so on.

    Raises:
        ValueError: When the number is not 12 digits.
    """
    if len(number) != 12 or not (number.isascii() and number.isdigit()):
        msg = "A personal number has 12 digits; clean the value with parse_number first."
        raise ValueError(msg)
    century, female = divmod(int(number[3]), 2)
    place = places().get(number[:3])
    return PersonalNumber(
        number[:3],
        place.name if place else None,
        place.successor if place else None,
        "F" if female else "M",
        1900 + 100 * century + int(number[4:6]),
    )


# --- cleaning -------------------------------------------------------------------------------------

_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d*)?\s*[eE]\s*[+-]?\d+(?:[.,]0+)?")
_DECIMAL = re.compile(r"(?<=\d)[.,]0{1,2}$")
_SEPARATORS = re.compile(r"[\s.\-_/\u2010-\u2015,:]+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\x00-\x08]")
_SEVERAL = re.compile(r"\s*[/;,|&\n]+\s*|\s+(?:-|và|or)\s+")


@cache
def _lookalikes() -> dict[int, str]:
    return {ord(row["character"]): row["digit"] for row in read_rows("digit_lookalikes.csv")}


@cache
def ascii_lookalikes() -> dict[str, str]:
    """Capital letters of the keyboard that are read as digits."""
    return {chr(code): d for code, d in _lookalikes().items() if code < 128 and chr(code).isupper()}


@cache
def stand_ins() -> frozenset[str]:
    """Values that stand where a number is missing, lower case."""
    return frozenset(row["value"] for row in read_rows("number_placeholders.csv"))


class _Cleaned(NamedTuple):
    text: str
    repairs: tuple[str, ...]


def _cleaned(raw: str) -> _Cleaned:
    text = raw.strip()
    if text.isascii() and text.isalnum():
        return _Cleaned(text.upper(), ())
    repairs: list[str] = []

    def step(before: str, after: str, repair: str) -> str:
        if after != before:
            repairs.append(repair)
        return after

    if not (text.isascii() and text.isprintable()):
        text = step(text, _INVISIBLE.sub("", text), "invisible_characters")
        text = step(text, unicodedata.normalize("NFKC", text), "full_width").strip()
    text = step(text, text.strip("'\"`\u2018\u2019\u00b4= "), "apostrophe")
    text = step(text, _DECIMAL.sub("", text), "decimal_point")
    text = step(text, _SEPARATORS.sub("", text), "separators")
    return _Cleaned(text.upper(), tuple(repairs))


def _letters_read_as_digits(text: str) -> str | None:
    """The value with look-alike letters as digits; None when letters remain or are too many."""
    letters = sum(not ("0" <= c <= "9") for c in text)
    read = text.translate(_lookalikes())
    good = read.isascii() and read.isdigit() and 0 < letters <= 3 and len(read) >= 8
    return read if good else None


def parse_number(
    raw: str | None,
    *,
    field: Field = "id",
    birth_year: int | None = None,
    gender: str | None = None,
) -> ParsedNumber:
    """Understand one number as a register holds it.

    Args:
        raw: Any string; None counts as missing.
        field: The column it stands in: ``id`` (personal number or CMND), ``insurance`` (either
            form), ``card`` (15 characters or 10 digits), ``personal`` (12 digits only).
        birth_year: The record's own, to check the structure and to settle an ambiguous repair.
        gender: The record's own, in any spelling.

    Returns:
        A number, or candidates, or the reason for neither.
    """
    parsed = _parsed(raw, field)
    sex = parse_gender(gender) if gender is not None else None
    if birth_year is None and sex is None:
        return parsed
    parsed = _settled(parsed, birth_year, sex)
    if parsed.kind != "personal" or parsed.number is None:
        return parsed
    disagreements = _disagreements(parsed.number, birth_year, sex)
    return replace(parsed, warnings=parsed.warnings + disagreements)


def _settled(parsed: ParsedNumber, birth_year: int | None, sex: Gender | None) -> ParsedNumber:
    """Choose the one candidate whose structure fits the record's own birth year and sex."""
    if len(parsed.candidates) != 1 or birth_year is None or sex is None or parsed.reject:
        return parsed
    number = parsed.candidates[0]
    if len(number) != 12 or _disagreements(number, birth_year, sex):
        return parsed
    return replace(
        parsed, kind="personal", number=number, candidates=(),
        repairs=(*parsed.repairs, "lost_zeros"),
    )  # fmt: skip


def _disagreements(number: str, birth_year: int | None, sex: Gender | None) -> tuple[str, ...]:
    decoded = decode_personal_number(number)
    found = []
    if sex is not None and decoded.sex != sex:
        found.append("sex_digit_disagrees")
    if birth_year is not None and decoded.birth_year != birth_year:
        century_only = decoded.birth_year % 100 == birth_year % 100
        found.append("century_digit_disagrees" if century_only else "birth_year_disagrees")
    return tuple(found)


def _parsed(raw: str | None, field: Field) -> ParsedNumber:
    raw = (raw or "").strip()
    if not raw:
        return ParsedNumber(reject="number_missing")
    if len(raw) > _MAX_RAW_LENGTH:
        return ParsedNumber(reject="number_too_long")
    if "|" in raw:
        from_qr = _from_qr(raw, field)
        if from_qr:
            return from_qr
    cleaned = _cleaned(raw)
    if cleaned.text.strip("-").lower() in stand_ins() or raw.lower() in stand_ins():
        return ParsedNumber(reject="number_placeholder")
    if "E" in cleaned.text and _SCIENTIFIC.fullmatch(raw.strip(" '\"=")):
        return ParsedNumber(reject="number_scientific")
    several = _several(raw, field)
    return several or _by_shape(cleaned, field)


def _from_qr(raw: str, field: Field) -> ParsedNumber | None:
    """The number in the text of an identity card's QR code: CCCD|CMND|name|DDMMYYYY|sex|..."""
    parts = [part.strip() for part in raw.split("|")]
    if len(parts) < 4 or not re.fullmatch(r"\d{12}", parts[0]) or field == "card":
        return None
    return _by_shape(_Cleaned(parts[0], ("qr_text",)), field)


def _several(raw: str, field: Field) -> ParsedNumber | None:
    """Two whole numbers in one cell: the personal number leads, the older one is a candidate."""
    if field != "id" or len(raw) < _SHORTEST_PAIR:
        return None
    parts = [_SEPARATORS.sub("", part) for part in _SEVERAL.split(raw)]
    if len(parts) < 2 or not all(re.fullmatch(r"\d{9}|\d{12}", p) for p in parts):
        return None
    personal = sorted({part for part in parts if len(part) == 12})
    others = tuple(part for part in dict.fromkeys(parts) if part not in personal[:1])
    if len(personal) == 1:
        found = _by_shape(_Cleaned(personal[0], ("several_numbers",)), field)
        return replace(found, candidates=others)
    return ParsedNumber(repairs=("several_numbers",), candidates=tuple(dict.fromkeys(parts)))


def _by_shape(cleaned: _Cleaned, field: Field) -> ParsedNumber:
    text, repairs = cleaned
    if field in ("card", "insurance") and text[:2].isalpha():
        return _card(text, repairs, field)
    if not (text.isascii() and text.isdigit()):
        digits = _letters_read_as_digits(text)
        if digits is None:
            return _malformed(repairs)
        text, repairs = digits, (*repairs, "letter_for_digit")
    if len(text) > _MAX_DIGITS:
        return ParsedNumber(repairs=repairs, reject="number_too_long")
    if len(set(text)) == 1 and len(text) >= 8:
        return ParsedNumber(repairs=repairs, reject="number_placeholder")
    return _READERS[field](text, repairs)


def _card(text: str, repairs: tuple[str, ...], field: Field) -> ParsedNumber:
    body = text[:2] + text[2:].translate(_lookalikes())
    if body != text:
        repairs = (*repairs, "letter_for_digit")
    card = parse_card(body)
    if card is None:
        reason = "number_too_long" if len(text) > _MAX_DIGITS else "number_malformed"
        return ParsedNumber(repairs=repairs, reject=reason)
    if len(set(card.number)) == 1:
        return ParsedNumber(repairs=repairs, reject="number_placeholder")
    if field == "insurance":
        return ParsedNumber(
            "insurance", card.number, card.card_code, (*repairs, "taken_from_card"), card.warnings
        )
    return ParsedNumber("card", card.number, card.card_code, repairs, card.warnings)


# --- reading digits, by field ---------------------------------------------------------------------


def _personal(number: str, repairs: tuple[str, ...]) -> ParsedNumber:
    warnings = () if number[:3] in places() else ("unknown_place_code",)
    if int(number[3]) > 3:
        warnings = (*warnings, "century_in_future")
    return ParsedNumber("personal", number, None, repairs, warnings)


def _zeros_lost(digits: str) -> str | None:
    """A personal number whose leading zeros a spreadsheet dropped, if its place code is known.

    Only provinces below 100 begin with a zero, so at most two are lost.
    """
    number = digits.zfill(12)
    lost = 12 - len(digits)
    fits = lost in (1, 2) and digits[0] != "0" and number[:3] in places() and int(number[3]) <= 3
    return number if fits else None


def _read_personal(text: str, repairs: tuple[str, ...]) -> ParsedNumber:
    if len(text) == 12:
        return _personal(text, repairs)
    number = _zeros_lost(text)
    if number:
        return _personal(number, (*repairs, "lost_zeros"))
    return _malformed(repairs)


def _malformed(repairs: tuple[str, ...]) -> ParsedNumber:
    return ParsedNumber(repairs=repairs, reject="number_malformed")


def _read_id(text: str, repairs: tuple[str, ...]) -> ParsedNumber:
    if len(text) in (11, 12):
        return _read_personal(text, repairs)
    if len(text) == 9:
        return ParsedNumber("cmnd", text, None, repairs)
    if len(text) == 8:
        return ParsedNumber("cmnd", text.zfill(9), None, (*repairs, "lost_zeros"))
    number = _zeros_lost(text)
    if number:
        # Ten digits are an insurance number's shape too: the record must decide.
        return ParsedNumber(repairs=repairs, candidates=(number,))
    return _malformed(repairs)


def _read_insurance(text: str, repairs: tuple[str, ...]) -> ParsedNumber:
    if len(text) == 10:
        return ParsedNumber("insurance", text, None, repairs)
    if len(text) in (11, 12):
        return _read_personal(text, repairs)
    if len(text) == 9 and text[0] != "0" and f"00{text[0]}" in places():
        # Nine digits are a CMND's shape too.
        return ParsedNumber(repairs=repairs, candidates=(text.zfill(10),))
    return _malformed(repairs)


def _read_card(text: str, repairs: tuple[str, ...]) -> ParsedNumber:
    if len(text) == 13 and text[0] in "12345":
        # Benefit level, province and number, the two letters missing.
        return ParsedNumber(repairs=repairs, candidates=(text[3:],))
    return _read_insurance(text, repairs)


_READERS = {
    "id": _read_id,
    "insurance": _read_insurance,
    "card": _read_card,
    "personal": _read_personal,
}
