"""Names, plain numbers and plain dates by the column, as Arrow and numpy operations.

Belongs here: splitting a column into tokens, looking each distinct token up once, putting the
columns together again; recognising numbers and dates that are right as they stand. Does not belong
here: any rule. Rows that need one are handed to ``names``, ``parse_number`` or
``parse_birth`` one by one, so both paths give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.normalise import names, words
from etl.normalise.births import EARLIEST_YEAR, placeholders
from etl.normalise.digits import ascii_lookalikes, stand_ins, this_year
from etl.normalise.legacy import SMALL_LETTER, SPLIT_A
from etl.normalise.legacy_columns import Array, Booleans, Integers, decode_names
from etl.normalise.notes import NAME_NOTE_BIT, joined
from etl.normalise.numbers import Field
from etl.normalise.places import places

COLUMNS = ("canonical", "name_key", "notes", "reject")
_INVISIBLE_BIT = NAME_NOTE_BIT["invisible_characters"]
_SPACES_BIT = NAME_NOTE_BIT["spaces"]


class _Rows(NamedTuple):
    """Rows of the dictionary, some of them not settled yet.

    Attributes:
        columns: Canonical, key, reject.
        mask: The bits of the notes, and of the care that a row still needs.
    """

    columns: list[Array]
    mask: Integers

    @property
    def unsettled(self) -> Booleans:
        """The rows that still need care."""
        found: Booleans = (self.mask & words.CARE) != 0
        return found

    def taken(self, where: Integers) -> _Rows:
        """Some of the rows."""
        indices = pa.array(where)
        return _Rows([column.take(indices) for column in self.columns], self.mask[where])

    def replaced(self, where: Integers, others: _Rows) -> _Rows:
        """These rows, with others in some of the places."""
        if not len(where):
            return self
        mask = self.mask.copy()
        mask[where] = others.mask
        chosen = np.zeros(len(mask), np.bool_)
        chosen[where] = True
        columns = [
            pc.replace_with_mask(column, pa.array(chosen), other)
            for column, other in zip(self.columns, others.columns, strict=True)
        ]
        return _Rows(columns, mask)


def resolve_column(raw: Array) -> list[Array]:
    """The dictionary columns for a column of names.

    Args:
        raw: A string array; nulls allowed.

    Returns:
        One array per name in ``COLUMNS``.
    """
    if not len(raw):
        return [pa.array([], pa.string()) for _ in COLUMNS]
    rows = _looked_up(raw)
    where = np.flatnonzero(rows.unsettled)
    rows = rows.replaced(where, _settled(raw.take(pa.array(where)), rows.taken(where)))
    *columns, reject = rows.columns
    return [*columns, _notes(rows.mask & words.NOTE_MASK), reject]


def _looked_up(raw: Array) -> _Rows:
    """Every row, looked up as if all its words were plain; the mask marks rows where one is not."""
    text = raw.fill_null("")
    lists = pc.split_pattern(text, " ")
    offsets = lists.offsets.to_numpy()
    encoded = lists.flatten().dictionary_encode()
    codes = encoded.indices.to_numpy()
    tokens = [words.look_up(token) for token in encoded.dictionary.to_pylist()]
    masks = np.array([token.mask for token in tokens], np.int64)
    canonical = pa.array([token.canonical for token in tokens], pa.string()).take(encoded.indices)
    keys = pa.array([token.key for token in tokens], pa.string()).take(encoded.indices)

    mask = np.bitwise_or.reduceat(masks[codes], offsets[:-1])
    surname_bare = np.array([words.is_bare_surname(token.key) for token in tokens])
    bare = surname_bare[codes[offsets[:-1]]] & pc.string_is_ascii(text).to_numpy(False)
    mask[bare] |= words.UNACCENTED
    opening = (masks[codes[offsets[:-1]]] & words.OPENING) != 0
    mask[opening | words.is_out_of_place(mask)] |= words.CLEANING
    long = pc.greater(pc.utf8_length(text), words.MAX_NAME_LENGTH).to_numpy(False)
    mask[long] |= words.CLEANING
    return _Rows(
        [_joined(canonical, offsets), _joined(keys, offsets), pa.nulls(len(raw), pa.string())], mask
    )


def _joined(tokens: Array, offsets: np.ndarray[Any, Any]) -> Array:
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), tokens)
    return pc.binary_join(lists, " ")


def _settled(raw: Array, rows: _Rows) -> _Rows:
    """Settles the rows that a look-up of words left open: by the column, then one by one."""
    rows = _improved(raw, rows, lambda text, _: _after_tidying(text))
    rows = _improved(raw, rows, _after_decoding)
    return _improved(raw, rows, lambda text, _: _after_care(text))


def _improved(raw: Array, rows: _Rows, step: Callable[[Array, _Rows], _Rows]) -> _Rows:
    """The rows, with those still open replaced by the result of a step."""
    where = np.flatnonzero(rows.unsettled)
    if not len(where):
        return rows
    return rows.replaced(where, step(raw.take(pa.array(where)), rows.taken(where)))


def _after_tidying(raw: Array) -> _Rows:
    """Rows looked up again without stray spaces and invisible characters."""
    short = pc.less_equal(pc.utf8_length(raw), names.MAX_PADDED_LENGTH)
    text = pc.if_else(short, raw, "").fill_null("")
    visible = pc.replace_substring_regex(text, names.INVISIBLE.pattern, "")
    tidy = pc.replace_substring_regex(visible, names.ODD_SPACES.pattern, " ")
    tidy = pc.utf8_trim(pc.replace_substring_regex(tidy, "  +", " "), " ")
    again = _looked_up(tidy)
    extra = np.where(pc.not_equal(visible, text).to_numpy(False), _INVISIBLE_BIT, 0)
    extra |= np.where(pc.not_equal(tidy, visible).to_numpy(False), _SPACES_BIT, 0)
    split = pc.match_substring_regex(text, SPLIT_A.pattern).to_numpy(False)
    if split.any():
        split = split & pc.match_substring_regex(text, SMALL_LETTER.pattern).to_numpy(False)
        extra |= np.where(split, words.CLEANING, 0)
    return again._replace(mask=again.mask | extra)


def _after_decoding(raw: Array, rows: _Rows) -> _Rows:
    """Rows that are plain after decoding, or whose text is in order and no mojibake."""
    text = raw.fill_null("")
    decoded = decode_names(text)
    again = _looked_up(decoded.texts)
    plain = np.flatnonzero(~again.unsettled)
    unchanged = pc.equal(rows.columns[0], text).to_numpy(False)
    settled = rows.mask & (words.CLEANING | words.LONE_WORD) == 0
    as_stored = decoded.readable_as_stored & unchanged & settled
    rows.mask[as_stored] &= words.NOTE_MASK
    again = again._replace(mask=again.mask | decoded.notes)
    return rows.replaced(plain, again.taken(plain))


def _after_care(raw: Array) -> _Rows:
    """Rows understood one by one."""
    resolved = [
        names.resolve_unsettled(text) if text is not None else names.rejected_name("name_missing")
        for text in raw.to_pylist()
    ]
    columns = zip(*[(row.canonical, row.key, row.reject) for row in resolved], strict=True)
    mask = np.array([row.mask for row in resolved], np.int64)
    return _Rows([pa.array(column, pa.string()) for column in columns], mask)


def _notes(mask: Integers) -> Array:
    """The notes as text."""
    distinct, inverse = np.unique(mask, return_inverse=True)
    return pa.array([joined(int(m)) for m in distinct], pa.string()).take(pa.array(inverse))


# --- numbers --------------------------------------------------------------------------------------

_KIND_BY_LENGTH: dict[str, dict[int, str]] = {
    "id": {9: "cmnd", 12: "personal"},
    "insurance": {10: "insurance", 12: "personal"},
    "card": {10: "insurance", 12: "personal"},
    "personal": {12: "personal"},
}
_WARNINGS = pa.array(
    ["", "unknown_place_code", "century_in_future", "unknown_place_code;century_in_future"]
)


def plain_kinds(raw: Array, field: Field) -> Array:
    """The kind of each number that is whole as it stands: so many digits, and no stand-in.

    Args:
        raw: A string array; nulls allowed.
        field: As for ``parse_number``.

    Returns:
        Kinds; null where ``parse_number`` must look.
    """
    text = raw.fill_null("")
    digits = pc.and_(pc.match_substring_regex(text, "^[0-9]+$"), pc.invert(_is_stand_in(text)))
    kinds = pa.nulls(len(raw), pa.string())
    for length, kind in _KIND_BY_LENGTH[field].items():
        kinds = pc.if_else(pc.and_(digits, pc.equal(pc.utf8_length(text), length)), kind, kinds)
    return kinds


def number_warnings(numbers: Array, kinds: Array) -> Array:
    """What is odd about the structure of each personal number, ``;`` between."""
    personal = pc.equal(kinds, "personal").fill_null(False)
    unknown = pc.and_(personal, pc.invert(_known_place(numbers)))
    future = pc.and_(personal, pc.invert(_known_century(numbers)))
    bits = unknown.to_numpy(False) + 2 * future.to_numpy(False)
    return _WARNINGS.take(pa.array(bits, pa.int8()))


def _known_place(digits: Array) -> Array:
    return pc.is_in(pc.utf8_slice_codeunits(digits, 0, 3), pa.array(list(places())))


@cache
def _stand_ins() -> Array:
    return pa.array(list(stand_ins()), pa.string())


def _is_stand_in(text: Array) -> Array:
    return pc.is_in(text, _stand_ins())


def _possible_person(digits: Array) -> Array:
    """Whether somebody born by now can have a personal number: see ``numbers``."""
    born = [
        f"{century}{year:02d}"
        for century in range(4)
        for year in range(100)
        if 1900 + 100 * (century // 2) + year <= this_year()
    ]
    known = pc.is_in(pc.utf8_slice_codeunits(digits, 3, 6), pa.array(born))
    return pc.and_(_known_place(digits), known)


def _known_century(digits: Array) -> Array:
    return pc.is_in(pc.utf8_slice_codeunits(digits, 3, 4), pa.array(list("0123")))


# In the order in which ``parse_number`` makes them.
_REPAIRS = ("apostrophe", "decimal_point", "separators", "letter_for_digit", "lost_zeros")
_REPAIR_NOTES = pa.array(
    [
        ";".join(repair for bit, repair in enumerate(_REPAIRS) if code >> bit & 1)
        for code in range(1 << len(_REPAIRS))
    ]
)
# Printable ASCII, and neither an identity card's QR text nor two numbers in one cell.
_SIMPLE = "^[ -{}~]{1,18}$"
_FEW_LETTERS = "^(?:[0-9]*[A-Za-z]){1,3}[0-9]*$"
_ELEVEN_DIGITS = "^[1-9][0-9]{10}$"
_CARD_LETTERS = "^[A-Z]{2}"


class RepairedNumbers(NamedTuple):
    """Numbers after the repairs that leave no choice, and which rows those are.

    Attributes:
        kinds: Kinds; null where ``parse_number`` must look.
        numbers: Digits; null there, too.
        repairs: What was done, ``;`` between.
    """

    kinds: Array
    numbers: Array
    repairs: Array


def repaired_numbers(raw: Array, field: Field) -> RepairedNumbers:
    """Numbers that would be plain but for the commonest slips: see ``_REPAIRS``.

    Args:
        raw: A string array; nulls allowed.
        field: As for ``parse_number``.
    """
    simple = pc.match_substring_regex(raw, _SIMPLE)
    text = pc.utf8_trim(pc.if_else(simple, raw, "").fill_null(""), " ")
    done = np.zeros(len(raw), np.int64)
    for bit, repaired in enumerate(_REPAIRERS):
        before, text = text, repaired(text)
        done |= pc.not_equal(before, text).to_numpy(False).astype(np.int64) << bit
    kinds = plain_kinds(text, field)
    return RepairedNumbers(
        kinds,
        pc.if_else(pc.is_valid(kinds), text, pa.scalar(None, pa.string())),
        _REPAIR_NOTES.take(pa.array(done)),
    )


def _changed(text: Array, pattern: str, change: Callable[[Array], Array]) -> Array:
    """The texts, with those that match a pattern changed; most do not match, and cost nothing."""
    matching = pc.match_substring_regex(text, pattern)
    return pc.replace_with_mask(text, matching, change(text.filter(matching)))


def _letters_read(text: Array) -> Array:
    """Look-alike letters as the digits that they stand for, where that gives a whole number."""
    read = upper = pc.utf8_upper(text)
    for character, digit in ascii_lookalikes().items():
        read = pc.replace_substring(read, character, digit)
    card = pc.match_substring_regex(upper, _CARD_LETTERS)
    person = pc.and_(pc.match_substring_regex(read, "^[0-9]{12}$"), _possible_person(read))
    short = pc.and_(
        pc.match_substring_regex(read, "^[0-9]{9,10}$"), pc.match_substring_regex(text, "^[0-9]")
    )
    return pc.if_else(pc.or_(pc.and_(person, pc.invert(card)), short), read, text)


def _zero_restored(text: Array) -> Array:
    """Eleven digits with the zero that a spreadsheet dropped, if that can be a person's number."""
    whole = pc.binary_join_element_wise("0", text, "")
    lost = pc.and_(_possible_person(whole), pc.invert(_is_stand_in(text)))
    return pc.if_else(lost, whole, text)


