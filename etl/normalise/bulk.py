"""Whole columns at once: distinct strings in, dictionary tables out, over Arrow.

Belongs here: the loop over many values and the threads. Does not belong here: any rule; the
rules are those of ``parse_name``, ``parse_birth`` and ``parse_number``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from etl.normalise.births import parse_birth
from etl.normalise.columns import (
    COLUMNS,
    number_warnings,
    plain_births,
    plain_kinds,
    repaired_numbers,
    resolve_column,
)
from etl.normalise.numbers import Field, parse_number
from etl.normalise.provinces import parse_province
from etl.normalise.statuses import Register, parse_status
from etl.normalise.values import parse_flag, parse_gender

if TYPE_CHECKING:
    import pandas as pd

    Column: TypeAlias = pa.Array | pa.ChunkedArray | pd.Series | Iterable[str | None]

# Arrow works outside the interpreter lock, so threads use every core; below this they save nothing.
# Processes were measured to be slower than one thread: their rows are copied twice.
PARALLEL_FROM = 300_000
_CHUNK = 125_000

NAME_SCHEMA = pa.schema([(column, pa.string()) for column in ("raw", *COLUMNS)])
BIRTH_SCHEMA = pa.schema(
    [("raw", pa.string()), ("birth_date", pa.date32()), ("birth_year", pa.int32()),
     ("birth_month", pa.int32()), ("precision", pa.string()), ("notes", pa.string()),
     ("reject", pa.string())]
)  # fmt: skip
NUMBER_SCHEMA = pa.schema(
    [(c, pa.string()) for c in
     ("raw", "kind", "number", "card_code", "repairs", "warnings", "candidates", "reject")]
)  # fmt: skip
WORD_SCHEMA = pa.schema([("raw", pa.string()), ("value", pa.string())])
FLAG_SCHEMA = pa.schema([("raw", pa.string()), ("value", pa.bool_())])


def _strings(raw: Column) -> pa.Array:
    """One Arrow array of text, from an Arrow array, a pandas Series, or any iterable."""
    if isinstance(raw, pa.ChunkedArray):
        raw = raw.combine_chunks()
    elif not isinstance(raw, pa.Array):
        raw = pa.array(raw, from_pandas=True)
    if isinstance(raw, pa.ChunkedArray):
        raw = pa.concat_arrays(raw.chunks) if raw.num_chunks else pa.array([], pa.string())
    if isinstance(raw.type, pa.DictionaryType):
        raw = raw.dictionary_decode()
    if pa.types.is_floating(raw.type):
        return _whole_floats(raw)
    if pa.types.is_timestamp(raw.type):
        raw = raw.cast(pa.timestamp("s", raw.type.tz), safe=False)
    return raw.cast(pa.string()) if raw.type != pa.string() else raw


def _whole_floats(raw: pa.Array) -> pa.Array:
    """Floats as text, whole ones without exponent: pandas makes floats of numbers with gaps."""
    limit = 2.0 ** (24 if raw.type == pa.float32() else 11 if raw.type == pa.float16() else 53)
    whole = pc.and_(pc.equal(pc.floor(raw), raw), pc.less(pc.abs(raw), limit)).fill_null(False)
    digits = pc.if_else(whole, raw, pa.scalar(None, raw.type)).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, digits, raw.cast(pa.string()))


def _name_batch(raw: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([raw, *resolve_column(raw)], schema=NAME_SCHEMA)


def _batches(raw: pa.Array) -> list[pa.Array]:
    return [raw.slice(start, _CHUNK) for start in range(0, len(raw), _CHUNK)]


def _thread_count(rows: int, asked: int | None) -> int:
    if asked is not None:
        return max(1, asked)
    return (os.cpu_count() or 1) if rows > PARALLEL_FROM else 1


def normalise_names(raw: Column, workers: int | None = None) -> pa.Table:
    """The dictionary of names: one row per string given.

    Args:
        raw: Distinct strings, as an Arrow array, a pandas Series or any iterable.
        workers: Threads; by default one for small inputs, one per core for large ones.

    Returns:
        Columns raw, canonical, name_key, notes (``;`` between), reject. (The parts of a name are
        ``parse_name``'s.)
    """
    strings = _strings(raw)
    pieces = _batches(strings)
    count = min(_thread_count(len(strings), workers), max(1, len(pieces)))
    if count > 1:
        with ThreadPoolExecutor(count) as pool:
            batches = list(pool.map(_name_batch, pieces))
    else:
        batches = [_name_batch(piece) for piece in pieces]
    return pa.Table.from_batches(batches, NAME_SCHEMA)


def normalise_births(raw: Column, today: date | None = None) -> pa.Table:
    """The dictionary of birth dates: one row per string given.

    Args:
        raw: Distinct strings.
        today: As for ``parse_birth``.

    Returns:
        Columns raw, birth_date, birth_year, birth_month, precision, notes, reject.
    """
    strings = _strings(raw)
    today = today or date.today()
    found = plain_births(strings, today)
    rest = pa.array(~found.plain)
    parsed = [parse_birth(text, today) for text in strings.filter(rest).to_pylist()]
    answers: tuple[Sequence[object], ...] = (
        [p.date for p in parsed],
        [p.year for p in parsed],
        [p.month for p in parsed],
        [p.precision for p in parsed],
        [";".join(p.notes) for p in parsed],
    )
    columns = [
        pc.replace_with_mask(column, rest, pa.array(answer, column.type))
        for column, answer in zip(found.columns, answers, strict=True)
    ]
    nothing = pa.nulls(len(strings), pa.string())
    columns.append(_filled(nothing, rest, [p.reject for p in parsed]))
    return pa.Table.from_arrays([strings, *columns], schema=BIRTH_SCHEMA)


def normalise_numbers(raw: Column, field: Field = "id") -> pa.Table:
    """The dictionary of one number column: one row per string given.

    Args:
        raw: Distinct strings.
        field: As for ``parse_number``.

    Returns:
        Columns raw, kind, number, card_code, repairs, warnings, candidates (each ``;`` between),
        reject. Warnings that need the record's birth year or sex are not among them.
    """
    strings = _strings(raw)
    kinds = plain_kinds(strings, field)
    number = pc.if_else(pc.is_valid(kinds), strings, pa.scalar(None, pa.string()))
    repairs = pa.repeat("", len(strings))
    rest = pc.is_null(kinds)
    repaired = repaired_numbers(strings.filter(rest), field)
    kinds = pc.replace_with_mask(kinds, rest, repaired.kinds)
    number = pc.replace_with_mask(number, rest, repaired.numbers)
    repairs = pc.replace_with_mask(repairs, rest, repaired.repairs)
    rest = pc.is_null(kinds)
    parsed = [parse_number(text, field=field) for text in strings.filter(rest).to_pylist()]
    warnings = number_warnings(number, kinds)
    empty = pa.repeat("", len(strings))
    nothing = pa.nulls(len(strings), pa.string())
    columns = [
        _filled(kinds, rest, [p.kind for p in parsed]),
        _filled(number, rest, [p.number for p in parsed]),
        _filled(nothing, rest, [p.card_code for p in parsed]),
        _filled(repairs, rest, [";".join(p.repairs) for p in parsed]),
        _filled(warnings, rest, [";".join(p.warnings) for p in parsed]),
        _filled(empty, rest, [";".join(p.candidates) for p in parsed]),
        _filled(nothing, rest, [p.reject for p in parsed]),
    ]
    return pa.Table.from_arrays([strings, *columns], schema=NUMBER_SCHEMA)


def _filled(column: pa.Array, where: pa.Array, values: Sequence[str | None]) -> pa.Array:
    return pc.replace_with_mask(column, where, pa.array(values, pa.string()))


def normalise_genders(raw: Column) -> pa.Table:
    """The dictionary of sex spellings: columns raw, value (``M``, ``F`` or null)."""
    return _values(raw, parse_gender, WORD_SCHEMA)


def normalise_flags(raw: Column) -> pa.Table:
    """The dictionary of flag spellings: columns raw, value (boolean or null)."""
    return _values(raw, parse_flag, FLAG_SCHEMA)


def normalise_statuses(raw: Column, register: Register) -> pa.Table:
    """The dictionary of one register's statuses: columns raw, value (as ``parse_status``)."""
    return _values(raw, partial(parse_status, register=register), WORD_SCHEMA)


def normalise_provinces(raw: Column) -> pa.Table:
    """The dictionary of provinces: columns raw, value (code of 2025 or null)."""
    return _values(raw, parse_province, WORD_SCHEMA)


def _values(raw: Column, parse: Callable[[str | None], object], schema: pa.Schema) -> pa.Table:
    strings = _strings(raw)
    return _table(schema, strings, ([parse(text) for text in strings.to_pylist()],))


def _table(schema: pa.Schema, raw: pa.Array, columns: Sequence[Sequence[object]]) -> pa.Table:
    types = [field.type for field in schema][1:]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.Table.from_arrays([raw, *arrays], schema=schema)
