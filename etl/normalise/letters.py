"""One letter written in another way: loose marks, styled alphabets, escapes, look-alikes.

Belongs here: what the characters of a text say, letter by letter. Does not belong here: whole texts
read in the wrong encoding (``misread``, ``legacy``), nor which letters make a syllable
(``syllables``).
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache

from etl.normalise.files import read_rows

# --- loose marks ----------------------------------------------------------------------------------

_SHAPES = "\u0302\u0306\u031b"
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_LOOSE_MARK = re.compile(f"[{_SHAPES}{_TONES}\u0335\u0336]")
_MARKED_VOWEL = re.compile(f"([aeiouyAEIOUY])([{_SHAPES}{_TONES}]+)")
_STRUCK_D = re.compile("([dD])[\u0335\u0336]+")


def composed(text: str) -> str:
    """The text in NFC, after marks were put into the order in which they can be composed.

    A tone before the shape (``e``, tilde, circumflex) cannot be composed, because both marks are of
    one class; it can only mean ễ. A mark typed twice counts once.
    """
    text = unicodedata.normalize("NFC", text)
    if text.isascii() or not _LOOSE_MARK.search(text):
        return text
    loose = _STRUCK_D.sub(_stroke, unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", _MARKED_VOWEL.sub(_in_order, loose))


def _stroke(match: re.Match[str]) -> str:
    return "đ" if match[1] == "d" else "Đ"


def _in_order(match: re.Match[str]) -> str:
    marks = list(dict.fromkeys(match[2]))
    shapes = [mark for mark in marks if mark in _SHAPES]
    tones = [mark for mark in marks if mark in _TONES]
    # Two shapes are a letter of their own (ơ̆), two tones have no meaning: neither is changed.
    ordered = shapes + tones if len(shapes) < 2 and len(tones) < 2 else marks
    return match[1] + "".join(ordered)


# --- letters that were meant to be others ---------------------------------------------------------


@cache
def mistaken_letters(where: str) -> dict[int, str]:
    """A translation of letters to those that were meant.

    Args:
        where: ``always`` or ``vietnamese``, as in ``data/mistaken_letters.csv``.
    """
    rows = read_rows("mistaken_letters.csv")
    return {ord(row["character"]): row["letter"] for row in rows if row["where"] == where}


def meant(lower: str, where: str) -> str:
    """A word in small letters with the letters that were meant.

    Args:
        lower: NFC.
        where: As for ``mistaken_letters``.
    """
    if lower.isascii():
        return lower
    read = lower.translate(mistaken_letters(where))
    return lower if read == lower else composed(read)


@cache
def _lookalikes() -> dict[int, str]:
    return {ord(row["character"]): row["letter"] for row in read_rows("lookalike_letters.csv")}


def lookalikes_read(text: str) -> str:
    """Cyrillic and Greek letters as the Latin ones they look like, in a text otherwise Latin."""
    if text.isascii() or not any("a" <= c <= "z" or "A" <= c <= "Z" for c in text):
        return text
    read = text.translate(_lookalikes())
    foreign = any("\u0370" <= c <= "\u052f" for c in read)
    return text if foreign else read


# --- styled alphabets -----------------------------------------------------------------------------

# Blocks of letters in another style: letter-like symbols (where the alphabets of mathematics have
# their holes: ℕ, ℯ, ℎ), circled letters, full-width signs, mathematics, enclosed capitals.
_STYLED = re.compile(
    "[\u2100-\u214f\u24b6-\u24e9\uff01-\uff5e\U0001d400-\U0001d7ff\U0001f110-\U0001f169]"
)


def _plain_letter(match: re.Match[str]) -> str:
    char = match.group()
    plain = unicodedata.normalize("NFKC", char).strip("()")
    # Mathematics has Greek letters, too; other symbols stand for units and words.
    return plain if len(plain) == 1 and (plain.isascii() or char >= "\uff01") else char


def styled_folded(text: str) -> str:
    """Full-width, mathematical and circled letters as the plain ones that they stand for."""
    return text if text.isascii() else _STYLED.sub(_plain_letter, text)


# --- escapes --------------------------------------------------------------------------------------

ESCAPES = r"\\[uU][0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|&#?[0-9A-Za-z]+;|%[0-9A-Fa-f]{2}"
_ESCAPED_UNIT = re.compile(r"\\[uU]([0-9A-Fa-f]{4})")
_ESCAPED_BYTES = re.compile(r"(?:(?:\\x|%)[0-9A-Fa-f]{2})+")
_ENTITY = re.compile(r"&#?[0-9A-Za-z]+;")
_ANY_ESCAPE = re.compile(ESCAPES)


def escapes_undone(text: str) -> str:
    r"""A text in which programs wrote letters as ``\u1ec5``, ``&#7877;`` or ``%E1%BB%85``.

    Only letters, marks and spaces are undone; other escapes stay.
    """
    if not _ANY_ESCAPE.search(text):
        return text
    text = _ESCAPED_UNIT.sub(lambda match: _if_letters(chr(int(match[1], 16)), match), text)
    text = _ENTITY.sub(lambda match: _if_letters(html.unescape(match.group()), match), text)
    return _ESCAPED_BYTES.sub(_bytes_read, text)


def _bytes_read(match: re.Match[str]) -> str:
    digits = re.sub(r"\\x|%", "", match.group())
    return _if_letters(bytes.fromhex(digits).decode("utf-8", "replace"), match)


def _if_letters(read: str, match: re.Match[str]) -> str:
    letters = all(c.isalpha() or c == " " or "\u0300" <= c <= "\u036f" for c in read)
    return read if letters else match.group()
