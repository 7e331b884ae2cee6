"""Personal names: from what a register holds to one canonical spelling and a comparison key.

Belongs here: the order of steps for one name, and the split into surname, middle and given. Does
not belong here: single words (``words``), the ways to write one letter (``letters``), encodings
(``legacy``, ``misread``), lost letters (``damage``), stand-ins (``placeholders``), similarity of
two names (``compare``).

A name whose words are all plain letters is only looked up; every other goes through the cleaning
steps and is looked up again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from etl.normalise.damage import (
    has_lost_codes,
    has_lost_letters,
    has_marks_of_loss,
    has_question_marks,
)
from etl.normalise.legacy import decode_bytes, decode_unicode, has_split_a, readable_as_is
from etl.normalise.letters import composed, escapes_undone, lookalikes_read, styled_folded
from etl.normalise.notes import NAME_NOTE_BIT, unpack
from etl.normalise.placeholders import is_stand_in, makes_a_stand_in
from etl.normalise.syllables import standard_syllable
from etl.normalise.words import (
    CARE,
    CLEANING,
    LEXICON,
    LONE_WORD,
    MAX_NAME_LENGTH,
    NOTE_MASK,
    OPENING,
    RESPELLED,
    SPACES,
    UNACCENTED,
    Token,
    clans,
    in_place,
    is_bare_surname,
    is_out_of_place,
    mask_of,
)

# Room for a long name in decomposed letters, mojibake, or an identity card's QR text.
_MAX_RAW_LENGTH = 300
# A longer text may still be a name in a padded field; texts beyond this length are rejected.
MAX_PADDED_LENGTH = 5_000
_MAX_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class ParsedName:
    """What was understood of one name.

    Attributes:
        canonical: NFC, each syllable capitalised, one tone style, single spaces; None if unusable.
        key: Comparison key: lower case, no accents, i/y folded, no apostrophes or hyphens.
        surname: First syllable, or the clan of an Ê-đê or M'nông name that ends with it.
        middle: What stands between; may be empty.
        given: Last syllable, or the whole of a one-word name.
        notes: What was done, as codes of ``data/notes.csv``.
        reject: Why the name is unusable, else None.
    """

    canonical: str | None
    key: str | None
    surname: str | None
    middle: str | None
    given: str | None
    notes: tuple[str, ...] = ()
    reject: str | None = None


class NameRow(NamedTuple):
    """The same as a ``ParsedName``, with the notes as a bit mask: one row of the dictionary."""

    canonical: str | None
    key: str | None
    surname: str | None
    middle: str | None
    given: str | None
    mask: int
    reject: str | None


def resolve(raw: str) -> NameRow:
    """Understand one name; it is quick and never fails, whatever the string."""
    if len(raw) > _MAX_RAW_LENGTH:
        padded = _resolve_tidied(raw) if len(raw) <= MAX_PADDED_LENGTH else None
        return padded or rejected_name("name_too_long", NAME_NOTE_BIT["too_long"])
    return _resolve_plain(raw) or _resolve_tidied(raw) or _resolve_with_care(raw)


def resolve_unsettled(raw: str) -> NameRow:
    """As ``resolve``, for a name that is not settled by looking up its tidied words."""
    return resolve(raw) if len(raw) > _MAX_RAW_LENGTH else _resolve_with_care(raw)


def _resolve_as_stored(raw: str) -> NameRow | None:
    """The name as stored, if its letters are in order and no encoding explains it better."""
    row = _resolve_plain(raw, care=CLEANING | LONE_WORD)
    return row if row is not None and row.canonical == raw else None


def _resolve_plain(raw: str, care: int = CARE) -> NameRow | None:
    """The name, if none of its words needs care."""
    if len(raw) > MAX_NAME_LENGTH:
        return None
    entries = [LEXICON[token] for token in raw.split(" ")]
    mask = 0
    for entry in entries:
        mask |= entry[2]
    if mask & (care | OPENING | RESPELLED) and _needs_care(entries, mask, care):
        return None
    if raw.isascii() and is_bare_surname(entries[0][1]):
        mask |= UNACCENTED
    return _assembled(entries, mask)


def _needs_care(entries: list[Token], mask: int, care: int) -> bool:
    return bool(mask & care or entries[0].mask & OPENING) or is_out_of_place(mask)


def _resolve_tidied(raw: str) -> NameRow | None:
    """The name, if nothing but stray spaces and invisible characters stands in the way."""
    if has_split_a(raw):
        return None
    visible = INVISIBLE.sub("", raw)
    tidy = " ".join(filter(None, ODD_SPACES.sub(" ", visible).split(" ")))
    row = _resolve_plain(tidy) if tidy != raw else None
    if row is None:
        return None
    mask = row.mask
    if visible != raw:
        mask |= NAME_NOTE_BIT["invisible_characters"]
    if tidy != visible:
        mask |= SPACES
    return row._replace(mask=mask)


def _assembled(entries: list[Token], mask: int) -> NameRow:
    words = [entry[0] for entry in entries]
    return NameRow(
        " ".join(words),
        " ".join([entry[1] for entry in entries]),
        words[0] if len(words) > 1 else "",
        " ".join(words[1:-1]),
        words[-1],
        mask & NOTE_MASK,
        None,
    )


# --- the careful path -----------------------------------------------------------------------------

INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069\u180e\u034f]")
ODD_SPACES = re.compile("[\t\n\v\f\r\u00a0\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\u1680]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad]")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u00b4`\u02b9\uff07\u2032", "'"))
_OPENING = re.compile(r"[(\[]")
_ALIAS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]?\s*$")
_ABBREVIATION = re.compile(r"^\s*(ng)(?:\s*\.\s*|\s+(?=(?:thị|thi|văn|van|v|t)\b))(?=\S)", re.I)
_MARKS = "".join(map(chr, range(0x300, 0x370)))
_INNER_ZERO = re.compile(r"(?<=[^\W\d_])0(?=[^\W\d_])")
# Some Ê-đê and Jarai letters (ơ̆, ư̆) exist only with a combining mark.
_KEPT = re.compile(r"[^\w\s'\-\u0300-\u036f]|_|(?<![\w\u0300-\u036f])[\u0300-\u036f]+")
_LOOSE_HYPHEN = re.compile(r"(?<!\w)-+|-+(?!\w)")


class _Work:
    """A name on its way through the cleaning steps: the text and the notes so far."""

    __slots__ = ("mask", "names_nobody", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.mask = 0
        self.names_nobody = False

    def replace(self, text: str, *notes: str) -> None:
        """Take the new text; when it differs, add the notes."""
        if text != self.text:
            self.text = text
            for note in notes:
                self.mask |= NAME_NOTE_BIT[note]


def rejected_name(reason: str, mask: int = 0) -> NameRow:
    """The row of a name that cannot be used, with the reason."""
    return NameRow(None, None, None, None, None, mask, reason)


def _resolve_with_care(raw: str) -> NameRow:
    if not raw or raw.isspace():
        return rejected_name("name_missing")
    work = _decoded(raw)
    settled = _resolve_plain(work.text) if work.mask else _resolve_as_stored(raw)
    if settled is not None:  # which cleaning would not change
        return settled._replace(mask=settled.mask | work.mask)
    row = _cleaned(work)
    for _ in range(_MAX_ROUNDS):
        if row.canonical is None:
            return row
        again = _resolve_plain(row.canonical) or _cleaned(_decoded(row.canonical))
        if again.canonical == row.canonical:
            return row._replace(key=again.key)
        # Cleaning may uncover something else to clean.
        row = again._replace(mask=again.mask | row.mask)
    return rejected_name("name_junk", row.mask | NAME_NOTE_BIT["junk"])


def _decoded(raw: str) -> _Work:
    work = _Work(raw)
    work.replace(composed(raw), "nfc")
    _take_name_from_qr(work)
    work.replace(INVISIBLE.sub("", work.text), "invisible_characters")
    read = escapes_undone(work.text)
    if read != work.text:
        work.replace(composed(read), "decoded_escapes")
    _decode(work)
    return work


def _cleaned(work: _Work) -> NameRow:
    _clean(work)
    return _finish(work)


def _take_name_from_qr(work: _Work) -> None:
    parts = work.text.split("|")
    if len(parts) >= 6 and parts[0].strip().isdigit():
        work.replace(parts[2], "qr_text")


def _decode(work: _Work) -> None:
    if readable_as_is(work.text):
        return
    decoding = None if has_marks_of_loss(work.text) else decode_unicode(work.text)
    if decoding is None and has_lost_letters(work.text):
        work.mask |= NAME_NOTE_BIT["lost_letters"]
        return
    decoding = decoding or decode_bytes(work.text)
    if decoding:
        work.replace(decoding.text, decoding.note)
    elif has_lost_codes(work.text):
        work.mask |= NAME_NOTE_BIT["lost_letters"]


def _clean(work: _Work) -> None:
    work.replace(ODD_SPACES.sub(" ", work.text), "spaces")
    work.replace(_CONTROLS.sub("", work.text), "control_characters")
    work.replace(styled_folded(work.text), "full_width")
    work.replace(lookalikes_read(work.text), "lookalike_letters")
    work.text = work.text.translate(_APOSTROPHES)
    work.replace(_ABBREVIATION.sub("Nguyễn ", work.text), "expanded_abbreviation")
    stripped = _ALIAS.sub("", work.text) if _OPENING.search(work.text) else work.text
    if stripped != work.text:
        work.names_nobody = makes_a_stand_in(work.text[len(stripped) :])
    if stripped:
        work.replace(stripped, "alias_dropped")


def _without_symbols(text: str) -> str:
    text = _KEPT.sub(" ", text)
    text = re.sub(r"(?<=\w)' +(?=\w)", "'", text)
    text = re.sub(r"(?<!\w)'+|'+(?!\w)", " ", text)
    return _LOOSE_HYPHEN.sub(" ", text)


def _finish(work: _Work) -> NameRow:
    tidy = " ".join(work.text.split())
    work.replace(tidy, "spaces")
    if len(tidy) > MAX_NAME_LENGTH:
        return rejected_name("name_too_long", work.mask | NAME_NOTE_BIT["too_long"])
    if work.mask & NAME_NOTE_BIT["lost_letters"] or has_question_marks(tidy):
        return rejected_name("name_damaged", work.mask | NAME_NOTE_BIT["lost_letters"])
    symbols = 0
    if not tidy.replace(" ", "").isalpha():  # letters and spaces need no cleaning
        symbols = len(_KEPT.findall(tidy.replace(".", "")))
        work.replace(_INNER_ZERO.sub("o", tidy), "letter_for_digit")
        work.replace("".join(c for c in work.text if c.isalpha() or not c.isnumeric()), "digits")
        work.replace(_without_symbols(work.text), "punctuation")
    words = [token.lstrip(_MARKS) for token in work.text.split()]
    words = [word for word in words if LEXICON[word].canonical]
    entries = in_place(words)
    reason = _unusable(work, entries, symbols)
    if reason:
        mask = work.mask | (NAME_NOTE_BIT["junk"] if reason == "name_junk" else 0)
        return rejected_name(reason, mask)
    mask = work.mask | mask_of(entries)
    if _lacks_accents(entries):
        mask |= UNACCENTED
    row = _assembled(entries, mask)._replace(key=_joined_key(entries))
    return _with_clan_as_surname(row)


def _with_clan_as_surname(row: NameRow) -> NameRow:
    """An Ê-đê or M'nông name ends with the clan: Y Suyên Byă, H'Hen Niê, H'Bung Buôn Krông."""
    words = str(row.canonical).split()
    if words[0] not in ("Y", "H") and not words[0].startswith("H'"):
        return row
    for length in (3, 2, 1):
        own, clan = words[:-length], " ".join(words[-length:])
        if own and clan.lower() in clans():
            return row._replace(surname=clan, middle=" ".join(own[:-1]), given=own[-1])
    return row


