"""Numbers of persons: personal number, CMND, insurance number, health card.

Belongs here: what one typed value means, the repairs it took, and where its structure disagrees
with the record. Does not belong here: whether such a number exists (that is reconciliation), the
layout of cards (``cards``), place names (``places``), the cleaning of a cell (``digits``).

A personal number has no check digit, and the law only says that it has 12 digits. So its structure
is only evidence: a disagreement is a warning, never a reject. A repair is made only if it leaves
one reading; otherwise the readings are candidates and ``number`` is None. The result of a repair is
judged like what was typed: it may be a stand-in, a birth date, or nobody's. Digits are not repaired
twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from etl.normalise.cards import parse_card
from etl.normalise.digits import (
    MAX_DIGITS,
    SEPARATORS,
    Cleaned,
    cleaned,
    digits_of_scientific,
    is_date,
    is_passport,
    is_scientific,
    letters_read_as_digits,
    stand_ins,
    this_year,
    with_digits_for_letters,
)
from etl.normalise.places import places
from etl.normalise.values import Gender, parse_gender

Field = Literal["id", "insurance", "card", "personal"]
Kind = Literal["personal", "cmnd", "insurance", "card"]

_MAX_RAW_LENGTH = 300
_MAX_QR_LENGTH = 5_000
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


# --- one value ------------------------------------------------------------------------------------

_SEVERAL = re.compile(r"\s*[/;,|&\n]+\s*|\s+(?:-|và|or)\s+")
_QR_PERSONAL = re.compile("[0-9]{12}")
_QR_CARD = re.compile("[A-Z]{2}[0-9]{13}|[0-9]{10}|[0-9]{12}")
_HEXADECIMAL = re.compile("(?:[0-9A-Fa-f]{2})+")
# Numbers that are whole as they stand, so that two of them in one cell can be told apart.
_WHOLE: dict[str, re.Pattern[str]] = {
    "id": re.compile("[0-9]{9}|[0-9]{12}"),
    "insurance": _QR_CARD,
    "card": _QR_CARD,
}


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
    if "letter_for_digit" in parsed.repairs:  # After two repairs a fitting structure is not enough.
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
    if "|" in raw:
        from_qr = _from_qr(raw, field)
        if from_qr:
            return from_qr
    if len(raw) > _MAX_RAW_LENGTH:
        return ParsedNumber(reject="number_too_long")
    return _of_cell(raw, cleaned(raw), field)


def _of_cell(raw: str, clean: Cleaned, field: Field) -> ParsedNumber:
    text = clean.text
    if text.strip("-").lower() in stand_ins() or raw.lower() in stand_ins():
        return ParsedNumber(reject="number_placeholder")
    if text.isdigit() and len(raw) < _SHORTEST_PAIR:
        return _by_shape(clean, field)
    if is_passport(text):
        return ParsedNumber(repairs=clean.repairs, reject="number_passport")
    if "E" in text and is_scientific(raw):
        digits = digits_of_scientific(raw)
        if digits is None:
            return ParsedNumber(reject="number_scientific")
        return _by_shape(Cleaned(digits, ("scientific_notation",)), field)
    several = _several(raw, field)
    return several or _by_shape(clean, field)


def _from_qr(raw: str, field: Field) -> ParsedNumber | None:
    """The number at the beginning of a QR code's text.

    An identity card's is CCCD|CMND|name|DDMMYYYY|sex|…, a health card's number|name in hexadecimal
    UTF-8|birth date|sex|….
    """
    number, *rest = (part.strip(" '\"\ufeff") for part in raw[:_MAX_QR_LENGTH].split("|", 4))
    if len(rest) < 3:
        return None
    identity = field != "card" and _QR_PERSONAL.fullmatch(number)
    card = field in ("card", "insurance") and _QR_CARD.fullmatch(number) and _is_text(rest[0])
    return _by_shape(Cleaned(number, ("qr_text",)), field) if identity or card else None


def _is_text(hexadecimal: str) -> bool:
    """Whether digits and letters are the bytes of a text in UTF-8."""
    if not _HEXADECIMAL.fullmatch(hexadecimal):
        return False
    try:
        return bytes.fromhex(hexadecimal).decode().isprintable()
    except UnicodeDecodeError:
        return False


def _several(raw: str, field: Field) -> ParsedNumber | None:
    """Two whole numbers in one cell."""
    whole = _WHOLE.get(field)
    if whole is None or len(raw) < _SHORTEST_PAIR:
        return None
    parts = [SEPARATORS.sub("", part).upper() for part in _SEVERAL.split(raw)]
    parts = [part for part in parts if part]
    if len(parts) < 2 or not all(whole.fullmatch(part) for part in parts):
        return None
    parts = [part for part in dict.fromkeys(parts) if part not in stand_ins()]
    return _several_ids(parts) if field == "id" else _several_cards(parts, field)


def _several_ids(parts: list[str]) -> ParsedNumber:
    """The personal number leads, the older one is a candidate."""
    personal = sorted(part for part in parts if len(part) == 12)
    if len(personal) == 1:
        found = _by_shape(Cleaned(personal[0], ("several_numbers",)), "id")
        return replace(found, candidates=tuple(part for part in parts if part != personal[0]))
    return _of_several(tuple(parts))


def _several_cards(parts: list[str], field: Field) -> ParsedNumber:
    """Cards of one person bear one number; where they bear two, nobody knows whose it is."""
    read = [_by_shape(Cleaned(part, ("several_numbers",)), field) for part in parts]
    found = {one.number: one for one in reversed(read) if one.number}
    if len(found) == 1:
        return next(iter(found.values()))
    return _of_several(tuple(number for number in reversed(found) if number))


def _of_several(candidates: tuple[str, ...]) -> ParsedNumber:
    reject = None if candidates else "number_placeholder"
    return ParsedNumber(repairs=("several_numbers",), candidates=candidates, reject=reject)


def _by_shape(clean: Cleaned, field: Field) -> ParsedNumber:
    text, repairs = clean
    if field in ("card", "insurance") and text[:2].isalpha():
        return _judged(_card(text, repairs, field))
    if text.isascii() and text.isdigit():
        return _by_digits(text, repairs, field)
    digits = letters_read_as_digits(text)
    if digits is None:
        return _malformed(repairs)
    found = _by_digits(digits, (*repairs, "letter_for_digit"), field)
    return found if found.reject else _after_letters(found, digit_leads="0" <= text[0] <= "9")


def _after_letters(found: ParsedNumber, *, digit_leads: bool) -> ParsedNumber:
    """Judges a number whose letters were read as digits.

    One repair is allowed: a number that needs another one, or does not look like a person's, is
    only a candidate.

    Args:
        found: As read from the digits.
        digit_leads: Whether the text begins with a digit. A letter in front belongs to a passport
            or a foreign number, unless all twelve or ten digits are there.
    """
    number = found.number
    twice = number is None or "lost_zeros" in found.repairs
    if not digit_leads and (twice or found.kind == "cmnd"):
        return _malformed(found.repairs)
    if number is None or not (twice or (found.kind == "personal" and not _possible(number))):
        return found
    repairs = tuple(repair for repair in found.repairs if repair != "lost_zeros")
    return ParsedNumber(repairs=repairs, candidates=(number,))


def _by_digits(text: str, repairs: tuple[str, ...], field: Field) -> ParsedNumber:
    if len(text) > MAX_DIGITS:
        return ParsedNumber(repairs=repairs, reject="number_too_long")
    if text in stand_ins():
        return ParsedNumber(repairs=repairs, reject="number_placeholder")
    found = _READERS[field](text, repairs)
    return found if found.number == text else _judged(found)


def _judged(found: ParsedNumber) -> ParsedNumber:
    """The answer without stand-ins that a repair made; a reject if nothing else is left."""
    candidates = tuple(number for number in found.candidates if number not in stand_ins())
    if found.number in stand_ins() or (found.candidates and not candidates):
        return ParsedNumber(repairs=found.repairs, reject="number_placeholder")
    return found if candidates == found.candidates else replace(found, candidates=candidates)


def _card(text: str, repairs: tuple[str, ...], field: Field) -> ParsedNumber:
    body = text[:2] + with_digits_for_letters(text[2:])
    if body != text:
        repairs = (*repairs, "letter_for_digit")
    card = parse_card(body)
    if card is None:
        reason = "number_too_long" if len(text) > MAX_DIGITS else "number_malformed"
        return ParsedNumber(repairs=repairs, reject=reason)
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


def _possible(number: str) -> bool:
    """Whether a personal number can be that of somebody born by now, at a known place."""
    century, year = number[3], int(number[4:6])
    born = "0" <= century <= "1" or ("2" <= century <= "3" and 2000 + year <= this_year())
    return born and number[:3] in places()


def _zeros_lost(digits: str) -> str | None:
    """A personal number whose leading zeros a spreadsheet dropped, if somebody can have it.

    Only provinces below 100 begin with a zero, so at most two are lost.
    """
    number = digits.zfill(12)
    lost = 12 - len(digits)
    return number if lost in (1, 2) and digits[0] != "0" and _possible(number) else None


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
    if len(text) == 8 and is_date(text):
        return ParsedNumber(repairs=repairs, reject="number_is_date")
    if len(text) == 8 and text[0] != "0":  # A spreadsheet drops every leading zero.
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
