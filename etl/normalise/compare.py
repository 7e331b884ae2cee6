"""How alike two names or two birth dates are, as a level with a meaning.

Belongs here: the levels that mismatch codes and the linkage model are made of. Does not belong
here: reading a single value (``names``, ``births``), or any decision to link.

The first level that holds is the answer, from closest to furthest.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Literal, NamedTuple

from etl.normalise.births import ParsedBirth, parse_birth
from etl.normalise.names import ParsedName, parse_name
from etl.normalise.syllables import fold_iy_accented, standard_syllable, unaccent

NameLevel = Literal[
    "same", "format", "iy_variant", "unaccented", "middle_missing", "abbreviated", "reordered",
    "one_edit", "similar", "different", "missing",
]  # fmt: skip
BirthLevel = Literal[
    "same", "consistent", "day_month_swapped", "year_off_by_one", "one_digit", "different",
    "missing",
]  # fmt: skip

SIMILAR_FROM = 0.8
_MAX_COMPARED = 100
# A letter that differs only in its accent is half a difference.
_ACCENT_COST = 0.5


class NameComparison(NamedTuple):
    """The outcome of comparing two names.

    Attributes:
        level: The closest level that holds.
        score: Share of letters in common, from 0 to 1; 1 wherever only the writing differs.
    """

    level: NameLevel
    score: float


class _Pair:
    """Two usable names, and the forms of them that the levels look at."""

    def __init__(self, left: ParsedName, right: ParsedName) -> None:
        self.names = (str(left.canonical).lower(), str(right.canonical).lower())

    @cached_property
    def accents_missing(self) -> bool:
        """One side was typed without accents, so accents cannot be compared."""
        return self.names[0].isascii() != self.names[1].isascii()

    @cached_property
    def words(self) -> tuple[list[str], list[str]]:
        """Syllables with i for y, and without accents where one side has none."""
        left, right = ([fold_iy_accented(w) for w in name.split()] for name in self.names)
        if self.accents_missing:
            return [unaccent(w) for w in left], [unaccent(w) for w in right]
        return left, right

    @cached_property
    def texts(self) -> tuple[str, str]:
        return " ".join(self.words[0]), " ".join(self.words[1])


def _letters(text: str) -> str:
    return text.translate({32: None, 39: None, 45: None})


def _format(pair: _Pair) -> bool:
    """Only spaces, hyphens or apostrophes differ: H'Bung and H Bung, Anhthư and Anh Thư."""
    return _letters(pair.names[0]) == _letters(pair.names[1])


def _iy_variant(pair: _Pair) -> bool:
    return not pair.accents_missing and _letters(pair.texts[0]) == _letters(pair.texts[1])


def _unaccented(pair: _Pair) -> bool:
    """One side lacks its accents: all of them, or those of syllables that cannot do without."""
    if pair.accents_missing:
        return _letters(pair.texts[0]) == _letters(pair.texts[1])
    left, right = pair.words
    if len(left) != len(right):
        return False
    return all(a == b or _is_bare_form(a, b) for a, b in zip(left, right, strict=True))


def _is_bare_form(a: str, b: str) -> bool:
    """Nguyen for Nguyễn, but not Hoa for Hòa: the bare form must be no syllable of its own."""
    bare = a if a.isascii() else b
    if unaccent(a) != unaccent(b) or not bare.isascii():
        return False
    return standard_syllable(bare) is None


def _middle_missing(pair: _Pair) -> bool:
    short, long = sorted(pair.words, key=len)
    if len(short) < 2 or len(short) == len(long):
        return False
    rest = iter(long)
    ends_agree = short[0] == long[0] and short[-1] == long[-1]
    return ends_agree and all(word in rest for word in short)


def _is_initial(a: str, b: str) -> bool:
    short, long = sorted((a, b), key=len)
    letters_only_initial = len(short) == 1 or short in ("ng", "ph", "th", "tr", "kh", "nh", "ch")
    return letters_only_initial and len(short) < len(long) and long.startswith(short)


def _abbreviated(pair: _Pair) -> bool:
    left, right = pair.words
    if len(left) != len(right):
        return False
    pairs = list(zip(left, right, strict=True))
    whole = sum(a == b for a, b in pairs)
    return whole > 0 and all(a == b or _is_initial(a, b) for a, b in pairs)


def _reordered(pair: _Pair) -> bool:
    return sorted(pair.words[0]) == sorted(pair.words[1])


def _one_edit(pair: _Pair) -> bool:
    return within_one_edit(*pair.texts)


def within_one_edit(a: str, b: str) -> bool:
    """Whether one letter added, dropped, changed, or swapped with the next makes a into b."""
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return a[start:] == b[start + 1 :]
    swapped = a[start : start + 2] == b[start : start + 2][::-1]
    return a[start + 1 :] == b[start + 1 :] or (swapped and a[start + 2 :] == b[start + 2 :])


