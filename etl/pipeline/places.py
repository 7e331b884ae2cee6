"""Which tables a reader looks up by a key, so that one record's story is found quickly.

Belongs here: the tables and their keys, and making the places of their rows after all are built.
Does not belong here: how an engine finds a row (``etl/engine``).
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from weakref import WeakKeyDictionary

from etl.domain.codes import MatchStep
from etl.engine.builds import build_of, forget_build, note_build, noted_inputs, out_of_step
from etl.engine.port import Warehouse
from etl.engine.statements import TableName

PLACES = TableName("publish", "places")

OF_RECORDS = tuple(
    TableName.parse(name)
    for name in (
        "clean.insurance",
        "clean.rejects",
        "core.reconciled",
        "core.claims",
        "core.near_scores",
        "core.candidates",
        "core.mismatches",
        "core.corrections",
        *(f"core.step_{step.value}" for step in MatchStep),
    )
)
"""Looked up by ``record_id``."""

CITIZENS = TableName("clean", "population")
"""Looked up by ``personal_id``."""

_KEYS = MappingProxyType(dict.fromkeys(OF_RECORDS, "record_id") | {CITIZENS: "personal_id"})

INPUTS = frozenset(_KEYS)

LOOKED_UP = INPUTS | {
    PLACES,
    *map(
        TableName.parse,
        (
            "publish.places_later",
            "publish.places_tables",
            "ops.builds",
            "ops.build_inputs",
            "ops.shown_keys",
        ),
    ),
}
"""The tables that are looked up, and by which key."""


def build_places(warehouse: Warehouse, replaced: Callable[[TableName], tuple[str, int]]) -> int:
    """Makes the places of all rows that are looked up.

    Args:
        warehouse: With all tables built.
        replaced: Returns the build of a table of which this run has replaced some rows (empty
            where it has built another, or none), and how many they were.

    Returns:
        How many places there are.
    """
    forget_build(warehouse, PLACES)
    noted = noted_inputs(warehouse, PLACES)
    amended = {}
    for table in _KEYS.keys() & noted.keys():
        before, rows = replaced(table)
        if noted[table] in {before, build_of(warehouse, table)}:
            amended[table] = rows
    found = warehouse.make_places(PLACES, _KEYS, amended)
    note_build(warehouse, PLACES, INPUTS)
    return found


def focus_on_record(
    warehouse: Warehouse, *, record_id: str | None = None, record_key: str | None = None
) -> None:
    """Shows of each table of records only the rows of one record, where their places are known.

    Statements must ask for the record by themselves, so that they are right without places, too.

    Args:
        warehouse: A snapshot.
        record_id: The record.
        record_key: Its pseudonym. One that no check has shown is found by trying all records.
    """
    if record_id is None and record_key is not None:
        shown = warehouse.rows(
            "select record_id from ops.shown_keys where record_key = $key", {"key": record_key}
        )
        record_id = str(shown[0]["record_id"]) if shown else None
    if record_id is not None and _known(warehouse):
        warehouse.focus(PLACES, OF_RECORDS, record_id)


def focus_on_citizens(warehouse: Warehouse, personal_ids: list[str]) -> None:
    """Shows only the wanted citizens, where their places are known."""
    if personal_ids and _known(warehouse):
        warehouse.focus(PLACES, [CITIZENS], *personal_ids)


_KNOWN: WeakKeyDictionary[Warehouse, bool] = WeakKeyDictionary()
"""Kept for each open snapshot, whose content never changes."""


def _known(warehouse: Warehouse) -> bool:
    """Says whether the places were made from the tables as they are now."""
    if warehouse not in _KNOWN:
        _KNOWN[warehouse] = warehouse.can_focus(PLACES) and not out_of_step(warehouse, [PLACES])
    return _KNOWN[warehouse]
