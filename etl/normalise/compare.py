"""How alike two names, two birth dates or two sexes are, as a level with a meaning.

Belongs here: the levels that mismatch codes and the linkage model are made of, for one pair.
Does not belong here: reading a single value (``names``, ``births``), or any decision to link.

The first level that holds is the answer, from closest to furthest. This is the readable reference;
``etl/reconcile/sql/macros.sql`` gives the same levels for whole tables, and
``tests/unit/test_agreement.py`` checks that both agree.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

from etl.domain.codes import BirthLevel, GenderLevel, NameLevel
from etl.normalise.births import ParsedBirth, parse_birth
from etl.normalise.names import ParsedName, parse_name
from etl.normalise.syllables import unaccent
from etl.normalise.values import parse_gender

_MAX_COMPARED = 100
_MIN_SIMILAR = 8
# A letter that differs only in its accent is half a difference.
_ACCENT_COST = 0.5
_MARKS = str.maketrans("", "", " '-")
_I_FOR_Y = str.maketrans("yýỳỷỹỵ", "iíìỉĩị")
_INITIAL = re.compile("[^ ]|ch|kh|ng|nh|ph|th|tr")
# A byte for each Vietnamese letter: DuckDB's edit distance counts bytes, and so does this one.
_LETTER_BYTES = str.maketrans(
    "ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹ",
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!"#$%&()*+,./:;<=>?@[\\]^_`{|}~',
)


class NameComparison(NamedTuple):
    """The outcome of comparing two names.

    Attributes:
        level: The closest level that holds.
        score: Share of letters in common, from 0 to 1; 1 wherever only the writing differs.
    """

    level: NameLevel
    score: float


def compare_names(a: str | ParsedName | None, b: str | ParsedName | None) -> NameComparison:
    """Compare two names.

    Args:
        a: As recorded, or parsed.
        b: The same. Order does not matter.

    Returns:
        A level, with a score. With equal keys: ``same`` (as recorded, too), ``format`` (the same
        name written differently: case, tone style, encoding, apostrophes), ``iy_variant`` (Lý,
        Lí), ``unaccented`` (one side has no accents), ``accents_differ`` (Hoa, Hòa). With
        different keys, accents counted unless one side has none: ``middle_missing``,
        ``abbreviated``, ``reordered``, ``one_edit``, ``similar`` (two edits), ``given_shared``,
        ``surname_shared``, ``different``. ``missing`` when either is unusable.
    """
    left = a if isinstance(a, ParsedName) else parse_name(a)
    right = b if isinstance(b, ParsedName) else parse_name(b)
    if left.canonical is None or right.canonical is None:
        return NameComparison("missing", 0.0)
    if left.canonical == right.canonical:
        as_recorded = a == b if isinstance(a, str) and isinstance(b, str) else _alike(left, right)
        return NameComparison("same" if as_recorded else "format", 1.0)
    pair = _Pair(left, right)
    level = _same_key_level(pair) if left.key == right.key else _words_level(pair)
    only_writing = level in ("format", "iy_variant", "unaccented")
    return NameComparison(level, 1.0 if only_writing else similarity(*pair.texts))


def _alike(left: ParsedName, right: ParsedName) -> bool:
    return left.notes == right.notes


class _Pair:
    """Two usable names, and the forms of them that the levels look at."""

    def __init__(self, left: ParsedName, right: ParsedName) -> None:
        self.names = (str(left.canonical).lower(), str(right.canonical).lower())
        self.keys = (str(left.key), str(right.key))

    @cached_property
    def accents_missing(self) -> bool:
        """One side was typed without accents, so accents cannot be compared."""
        return self.names[0].isascii() != self.names[1].isascii()

    @cached_property
    def texts(self) -> tuple[str, str]:
        return self.keys if self.accents_missing else self.names

    @cached_property
    def words(self) -> tuple[list[str], list[str]]:
        return self.texts[0].split(" "), self.texts[1].split(" ")


# --- names with equal keys ------------------------------------------------------------------------


def _same_key_level(pair: _Pair) -> NameLevel:
    left, right = (name.translate(_MARKS) for name in pair.names)
    if left == right:
        return "format"
    if left.translate(_I_FOR_Y) == right.translate(_I_FOR_Y):
        return "iy_variant"
    return "unaccented" if pair.accents_missing else "accents_differ"


# --- names with different keys --------------------------------------------------------------------


def _words_level(pair: _Pair) -> NameLevel:
    left, right = pair.words
    if _lacks_middle(left, right) or _lacks_middle(right, left):
        return "middle_missing"
    if _is_abbreviation(left, right) or _is_abbreviation(right, left):
        return "abbreviated"
    if sorted(left) == sorted(right):
        return "reordered"
    if left[0] != right[0] and left[-1] != right[-1]:
        # A slip of the keyboard changes at most one end of a name.
        return "different"
    near = _letters_level(*pair.texts)
    return near or ("given_shared" if left[-1] == right[-1] else "surname_shared")


def _lacks_middle(short: list[str], long: list[str]) -> bool:
    """All words of the shorter name stand in the longer one, in the same order, the ends equal."""
    if not 2 <= len(short) < len(long):
        return False
    rest = iter(long)
    ends_agree = short[0] == long[0] and short[-1] == long[-1]
    return ends_agree and all(word in rest for word in short)


def _is_abbreviation(short: list[str], long: list[str]) -> bool:
    """N. V. An for Nguyễn Văn An: initials, then the whole given name."""
    if len(short) != len(long) or short[-1] != long[-1]:
        return False
    return all(
        a == b or (b.startswith(a) and _INITIAL.fullmatch(a))
        for a, b in zip(short, long, strict=True)
    )


def _letters_level(a: str, b: str) -> NameLevel | None:
    left, right = _letter_bytes(a), _letter_bytes(b)
    distance = edits(left, right)
    if distance == 1:
        return "one_edit"
    first, last = ((left.split(b" ")[i], right.split(b" ")[i]) for i in (0, -1))
    long_enough = min(len(a), len(b)) >= _MIN_SIMILAR  # in letters: foreign ones are several bytes
    if distance == 2 and long_enough and _near_word(*first) and _near_word(*last):
        return "similar"
    return None


def _letter_bytes(text: str) -> bytes:
    return text.translate(_LETTER_BYTES).encode()


def _near_word(a: bytes, b: bytes) -> bool:
    """More alike than not: Thắng and Thanh, but not Lan and Mai."""
    return 2 * edits(a, b) < max(len(a), len(b))


def edits(a: bytes, b: bytes) -> int:
    """Letters added, dropped, changed, or swapped with the next (Damerau-Levenshtein)."""
    end = len(a) + len(b)
    table = {(-1, -1): end}
    for i in range(len(a) + 1):
        table[i, -1], table[i, 0] = end, i
    for j in range(len(b) + 1):
        table[-1, j], table[0, j] = end, j
    last_row: dict[int, int] = {}
    for i, x in enumerate(a, 1):
        last_column = 0
        for j, y in enumerate(b, 1):
            row, column = last_row.get(y, 0), last_column
            if x == y:
                last_column = j
            table[i, j] = min(
                table[i - 1, j - 1] + (x != y),
                table[i, j - 1] + 1,
                table[i - 1, j] + 1,
                table[row - 1, column - 1] + (i - row - 1) + 1 + (j - column - 1),
            )
        last_row[x] = i
    return table[len(a), len(b)]


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


# --- birth dates ----------------------------------------------------------------------------------


def compare_births(a: str | ParsedBirth | None, b: str | ParsedBirth | None) -> BirthLevel:
    """Compare two birth dates.

    Args:
        a: As recorded, or parsed.
        b: The same. Order does not matter.

    Returns:
        ``same`` for one full date, ``same_partial`` for one bare year or month. ``consistent``
        when one says less and the rest agrees. Of two full dates: ``filler`` (1 January of the
        other's year: often an unknown day), ``day_month_swapped``, ``year_off_by_one`` with the
        rest equal (bare years, too), ``one_digit`` of the written date, ``part_shared`` (two of
        day, month and year). Else ``different``; ``missing`` when either is unusable.
    """
    left = a if isinstance(a, ParsedBirth) else parse_birth(a)
    right = b if isinstance(b, ParsedBirth) else parse_birth(b)
    if left.year is None or right.year is None:
        return "missing"
    x, y = _parts(left), _parts(right)
    if x == y:
        return "same" if left.date is not None else "same_partial"
    if left.date is not None and right.date is not None:
        return _full_dates_level(x, y)
    return _partial_dates_level(x, y)


def _parts(birth: ParsedBirth) -> tuple[int, ...]:
    if birth.date is not None:
        return birth.date.year, birth.date.month, birth.date.day
    return tuple(part for part in (birth.year, birth.month) if part is not None)


def _partial_dates_level(x: tuple[int, ...], y: tuple[int, ...]) -> BirthLevel:
    if any(p != q for p, q in zip(x[1:], y[1:], strict=False)):
        return "different"
    apart = abs(x[0] - y[0])
    return "consistent" if apart == 0 else "year_off_by_one" if apart == 1 else "different"


def _full_dates_level(x: tuple[int, ...], y: tuple[int, ...]) -> BirthLevel:
    if x[0] == y[0] and (1, 1) in (x[1:], y[1:]):
        return "filler"
    if (x[0], x[1], x[2]) == (y[0], y[2], y[1]):
        return "day_month_swapped"
    if x[1:] == y[1:] and abs(x[0] - y[0]) == 1:
        return "year_off_by_one"
    if sum(p != q for p, q in zip(_digits(x), _digits(y), strict=True)) == 1:
        return "one_digit"
    shared = sum(p == q for p, q in zip(x, y, strict=True))
    return "part_shared" if shared == len(x) - 1 else "different"


def _digits(parts: tuple[int, ...]) -> str:
    return f"{parts[0]:04d}{parts[1]:02d}{parts[2]:02d}"


# --- sex ------------------------------------------------------------------------------------------


def compare_genders(a: str | None, b: str | None) -> GenderLevel:
    """Compare two sexes as recorded: ``missing`` when either is unknown."""
    left, right = parse_gender(a), parse_gender(b)
    if left is None or right is None:
        return "missing"
    return "same" if left == right else "different"
