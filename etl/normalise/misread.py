"""UTF-8 that a program read in an encoding of one byte a letter: ``Nguyá»…n``, ``Tráş§n``.

Belongs here: undoing it, and recognising its remains where it cannot be undone. Does not belong
here: Vietnamese encodings (``legacy``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from etl.normalise.shares import CLEAR_LEAD, likelihood
from etl.normalise.syllables import TONE_MARKS, VIETNAMESE_LETTERS, standard_syllable

# What Windows shows for the bytes 80 to 9F, back to the byte.
_CP1252 = {
    ord(bytes([b]).decode("cp1252")): b
    for b in range(0x80, 0xA0)
    if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}

# Every character as which a byte from 80 up may be shown, except the no-break space: it ends a
# word.
ONE_BYTE_LETTERS = re.escape("".join(map(chr, (*range(0x80, 0xA0), *range(0xA1, 0x100), *_CP1252))))

# The encodings in which Vietnamese computers read bytes, and those of others: central European,
# Cyrillic and Turkish Windows, and the consoles of DOS and Windows.
_COMMON = ("latin-1", "cp1252", "cp1258", "mac_roman")
_OTHERS = ("iso8859-2", "cp1250", "cp1251", "cp1254", "cp437", "cp850", "cp852")


def as_bytes(text: str) -> str | None:
    """The string with each character replaced by the Latin-1 character of its byte.

    Returns:
        None when a character is of neither Latin-1 nor Windows-1252: then the text is Unicode.
    """
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        replaced = text.translate(_CP1252)
        return replaced if max(replaced) <= "\xff" else None
    return text


def _shown_as(first: int, last: int, encodings: tuple[str, ...]) -> str:
    """The characters as which some encodings show a range of bytes, for a class of a pattern."""
    some = bytes(range(first, last + 1))
    return re.escape("".join(sorted({c for e in encodings for c in some.decode(e, "ignore")})))


def _as_utf8_shows(encodings: tuple[str, ...]) -> str:
    """A pattern of texts whose characters may each be a byte of UTF-8 in one of the encodings."""
    following = f"[{_shown_as(0x80, 0xBF, encodings)}]"
    letters = (
        f"[{_shown_as(0xC2, 0xDF, encodings)}]{following}",
        f"[{_shown_as(0xE0, 0xEF, encodings)}]{following}{{2}}",
        f"[{_shown_as(0xF0, 0xF4, encodings)}]{following}{{3}}",
        "\u00c3 ",  # à, whose no-break space was cleaned
    )
    return f"[\x00-\x7f]*(?:(?:{'|'.join(letters)})[\x00-\x7f]*)+"


@cache
def may_be_utf8() -> re.Pattern[str]:
    """A text whose characters may each be a byte of UTF-8, not all of them ASCII."""
    groups = (_COMMON, *((encoding,) for encoding in _OTHERS))
    return re.compile(f"^(?:{'|'.join(map(_as_utf8_shows, groups))})$")


@cache
def beyond_bytes() -> re.Pattern[str]:
    """A character that is no byte of the encodings read here, so that the text is Unicode."""
    return re.compile(f"[^\x00-\x7f\x80-\xff{_shown_as(0x80, 0xFF, _COMMON)}]")


# UTF-8 has two or more bytes for a letter beyond ASCII; in other texts two such are rare.
TWO_BYTES = re.compile("[^\x00-\x7f]{2}|\u00c3 ")
# The same for the bytes themselves, once an encoding is chosen.
_LEAD_AND_NEXT = re.compile(b"[\xc2-\xf4][\x80-\xbf]")
# What a Macintosh shows for the first byte of a letter or sign in UTF-8.
_MAC_LEADS = re.compile("[\u201a\u221a\u0192\u2206\u00b7]")


class _Bytes(NamedTuple):
    """The bytes that a text may have been, and the test that their UTF-8 reading must pass."""

    raw: bytes
    is_believable: Callable[[str], bool]


def _byte_strings(text: str) -> Iterator[_Bytes]:
    latin = as_bytes(text)
    if latin is not None:
        yield _Bytes(latin.encode("latin-1"), _all_latin)
        # The second byte of à is a no-break space, which cleaning turns into a plain one.
        whole = re.sub("\u00c3 (?=[a-z ]|$)", "\u00c3\u00a0", latin)
        yield _Bytes(whole.encode("latin-1"), _all_latin)
    with suppress(UnicodeEncodeError):
        yield _Bytes(text.encode("cp1258"), _all_latin)
    if _MAC_LEADS.search(text):
        with suppress(UnicodeEncodeError):
            yield _Bytes(text.encode("mac_roman"), _all_latin)
    for encoding in _OTHERS:
        with suppress(UnicodeEncodeError):
            yield _Bytes(text.encode(encoding), _reads_as_vietnamese)


def undo_utf8(text: str) -> str | None:
    """Text whose UTF-8 bytes were read as a one-byte encoding, once or twice.

    Returns:
        The text, or None when the characters are not the bytes of valid UTF-8.
    """
    if not TWO_BYTES.search(text) or not may_be_utf8().match(text):
        return None
    rare: dict[str, float] = {}
    for once, is_believable in _read_as_utf8(text):
        twice = next((again for again, believed in _read_as_utf8(once) if believed(again)), None)
        if twice is not None or is_believable(once):
            found = twice or once
            if is_believable is _all_latin:
                return found
            rare[found] = _likelihood(found)
    return _clearly_likeliest(rare)


def _likelihood(text: str) -> float:
    return sum(likelihood(standard_syllable(word)) for word in _WORD.findall(text.lower()))


def _clearly_likeliest(found: dict[str, float]) -> str | None:
    """The likeliest reading; None where another is nearly as likely: áşĄ may be ạ or ấ."""
    ranked = sorted(found, key=found.__getitem__, reverse=True)
    if len(ranked) > 1 and found[ranked[0]] - found[ranked[1]] < CLEAR_LEAD:
        return None
    return ranked[0] if ranked else None


def readings_as_utf8(text: str) -> Iterator[str]:
    """All readings of a text that was UTF-8 and was misread once or twice."""
    for once, _ in _read_as_utf8(text):
        yield once
        for twice, _ in _read_as_utf8(once):
            yield twice


def _read_as_utf8(text: str) -> Iterator[tuple[str, Callable[[str], bool]]]:
    for source in _byte_strings(text):
        if not _LEAD_AND_NEXT.search(source.raw):
            continue
        with suppress(UnicodeDecodeError):
            decoded = source.raw.decode("utf-8")
            if not decoded.isascii():
                yield decoded, source.is_believable


def _all_latin(text: str) -> bool:
    return all(map(_is_latin, text))


def _is_latin(char: str) -> bool:
    """A letter or sign of European text, or a Vietnamese tone mark."""
    if " " <= char <= "~":
        return True
    letter = char.isalpha() and (char <= "\u024f" or "\u1e00" <= char <= "\u1eff")
    return letter or char in TONE_MARKS[1:] or char == "\u2019"


_WORD = re.compile(r"[^\W\d_]+")


def _has_small_among_capitals(text: str) -> bool:
    """Whether the misread text was put into capitals, which changes some of its bytes: CHíNH."""
    near = zip(f" {text}", text, f"{text[1:]} ", strict=False)
    return any(
        not c.isascii() and c.islower() and before.isupper() and after.isupper()
        for before, c, after in near
    )


def _reads_as_vietnamese(text: str) -> bool:
    """Whether it has no letters but Vietnamese ones, and most accented words are syllables.

    For rare encodings, valid bytes are not enough evidence: ÓŁ of a Polish name are bytes that
    UTF-8 could have.
    """
    words = [word for word in _WORD.findall(text.lower()) if not word.isascii()]
    letters = all(c.isascii() or c in VIETNAMESE_LETTERS or c == "\u00a0" for c in text.lower())
    syllables = sum(standard_syllable(word) is not None for word in words)
    return letters and 2 * syllables > len(words) and not _has_small_among_capitals(text)


# --- what remains where it cannot be undone -------------------------------------------------------


_NO_NAMES_LETTERS = frozenset("ªºƒƑµ")


def _remains(letter: str, encoding: str) -> dict[str, str]:
    """What the first two bytes of an accented letter look like, in any case.

    Two letters in a row are no sign of it (a name may end in áť), unless the letter of a third byte
    follows, or no language has the two beside each other (Ã and Š).

    Returns:
        By two characters, those of which one must follow them; empty where the two are enough.
    """
    raw = letter.encode()
    shown = raw[:2].decode(encoding, "ignore")
    if len(shown) < 2 or " " in shown or "\u00a0" in shown:
        return {}  # A space between words stands beside capitals, too.
    cased = {shown, shown.lower(), shown.upper()}
    if shown[0] == "Ã" and shown[1] > "\xff":
        return dict.fromkeys(cased, "")
    if not all(c.isalpha() and c not in _NO_NAMES_LETTERS for c in shown):
        return dict.fromkeys(cased, "")
    if len(raw) < 3 or max(shown) > "\u024f":
        return {}
    return dict.fromkeys(cased, _shown_as(0x80, 0xBF, (encoding,)))


@cache
def _all_remains() -> dict[str, str]:
    letters = {c for low in VIETNAMESE_LETTERS for c in (low, low.upper()) if not c.isascii()}
    found: dict[str, str] = {}
    for encoding in (*_COMMON, *_OTHERS):
        for letter in letters:
            for pair, thirds in _remains(letter, encoding).items():
                known = found.get(pair, thirds)
                found[pair] = known + thirds if known and thirds else ""
    return found


@cache
def remains_pattern() -> str:
    """Two or three characters that are the remains of one Vietnamese letter's UTF-8.

    They are never found in a name, nor in a Vietnamese encoding: two letters of this kind would be
    two accented vowels there, and only ươ has two.
    """
    pairs = sorted(_all_remains().items())
    return "|".join(re.escape(pair) + (f"[{third}]" if third else "") for pair, third in pairs)


def has_remains(text: str) -> bool:
    """Whether ``remains_pattern`` is found in a text; quicker than the pattern."""
    if not TWO_BYTES.search(text):
        return False
    remains = _all_remains()
    for at in range(len(text) - 1):
        thirds = remains.get(text[at : at + 2])
        if thirds is not None and (not thirds or text[at + 2 : at + 3] in set(thirds)):
            return True
    return False
