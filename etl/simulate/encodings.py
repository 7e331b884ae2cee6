"""How Vietnamese text looks after it went through the wrong encoding.

Belongs here: tables and functions from correct text to what a register then shows. They work on
many lines at once, joined by newlines. Does not belong here: which record is hit. Nothing is shared
with ``etl/normalise``, so that the repair is tested against tables that are not its own.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_LETTERS = "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ"
_TCVN3 = "µ¸¶·¹¨»¾¼½Æ©ÇÊÈÉË®ÌÐÎÏÑªÒÕÓÔÖ×ÝØÜÞßãáâä«åèæçé¬êíëìîïóñòô\xadõøö÷ùúýûüþ"
_TCVN3_CAPITALS = {"Ă": "¡", "Â": "¢", "Ê": "£", "Ô": "¤", "Ơ": "¥", "Ư": "¦", "Đ": "§"}
_VNI = [
    "aø",
    "aù",
    "aû",
    "aõ",
    "aï",
    "aê",
    "aè",
    "aé",
    "aú",
    "aü",
    "aë",
    "aâ",
    "aà",
    "aá",
    "aå",
    "aã",
    "aä",
    "ñ",
    "eø",
    "eù",
    "eû",
    "eõ",
    "eï",
    "eâ",
    "eà",
    "eá",
    "eå",
    "eã",
    "eä",
    "ì",
    "í",
    "æ",
    "ó",
    "ò",
    "oø",
    "où",
    "oû",
    "oõ",
    "oï",
    "oâ",
    "oà",
    "oá",
    "oå",
    "oã",
    "oä",
    "ô",
    "ôø",
    "ôù",
    "ôû",
    "ôõ",
    "ôï",
    "uø",
    "uù",
    "uû",
    "uõ",
    "uï",
    "ö",
    "öø",
    "öù",
    "öû",
    "öõ",
    "öï",
    "yø",
    "yù",
    "yû",
    "yõ",
    "î",
]
_VIQR_MARKS = {
    "\u0306": "(",
    "\u0302": "^",
    "\u031b": "+",
    "\u0300": "`",
    "\u0301": "'",
    "\u0309": "?",
    "\u0303": "~",
    "\u0323": ".",
}


@cache
def _tcvn3_table() -> dict[int, str]:
    """Capitals with a tone mark have no byte of their own and take that of the small letter."""
    table = dict(zip(_LETTERS, _TCVN3, strict=True))
    table |= {letter.upper(): byte for letter, byte in table.items()} | _TCVN3_CAPITALS
    return str.maketrans(table)


@cache
def _vni_table() -> dict[int, str]:
    table = dict(zip(_LETTERS, _VNI, strict=True))
    table |= {letter.upper(): pair.upper() for letter, pair in table.items()}
    return str.maketrans(table)


@cache
def _viqr_table() -> dict[int, str]:
    """Writes the mark of the vowel before the mark of the tone."""
    order = list(_VIQR_MARKS)

    def sign(letter: str) -> str:
        if letter in "đĐ":
            return "dd" if letter == "đ" else "DD"
        parts = unicodedata.normalize("NFD", letter)
        return parts[0] + "".join(_VIQR_MARKS[mark] for mark in sorted(parts[1:], key=order.index))

    return str.maketrans({letter: sign(letter) for letter in _LETTERS + _LETTERS.upper()})


@cache
def _unaccented_table() -> dict[int, str]:
    plain = {
        letter: unicodedata.normalize("NFD", letter)[0] for letter in _LETTERS + _LETTERS.upper()
    }
    return str.maketrans(plain | {"đ": "d", "Đ": "D"})


def tcvn3(text: str) -> str:
    """Returns the TCVN3 (ABC) bytes of the text, read as Latin-1."""
    return text.translate(_tcvn3_table())


def vni(text: str) -> str:
    """Returns the VNI bytes of the text, read as Latin-1."""
    return text.translate(_vni_table())


def viqr(text: str) -> str:
    """Returns the text in VIQR."""
    return text.translate(_viqr_table())


def unaccented(text: str) -> str:
    """Returns the text without accents, Đ as D; letters of other languages keep theirs."""
    return text.translate(_unaccented_table())


def decomposed(text: str) -> str:
    """Returns the text in NFD."""
    return unicodedata.normalize("NFD", text)


def eth(text: str) -> str:
    """Returns the text with the Icelandic eth in place of Đ."""
    return text.translate({0x110: "\u00d0", 0x111: "\u00f0"})


def double_utf8(text: str) -> str:
    """Returns the UTF-8 bytes of the text, read as Windows-1252.

    The five bytes that Windows-1252 does not define become control characters, as in browsers.
    """
    return text.encode().decode("latin-1").translate(_windows_1252_table())


@cache
def _windows_1252_table() -> dict[int, str]:
    return {
        byte: bytes([byte]).decode("cp1252", "replace")
        for byte in range(0x80, 0xA0)
        if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
    }


_OLD_TONES = [
    "òa",
    "óa",
    "ỏa",
    "õa",
    "ọa",
    "òe",
    "óe",
    "ỏe",
    "õe",
    "ọe",
    "ùy",
    "úy",
    "ủy",
    "ũy",
    "ụy",
]
_NEW_TONES = [
    "oà",
    "oá",
    "oả",
    "oã",
    "oạ",
    "oè",
    "oé",
    "oẻ",
    "oẽ",
    "oẹ",
    "uỳ",
    "uý",
    "uỷ",
    "uỹ",
    "uỵ",
]


@cache
def _tone_pairs() -> tuple[re.Pattern[str], dict[str, str]]:
    swap: dict[str, str] = {}
    for old, new in zip(_OLD_TONES, _NEW_TONES, strict=True):
        for case in (str, str.upper, str.capitalize):
            swap[case(old)], swap[case(new)] = case(new), case(old)
    return re.compile(rf"(?:{'|'.join(swap)})(?!\w)"), swap


def other_tone_style(text: str) -> str:
    """Returns the text with the tone of oa, oe, uy at a syllable's end moved to the other vowel."""
    pattern, swap = _tone_pairs()
    return pattern.sub(lambda match: swap[match[0]], text)


_I_AND_Y = dict(zip("iìíỉĩịyỳýỷỹỵ", "yỳýỷỹỵiìíỉĩị", strict=True))
_OPEN_SYLLABLE = re.compile(r"\b(h|k|l|m|s|t|v|th|qu)([iìíỉĩịyỳýỷỹỵ])\b", re.IGNORECASE)


def other_i_or_y(text: str) -> str:
    """Returns the text with i for y and y for i at the end of open syllables, but not in Thị."""

    def swap(match: re.Match[str]) -> str:
        if match[0].lower() == "thị":
            return match[0]
        letter = match[2]
        other = _I_AND_Y[letter.lower()]
        return match[1] + (other if letter.islower() else other.upper())

    return _OPEN_SYLLABLE.sub(swap, text)
