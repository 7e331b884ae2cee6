"""Letters that are lost: what programs leave where they could not write one.

Belongs here: telling a text that lost letters from one that never had them. Does not belong here:
any repair; what is lost is asked of a person, never guessed.
"""

from __future__ import annotations

import re
from functools import cache

from etl.normalise.misread import has_remains, remains_pattern
from etl.normalise.syllables import VIETNAMESE_LETTERS

# SUBSTITUTE is written for what an encoding lacks, the replacement character for unreadable bytes.
_MARK = re.compile("[\x1a\ufffd]")
# Text of two bytes a letter, read as one.
_NUL_BETWEEN = re.compile("[^\\W\\d_]\x00+[^\\W\\d_]")
_LOST_CODE = re.compile("[^\\W\\d_][\x80-\x9f]|[\x80-\x9f][^\\W\\d_]")
# Beside a letter, before a name, or two and more for a word.
_QUESTION = re.compile("[^\\W\\d_][?]|[?][^\\W\\d_]|^[?]+ |(?<!\\S)[?]{2,}(?!\\S)")
_NO_SIGNS = VIETNAMESE_LETTERS | frozenset(" '-.,()/\u2019\u2018\u00a0\u00bf")


@cache
def suspicious_pattern() -> str:
    """A pattern that every text with a letter lost in an encoding matches, and few others."""
    return f"\u00bf|{remains_pattern()}"


def has_marks_of_loss(text: str) -> bool:
    """Whether a text has a character that only stands for lost ones, or half of each letter."""
    if text.isprintable():  # as most are, and of the marks only this one is
        return "\ufffd" in text
    return _MARK.search(text) is not None or _NUL_BETWEEN.search(text) is not None


def has_lost_letters(text: str) -> bool:
    """Whether a text bears the marks of lost letters, whatever encoding the rest is in.

    ``¿`` is what Oracle writes for a letter that an encoding lacks. It is also a letter of three
    Vietnamese encodings: then other signs of them stand beside it.

    Args:
        text: As stored, NFC, and not undone by ``misread.undo_utf8``.
    """
    if has_marks_of_loss(text) or has_remains(text):
        return True
    return "\u00bf" in text and _NO_SIGNS.issuperset(c for c in text.lower() if c > "\x7f")


def has_lost_codes(text: str) -> bool:
    """Whether codes that are no letters stand beside letters, where nothing was decoded."""
    return _LOST_CODE.search(text) is not None


def has_question_marks(text: str) -> bool:
    """Whether question marks stand for letters or words; one behind a name, alone, is a doubt.

    Args:
        text: With single spaces.
    """
    return "?" in text and any(c.isalpha() for c in text) and _QUESTION.search(text) is not None
