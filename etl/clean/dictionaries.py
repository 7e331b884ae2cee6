"""The dictionaries: each distinct raw string is understood once, in Python, at set speed.

Belongs here: which strings are new, and writing what ``etl.normalise`` says of them. Does not
belong here: the understanding itself. Dictionaries are extended from run to run; a new version of
the normaliser begins them anew, and a date that time has changed is understood anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain
from typing import Literal

import pyarrow as pa

from etl.engine.builds import (
    forget_build,
    is_in_step,
    is_noted,
    note_build,
    note_inputs,
    noted_rows,
)
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.normalise import NORMALISER_VERSION, bulk

_Field = Literal["id", "insurance", "card", "personal"]
_Register = Literal["insurance", "population"]

STRINGS_PER_BATCH = 122_880
"""How many distinct strings a core holds at a time, so that memory stays flat: a row group."""

_NO_STRINGS = pa.array([], pa.string())


@dataclass(frozen=True, slots=True)
class Extension:
    """What a dictionary has learnt.

    Attributes:
        new: How many strings were new.
        restated: Strings that it understands otherwise than before, because time has passed.
    """

    new: int
    restated: pa.Array


@dataclass(frozen=True, slots=True)
class Dictionary:
    """One dictionary: where its strings come from and who understands them.

    Attributes:
        table: The table in the schema ``clean``.
        sources: Register and column of the strings.
        understand: Maps an array of distinct strings to a table with a column ``raw``.
        field: Tells apart what one table holds: kinds of number, or the register; empty elsewhere.
        where: Which strings need the dictionary, in SQL over the column ``raw``.
    """

    table: str
    sources: tuple[tuple[str, str], ...]
    understand: Callable[[pa.Array], pa.Table]
    field: str = ""
    where: str = "true"


def _names(raw: pa.Array) -> pa.Table:
    return bulk.normalise_names(raw, workers=1)  # the batches already take a core each


def _numbers(field: _Field) -> Callable[[pa.Array], pa.Table]:
    return lambda raw: bulk.normalise_numbers(raw, field)


def _statuses(register: _Register) -> Callable[[pa.Array], pa.Table]:
    return lambda raw: bulk.normalise_statuses(raw, register)


_IRREGULAR = "not is_plain_number(raw, 12)"

DICTIONARIES: tuple[Dictionary, ...] = (
    Dictionary(
        "names",
        (("insurance", "full_name"), ("population", "full_name")),
        _names,
    ),
    Dictionary(
        "births",
        (
            ("insurance", "date_of_birth"),
            ("population", "date_of_birth"),
            ("population", "date_of_death"),
        ),
        bulk.normalise_births,
    ),
    Dictionary(
        "genders", (("insurance", "gender"), ("population", "gender")), bulk.normalise_genders
    ),
    Dictionary(
        "flags",
        tuple(
            ("insurance", scheme)
            for scheme in (
                "compulsory_si",
                "voluntary_si",
                "unemployment_insurance",
                "health_insurance",
            )
        ),
        bulk.normalise_flags,
    ),
    Dictionary("statuses", (("insurance", "status"),), _statuses("insurance"), "insurance"),
    Dictionary("statuses", (("population", "status"),), _statuses("population"), "population"),
    Dictionary(
        "provinces",
        (("insurance", "province_code"), ("population", "province_code")),
        bulk.normalise_provinces,
    ),
    Dictionary(
        "numbers",
        (("insurance", "id_number"),),
        _numbers("id"),
        "id",
        f"{_IRREGULAR} and not is_plain_number(raw, 9)",
    ),
    Dictionary(
        "numbers",
        (("insurance", "insurance_number"),),
        _numbers("insurance"),
        "insurance",
        f"{_IRREGULAR} and not is_plain_number(raw, 10)",
    ),
    Dictionary(
        "numbers",
        (("insurance", "health_card_number"),),
        _numbers("card"),
        "card",
        "not is_plain_number(raw, 10) and not is_plain_card(raw)",
    ),
    Dictionary(
        "numbers", (("population", "personal_id"),), _numbers("personal"), "personal", _IRREGULAR
    ),
)

_FORMER = """
    select trim(unnest(split_numbers(former_id_numbers))) as raw
    from {rows}
    where former_id_numbers is not null