_REPAIRERS: tuple[Callable[[Array], Array], ...] = (
    lambda text: pc.utf8_trim(text, "'\"`= "),
    lambda text: pc.replace_substring_regex(text, "([0-9])[.,]0{1,2}$", r"\1"),
    lambda text: pc.replace_substring_regex(text, r"[ .\-_/,:]+", ""),
    lambda text: _changed(text, _FEW_LETTERS, _letters_read),
    lambda text: _changed(text, _ELEVEN_DIGITS, _zero_restored),
)


# --- birth dates ----------------------------------------------------------------------------------

_DAY_FIRST = "^([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})$"
_MIDNIGHT = "[ T]00:00:00$"
_FORMS = (
    (_DAY_FIRST, r"\3-\2-\1"),
    ("^([0-9]{4})([0-9]{2})([0-9]{2})$", r"\1-\2-\3"),
    ("^([0-9]{4})[/.]([0-9]{1,2})[/.]([0-9]{1,2})$", r"\1-\2-\3"),
)
_WRITTEN = "^(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})$"
_YEAR = "^(?P<year>[0-9]{4})$"
_DATE_NOTES = np.array(
    ["", "day_month_could_swap", "filler_suspected",
     "time_dropped", "time_dropped;day_month_could_swap", "time_dropped;filler_suspected"],
    dtype=object,
)  # fmt: skip


