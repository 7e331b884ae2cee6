"""Names stored in an encoding other than Unicode, or decoded with the wrong one.

Belongs here: turning a mojibake string back into Vietnamese, when the evidence says so. Does not
belong here: the encodings themselves (``encodings``), UTF-8 read as something else (``misread``),
nor case, spacing and tone style of the result.

The rule is the same for every encoding: decode only where the result reads as Vietnamese and the
source does not. A name that already reads as Vietnamese, or that no decoding turns into Vietnamese
(José Müller), stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from etl.normalise.encodings import DECODERS, Decoder, Decoding, decode_all, decode_viqr
from etl.normalise.files import read_rows
from etl.normalise.misread import as_bytes, undo_utf8
from etl.normalise.shares import (
    CLEAR_LEAD,
    common_surnames,
    is_common_in_names,
    likelihood,
)
from etl.normalise.syllables import VIETNAMESE_LETTERS, standard_syllable

# Characters a name may contain beside letters; anything else in a source is a sign of mojibake.
NAME_PUNCTUATION = frozenset(" '-.,()/\u2019\u2018\u02bc\u00a0")
_NAME_CHARACTERS = VIETNAMESE_LETTERS | NAME_PUNCTUATION | frozenset("fjwz")


_WORD_BREAKS = re.compile(r"[ \u00a0\u200b.,/()-]+")


_MORE_THAN_SIGNS = re.compile("[^ -@[-`{-~]")


def _words(text: str) -> list[str]:
    """The parts between spaces that are more than ASCII digits and signs."""
    words = _WORD_BREAKS.split(text)
    return [word for word in words if word.isalpha() or _MORE_THAN_SIGNS.search(word)]


def _restored_eth(word: str) -> str:
    return "đ" + word[1:] if word.startswith("ð") else word


class _Reading(NamedTuple):
    """How Vietnamese a text looks; compares as a tuple, the better reading greater.

    Attributes:
        readable: How many words can be Vietnamese syllables.
        likelihood: Sum of log shares of its syllables among Vietnamese names.
        words: The words, in the standard spelling where they are syllables.
    """

    readable: int
    likelihood: float
    words: tuple[str, ...]


# A single word that is shorter than this is not enough evidence.
_SHORTEST_LONE_WORD = 4
_ODD_CAPITAL_COST = 6.0


# A capital accented letter after a small one, as in PhÕm or TrÀn, is no spelling of a name.
_INNER_CAPITAL = re.compile(r"[a-z\u00df-\u00ff][\u00c0-\u00de]")


# The no-break space of à in UTF-8, among small letters: HoÃ ng.
SPLIT_A = re.compile("(?:[\u00c3\u0102]|A[\u0303\u0306])\u00a0")
SMALL_LETTER = re.compile("[a-z]")


def has_split_a(text: str) -> bool:
    """Whether it has a misread à of UTF-8, whose no-break space is not a space between words."""
    if "\u00a0" not in text or SPLIT_A.search(text) is None:
        return False
    return SMALL_LETTER.search(text) is not None


def readable_as_is(text: str) -> bool:
    """Whether every word can be a Vietnamese syllable and none betrays another encoding."""
    if _INNER_CAPITAL.search(text) or has_split_a(text):
        return False
    words = _words(text)
    readable = all(standard_syllable(_restored_eth(word.lower())) is not None for word in words)
    return readable and not _a_telltale_tells(words)


@lru_cache(maxsize=1 << 16)
def _weighed(word: str) -> tuple[str | None, float]:
    """The word as a syllable (None if it is none, or a sign of mojibake), and its log share."""
    restored = _restored_eth(word)
    standard = None if restored in telltales() else standard_syllable(restored)
    return standard, likelihood(standard)


def _judge(text: str) -> _Reading:
    words = _words(text)
    odd = _INNER_CAPITAL.search(text) is not None
    readable, likelihood, standard = 0, 0.0, []
    for word in words:
        syllable, weight = _weighed(word.lower())
        likelihood += weight
        if syllable is not None and not (odd and _INNER_CAPITAL.search(word)):
            readable += 1
        standard.append(syllable or word.lower())
    return _Reading(readable, likelihood, tuple(standard))


# ASCII is the same in every encoding, so it is a sign of none; control codes are letters in some.
_SIGN = re.compile(r"[^\w -~\u2019\u2018\u02bc\u00a0]|[ªº\u00b2\u00b3\u00b9\u00bc-\u00be]")


def _has_signs(text: str) -> bool:
    """Whether it contains what no name contains: signs and controls beyond ASCII, ª and º."""
    return _SIGN.search(text) is not None


def _accepts(text: str, source: list[_Word], read: list[_Word]) -> bool:
    """Whether a decoding that reads better than the source explains it.

    A source with signs that no name contains may leave up to half of its words unread, for typing
    errors. One that is all letters must become readable throughout, or in two words more, and one
    of the words that changed must be common in Vietnamese names: Loïc is not Lọc.
    """
    result = [word for part in read for word in part.reading.words]
    if len(result) == 1 and len(result[0]) < _SHORTEST_LONE_WORD:
        return False
    readable = sum([part.reading.readable for part in read])
    if _has_signs(text):
        return 2 * readable >= len(result)
    before = sum([part.reading.readable for part in source])
    if readable < len(result) and readable - before < 2:
        return False
    return any(map(_is_telling, source, read))


def _is_telling(source: _Word, read: _Word) -> bool:
    """Whether decoding changes a word into one that is common in Vietnamese names."""
    changed = set(read.reading.words).difference(source.reading.words)
    return any(map(is_common_in_names, changed))


# --- words that tell by themselves ----------------------------------------------------------------


@cache
def _telltale_rows() -> dict[str, dict[str, str]]:
    return {row["word"]: row for row in read_rows("mojibake_telltales.csv")}


@cache
def telltales() -> frozenset[str]:
    """Words that can be syllables, but are more often the mojibake of a very common name.

    ``thò`` is what Thị becomes when VNI is read as Latin-1; it is also the name of a Hmong clan.
    """
    return frozenset(_telltale_rows())


def _a_telltale_tells(words: list[str]) -> bool:
    """Whether a telltale shows by its place that it is mojibake, though every word reads well.

    It must stand in the usual place of the name that it stands for, and no other word may
    contradict it: each is ASCII or becomes a common name in the telltale's encoding. Hoà Thò
    becomes Hồ Thị. Giàng Thò Mai stays: in the telltale's encoding Giàng is no common name.

    Args:
        words: As stored; all can be syllables.
    """
    for at, word in enumerate(words):
        row = _telltale_rows().get(word.lower())
        if row is not None:
            read = [_common_under(row["encoding"], w) for w in words[:at] + words[at + 1 :]]
            return None not in read and _stands_in_place(row["place"], at, read)
    return False


def _common_under(encoding: str, word: str) -> str | None:
    """A word as the encoding reads it, in small letters, if it is ASCII or a common name."""
    if word.isascii():
        return word.lower()
    source = as_bytes(word)
    decoded = decode_all(encoding, source) if source is not None else None
    if decoded is None:
        return None
    standard = standard_syllable(decoded.lower())
    return standard if standard and is_common_in_names(standard) else None


def _stands_in_place(place: str, at: int, others: list[str | None]) -> bool:
    if place == "first":
        return at == 0 and len(others) > 0
    return 0 < at < len(others) and others[0] in common_surnames()


def _says_an_encoding(word: str) -> bool:
    """Whether a word that is no telltale has accents and reads badly as it stands."""
    if word.isascii() or word in telltales():
        return False
    return standard_syllable(_restored_eth(word)) is None


class _Word(NamedTuple):
    """One word under one decoding: its text, how well it reads, and what speaks against it."""

    text: str
    reading: _Reading
    clean: bool
    inner_capitals: bool
    small_initial: bool


class _Readings(NamedTuple):
    """One word as it stands and, from index 1 on, under each of ``DECODERS``.

    Attributes:
        words: The readings.
        readable: How many syllables each has.
        telltale: Whether it is a telltale, which needs the support of another word.
        bears_out: Whether it is evidence by itself that the text is in another encoding: it reads
            badly as it stands, and better in one of them.
    """

    words: tuple[_Word, ...]
    readable: tuple[int, ...]
    telltale: bool
    bears_out: bool


@lru_cache(maxsize=1 << 16)
def _readings(word: str) -> _Readings:
    """All readings of a word; names are made of few words, so most are looked up."""
    read = [_read(word, _judge(word))]
    for decoder in DECODERS:
        text = unicodedata.normalize("NFC", decoder.decode(word))
        read.append(_read(text, _judge(text.lower())))
    as_it_stands = read[0].reading.words
    readable = tuple(word.reading.readable for word in read)
    is_telltale = not telltales().isdisjoint(as_it_stands)
    odd = read[0].inner_capitals or any(map(_says_an_encoding, as_it_stands))
    return _Readings(tuple(read), readable, is_telltale, odd and max(readable) > readable[0])


class Evidence(NamedTuple):
    """The evidence of one word for each decoder; for a text, its words' evidence is added up.

    Attributes:
        signs: Whether it contains what no name does.
        readable: Vietnamese syllables in it, as it stands and then by decoder.
        lengths: Words in it, as it stands and then by decoder.
        telling: By decoder, whether it becomes a word that is common in names.
        odd: By decoder, whether it becomes something that no name contains.
        texts: The word by decoder.
        telltale: Whether it is a telltale.
        bears_out: Whether it supports a telltale.
    """

    signs: bool
    readable: tuple[int, ...]
    lengths: tuple[int, ...]
    telling: tuple[int, ...]
    odd: tuple[int, ...]
    texts: tuple[str, ...]
    telltale: bool
    bears_out: bool


@lru_cache(maxsize=1 << 16)
def evidence(word: str) -> Evidence:
    """The evidence of one word of a text for each of ``DECODERS``.

    Args:
        word: Without spaces, of characters of one byte.
    """
    readings = _readings(as_bytes(word) or word)
    source, *decoded = readings.words
    return Evidence(
        _has_signs(word),
        readings.readable,
        tuple(len(read.reading.words) for read in readings.words),
        tuple(int(_is_telling(source, read)) for read in decoded),
        tuple(int(not read.clean) for read in decoded),
        tuple(read.text for read in decoded),
        readings.telltale,
        readings.bears_out,
    )


def _read(text: str, reading: _Reading) -> _Word:
    return _Word(
        text,
        reading,
        _NAME_CHARACTERS.issuperset(text.lower()),
        any(a.islower() and b.isupper() for a, b in pairwise(text)),
        text.startswith("đ"),
    )


def _odd_capitals(text: str, read: list[_Word]) -> int:
    """Words of a decoded text whose capitals no typist would choose: HiỀn, or đào Hoàng."""
    inner = sum([word.inner_capitals for word in read])
    return inner if text.islower() else inner + sum([word.small_initial for word in read])


class _Candidate(NamedTuple):
    """A decoding that is believed: how each word reads under it."""

    decoder: Decoder
    read: list[_Word]

    @property
    def decoding(self) -> Decoding:
        """The whole text."""
        return Decoding(" ".join([word.text for word in self.read]), self.decoder.note)

    @property
    def odds(self) -> float:
        """How likely it is compared with another, as a logarithm."""
        likelihood = sum([word.reading.likelihood for word in self.read])
        odd = _odd_capitals(self.decoding.text, self.read)
        return likelihood + self.decoder.prior - _ODD_CAPITAL_COST * odd


def _candidates(text: str) -> list[_Candidate]:
    """The decodings that explain a text, of those that leave the fewest words unread."""
    source = as_bytes(text)
    if source is None:
        return []
    words = [_readings(word) for word in source.split(" ") if word]
    lonely = any(word.telltale for word in words) and not any(word.bears_out for word in words)
    if lonely and not _a_telltale_tells(_words(source)):
        return []
    as_stored, *decoded = map(sum, zip(*[word.readable for word in words], strict=True))
    found: list[_Candidate] = []
    most = as_stored + 1
    for index in sorted(range(len(decoded)), key=decoded.__getitem__, reverse=True):
        if decoded[index] < most:
            break
        read = [word.words[index + 1] for word in words]
        clean = all([word.clean for word in read])
        if clean and _accepts(text, [word.words[0] for word in words], read):
            most = decoded[index]
            found.append(_Candidate(DECODERS[index], read))
    return found


def decode_unicode(text: str) -> Decoding | None:
    """The text behind VIQR, or behind UTF-8 that was read in another encoding.

    Args:
        text: The string as stored, NFC, before any cleaning.
    """
    spaced = text.replace("\u00a0", " ")
    if spaced.isascii():
        return decode_viqr(spaced)
    repaired = undo_utf8(text)
    if repaired is None:
        return None
    return Decoding(unicodedata.normalize("NFC", repaired), "decoded_double_utf8")


def decode_bytes(text: str) -> Decoding | None:
    """The Vietnamese behind a text in an encoding of one byte a letter.

    Args:
        text: The string as stored, NFC, before any cleaning: soft hyphens and control characters
            are letters in some encodings.

    Returns:
        None when the string is not mojibake, or when two readings are nearly as likely.
    """
    candidates = [] if text.isascii() else _candidates(text)
    if len(candidates) == 1:
        return candidates[0].decoding
    return _likeliest(candidates) or _decode_some_words(text)


def _likeliest(found: list[_Candidate]) -> Decoding | None:
    """The likeliest of several decodings; None where another text is nearly as likely."""
    ranked = sorted(found, key=lambda candidate: candidate.odds, reverse=True)
    if not ranked:
        return None
    best = ranked[0].decoding
    for rival in ranked[1:]:
        near = ranked[0].odds - rival.odds < CLEAR_LEAD
        if near and rival.decoding.text.lower() != best.text.lower():
            return None
    return best


# --- single words in another encoding -------------------------------------------------------------


class _LoneWord(NamedTuple):
    """A word that only one encoding turns into a common name."""

    text: str
    decoder: Decoder


@lru_cache(maxsize=1 << 16)
def lone_word(word: str) -> _LoneWord | None:
    """The common name that a word is in one encoding, whatever stands beside it.

    Args:
        word: Without spaces, NFC.

    Returns:
        None when it reads well as it stands, or not exactly one encoding makes it a name.
    """
    source = None if word.isascii() else as_bytes(word)
    if source is None:
        return None
    as_it_stands, *decoded = _readings(source).words
    if as_it_stands.reading.readable:
        return None
    found = {
        read.text.lower(): _LoneWord(read.text, decoder)
        for decoder, read in zip(DECODERS, decoded, strict=True)
        if read.clean and read.reading.readable == 1 and _is_telling(as_it_stands, read)
    }
    return next(iter(found.values())) if len(found) == 1 else None


def _decode_some_words(text: str) -> Decoding | None:
    """A name of which some words are in one encoding and the others read well: Leâ Thị Mai."""
    words = text.split(" ")
    lone = [lone_word(word) for word in words]
    decoders = {found.decoder for found in lone if found}
    others = [word for word, found in zip(words, lone, strict=True) if not found]
    if len(decoders) != 1 or not _read_well(others):
        return None
    decoder = decoders.pop()
    decoded = [
        found.text if found else _telltale_decoded(word, decoder)
        for word, found in zip(words, lone, strict=True)
    ]
    return Decoding(" ".join(decoded), decoder.note)


def _read_well(others: list[str]) -> bool:
    """Whether all of some words can be syllables, and one of them is common in names."""
    words = [standard_syllable(_restored_eth(word)) for word in _words(" ".join(others).lower())]
    common = any(is_common_in_names(word or "") for word in words)
    return common and None not in words


def _telltale_decoded(word: str, decoder: Decoder) -> str:
    """A telltale, decoded by the encoding of another word of its name: Nguyeãn Thò Hòa."""
    row = _telltale_rows().get(word.lower())
    is_of_it = row is not None and decoder.note == f"decoded_{row['encoding']}"
    return decoder.decode(word) if is_of_it else word