"""


def tables() -> tuple[str, ...]:
    """Returns the names of the dictionaries, in order."""
    return tuple(dict.fromkeys(dictionary.table for dictionary in DICTIONARIES))


def inputs_of(table: str) -> frozenset[TableName]:
    """Returns the registers whose strings a dictionary holds."""
    return frozenset(
        TableName("raw", register)
        for dictionary in DICTIONARIES
        if dictionary.table == table
        for register, _ in dictionary.sources
    )


def columns_of(table: str, register: str) -> tuple[str, ...]:
    """Returns the columns of a register whose strings a dictionary holds, in order."""
    sources = (one.sources for one in DICTIONARIES if one.table == table)
    return tuple(dict.fromkeys(column for of, column in chain(*sources) if of == register))


def refusal(table: str, column: str, raw: str | None) -> str:
    """Says why a string of the insurance register cannot be used, as its dictionary does.

    Args:
        table: The dictionary.
        column: The column that the string stands in.
        raw: The string as recorded, or None.

    Returns:
        The reason, empty where the string can be used or there is none.
    """
    if raw is None:
        return ""
    (dictionary,) = (
        one for one in DICTIONARIES if one.table == table and ("insurance", column) in one.sources
    )
    return str(dictionary.understand(pa.array([raw])).column("reject")[0].as_py() or "")


def extend(warehouse: Warehouse, table: str, *, only_amended: bool = False) -> Extension:
    """Understands the strings that a dictionary does not know yet.

    Args:
        warehouse: With the registers.
        table: The dictionary.
        only_amended: The dictionary knows the strings of all rows in the registers' files, so that
            only amended rows are read.

    Returns:
        What was new, and what is understood otherwise than before.
    """
    name = TableName("clean", table)
    understood = [one for one in DICTIONARIES if one.table == table]
    inputs = inputs_of(table)
    forgot = [
        warehouse.set_damaged_parts_aside(name),  # their strings are new again
        _discard_other_versions(warehouse, name),
    ]
    # (Somebody else may have lost a part or set it aside: the number of rows shows that.)
    was_noted = not any(forgot) and is_noted(warehouse, name)
    was_whole = was_noted and _is_whole(warehouse, name)
    was_in_step = was_whole and is_in_step(warehouse, name)
    restated = _restate(warehouse, name, understood) if table == "births" else _NO_STRINGS
    if was_in_step and not len(restated):
        return Extension(0, restated)
    rows = {
        read.table: warehouse.amended_rows(read) if only_amended and was_whole else read.sql
        for read in inputs
    }
    if not was_noted:
        forget_build(warehouse, name)
    new = sum(_extend_one(warehouse, name, dictionary, rows) for dictionary in understood)
    if new or len(restated) or not was_noted:
        forget_build(warehouse, name)
        note_build(warehouse, name, inputs, warehouse.count(name))
    else:
        note_inputs(warehouse, name, inputs)
    return Extension(new, restated)


def _is_whole(warehouse: Warehouse, name: TableName) -> bool:
    return warehouse.kept(name) and noted_rows(warehouse, name) == warehouse.count(name)


def _discard_other_versions(warehouse: Warehouse, name: TableName) -> bool:
    if not warehouse.kept(name):
        return False
    versions = warehouse.rows(f"select distinct normaliser_version as v from {name.sql}")  # noqa: S608
    other = any(row["v"] != NORMALISER_VERSION for row in versions)
    if other:
        forget_build(warehouse, name)
        warehouse.discard(name)
    return other


_TIME_MAY_CHANGE = """(
    reject = 'birth_in_future'
    or (
        contains(notes, 'two_digit_year')
        and coalesce(birth_date, make_date(birth_year, coalesce(birth_month, 1), 1))
        + interval 100 years <= $today::date
    )
)"""
"""Births that may be understood differently today: a date in the future has come since; and a year
of two digits was read as the last century's while that year of this century was still to come."""