def similarity(a: str, b: str) -> float:
    """Share of letters in common, by edit distance; an accent counts half a letter.

    Args:
        a: Lower case, at most 100 letters are looked at.
        b: The same.
    """
    a, b = a[:_MAX_COMPARED], b[:_MAX_COMPARED]
    if not a or not b:
        return 0.0
    plain_a, plain_b = [unaccent(c) for c in a], [unaccent(c) for c in b]
    row = [float(j) for j in range(len(b) + 1)]
    for i, x in enumerate(a):
        diagonal, row[0] = row[0], i + 1.0
        for j, y in enumerate(b):
            cost = 0.0 if x == y else _ACCENT_COST if plain_a[i] == plain_b[j] else 1.0
            best = min(diagonal + cost, row[j] + 1.0, row[j + 1] + 1.0)
            diagonal, row[j + 1] = row[j + 1], best
    return 1.0 - row[-1] / max(len(a), len(b))


_Test = tuple[NameLevel, Callable[[_Pair], bool]]
_WRITING_LEVELS: tuple[_Test, ...] = (
    ("format", _format),
    ("iy_variant", _iy_variant),
    ("unaccented", _unaccented),
)
_CONTENT_LEVELS: tuple[_Test, ...] = (
    ("middle_missing", _middle_missing),
    ("abbreviated", _abbreviated),
    ("reordered", _reordered),
    ("one_edit", _one_edit),
)


def compare_names(a: str | ParsedName | None, b: str | ParsedName | None) -> NameComparison:
    """Compare two names.

    Args:
        a: As recorded, or parsed.
        b: The same. Order does not matter.

    Returns:
        ``same`` (as recorded, too), ``format`` (the same name written differently: case, tone
        style, encoding, spaces), ``iy_variant`` (Lý, Lí), ``unaccented``, ``middle_missing``,
        ``abbreviated``, ``reordered``, ``one_edit``, ``similar``, ``different``, or ``missing``
        when either is unusable; with a score.
    """
    left = a if isinstance(a, ParsedName) else parse_name(a)
    right = b if isinstance(b, ParsedName) else parse_name(b)
    if left.canonical is None or right.canonical is None:
        return NameComparison("missing", 0.0)
    if left.canonical == right.canonical:
        as_recorded = a == b if isinstance(a, str) and isinstance(b, str) else _alike(left, right)
        return NameComparison("same" if as_recorded else "format", 1.0)
    return _compare_different(_Pair(left, right))


def _alike(left: ParsedName, right: ParsedName) -> bool:
    return left.notes == right.notes


def _compare_different(pair: _Pair) -> NameComparison:
    for level, holds in _WRITING_LEVELS:
        if holds(pair):
            return NameComparison(level, 1.0)
    score = similarity(*pair.texts)
    for level, holds in _CONTENT_LEVELS:
        if holds(pair):
            return NameComparison(level, score)
    return NameComparison("similar" if score >= SIMILAR_FROM else "different", score)


# --- birth dates ----------------------------------------------------------------------------------


def compare_births(a: str | ParsedBirth | None, b: str | ParsedBirth | None) -> BirthLevel:
    """Compare two birth dates.

    Args:
        a: As recorded, or parsed.
        b: The same. Order does not matter.

    Returns:
        ``same`` for one full date; ``consistent`` when they agree as far as the less precise goes
        (two equal bare years, too: a year proves no date); ``day_month_swapped``;
        ``year_off_by_one`` with the rest equal; ``one_digit`` of the written date;
        ``different``; ``missing`` when either is unusable.
    """
    left = a if isinstance(a, ParsedBirth) else parse_birth(a)
    right = b if isinstance(b, ParsedBirth) else parse_birth(b)
    if left.year is None or right.year is None:
        return "missing"
    x, y = _common_parts(left, right)
    if x == y:
        return "same" if len(x) == 3 else "consistent"
    return _compare_unequal(x, y)


def _parts(birth: ParsedBirth) -> tuple[int, ...]:
    if birth.date is not None:
        return birth.date.year, birth.date.month, birth.date.day
    return tuple(part for part in (birth.year, birth.month) if part is not None)


def _common_parts(a: ParsedBirth, b: ParsedBirth) -> tuple[tuple[int, ...], tuple[int, ...]]:
    x, y = _parts(a), _parts(b)
    length = min(len(x), len(y))
    return x[:length], y[:length]


def _compare_unequal(x: tuple[int, ...], y: tuple[int, ...]) -> BirthLevel:
    if len(x) == 3 and (x[0], x[1], x[2]) == (y[0], y[2], y[1]):
        return "day_month_swapped"
    if x[1:] == y[1:] and abs(x[0] - y[0]) == 1:
        return "year_off_by_one"
    digits = zip(_digits(x), _digits(y), strict=True)
    return "one_digit" if sum(p != q for p, q in digits) == 1 else "different"


def _digits(parts: tuple[int, ...]) -> str:
    return f"{parts[0]:04d}" + "".join(f"{part:02d}" for part in parts[1:])