def _joined_key(entries: list[Token]) -> str:
    """The key, with the Ê-đê and K'ho prefixes H and K joined to what follows."""
    keys = [entry.key for entry in entries if entry.key]
    if len(keys) > 2 and entries[0].canonical in ("H", "K"):
        keys[:2] = [keys[0] + keys[1]]
    return " ".join(keys)


def _lacks_accents(entries: list[Token]) -> bool:
    ascii_only = all(entry.canonical.isascii() for entry in entries)
    return ascii_only and is_bare_surname(entries[0].key)


def _unusable(work: _Work, entries: list[Token], symbols: int) -> str | None:
    letters = "".join(entry.canonical for entry in entries)
    key = "".join(entry.key for entry in entries)
    whole = " ".join(entry.canonical for entry in entries).lower()
    if work.names_nobody or is_stand_in(whole):
        return "name_missing"
    if not any(c.isalpha() for c in letters) or not key:
        return "name_junk"
    if len(letters) > 3 and len(set(letters.lower())) == 1:
        return "name_junk"
    if symbols + 2 * bool(work.mask & NAME_NOTE_BIT["control_characters"]) < 2:
        return None
    readable = sum(standard_syllable(e.canonical.lower()) is not None for e in entries)
    return "name_junk" if 2 * readable < len(entries) else None


def parse_name(raw: str | None) -> ParsedName:
    """Understand one name as a register holds it.

    Args:
        raw: Any string; None counts as missing.

    Returns:
        Canonical spelling, key, parts and notes; ``reject`` says why a name is unusable.
    """
    row = resolve(raw) if raw is not None else rejected_name("name_missing")
    return ParsedName(*row[:5], unpack(row.mask), row.reject)