def _restate(warehouse: Warehouse, name: TableName, understood: list[Dictionary]) -> pa.Array:
    """Understands anew the dates that are understood otherwise today, and returns them.

    The build is forgotten: a run that is killed from here on must look at all strings again.
    """
    if not warehouse.kept(name):
        return _NO_STRINGS
    known = warehouse.arrow(
        f"select * from {name.sql} where {_TIME_MAY_CHANGE}",  # noqa: S608 - our own names
        {"today": date.today()},
    )
    if not known.num_rows:
        return _NO_STRINGS
    (births,) = understood
    now = births.understand(known.column("raw").combine_chunks())
    same = known.select(now.column_names).cast(now.schema)
    columns = ", ".join(now.column_names)
    with warehouse.lending("understood_then", same), warehouse.lending("understood_now", now):
        changed = warehouse.arrow(
            f"select raw from (select {columns} from understood_now except "  # noqa: S608
            f"select {columns} from understood_then)"
        )
    strings = changed.column("raw").combine_chunks()
    if len(strings):
        forget_build(warehouse, name)
        with warehouse.lending("restated_strings", changed):
            warehouse.keep_rows(name, "raw not in (select raw from restated_strings)")
        _keep(warehouse, name, births, strings)
        warehouse.merge_parts(name)
    return strings


def _extend_one(
    warehouse: Warehouse, name: TableName, dictionary: Dictionary, rows: Mapping[str, str]
) -> int:
    """Adds one field's new strings, in batches, of which each core takes one at a time."""
    if not warehouse.kept(name):
        warehouse.add_part(name, _marked(dictionary, pa.array([], pa.string())))
        warehouse.show(name)
    spread = warehouse.spread(name, _unknown(name, dictionary, rows), partial(_marked, dictionary))
    if spread is not None:
        warehouse.merge_parts(name)
        return spread
    warehouse.execute(
        f"create or replace temp table unknown_strings as {_unknown(name, dictionary, rows)}"
    )
    try:
        total = warehouse.number("select count(*) from unknown_strings")
        cores = warehouse.number("select current_setting('threads')")
        with ThreadPoolExecutor(cores) as pool:
            at_work: deque[Future[None]] = deque()
            for batch in _unknown_batches(warehouse, total):
                if len(at_work) == cores:
                    at_work.popleft().result()
                at_work.append(pool.submit(_keep, warehouse, name, dictionary, batch))
            for work in at_work:
                work.result()
        warehouse.merge_parts(name)
        return total
    finally:
        warehouse.execute("drop table unknown_strings")


def _unknown_batches(warehouse: Warehouse, total: int) -> Iterator[pa.Array]:
    for start in range(0, total, STRINGS_PER_BATCH):
        strings = warehouse.arrow(
            "select raw from unknown_strings where rowid between $first and $last",
            {"first": start, "last": start + STRINGS_PER_BATCH - 1},
        )
        yield strings.column(0).combine_chunks()


def _keep(warehouse: Warehouse, name: TableName, dictionary: Dictionary, raw: pa.Array) -> None:
    """Understands strings and adds them to the dictionary; any thread may call it."""
    warehouse.add_part(name, _marked(dictionary, raw))


def _unknown(name: TableName, dictionary: Dictionary, rows: Mapping[str, str]) -> str:
    parts: list[str] = [
        f"select {column} as raw from {rows[register]} where {column} is not null"  # noqa: S608
        for register, column in dictionary.sources
    ]
    if dictionary.field == "id":
        parts.append(_FORMER.format(rows=rows["population"]))
    known = f"select raw from {name.sql}"  # noqa: S608
    if dictionary.field:
        known += f" where field = '{dictionary.field}'"
    recorded = f"select distinct raw from ({' union all '.join(parts)}) where {dictionary.where}"  # noqa: S608
    return f"select raw from ({recorded}) anti join ({known}) using (raw)"  # noqa: S608 - our own names


def _marked(dictionary: Dictionary, raw: pa.Array) -> pa.Table:
    """Understands strings and marks them with field and version."""
    understood = dictionary.understand(raw)
    extra = {"normaliser_version": pa.array([NORMALISER_VERSION] * len(raw), pa.int32())}
    if dictionary.field:
        extra["field"] = pa.array([dictionary.field] * len(raw), pa.string())
    return pa.table(
        dict(
            chain(
                zip(understood.column_names, understood.columns, strict=True),
                extra.items(),
            )
        )
    )
