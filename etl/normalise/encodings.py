"""The encodings that Vietnamese was stored in, and how a text in each is read.

Belongs here: the tables of ``data/legacy_encodings.csv``, a decoder for each, and the way to type
accents as signs (VIQR). Does not belong here: deciding which reading of a text is right
(``legacy``), nor UTF-8 read as something else (``misread``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from etl.normalise.files import read_rows
from etl.normalise.letters import composed
from etl.normalise.misread import as_bytes, readings_as_utf8
from etl.normalise.syllables import standard_syllable


class Decoding(NamedTuple):
    """One reading of a mojibake string."""

    text: str
    note: str


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
def vni_table() -> dict[str, str]:
    """Latin-1 sequences of VNI, one or two characters, and the letter each stands for."""
    table = dict(_tables()["vni"])
    # A capital letter is often followed by the small form of its mark ("Aâ"), and the reverse.
    for source, letter in list(table.items()):
        if len(source) == 2:
            table.setdefault(source[0] + source[1].lower(), letter)
            table.setdefault(source[0] + source[1].upper(), letter)
    return table


@cache
def _vni_pattern() -> re.Pattern[str]:
    longest_first = sorted(vni_table(), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)))


def _decode_vni(source: str) -> str:
    table = vni_table()
    return _vni_pattern().sub(lambda match: table[match.group()], source)


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


class Decoder(NamedTuple):
    """One encoding: its note, how to undo it, and how often it was used (log, relative)."""

    note: str
    decode: Callable[[str], str]
    prior: float


DECODERS = (
    Decoder("decoded_tcvn3", _decode_tcvn3, 4.0),
    Decoder("decoded_vni", _decode_vni, 4.0),
    Decoder("decoded_cp1258", _decode_cp1258, 1.0),
    Decoder("decoded_viscii", _decode_table("viscii"), 0.0),
    Decoder("decoded_vps", _decode_table("vps"), 0.0),
)


def decode_all(encoding: str, source: str) -> str | None:
    """A text decoded from an encoding; None where that lacks one of the letters beyond ASCII.

    Args:
        encoding: As in ``data/legacy_encodings.csv``.
        source: The Latin-1 characters of the bytes.
    """
    decoded = next(d for d in DECODERS if d.note == f"decoded_{encoding}").decode(source)
    if encoding != "vni":
        return decoded
    # The decoder for VNI leaves unknown signs as they are: à is a mark after a vowel, and no letter
    # by itself.
    unknown = [c for c in _vni_pattern().sub("", source) if not c.isascii()]
    return None if unknown else decoded


# --- VIQR: accents as ASCII signs after the vowel (RFC 1456) --------------------------------------

_VIQR_MARKS = {"^": "\u0302", "(": "\u0306", "+": "\u031b", "*": "\u031b",
               "`": "\u0300", "?": "\u0309", "~": "\u0303", "'": "\u0301",
               ".": "\u0323"}  # fmt: skip
# The sign of the shape may stand before or after that of the tone.
_VIQR_VOWEL = re.compile(r"([aeiouy])([`?~'.][\^(+*]|[\^(+*]?[`?~'.]?)", re.I)
# Signs that a name contains for no other reason; ' and . at the end of a word may have another. A
# question mark alone does not count: it also stands for a lost letter (Hu?nh for Huỳnh).
_VIQR_SURE = re.compile(r"[aeouy][`?~'.]?[\^(+*]|[aeouy][~`]|[aeiouy]\.[a-z]|\bdd", re.I)


def _viqr_letter(match: re.Match[str]) -> str:
    return composed(match[1] + "".join(_VIQR_MARKS[sign] for sign in match[2]))


def decode_viqr(text: str) -> Decoding | None:
    """Nguye^~n Va(n DDu+'c; only where every word becomes a Vietnamese syllable."""
    if not _VIQR_SURE.search(text):
        return None
    decoded = re.sub(r"\bd[d9]", "đ", text, flags=re.I)
    decoded = _VIQR_VOWEL.sub(_viqr_letter, decoded)
    words = decoded.lower().split()
    good = all(standard_syllable(word) is not None for word in words)
    return Decoding(decoded, "decoded_viqr") if good and decoded != text else None


# --- every reading --------------------------------------------------------------------------------


def all_readings(text: str) -> Iterator[str]:
    """All readings of a short text in any encoding, for a text that must be a word of a list.

    Args:
        text: As stored.
    """
    if text.isascii():
        # In some encodings, the lowest codes are letters.
        yield from (decoder.decode(text) for decoder in DECODERS if min(text, default=" ") < " ")
        yield _VIQR_VOWEL.sub(_viqr_letter, re.sub(r"\bd[d9]", "đ", text, flags=re.I))
        return
    yield from readings_as_utf8(text)
    source = as_bytes(text)
    if source is not None:
        for decoder in DECODERS:
            yield unicodedata.normalize("NFC", decoder.decode(source))
