"""One person's fields, understood and explained: what ``doisoat normalise`` says.

Belongs here: collecting the answers of ``etl.normalise``, with their reasons in words. Does not
belong here: any rule of understanding (``etl/normalise``), or layout (``etl/report/display.py``).
Only the given values are read, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal, NamedTuple

from etl.normalise import (
    ParsedNumber,
    decode_personal_number,
    describe,
    parse_birth,
    parse_gender,
    parse_name,
    parse_number,
)
from etl.normalise.numbers import Field as NumberField

Lang = Literal["vi", "en"]
FieldName = Literal["name", "birth", "gender"] | NumberField

# The words for fields, parts and kinds of number: Vietnamese, English.
_WORDS = {
    "name": ("Họ tên", "Name"),
    "birth": ("Ngày sinh", "Birth date"),
    "gender": ("Giới tính", "Sex"),
    "id": ("Số định danh", "Identity number"),
    "insurance": ("Mã số BHXH", "Insurance number"),
    "card": ("Thẻ BHYT", "Health card"),
    "key": ("khóa so sánh", "comparison key"),
    "surname": ("họ", "surname"),
    "middle": ("đệm", "middle"),
    "given": ("tên", "given"),
    "precision": ("biết đến", "known to the"),
    "day": ("ngày", "day"),
    "month": ("tháng", "month"),
    "year": ("năm", "year"),
    "kind": ("loại", "kind"),
    "kind_personal": ("số định danh cá nhân (12 số)", "personal number (12 digits)"),
    "kind_cmnd": ("CMND (9 số)", "CMND (9 digits)"),
    "kind_insurance": ("mã số BHXH (10 số)", "insurance number (10 digits)"),
    "kind_card": ("thẻ BHYT 15 ký tự", "15-character health card"),
    "card_code": ("mã trên thẻ", "code on the card"),
    "candidate": ("có thể là", "could be"),
    "says": ("cấu trúc số ghi", "its digits say"),
    "place_now": ("nay là", "now"),
    "born": ("sinh năm", "born in"),
    "no_place": ("nơi đăng ký không rõ", "unknown place"),
    "M": ("Nam", "male"),
    "F": ("Nữ", "female"),
    "ambiguous": (
        "Có hơn một cách hiểu, nên không tự quyết định.",
        "There is more than one reading, so nothing is decided.",
    ),
    "ambiguous_ten_digits": (
        "Mười chữ số: số định danh mất số 0 ở đầu, hoặc mã số BHXH. "
        "Năm sinh và giới tính của hồ sơ cùng khớp thì mới quyết định.",
        "Ten digits: a personal number without its leading zeros, or an insurance number. "
        "Only the record's birth year and sex together, if both fit, would decide.",
    ),
    "gender_unknown": ("Không đọc được giới tính.", "The sex cannot be read."),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a value was understood as it was.

    Attributes:
        kind: A ``note`` says what was done or is in doubt, a ``repair`` what was changed, a
            ``warning`` what disagrees, a ``reject`` why the value cannot be used.
        code: As in ``etl/normalise/data/notes.csv``.
        text: The sentence, in the language asked for.
    """

    kind: Literal["note", "repair", "warning", "reject"]
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Understood:
    """One field as recorded, and what it was understood to be.

    Attributes:
        field: Which field.
        label: Its name in the language asked for.
        recorded: The text that was given.
        value: The answer for a person to read; None when there is none.
        parts: Labelled details.
        reasons: Why.
        data: The answer for machines.
    """

    field: FieldName
    label: str
    recorded: str
    value: str | None
    parts: tuple[tuple[str, str], ...]
    reasons: tuple[Reason, ...]
    data: dict[str, object]

    def as_dict(self) -> dict[str, object]:
        """Returns what a machine needs: recorded, the answer's fields, and the reasons."""
        return {
            "recorded": self.recorded,
            **self.data,
            "reasons": [asdict(reason) for reason in self.reasons],
        }


class _Record(NamedTuple):
    """What the record itself says of its holder, against which its numbers are checked."""

    birth_year: int | None
    gender: str | None


def readable(argument: str) -> str:
    """Returns a text from a shell or a file, with bytes that are not UTF-8 read as Latin-1.

    That is how the programs behind most registers show text in an old Vietnamese encoding, and
    what ``parse_name`` decodes.
    """
    try:
        argument.encode()
    except UnicodeEncodeError:
        return argument.encode("utf-8", "surrogateescape").decode("latin-1")
    return argument


def understand(
    *,
    name: str | None = None,
    birth: str | None = None,
    gender: str | None = None,
    numbers: Mapping[NumberField, str | None] | None = None,
    lang: Lang = "vi",
) -> list[Understood]:
    """Understands the fields of one record; birth and sex check the numbers.

    Args:
        name: As recorded; None when it was not given.
        birth: A birth date in any form; its year checks the numbers.
        gender: In any spelling; checks the numbers.
        numbers: By the column they stand in: ``id``, ``insurance``, ``card``.
        lang: Of labels and sentences.

    Returns:
        One answer for each field given, in a fixed order.
    """
    answers = []
    if name is not None:
        answers.append(understand_name(readable(name), lang))
    if birth is not None:
        answers.append(_birth(readable(birth), lang))
    if gender is not None:
        answers.append(_gender(readable(gender), lang))
    record = _Record(parse_birth(birth).year, gender)
    answers += [
        _number(field, readable(raw), record, lang)
        for field, raw in (numbers or {}).items()
        if raw is not None
    ]
    return answers