class PlainBirths(NamedTuple):
    """Dates that are right as they stand, and which rows those are.

    Attributes:
        columns: Date, year, month, precision, notes; null where ``parse_birth`` must look.
        plain: The rows that are answered.
    """

    columns: list[Array]
    plain: np.ndarray[Any, np.dtype[np.bool_]]


def plain_births(raw: Array, today: date) -> PlainBirths:
    """Full dates with a year of four digits, and bare years, where nothing is wrong with them.

    Args:
        raw: A string array; nulls allowed.
        today: As for ``parse_birth``.
    """
    text = pc.replace_substring_regex(raw, _MIDNIGHT, "")
    day_first = _true(pc.match_substring_regex(text, _DAY_FIRST))
    timed = _true(pc.not_equal(text, raw))
    for form, rewritten in _FORMS:
        text = pc.replace_substring_regex(text, form, rewritten)
    year, month, day = _integers(text, _WRITTEN, ("year", "month", "day"))
    found = _days(year, month, day)
    full = (found >= np.datetime64(date(EARLIEST_YEAR, 1, 1))) & _possible(found, today)
    swap = day_first & (day <= 12) & (day != month)
    notes = _DATE_NOTES[3 * timed + np.where(swap, 1, 2 * ((day == 1) & (month == 1)))]

    (bare,) = _integers(raw, _YEAR, ("year",))
    first = _days(bare, np.ones_like(bare), np.ones_like(bare))
    only_year = (bare >= EARLIEST_YEAR) & _possible(first, today)
    plain = full | only_year
    precision = np.where(full, "day", "year").astype(object)
    return PlainBirths(
        [
            pa.array(found, pa.date32(), mask=~full),
            pa.array(np.where(full, year, bare), pa.int32(), mask=~plain),
            pa.array(month, pa.int32(), mask=~full),
            pa.array(precision, pa.string(), mask=~plain),
            pa.array(np.where(full, notes, ""), pa.string(), mask=~plain),
        ],
        plain,
    )


def _true(booleans: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    found: np.ndarray[Any, np.dtype[np.bool_]] = booleans.fill_null(False).to_numpy(False)
    return found


def _integers(text: Array, pattern: str, parts: tuple[str, ...]) -> list[np.ndarray[Any, Any]]:
    """The named parts as numbers, 0 where the text has another form."""
    found = pc.extract_regex(text, pattern)
    return [
        pc.struct_field(found, part).cast(pa.int32()).fill_null(0).to_numpy(False) for part in parts
    ]


def _days(
    year: np.ndarray[Any, Any], month: np.ndarray[Any, Any], day: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Dates; not-a-date where the day does not exist, or where month or day is missing."""
    months = (year - 1970).astype("M8[Y]").astype("M8[M]") + (month - 1)
    days = months.astype("M8[D]") + (day - 1)
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (days.astype("M8[M]") == months)
    return np.where(exists, days, np.datetime64("NaT"))


def _possible(days: np.ndarray[Any, Any], today: date) -> np.ndarray[Any, np.dtype[np.bool_]]:
    refused = [np.datetime64(value) for value in placeholders() if value.startswith(("18", "19"))]
    return (days <= np.datetime64(today)) & ~np.isin(days, refused)
