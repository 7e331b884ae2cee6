"""One word of a name: its canonical spelling, its key, and what it says about the rest of its name.

Belongs here: the analysis of a word by itself, the lexicon of words already seen, and how the words
of one name affect each other's spelling. Does not belong here: the steps that make words out of
what a register holds (``names``).

A name is made of few distinct syllables, so each word is analysed once and looked up from then on.
"""

from __future__ import annotations

import functools
import operator
import re
from functools import cache
from typing import Any, NamedTuple

from etl.normalise.files import read_rows
from etl.normalise.legacy import lone_word, telltales
from etl.normalise.letters import composed, meant
from etl.normalise.notes import NAME_NOTE_BIT, NAME_NOTES
from etl.normalise.placeholders import opening_words
from etl.normalise.shares import is_common_in_names
from etl.normalise.syllables import (
    VIETNAMESE_LETTERS,
    fold_iy,
    standard_syllable,
    syllable_keys,
    unaccent,
    with_both_horns,
    with_one_tone,
)

MAX_NAME_LENGTH = 100  # The law caps a Vietnamese name at 25 letters; foreign ones run longer.
_MAX_TOKEN_CACHED = 40
_MAX_LEXICON = 300_000

_CASE = NAME_NOTE_BIT["case"]
SPACES = NAME_NOTE_BIT["spaces"]
_NFC = NAME_NOTE_BIT["nfc"]
_ETH = NAME_NOTE_BIT["eth"]
_MISTAKEN = NAME_NOTE_BIT["mistaken_letters"]
_HALF_HORN = NAME_NOTE_BIT["half_horn"]
_TONE = NAME_NOTE_BIT["tone_style"]
UNACCENTED = NAME_NOTE_BIT["unaccented"]
_ABBREVIATED = NAME_NOTE_BIT["abbreviated"]
# H and K are prefixes of Ê-đê and K'ho names.
_INITIALS = frozenset("bcdđfgjlmnpqrstvwxz")
# The bits above those of the notes: what a name needs if looking up its words does not settle it.
DECODING = 1 << len(NAME_NOTES)
CLEANING = DECODING << 1
# A word that may be in another encoding than the rest of its name: Leâ of Leâ Thị Mai.
LONE_WORD = CLEANING << 1
CARE = DECODING | CLEANING | LONE_WORD
# What its words say together: a word was respelled as only a Vietnamese name needs it; a word that
# no Vietnamese name has; a word that only Vietnamese names have.
RESPELLED = LONE_WORD << 1
FOREIGN = RESPELLED << 1
AT_HOME = FOREIGN << 1
# A word with which a stand-in begins, as ``Con bà Lan`` does.
OPENING = AT_HOME << 1
NOTE_MASK = DECODING - 1
_INNER_CAPITAL = re.compile(r"[a-z\u00df-\u00ff][\u00c0-\u00de]")


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
    if max(certain) in VIETNAMESE_LETTERS and max(certain) > "\xff":
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
    single = with_one_tone(lower)
    if single is not None:
        return single, _TONE | RESPELLED
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
    """Whether a word that is no syllable is still from Vietnam, is foreign, or may be either."""
    if lower in _clan_words() or any(c in _ONLY_VIETNAMESE for c in lower):
        return AT_HOME
    typed_plainly = lower.isascii() and key in syllable_keys()
    return 0 if typed_plainly or len(lower) < 2 else FOREIGN


# Other languages have ă, đ, ĩ and ũ, too.
_ONLY_VIETNAMESE = frozenset(c for c in VIETNAMESE_LETTERS if c > "\xff") - frozenset("ăđĩũ")
_LATIN_LETTERS = re.compile("[a-z\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff]+")


def _beyond_latin1(lower: str) -> bool:
    """Whether all letters are Vietnamese and one is outside Latin-1, so that it is no mojibake."""
    return all(c in VIETNAMESE_LETTERS or c in "fjwz" for c in lower) and max(lower) > "\xff"


class _Lexicon(dict[str, Token]):
    """Every token seen so far; limited, because registers also hold endless nonsense.

    The canonical spelling of a token that needs no care is not changed by another look-up.
    """

    def __missing__(self, token: str) -> Token:
        if not token:
            return Token("", "", SPACES | CLEANING)
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


LEXICON = _Lexicon()


@cache
def _careful_words() -> frozenset[str]:
    """Words that send a name down the careful path.

    They may be a prefix, an abbreviation, a child without a name, or a sign of mojibake.
    """
    return telltales() | {"h", "k", "ng", "y", "con"}


def is_out_of_place(mask: Any) -> Any:
    """Whether a word was respelled as Vietnamese in a name that is foreign: Noé Botella.

    Args:
        mask: What ``mask_of`` returns for one name, or an array of these for many.
    """
    return mask & (RESPELLED | FOREIGN | AT_HOME) == RESPELLED | FOREIGN


@cache
def _accented_surnames() -> frozenset[str]:
    """Keys of surnames that are never written without accents: nguyen, tran, le."""
    rows = read_rows("name_frequencies.csv", "etl.domain")
    surnames = {row["value"].lower() for row in rows if row["part"] == "surname"}
    return frozenset(map(unaccent, surnames)) - surnames


def is_bare_surname(key: str) -> bool:
    """Whether a word without accents is a surname that is never written without them."""
    return key in _accented_surnames()


def look_up(token: str) -> Token:
    """``analyse``, once per distinct word."""
    return LEXICON[token]


def mask_of(entries: list[Token]) -> int:
    """What the words of a name say together."""
    return functools.reduce(operator.or_, (entry.mask for entry in entries), 0)


def in_place(words: list[str]) -> list[Token]:
    """The words of a name as spelled in it; in a foreign name none is respelled as Vietnamese."""
    entries = [LEXICON[word] for word in words]
    if not is_out_of_place(mask_of(entries)):
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
    return frozenset(word for clan in clans() for word in clan.split())


@cache
def clans() -> frozenset[str]:
    """Clans of the Ê-đê, Jarai and M'nông, in small letters."""
    return frozenset(row["clan"].lower() for row in read_rows("clan_names.csv"))
