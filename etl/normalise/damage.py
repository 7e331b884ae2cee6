"""Lost letters: what programs write in place of a letter that they could not write.

Belongs here: telling a text that lost letters from one that never had them. Does not belong here:
any repair; a person is asked for what is lost, it is never guessed.
"""

from __future__ import annotations

import re
from functools import cache

from etl.normalise.misread import has_remains, remains_pattern
from etl.normalise.syllables import VIETNAMESE_LETTERS

# SUBSTITUTE stands for a letter that an encoding lacks, the replacement character for unreadable
# bytes.
_MARK = re.compile("[\x1a\ufffd]")
# Text with two bytes a letter that was read with one byte a letter.
_NUL_BETWEEN = re.compile("[^\\W\\d_]\x00+[^\\W\\d_]")
_LOST_CODE = re.compile("[^\\W\\d_][\x80-\x9f]|[\x80-\x9f][^\\W\\d_]")
# A question mark beside a letter or before a name, or two and more in place of a word.
_QUESTION = re.compile("[^\\W\\d_][?]|[?][^\\W\\d_]|^[?]+ |(?<!\\S)[?]{2,}(?!\\S)")
_NO_SIGNS = VIETNAMESE_LETTERS | frozenset(" '-.,()/\u2019\u2018\u00a0\u00bf")


@cache
def suspicious_pattern() -> str:
    """A pattern that every text with a letter lost in an encoding matches, and few others."""
    return f"\u00bf|{remains_pattern()}"


def has_marks_of_loss(text: str) -> bool:
    """Whether a text has a character that only stands for lost ones, or half of each letter."""
    if text.isprintable():  # as most texts are; of the marks, only this one is printable
        return "\ufffd" in text
    return _MARK.search(text) is not None or _NUL_BETWEEN.search(text) is not None


def has_lost_letters(text: str) -> bool:
    """Whether a text bears the marks of lost letters, whatever encoding the rest is in.

    ``¿`` is what Oracle writes for a letter that an encoding lacks. It is also a letter of three
    Vietnamese encodings: in these, it stands beside other signs of that encoding.

    Args:
        text: As stored, NFC, and not undone by ``misread.undo_utf8``.
    """
    if has_marks_of_loss(text) or has_remains(text):
        return True
    return "\u00bf" in text and _NO_SIGNS.issuperset(c for c in text.lower() if c > "\x7f")


def has_lost_codes(text: str) -> bool:
    """Whether a text that was not decoded has control codes beside letters."""
    return _LOST_CODE.search(text) is not None


def has_question_marks(text: str) -> bool:
    """Whether question marks stand for letters or words; a lone one after a space does not.

    Args:
        text: With single spaces.
    """
    return "?" in text and any(c.isalpha() for c in text) and _QUESTION.search(text) is not None