def understand_names(lines: Iterable[bytes], lang: Lang = "vi") -> Iterator[Understood]:
    """Understands a file of names, one a line, as it comes."""
    for line in lines:
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        yield understand_name(readable(text), lang)


def understand_name(raw: str, lang: Lang = "vi") -> Understood:
    """Understands one name."""
    parsed = parse_name(raw)
    parts = {
        "surname": parsed.surname,
        "middle": parsed.middle,
        "given": parsed.given,
        "key": parsed.key,
    }
    return Understood(
        "name",
        _word("name", lang),
        raw,
        parsed.canonical,
        tuple((_word(part, lang), text) for part, text in parts.items() if text),
        (*_reasons("note", parsed.notes, lang), *_reject(parsed.reject, lang)),
        {"canonical": parsed.canonical, **parts, "reject": parsed.reject},
    )


def _birth(raw: str, lang: Lang) -> Understood:
    parsed = parse_birth(raw)
    value = {
        "day": f"{parsed.date:%d/%m/%Y}" if parsed.date else "",
        "month": f"{parsed.month}/{parsed.year}",
        "year": f"{parsed.year}",
    }.get(parsed.precision or "")
    known_to = _word(parsed.precision, lang) if parsed.precision else None
    return Understood(
        "birth",
        _word("birth", lang),
        raw,
        value,
        ((_word("precision", lang), known_to),) if known_to else (),
        (*_reasons("note", parsed.notes, lang), *_reject(parsed.reject, lang)),
        {
            "date": parsed.date.isoformat() if parsed.date else None,
            "year": parsed.year,
            "month": parsed.month,
            "precision": parsed.precision,
            "reject": parsed.reject,
        },
    )


def _gender(raw: str, lang: Lang) -> Understood:
    value = parse_gender(raw)
    unread = Reason("reject", "gender_unknown", _word("gender_unknown", lang))
    return Understood(
        "gender",
        _word("gender", lang),
        raw,
        _word(value, lang) if value else None,
        (),
        () if value else (unread,),
        {"value": value},
    )


def _number(field: NumberField, raw: str, record: _Record, lang: Lang) -> Understood:
    parsed = parse_number(raw, field=field, birth_year=record.birth_year, gender=record.gender)
    candidates = [_candidate(number, record) for number in parsed.candidates]
    warnings = dict.fromkeys((*parsed.warnings, *(w for c in candidates for w in c.warnings)))
    return Understood(
        field,
        _word(field, lang),
        raw,
        parsed.number,
        tuple(_number_parts(parsed, lang)),
        (
            *_reasons("repair", parsed.repairs, lang),
            *_doubt(field, parsed, lang),
            *_reasons("warning", warnings, lang),
            *_reject(parsed.reject, lang),
        ),
        {
            "kind": parsed.kind,
            "number": parsed.number,
            "card_code": parsed.card_code,
            "says": _structure(parsed.number),
            "candidates": [
                {"number": c.number, "says": _structure(c.number), "warnings": c.warnings}
                for c in candidates
            ],
            "reject": parsed.reject,
        },
    )


def _candidate(number: str, record: _Record) -> ParsedNumber:
    """A possible number, checked against the record."""
    field: NumberField = "personal" if len(number) == 12 else "insurance"
    held = parse_number(number, field=field, birth_year=record.birth_year, gender=record.gender)
    return replace(held, number=number)


def _number_parts(parsed: ParsedNumber, lang: Lang) -> Iterator[tuple[str, str]]:
    if parsed.kind:
        yield _word("kind", lang), _word(f"kind_{parsed.kind}", lang)
    if parsed.card_code:
        yield _word("card_code", lang), parsed.card_code
    if parsed.number and parsed.kind == "personal":
        yield _word("says", lang), _says(parsed.number, lang)
    for number in parsed.candidates:
        says = f" ({_says(number, lang)})" if len(number) == 12 else ""
        yield _word("candidate", lang), number + says


def _doubt(field: NumberField, parsed: ParsedNumber, lang: Lang) -> Iterator[Reason]:
    if parsed.number is None and parsed.candidates:
        ten_digits = field == "id" and parsed.candidates[0].startswith("00")
        word = "ambiguous_ten_digits" if ten_digits else "ambiguous"
        yield Reason("warning", "ambiguous", _word(word, lang))


def _structure(number: str | None) -> dict[str, object] | None:
    return decode_personal_number(number)._asdict() if number and len(number) == 12 else None


def _says(number: str, lang: Lang) -> str:
    """What a personal number says of its holder, so that a disagreement can be understood."""
    holder = decode_personal_number(number)
    place = holder.place_name or _word("no_place", lang)
    if holder.place_name_2025 and holder.place_name_2025 != holder.place_name:
        place += f", {_word('place_now', lang)} {holder.place_name_2025}"
    return f"{place}; {_word(holder.sex, lang)}; {_word('born', lang)} {holder.birth_year}"


def _word(code: str, lang: Lang) -> str:
    return _WORDS[code][lang == "en"]


def _reasons(
    kind: Literal["note", "repair", "warning"], codes: Iterable[str], lang: Lang
) -> Iterator[Reason]:
    return (Reason(kind, code, describe(code, lang)) for code in codes)


def _reject(code: str | None, lang: Lang) -> tuple[Reason, ...]:
    return (Reason("reject", code, describe(code, lang)),) if code else ()
