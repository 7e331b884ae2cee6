"""Names stored in an encoding other than Unicode, or decoded with the wrong one.

Belongs here: turning a mojibake string back into Vietnamese, when the evidence says so. Does not
belong here: the tables themselves (``data/legacy_encodings.csv``, checked in the tests against
glibc's own), nor case, spacing and tone style of the result.

The rule is the same for every encoding: decode only where the result reads as Vietnamese and the
source does not. A name that already reads as Vietnamese, or that no decoding turns into Vietnamese
(José Müller), stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from math import log
from typing import NamedTuple

from etl.normalise.files import read_rows
from etl.normalise.syllables import VIETNAMESE_LETTERS, standard_syllable, unaccent

# Characters a name may contain beside letters; anything else in a source is a sign of mojibake.
NAME_PUNCTUATION = frozenset(" '-.,()/\u2019\u2018\u02bc\u00a0")
_NAME_CHARACTERS = VIETNAMESE_LETTERS | NAME_PUNCTUATION | frozenset("fjwz")


class Decoding(NamedTuple):
    """One reading of a mojibake string."""

    text: str
    note: str


@cache
def surname_keys() -> frozenset[str]:
    """Unaccented surnames of the frequency table: evidence that a reading is right."""
    rows = read_rows("name_frequencies.csv", "etl")
    return frozenset(unaccent(r["value"].lower()) for r in rows if r["part"] == "surname")


@cache
def name_weights() -> dict[str, float]:
    """How common each syllable is in names, in percent, accents kept, lower case."""
    weights: dict[str, float] = {}
    for row in read_rows("name_frequencies.csv", "etl"):
        for syllable in row["value"].lower().split():
            key = standard_syllable(syllable) or syllable
            weights[key] = weights.get(key, 0.0) + float(row["share_percent"])
    return weights


def _tables() -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    for row in read_rows("legacy_encodings.csv"):
        source = "".join(chr(int(code, 16)) for code in row["bytes"].split())
        tables.setdefault(row["encoding"], {})[source] = row["character"]
    return tables


@cache
def single_byte_tables() -> dict[str, dict[int, str]]:
    """Per one-byte encoding, a translation from Latin-1 character to Vietnamese letter."""
    return {
        name: {ord(source): letter for source, letter in table.items()}
        for name, table in _tables().items()
        if name != "vni"
    }


@cache
def _vni() -> tuple[re.Pattern[str], dict[str, str]]:
    table = dict(_tables()["vni"])
    # A capital letter is often followed by the small form of its mark ("Aâ"), and the reverse.
    for source, letter in list(table.items()):
        if len(source) == 2:
            table.setdefault(source[0] + source[1].lower(), letter)
            table.setdefault(source[0] + source[1].upper(), letter)
    longest_first = sorted(table, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))), table


# What Windows shows for the bytes 80 to 9F, back to the byte.
_CP1252 = {
    bytes([b]).decode("cp1252"): b
    for b in range(0x80, 0xA0)
    if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def as_bytes(text: str) -> str | None:
    """The string with each character replaced by the Latin-1 character of its byte.

    Returns:
        None when a character is of neither Latin-1 nor Windows-1252: then the text is Unicode.
    """
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        replaced = "".join(chr(_CP1252.get(c, ord(c))) for c in text)
        return replaced if max(replaced) <= "\xff" else None
    return text


def _decode_vni(source: str) -> str:
    pattern, table = _vni()
    return pattern.sub(lambda match: table[match.group()], source)


def _decode_cp1258(source: str) -> str:
    raw = source.encode("latin-1", "replace")
    return unicodedata.normalize("NFC", raw.decode("cp1258", "replace"))


def _decode_table(name: str) -> Callable[[str], str]:
    return lambda source: source.translate(single_byte_tables()[name])


_LOST_SOFT_HYPHEN = re.compile("ơ(?=n|c|t|i|m|p|u)")


def _decode_tcvn3(source: str) -> str:
    decoded = source.translate(single_byte_tables()["tcvn3"])
    # TCVN3 writes ư as the soft hyphen, which many programs drop: "Phơng" was "Phương".
    return " ".join(_restore_horn(token) for token in decoded.split(" "))


def _restore_horn(token: str) -> str:
    if "ơ" not in token or standard_syllable(token.lower()):
        return token
    restored = _LOST_SOFT_HYPHEN.sub("ươ", token)
    return restored if standard_syllable(restored.lower()) else token


_DECODERS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("decoded_tcvn3", _decode_tcvn3),
    ("decoded_vni", _decode_vni),
    ("decoded_viscii", _decode_table("viscii")),
    ("decoded_vps", _decode_table("vps")),
    ("decoded_cp1258", _decode_cp1258),
)

# --- VIQR: accents as ASCII signs after the vowel (RFC 1456) --------------------------------------

_VIQR_MARKS = {"^": "\u0302", "(": "\u0306", "+": "\u031b", "*": "\u031b",
               "`": "\u0300", "?": "\u0309", "~": "\u0303", "'": "\u0301",
               ".": "\u0323"}  # fmt: skip
_VIQR_VOWEL = re.compile(r"([aeiouy])([\^(+*]?)([`?~'.]?)", re.I)
# Signs that no name contains for another reason, as ' and . are.
_VIQR_SURE = re.compile(r"[aeouy][\^(+*~`]|\bdd", re.I)


def _viqr_letter(match: re.Match[str]) -> str:
    return unicodedata.normalize(
        "NFC", match[1] + "".join(_VIQR_MARKS[sign] for sign in match[2] + match[3])
    )


def _decode_viqr(text: str) -> Decoding | None:
    """Nguye^~n Va(n DDu+'c; only where every word becomes a Vietnamese syllable."""
    if not _VIQR_SURE.search(text):
        return None
    decoded = re.sub(r"\bd[d9]", "đ", text, flags=re.I)
    decoded = _VIQR_VOWEL.sub(_viqr_letter, decoded)
    words = decoded.lower().split()
    good = all(standard_syllable(word) is not None for word in words)
    return Decoding(decoded, "decoded_viqr") if good and decoded != text else None


def _words(text: str) -> list[str]:
    return re.split(r"[ \u00a0\u200b.,/()-]+", text.strip())


def _restored_eth(word: str) -> str:
    return "đ" + word[1:] if word.startswith("ð") else word


class _Reading(NamedTuple):
    """How Vietnamese a text looks; compares as a tuple, the better reading greater.

    Attributes:
        clean: No sign that names do not contain.
        readable: How many words can be Vietnamese syllables.
        likelihood: Sum of log shares of its syllables among Vietnamese names.
        surname: The first word is a Vietnamese surname.
        words: How many words there are.
    """

    clean: bool
    readable: int
    likelihood: float
    surname: bool
    words: int


# Share, in percent, given to a syllable that the frequency table lacks.
_UNSEEN_SHARE = 0.001


def _judge(text: str) -> _Reading:
    words = [word for word in _words(text.lower()) if word]
    standard = [standard_syllable(_restored_eth(word)) for word in words]
    weights = name_weights()
    return _Reading(
        clean=_NAME_CHARACTERS.issuperset(text.lower()),
        readable=sum(syllable is not None for syllable in standard),
        likelihood=sum(log(weights.get(syllable or "", _UNSEEN_SHARE)) for syllable in standard),
        surname=bool(words) and unaccent(words[0]) in surname_keys(),
        words=len(words),
    )


def _accepts(source: _Reading, result: _Reading) -> bool:
    """Whether a decoding explains the source: it must read as Vietnamese where the source did not.

    A source with signs that no name contains may leave up to half of its words unread, for typing
    errors; one that is all letters must become readable throughout, or nearly so in a long name.
    """
    if not result.clean or result.readable <= source.readable:
        return False
    if result.readable == result.words:
        return True
    if not source.clean:
        return 2 * result.readable >= result.words
    return result.surname and result.readable - source.readable >= 2


def _candidates(text: str) -> Iterator[tuple[_Reading, Decoding]]:
    source = as_bytes(text)
    if source is None:
        return
    before = _judge(text)
    for note, decode in _DECODERS:
        decoded = unicodedata.normalize("NFC", decode(source))
        if decoded == text:
            continue
        after = _judge(decoded)
        if _accepts(before, after):
            yield after, Decoding(decoded, note)


def undo_utf8(text: str) -> str | None:
    """Text whose UTF-8 bytes were read as a one-byte encoding, once or twice.

    Returns:
        The text, or None when the characters are not the bytes of valid UTF-8.
    """
    best = None
    for _ in range(2):
        found = next(filter(None, (_as_utf8(source) for source in _byte_strings(text))), None)
        if found is None:
            break
        best = text = found
    return best


def _as_utf8(source: bytes) -> str | None:
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if text.isascii() or any(unicodedata.category(c) == "Cc" for c in text) else text


def _byte_strings(text: str) -> Iterator[bytes]:
    """The bytes a string may have been, by the encodings that Vietnamese computers read them in."""
    latin = as_bytes(text)
    if latin is not None:
        yield latin.encode("latin-1")
        # The second byte of à is a no-break space, which cleaning turns into a plain one.
        yield re.sub("\u00c3 (?=[a-z ]|$)", "\u00c3\u00a0", latin).encode("latin-1")
    for encoding in ("cp1258", "mac_roman"):
        with suppress(UnicodeEncodeError):
            yield text.encode(encoding)


def decode_legacy(text: str) -> Decoding | None:
    """The Vietnamese behind a mojibake string.

    Args:
        text: The string as stored, NFC, before any cleaning: soft hyphens and control characters
            are letters in some encodings.

    Returns:
        None when the string is not mojibake, or nothing decides between two readings.
    """
    if text.isascii():
        return _decode_viqr(text)
    repaired = undo_utf8(text)
    if repaired is not None:
        return Decoding(unicodedata.normalize("NFC", repaired), "decoded_double_utf8")
    best: tuple[_Reading, Decoding] | None = None
    tied = False
    for reading, decoding in _candidates(text):
        if best is None or reading > best[0]:
            best, tied = (reading, decoding), False
        elif reading == best[0] and decoding.text != best[1].text:
            tied = True
    return None if best is None or tied else best[1]
