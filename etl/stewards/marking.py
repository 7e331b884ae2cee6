"""Where two recorded values differ, letter by letter.

Belongs here: telling the parts that two texts share from those that they do not. Does not belong
here: what a difference means (``etl/normalise/compare.py``), and how it is shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

LONGEST = 300
"""Letters of a text that are compared; an address has fewer."""


class Piece(NamedTuple):
    """A part of a text, and whether the other text has it, too."""

    text: str
    is_shared: bool


def marked(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Splits two texts into what they share, in order, and what they do not.

    Letters are compared as people see them: an accent belongs to its letter, and a capital is the
    same letter. Two numbers of one length are compared digit by digit, because their places matter.

    Args:
        one: A recorded value.
        other: The value beside it.

    Returns:
        The pieces of each text; put together they are the text, in Unicode's composed form.

    Example:
        >>> [piece.text for piece in marked("Hoa", "Hòa")[0] if not piece.is_shared]
        ['o']
    """
    a, b = unicodedata.normalize("NFC", one), unicodedata.normalize("NFC", other)
    letters_a, letters_b = _letters(a[:LONGEST]), _letters(b[:LONGEST])
    ours: list[Piece] = []
    theirs: list[Piece] = []
    for shared, a_from, a_to, b_from, b_to in _parts(letters_a, letters_b):
        _add(ours, "".join(letters_a[a_from:a_to]), is_shared=shared)
        _add(theirs, "".join(letters_b[b_from:b_to]), is_shared=shared)
    _add(ours, a[LONGEST:], is_shared=a[LONGEST:] == b[LONGEST:])
    _add(theirs, b[LONGEST:], is_shared=a[LONGEST:] == b[LONGEST:])
    return ours, theirs


def _parts(a: list[str], b: list[str]) -> Iterator[tuple[bool, int, int, int, int]]:
    """Yields the ranges in which two texts agree, and those in which they do not."""
    one, other = ([letter.casefold() for letter in text] for text in (a, b))
    if len(one) == len(other) and all(letter.isdecimal() for letter in one + other):
        for shared, places in groupby(range(len(one)), lambda at: one[at] == other[at]):
            first, *rest = places
            end = rest[-1] + 1 if rest else first + 1
            yield shared, first, end, first, end
        return
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for kind, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        yield kind == "equal", a_from, a_to, b_from, b_to


def _letters(text: str) -> list[str]:
    """Splits a text into letters with the marks that belong to them."""
    letters: list[str] = []
    for char in text:
        if letters and unicodedata.combining(char):
            letters[-1] += char
        else:
            letters.append(char)
    return letters


def _add(pieces: list[Piece], text: str, *, is_shared: bool) -> None:
    if text:
        pieces.append(Piece(text, is_shared))
