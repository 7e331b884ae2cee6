"""Vietnamese syllables: which letter strings can be one, and where the tone mark sits.

Belongs here: the generated table of syllables (onset x rhyme x tone, from ``data/onsets.csv`` and
``data/rhymes.csv``), tones as letters, removal of accents, and the i/y fold. Does not belong here:
whole names, encodings, or case.

One tone style is used throughout, the older one of print and of the official province names
(Hòa Bình, Khánh Hòa): in an open rhyme of two plain vowels the mark sits on the first (hòa, khỏe,
thúy), otherwise on the marked vowel or, before a final consonant, on the last (hoàng, huỳnh, quý).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

from etl.normalise.files import read_rows

VOWELS = frozenset("aăâeêioôơuưy")
MARKED_VOWELS = frozenset("ăâêôơư")
STOP_CODAS = ("p", "t", "c", "ch")
# Level, grave, hook, tilde, acute, dot: the index of a tone throughout this module.
TONE_MARKS = ("", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323")
# A syllable that ends in a stop carries the acute or the dot tone only.
STOP_TONES = frozenset((4, 5))

_TONED = {
    unicodedata.normalize("NFC", vowel + mark): (vowel, tone)
    for vowel in sorted(VOWELS)
    for tone, mark in enumerate(TONE_MARKS)
    if tone
}
_WITH_TONE = {pair: letter for letter, pair in _TONED.items()}
_TONELESS = str.maketrans({letter: vowel for letter, (vowel, _) in _TONED.items()})
VIETNAMESE_LETTERS = frozenset("abcdeghiklmnopqrstuvxyăâđêôơư") | frozenset(_TONED)

_FRONT = ("i", "e", "ê", "y")
# Letters that no Unicode decomposition reduces to plain Latin.
_SPECIAL_LETTERS = {
    "đ": "d", "ð": "d", "ø": "o", "ł": "l", "ı": "i", "ħ": "h", "ŋ": "n", "ŧ": "t",
    "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ĳ": "ij", "ə": "e", "ɖ": "d",
}  # fmt: skip


def tone_position(base: str, onset_length: int) -> int:
    """Index of the letter that carries the tone mark in a toneless syllable.

    Args:
        base: The syllable without tone, lower case, with its vowel letters (``hoang``, ``quy``).
        onset_length: How many letters at the start are consonant, ``qu`` and ``gi`` included.
    """
    vowels = [i for i in range(onset_length, len(base)) if base[i] in VOWELS]
    marked = [i for i in vowels if base[i] in MARKED_VOWELS]
    if marked:
        return marked[-1]
    if len(vowels) == 1:
        return vowels[0]
    closed = vowels[-1] != len(base) - 1
    if closed:
        return vowels[-1]
    return vowels[1] if len(vowels) == 3 else vowels[0]


def _allowed(onset: str, before: str, rhyme: str) -> bool:
    front = rhyme.startswith(_FRONT)
    if before == "front":
        return front
    if before == "back":
        # "gì", "gìn", "giếng" are written with g before i.
        return not front or (onset == "g" and rhyme.startswith("i"))
    return not (onset == "gi" and rhyme.startswith(("i", "y")))


@cache
def syllable_bases() -> dict[str, tuple[int, bool]]:
    """Every toneless syllable: where its tone mark sits, and whether it ends in a stop.

    Returns:
        ``{"hoang": (2, False), "quôc": (2, True), ...}``, some 3,500 entries.
    """
    rhymes: dict[str, list[str]] = {}
    for row in read_rows("rhymes.csv"):
        rhymes.setdefault(row["kind"], []).extend(row["rhymes"].split())
    bases: dict[str, tuple[int, bool]] = {}
    for row in read_rows("onsets.csv"):
        onset = row["onset"]
        for rhyme in _rhymes_after(row, rhymes):
            base = onset + rhyme
            bases[base] = (tone_position(base, len(onset)), rhyme.endswith(STOP_CODAS))
    return bases


def _rhymes_after(row: dict[str, str], rhymes: dict[str, list[str]]) -> Iterator[str]:
    onset, before = row["onset"], row["before"]
    if before == "qu":
        yield from rhymes["qu"]
        return
    yield from (rhyme for rhyme in rhymes["plain"] if _allowed(onset, before, rhyme))
    if row["y"] == "yes":
        yield from rhymes["open_y"]
    if row["glide"] == "yes":
        yield from rhymes["glide"]
    if not onset:
        yield from rhymes["bare"]


@cache
def syllable_keys() -> frozenset[str]:
    """Every syllable with its accents removed: ``nguyen``, ``quoc``, ``thi``."""
    return frozenset(unaccent(base) for base in syllable_bases())


def split_tone(token: str) -> tuple[str, int]:
    """The toneless letters and the tone (0 to 5); tone -1 when two letters carry one."""
    base = token.translate(_TONELESS)
    if base == token:
        return token, 0
    tones = [_TONED[letter][1] for letter in token if letter in _TONED]
    return base, tones[0] if len(tones) == 1 else -1


@lru_cache(maxsize=1 << 16)
def standard_syllable(token: str) -> str | None:
    """The syllable with its tone mark where the one tone style puts it.

    Args:
        token: Lower case, NFC.

    Returns:
        None when the letters cannot be a Vietnamese syllable.
    """
    return _toned(*split_tone(token))


def _toned(base: str, tone: int) -> str | None:
    entry = syllable_bases().get(base)
    if entry is None or tone < 0:
        return None
    position, stop = entry
    if stop and tone not in STOP_TONES:
        return None
    if not tone:
        return base
    return base[:position] + _WITH_TONE[base[position], tone] + base[position + 1 :]


_HALF_HORN = re.compile("uơ|ưo")
# A tone mark after the letter at the end of a word: n with a tilde for a vowel with one.
_CODA_MARK = re.compile("(?<=[ghmnptc])[\u0300\u0301\u0303\u0309\u0323](?=[ghnptc]*$)")


def with_both_horns(token: str) -> str | None:
    """The syllable for a spelling with one of the two horns of ươ left out: ``phuơng``, ``đưọc``.

    Args:
        token: Lower case, NFC; no syllable as it stands (``thuở`` is one).

    Returns:
        In the standard spelling; None when two horns do not make it a syllable.
    """
    base, tone = split_tone(token)
    whole = _HALF_HORN.sub("ươ", base)
    return None if whole == base else _toned(whole, tone)


def with_one_tone(token: str) -> str | None:
    """The syllable whose tone was typed twice, or on the last consonant: ``hòà``, ``nguyêñ``.

    Args:
        token: Lower case, NFC; no syllable as it stands.

    Returns:
        In the standard spelling; None when it has two tones, or makes no syllable.
    """
    base, _ = split_tone(token)
    tones = [_TONED[letter][1] for letter in token if letter in _TONED]
    loose = unicodedata.normalize("NFD", base)
    tones += [TONE_MARKS.index(mark) for mark in _CODA_MARK.findall(loose)]
    if len(set(tones)) != 1:
        return None
    return _toned(unicodedata.normalize("NFC", _CODA_MARK.sub("", loose)), tones[0])


def unaccent(text: str) -> str:
    """Lower-case letters without accents: ``đặng`` to ``dang``, ``müller`` to ``muller``."""
    if text.isascii():
        return text
    plain = text.translate(_SPECIAL)
    if plain.isascii():
        return plain
    decomposed = unicodedata.normalize("NFKD", plain)
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    return kept.translate(_SPECIAL)


_SPECIAL = str.maketrans(
    _SPECIAL_LETTERS
    | {letter: unicodedata.normalize("NFD", letter)[0] for letter in VIETNAMESE_LETTERS - {"đ"}}
)

_ONSET = "(?:b|ch?|d|gh?|h|kh?|l|m|n|ngh?|nh|ph?|r|s|t|th|tr|v|x)?"
_OPEN_Y = re.compile(f"{_ONSET}y")
_QUY = re.compile("quy(?!e)")


def fold_iy(plain: str) -> str:
    """Write y as i where the two are spelling variants of one vowel.

    That is y alone after a consonant or nothing (Lý and Lí, Mỹ and Mĩ, Ý and Í) and after qu
    (Quý and Quí, Quỳnh and Quình); never in ay, uy or yê, where y is another vowel.

    Args:
        plain: One syllable, lower case, without accents.
    """
    if "y" not in plain:
        return plain
    if _OPEN_Y.fullmatch(plain):
        return plain[:-1] + "i"
    if plain.startswith("quy"):
        return _QUY.sub("qui", plain)
    return plain
