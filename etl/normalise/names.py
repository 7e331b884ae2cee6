"""Personal names: from what a register holds to one canonical spelling and a comparison key.

Belongs here: the order of steps for one name, the lexicon of tokens already seen, and the split
into surname, middle and given. Does not belong here: syllable structure (``syllables``), the ways
to write one letter (``letters``), encodings (``legacy``, ``misread``), lost letters (``damage``),
stand-ins (``placeholders``), similarity of two names (``compare``).

A name is made of few distinct syllables, so each token is analysed once and looked up ever after.
A name whose tokens are all plain letters takes that path alone; every other goes through the
cleaning steps and back.
"""

from __future__ import annotations

import functools
import operator
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from etl.normalise.damage import has_lost_codes, has_lost_letters, has_question_marks
from etl.normalise.files import read_rows
from etl.normalise.legacy import (
    decode_bytes,
    decode_unicode,
    is_common_in_names,
    lone_word,
    readable_as_is,
    telltales,
)
from etl.normalise.letters import (
    composed,
    escapes_undone,
    lookalikes_read,
    meant,
    styled_folded,
)
from etl.normalise.notes import NAME_NOTE_BIT, NAME_NOTES, unpack
from etl.normalise.placeholders import is_stand_in, makes_a_stand_in, opening_words
from etl.normalise.syllables import (
    VIETNAMESE_LETTERS,
    fold_iy,
    standard_syllable,
    syllable_keys,
    unaccent,
    with_both_horns,
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
_MISTAKEN = NAME_NOTE_BIT["mistaken_letters"]
_HALF_HORN = NAME_NOTE_BIT["half_horn"]
_TONE = NAME_NOTE_BIT["tone_style"]
UNACCENTED = NAME_NOTE_BIT["unaccented"]
_ABBREVIATED = NAME_NOTE_BIT["abbreviated"]
# H and K are prefixes of Ê-đê and K'ho names.
_INITIALS = frozenset("bcdđfgjlmnpqrstvwxz")
# Above the notes: what a name needs that its words alone do not settle.
DECODING = 1 << len(NAME_NOTES)
CLEANING = DECODING << 1
# A word that may be in another encoding than the rest of its name: Leâ of Leâ Thị Mai.
LONE_WORD = CLEANING << 1
CARE = DECODING | CLEANING | LONE_WORD
# What its words say together: a respelling that only a Vietnamese name asks for, a word that none
# has, and one that no other has.
RESPELLED = LONE_WORD << 1
FOREIGN = RESPELLED << 1
AT_HOME = FOREIGN << 1
# A word with which a stand-in begins, as ``Con bà Lan`` does.
OPENING = AT_HOME << 1
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
    entry = _analysed(token)
    if entry.canonical.lower() not in opening_words():
        return entry
    return entry._replace(mask=entry.mask | OPENING)


def _analysed(token: str) -> Token:
    whole = composed(token)
    mask = 0 if whole == token else _NFC
    lower = composed(whole.lower().replace("i\u0307", "i"))
    restored = _restore_eth(lower)
    if restored != lower:
        mask |= _ETH
    certain = meant(restored, "always")
    if certain != restored:
        mask |= _MISTAKEN
    standard, how = _standard(certain)
    mask |= how
    if standard is None:
        return _not_a_syllable(whole, certain, mask)
    canonical = standard[0].upper() + standard[1:]
    if certain in _careful_words():
        mask |= CLEANING
    if _INNER_CAPITAL.search(whole):
        mask |= DECODING
    if max(standard) > "\xff":
        mask |= AT_HOME
    return Token(canonical, _token_key(standard), mask | _case_note(whole, canonical))


def _standard(lower: str) -> tuple[str | None, int]:
    """The syllable that a word is or was meant to be, with the notes; None where it is none."""
    standard = standard_syllable(lower)
    if standard is not None:
        if standard == lower:
            return standard, 0
        return standard, _TONE if is_common_in_names(standard) else _TONE | RESPELLED
    if lower.isascii():
        return None, 0
    whole = with_both_horns(lower)
    if whole is not None:
        return whole, _HALF_HORN
    read = meant(lower, "vietnamese")
    standard = standard_syllable(read) if read != lower else None
    return standard, 0 if standard is None else _MISTAKEN | RESPELLED


def _case_note(composed: str, canonical: str) -> int:
    first, rest = composed[:1], composed[1:]
    proper = first == first.upper() and rest == rest.lower()
    return 0 if proper or composed == canonical else _CASE


def _token_key(lower: str) -> str:
    return fold_iy(unaccent(lower).translate(_KEY_DROPS))


def _not_a_syllable(whole: str, lower: str, mask: int) -> Token:
    in_clan = meant(lower, "vietnamese")
    if in_clan != lower and in_clan in _clan_words():
        lower, mask = in_clan, mask | _MISTAKEN
    canonical = _recased(lower)
    key = _token_key(lower)
    if canonical.lower() == whole.lower() and canonical != whole:
        mask |= _CASE
    if lower.isascii() and key in syllable_keys():
        mask |= UNACCENTED
    one_letter = len(lower) > 1 and len(set(lower)) == 1
    if one_letter or not _LATIN_LETTERS.fullmatch(lower) or lower in _careful_words():
        mask |= CLEANING
    elif not (lower.isascii() or _beyond_latin1(lower)):
        mask |= DECODING | (LONE_WORD if lone_word(whole) else 0)
    if lower in _INITIALS:
        mask |= _ABBREVIATED
    return Token(canonical, key, mask | _origin(lower, key))


def _origin(lower: str, key: str) -> int:
    """Whether a word that is no syllable is of Vietnam all the same, foreign, or may be either."""
    if lower in _clan_words() or any(c in _ONLY_VIETNAMESE for c in lower):
        return AT_HOME
    typed_plainly = lower.isascii() and key in syllable_keys()
    return 0 if typed_plainly or len(lower) < 2 else FOREIGN


# Others have ă and đ, too.
_ONLY_VIETNAMESE = frozenset(c for c in VIETNAMESE_LETTERS if c > "\xff") - frozenset("ăđĩũ")
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
def _careful_words() -> frozenset[str]:
    """Words that send a name down the careful path.

    They may be a prefix or an abbreviation, or tell of mojibake.
    """
    return telltales() | {"h", "k", "ng", "y"}


def is_out_of_place(mask: Any) -> Any:
    """Whether a word was respelled as Vietnamese in a name that is foreign: Noé Botella.

    Args:
        mask: What the words of one name say together, or of each of many names.
    """
    return mask & (RESPELLED | FOREIGN | AT_HOME) == RESPELLED | FOREIGN


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
    row = _resolve_plain(raw, care=CLEANING | LONE_WORD)
    return row if row is not None and row.canonical == raw else None


def _resolve_plain(raw: str, care: int = CARE) -> NameRow | None:
    """The name, if none of its words needs care."""
    if len(raw) > MAX_NAME_LENGTH:
        return None
    entries = [_LEXICON[token] for token in raw.split(" ")]
    mask = 0
    for entry in entries:
        mask |= entry[2]
    if mask & care or entries[0][2] & OPENING or is_out_of_place(mask):
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
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad]")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u00b4`\u02b9\uff07\u2032", "'"))
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
    decoding = decode_unicode(work.text)
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
    stripped = _ALIAS.sub("", work.text)
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
    symbols = len(_KEPT.findall(tidy.replace(".", "")))
    work.replace(_INNER_ZERO.sub("o", tidy), "letter_for_digit")
    work.replace("".join(c for c in work.text if c.isalpha() or not c.isnumeric()), "digits")
    work.replace(_without_symbols(work.text), "punctuation")
    words = [token.lstrip(_MARKS) for token in work.text.split()]
    words = [word for word in words if _LEXICON[word].canonical]
    entries = _in_place(words)
    reason = _unusable(work, entries, symbols)
    if reason:
        mask = work.mask | (NAME_NOTE_BIT["junk"] if reason == "name_junk" else 0)
        return rejected_name(reason, mask)
    mask = work.mask | _mask_of(entries)
    if _lacks_accents(entries):
        mask |= UNACCENTED
    row = _assembled(entries, mask)._replace(key=_joined_key(entries))
    return _with_clan_as_surname(row)


def _mask_of(entries: list[Token]) -> int:
    return functools.reduce(operator.or_, (entry.mask for entry in entries), 0)


def _in_place(words: list[str]) -> list[Token]:
    """The words of a name as they are spelled in it: none as Vietnamese where it is foreign."""
    entries = [_LEXICON[word] for word in words]
    if not is_out_of_place(_mask_of(entries)):
        return entries
    return [
        _as_written(word, entry) if entry.mask & RESPELLED else entry
        for word, entry in zip(words, entries, strict=True)
    ]


def _as_written(word: str, entry: Token) -> Token:
    canonical = _recased(composed(word.lower()))
    return Token(canonical, entry.key, entry.mask & ~(_TONE | _MISTAKEN | RESPELLED))


@cache
def _clan_words() -> frozenset[str]:
    return frozenset(word for clan in _clans() for word in clan.split())


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
