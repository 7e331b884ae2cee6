"""Names and plain numbers by the column, as Arrow and numpy operations.

Belongs here: splitting a column into tokens, looking each distinct token up once, putting the
columns together again; telling numbers that need no repair. Does not belong here: any rule. Rows
that need one are handed to ``names.resolve`` or ``parse_number`` one by one, so both paths give the
same rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.normalise import names
from etl.normalise.notes import NAME_NOTE_BIT, joined
from etl.normalise.numbers import Field, stand_ins
from etl.normalise.places import places

COLUMNS = ("canonical", "name_key", "surname", "middle", "given", "notes", "reject")
_INVISIBLE_BIT = NAME_NOTE_BIT["invisible_characters"]
_SPACES_BIT = NAME_NOTE_BIT["spaces"]

Array = Any  # pyarrow ships no types


class _Rows(NamedTuple):
    """Columns of names, with the note bits as numbers, and which rows still need care."""

    columns: list[Array]
    mask: np.ndarray[Any, np.dtype[np.int64]]
    care: np.ndarray[Any, np.dtype[np.bool_]]


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
    rows = _after_tidying(raw, rows)
    return _after_care(raw, rows)


def _looked_up(raw: Array) -> _Rows:
    """Every row as if all its tokens were plain; ``care`` marks those where one is not."""
    text = raw.fill_null("")
    lists = pc.split_pattern(text, " ")
    offsets = lists.offsets.to_numpy()
    encoded = lists.flatten().dictionary_encode()
    codes = encoded.indices.to_numpy()
    tokens = [names.look_up(token) for token in encoded.dictionary.to_pylist()]
    masks = np.array([token.mask for token in tokens], np.int64)
    canonical = pa.array([token.canonical for token in tokens], pa.string()).take(encoded.indices)
    keys = pa.array([token.key for token in tokens], pa.string()).take(encoded.indices)

    mask = np.bitwise_or.reduceat(masks[codes], offsets[:-1])
    surname_bare = np.array([names.is_bare_surname(token.key) for token in tokens])
    bare = surname_bare[codes[offsets[:-1]]] & pc.string_is_ascii(text).to_numpy(False)
    mask[bare] |= names.UNACCENTED
    care = (mask & names.CARE) != 0
    care |= pc.greater(pc.utf8_length(text), names.MAX_NAME_LENGTH).to_numpy(False)
    return _Rows(_assembled(canonical, keys, offsets), mask & names.NOTE_MASK, care)


def _assembled(canonical: Array, keys: Array, offsets: np.ndarray[Any, Any]) -> list[Array]:
    first, last = offsets[:-1], offsets[1:] - 1
    lengths = last - first + 1
    surname = pc.if_else(pa.array(lengths > 1), canonical.take(pa.array(first)), "")
    between = np.ones(len(canonical), np.bool_)
    between[first] = between[last] = False
    middle_offsets = np.concatenate(([0], np.cumsum(np.maximum(lengths - 2, 0))))
    return [
        _joined(canonical, offsets),
        _joined(keys, offsets),
        surname,
        _joined(canonical.filter(pa.array(between)), middle_offsets),
        canonical.take(pa.array(last)),
    ]


def _joined(tokens: Array, offsets: np.ndarray[Any, Any]) -> Array:
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), tokens)
    return pc.binary_join(lists, " ")


def _after_tidying(raw: Array, rows: _Rows) -> _Rows:
    """Rows that only have stray spaces or invisible characters, looked up again without them."""
    lengths = pc.utf8_length(raw).fill_null(0).to_numpy(False)
    where = np.flatnonzero(rows.care & (lengths <= names.MAX_PADDED_LENGTH))
    if not len(where):
        return rows
    text = raw.take(pa.array(where)).fill_null("")
    visible = pc.replace_substring_regex(text, names.INVISIBLE.pattern, "")
    tidy = pc.replace_substring_regex(visible, names.ODD_SPACES.pattern, " ")
    tidy = pc.utf8_trim(pc.replace_substring_regex(tidy, "  +", " "), " ")
    again = _looked_up(tidy)
    extra = np.where(pc.not_equal(visible, text).to_numpy(False), _INVISIBLE_BIT, 0)
    extra |= np.where(pc.not_equal(tidy, visible).to_numpy(False), _SPACES_BIT, 0)
    return _merged(rows, where, again._replace(mask=again.mask | extra))


def _merged(rows: _Rows, where: np.ndarray[Any, Any], again: _Rows) -> _Rows:
    replaced = np.zeros(len(rows.mask), np.bool_)
    replaced[where] = True
    chosen = pa.array(replaced)
    columns = [
        pc.replace_with_mask(column, chosen, new)
        for column, new in zip(rows.columns, again.columns, strict=True)
    ]
    mask, care = rows.mask.copy(), rows.care.copy()
    mask[where], care[where] = again.mask, again.care
    return _Rows(columns, mask, care)


def _after_care(raw: Array, rows: _Rows) -> list[Array]:
    """The rest, one by one, and the notes as text."""
    where = np.flatnonzero(rows.care)
    texts = raw.take(pa.array(where)).to_pylist()
    resolved = [
        names.resolve(text) if text is not None else names.rejected_name("name_missing")
        for text in texts
    ]
    chosen = pa.array(rows.care)
    columns = [
        pc.replace_with_mask(column, chosen, pa.array([row[i] for row in resolved], pa.string()))
        for i, column in enumerate(rows.columns)
    ]
    mask = rows.mask
    mask[where] = [row.mask for row in resolved]
    distinct, inverse = np.unique(mask, return_inverse=True)
    notes = pa.array([joined(int(m)) for m in distinct], pa.string()).take(pa.array(inverse))
    nothing = pa.nulls(len(mask), pa.string())
    reasons = pa.array([row.reject for row in resolved], pa.string())
    return [*columns, notes, pc.replace_with_mask(nothing, chosen, reasons)]


# --- numbers --------------------------------------------------------------------------------------

_KIND_BY_LENGTH: dict[str, dict[int, str]] = {
    "id": {9: "cmnd", 12: "personal"},
    "insurance": {10: "insurance", 12: "personal"},
    "card": {10: "insurance", 12: "personal"},
    "personal": {12: "personal"},
}
_PLAIN_CENTURIES = "0123"


def plain_kinds(raw: Array, field: Field) -> Array:
    """The kind of each number that is whole as it stands: digits, known place, no stand-in.

    Args:
        raw: A string array; nulls allowed.
        field: As for ``parse_number``.

    Returns:
        Kinds; null where ``parse_number`` must look.
    """
    text = raw.fill_null("")
    repeated = [digit * length for digit in "0123456789" for length in (9, 10, 12)]
    refused = pa.array([*repeated, *stand_ins()], pa.string())
    digits = pc.and_(pc.match_substring_regex(text, "^[0-9]+$"), pc.invert(pc.is_in(text, refused)))
    place = pc.utf8_slice_codeunits(text, 0, 3)
    century = pc.utf8_slice_codeunits(text, 3, 4)
    structured = pc.and_(
        pc.is_in(place, pa.array(list(places()))),
        pc.is_in(century, pa.array(list(_PLAIN_CENTURIES))),
    )
    kinds = pa.nulls(len(raw), pa.string())
    for length, kind in _KIND_BY_LENGTH[field].items():
        plain = pc.and_(digits, pc.equal(pc.utf8_length(text), length))
        if kind == "personal":
            plain = pc.and_(plain, structured)
        kinds = pc.if_else(plain, kind, kinds)
    return kinds
