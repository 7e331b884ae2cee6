"""Personal names: from what a register holds to one canonical spelling and a comparison key.

Belongs here: the order of steps for one name, the lexicon of tokens already seen, and the split
into surname, middle and given. Does not belong here: syllable structure (``syllables``), encodings
(``legacy``), similarity of two names (``compare``).

A name is made of few distinct syllables, so each token is analysed once and looked up ever after.
A name whose tokens are all plain letters takes that path alone; every other goes through the
cleaning steps and back.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from etl.normalise.files import read_rows
from etl.normalise.legacy import Decoding, decode_legacy, readable_as_is, telltales
from etl.normalise.notes import NAME_NOTE_BIT, NAME_NOTES, unpack
from etl.normalise.syllables import (
    VIETNAMESE_LETTERS,
    fold_iy,
    standard_syllable,
    syllable_keys,
    unaccent,
)

MAX_NAME_LENGTH = 100  # The law caps a Vietnamese name at 25 letters; foreign ones run longer.
# Room for a long name in decomposed letters, mojibake, or an identity card's QR text.
_MAX_RAW_LENGTH = 300
# A longer text may still be a name in a padded field; beyond this nobody looks.
MAX_PADDED_LENGTH = 5_000
_MAX_TOKEN_CACHED = 40
_MAX_ROUNDS = 3
_MAX_LEXICON = 300_000

_CASE = NAME_NOTE_BIT["case"]
_SPACES = NAME_NOTE_BIT["spaces"]
_NFC = NAME_NOTE_BIT["nfc"]
_ETH = NAME_NOTE_BIT["eth"]
_TONE = NAME_NOTE_BIT["tone_style"]
UNACCENTED = NAME_NOTE_BIT["unaccented"]
_ABBREVIATED = NAME_NOTE_BIT["abbreviated"]
# H and K are prefixes of Ê-đê and K'ho names.
_INITIALS = frozenset("bcdđfgjlmnpqrstvwxz")
# Above the notes: what a name needs that its words alone do not settle.
DECODING = 1 << len(NAME_NOTES)
CLEANING = DECODING << 1
CARE = DECODING | CLEANING
NOTE_MASK = DECODING - 1


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


class Token(NamedTuple):
    """One word of a name: canonical spelling, key, notes as a bit mask."""

    canonical: str
    key: str
    mask: int


_SEGMENT = re.compile(r"[^'\-]+")
_KEY_DROPS = str.maketrans("", "", "'-.")


def _capitalised(segment: re.Match[str]) -> str:
    word = segment.group()
    first = word[0].upper()
    # Letters whose capital is two letters, or another letter's capital, stay small (ß, ı).
    return (first if first.lower() == word[0] else word[0]) + word[1:]


def _recased(lower: str) -> str:
    return _SEGMENT.sub(_capitalised, lower)


def _restore_eth(lower: str) -> str:
    """Icelandic ð typed for đ: đ only begins a Vietnamese word, and ð never begins an Icelandic."""
    return re.sub(r"(^|['\-])[ðɖ]", r"\1đ", lower)


def analyse(token: str) -> Token:
    """Canonical spelling, key and notes of one word.

    Args:
        token: Without spaces, as stored.
    """
    composed = unicodedata.normalize("NFC", token)
    mask = 0 if composed == token else _NFC
    lower = unicodedata.normalize("NFC", composed.lower().replace("i\u0307", "i"))
    restored = _restore_eth(lower)
    if restored != lower:
        mask |= _ETH
    standard = standard_syllable(restored)
    if standard is None:
        return _foreign(composed, restored, mask)
    if standard != restored:
        mask |= _TONE
    canonical = standard[0].upper() + standard[1:]
    if restored in _careful_words():
        mask |= CLEANING
    if _INNER_CAPITAL.search(composed):
        mask |= DECODING
    return Token(canonical, _token_key(standard), mask | _case_note(composed, canonical))


def _case_note(composed: str, canonical: str) -> int:
    first, rest = composed[:1], composed[1:]
    proper = first == first.upper() and rest == rest.lower()
    return 0 if proper or composed == canonical else _CASE


def _token_key(lower: str) -> str:
    return fold_iy(unaccent(lower).translate(_KEY_DROPS))


def _foreign(composed: str, lower: str, mask: int) -> Token:
    canonical = _recased(lower)
    key = _token_key(lower)
    if canonical.lower() == composed.lower() and canonical != composed:
        mask |= _CASE
    if lower.isascii() and key in syllable_keys():
        mask |= UNACCENTED
    one_letter = len(lower) > 1 and len(set(lower)) == 1
    if one_letter or not _LATIN_LETTERS.fullmatch(lower) or lower in _careful_words():
        mask |= CLEANING
    elif not (lower.isascii() or _beyond_latin1(lower)):
        mask |= DECODING
    if lower in _INITIALS:
        mask |= _ABBREVIATED
    return Token(canonical, key, mask)


_LATIN_LETTERS = re.compile("[a-z\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff]+")


def _beyond_latin1(lower: str) -> bool:
    """Only Vietnamese letters, one of them outside Latin-1: such a token is no mojibake."""
    return all(c in VIETNAMESE_LETTERS or c in "fjwz" for c in lower) and max(lower) > "\xff"


class _Lexicon(dict[str, Token]):
    """Every token seen so far; bounded, for registers hold unbounded nonsense too.

    A token that needs no care has a canonical spelling that is its own canonical spelling.
    """

    def __missing__(self, token: str) -> Token:
        if not token:
            return Token("", "", _SPACES | CLEANING)
        if len(token) > MAX_NAME_LENGTH:
            return Token("", "", CLEANING)
        entry = analyse(token)
        if not entry.mask & CARE and entry.canonical != token:
            again = self[entry.canonical]
            if again[:2] != entry[:2] or again.mask & CARE:
                entry = entry._replace(mask=entry.mask | CARE)
        if len(token) <= _MAX_TOKEN_CACHED:
            if len(self) >= _MAX_LEXICON:
                self.clear()
            self[token] = entry
        return entry


_LEXICON = _Lexicon()


@cache
def _placeholders() -> frozenset[str]:
    return frozenset(row["name"] for row in read_rows("name_placeholders.csv"))


@cache
def _careful_words() -> frozenset[str]:
    """Words that send a name down the careful path.

    They begin a placeholder, may be a prefix or an abbreviation, or tell of mojibake.
    """
    beginnings = (name.split()[0] for name in _placeholders())
    return frozenset(beginnings) | telltales() | {"h", "k", "ng", "y", "con"}


@cache
def _accented_surnames() -> frozenset[str]:
    """Keys of surnames that are never written without accents: nguyen, tran, le."""
    rows = read_rows("name_frequencies.csv", "etl")
    surnames = {row["value"].lower() for row in rows if row["part"] == "surname"}
    return frozenset(map(unaccent, surnames)) - surnames


def is_bare_surname(key: str) -> bool:
    """Whether a word without accents is a surname that is never written without them."""
    return key in _accented_surnames()


def look_up(token: str) -> Token:
    """``analyse``, once per distinct word."""
    return _LEXICON[token]


def resolve(raw: str) -> NameRow:
    """Understand one name; any string at all returns, and at once."""
    if len(raw) > _MAX_RAW_LENGTH:
        padded = _resolve_tidied(raw) if len(raw) <= MAX_PADDED_LENGTH else None
        return padded or rejected_name("name_too_long", NAME_NOTE_BIT["too_long"])
    return _resolve_plain(raw) or _resolve_tidied(raw) or _resolve_with_care(raw)


def resolve_unsettled(raw: str) -> NameRow:
    """``resolve`` for a name that looking up its tidied words did not settle."""
    return resolve(raw) if len(raw) > _MAX_RAW_LENGTH else _resolve_with_care(raw)


def _resolve_as_stored(raw: str) -> NameRow | None:
    """The name that no encoding explains better, if it is letters that stand as they should."""
    row = _resolve_plain(raw, care=CLEANING)
    return row if row is not None and row.canonical == raw else None


def _resolve_plain(raw: str, care: int = CARE) -> NameRow | None:
    """The name, if none of its words needs care."""
    if len(raw) > MAX_NAME_LENGTH:
        return None
    entries = [_LEXICON[token] for token in raw.split(" ")]
    mask = 0
    for entry in entries:
        mask |= entry[2]
    if mask & care:
        return None
    if raw.isascii() and is_bare_surname(entries[0][1]):
        mask |= UNACCENTED
    return _assembled(entries, mask)


def _resolve_tidied(raw: str) -> NameRow | None:
    """The name, if nothing but stray spaces and invisible characters stands in the way."""
    visible = INVISIBLE.sub("", raw)
    tidy = " ".join(filter(None, ODD_SPACES.sub(" ", visible).split(" ")))
    row = _resolve_plain(tidy) if tidy != raw else None
    if row is None:
        return None
    mask = row.mask
    if visible != raw:
        mask |= NAME_NOTE_BIT["invisible_characters"]
    if tidy != visible:
        mask |= _SPACES
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
_INNER_CAPITAL = re.compile(r"[a-z\u00df-\u00ff][\u00c0-\u00de]")
_LOST_CODE = re.compile("[^\\W\\d_][\x80-\x9f]|[\x80-\x9f][^\\W\\d_]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad]")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u00b4`\u02b9\uff07\u2032", "'"))
_ALIAS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]?\s*$")
_ABBREVIATION = re.compile(r"^\s*(ng)(?:\s*\.\s*|\s+(?=(?:thị|thi|văn|van|v|t)\b))(?=\S)", re.I)
# A newborn on the mother's file: "Con bà Nguyễn Thị Lan" names the mother, not the child.
_NEWBORN = re.compile(
    r"(?:(?:cháu|bé|trẻ|sơ|sinh|chau|be|tre|so) )*con (?:của )?(?:bà|ba|chị|chi|mẹ|me) "
)
_MARKS = "".join(map(chr, range(0x300, 0x370)))
_INNER_ZERO = re.compile(r"(?<=[^\W\d_])0(?=[^\W\d_])")
# Some Ê-đê and Jarai letters (ơ̆, ư̆) exist only with a combining mark.
_KEPT = re.compile(r"[^\w\s'\-\u0300-\u036f]|_|(?<![\w\u0300-\u036f])[\u0300-\u036f]+")
_LOOSE_HYPHEN = re.compile(r"(?<!\w)-+|-+(?!\w)")


class _Work:
    """A name on its way through the cleaning steps: the text and the notes so far."""

    __slots__ = ("mask", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.mask = 0

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
    if settled is not None:  # and would stay so
        return settled._replace(mask=settled.mask | work.mask)
    row = _cleaned(work)
    for _ in range(_MAX_ROUNDS):
        if row.canonical is None:
            return row
        again = _resolve_plain(row.canonical) or _cleaned(_decoded(row.canonical))
        if again.canonical == row.canonical:
            return row._replace(key=again.key)
        # Cleaning uncovered something else to clean.
        row = again._replace(mask=again.mask | row.mask)
    return rejected_name("name_junk", row.mask | NAME_NOTE_BIT["junk"])


def _decoded(raw: str) -> _Work:
    work = _Work(raw)
    work.replace(unicodedata.normalize("NFC", raw), "nfc")
    _take_name_from_qr(work)
    work.replace(INVISIBLE.sub("", work.text), "invisible_characters")
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
    decoding: Decoding | None = decode_legacy(work.text)
    if decoding:
        work.replace(decoding.text, decoding.note)
    elif _LOST_CODE.search(work.text):
        work.mask |= NAME_NOTE_BIT["lost_letters"]


def _clean(work: _Work) -> None:
    work.replace(ODD_SPACES.sub(" ", work.text), "spaces")
    work.replace(_CONTROLS.sub("", work.text), "control_characters")
    work.replace(_full_width_folded(work.text), "full_width")
    work.replace(_lookalikes_read(work.text), "lookalike_letters")
    work.text = work.text.translate(_APOSTROPHES)
    work.replace(_ABBREVIATION.sub("Nguyễn ", work.text), "expanded_abbreviation")
    stripped = _ALIAS.sub("", work.text)
    if stripped:
        work.replace(stripped, "alias_dropped")


_LOST_LETTER = re.compile("\ufffd|[^\\W\\d_][?]+[^\\W\\d_]|(?<!\\w)[?]+[^\\W\\d_]|[^\\W\\d_][?]+ ")


def _full_width_folded(text: str) -> str:
    if text.isascii():
        return text
    return "".join(
        unicodedata.normalize("NFKC", c) if "\uff01" <= c <= "\uff5e" or c >= "\U0001d400" else c
        for c in text
    )


@cache
def _lookalikes() -> dict[int, str]:
    return {ord(row["character"]): row["letter"] for row in read_rows("lookalike_letters.csv")}


def _lookalikes_read(text: str) -> str:
    """Cyrillic and Greek letters as the Latin ones they look like, in a text otherwise Latin."""
    if text.isascii() or not any("a" <= c <= "z" or "A" <= c <= "Z" for c in text):
        return text
    read = text.translate(_lookalikes())
    foreign = any("\u0370" <= c <= "\u052f" for c in read)
    return text if foreign else read


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
    if work.mask & NAME_NOTE_BIT["lost_letters"] or _LOST_LETTER.search(tidy):
        return rejected_name("name_damaged", work.mask | NAME_NOTE_BIT["lost_letters"])
    symbols = len(_KEPT.findall(tidy.replace(".", "")))
    work.replace(_INNER_ZERO.sub("o", tidy), "letter_for_digit")
    work.replace("".join(c for c in work.text if not c.isnumeric()), "digits")
    work.replace(_without_symbols(work.text), "punctuation")
    entries = [_LEXICON[token.lstrip(_MARKS)] for token in work.text.split()]
    entries = [entry for entry in entries if entry.canonical]
    reason = _unusable(work, entries, symbols)
    if reason:
        mask = work.mask | (NAME_NOTE_BIT["junk"] if reason == "name_junk" else 0)
        return rejected_name(reason, mask)
    mask = work.mask
    for entry in entries:
        mask |= entry.mask
    if _lacks_accents(entries):
        mask |= UNACCENTED
    row = _assembled(entries, mask)._replace(key=_joined_key(entries))
    return _with_clan_as_surname(row)


@cache
def _clans() -> frozenset[str]:
    return frozenset(row["clan"].lower() for row in read_rows("clan_names.csv"))


def _with_clan_as_surname(row: NameRow) -> NameRow:
    """An Ê-đê or M'nông name ends with the clan: Y Suyên Byă, H'Hen Niê, H'Bung Buôn Krông."""
    words = str(row.canonical).split()
    if words[0] not in ("Y", "H") and not words[0].startswith("H'"):
        return row
    for length in (3, 2, 1):
        own, clan = words[:-length], " ".join(words[-length:])
        if own and clan.lower() in _clans():
            return row._replace(surname=clan, middle=" ".join(own[:-1]), given=own[-1])
    return row


def _joined_key(entries: list[Token]) -> str:
    """The key, with the Ê-đê and K'ho prefixes H and K joined to what follows."""
    keys = [entry.key for entry in entries if entry.key]
    if len(keys) > 2 and keys[0] in ("h", "k"):
        keys[:2] = [keys[0] + keys[1]]
    return " ".join(keys)


def _lacks_accents(entries: list[Token]) -> bool:
    ascii_only = all(entry.canonical.isascii() for entry in entries)
    return ascii_only and is_bare_surname(entries[0].key)


def _unusable(work: _Work, entries: list[Token], symbols: int) -> str | None:
    letters = "".join(entry.canonical for entry in entries)
    key = "".join(entry.key for entry in entries)
    whole = " ".join(entry.canonical for entry in entries).lower()
    if whole in _placeholders() or _NEWBORN.match(whole):
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
