"""What stewards leave on a case: notes to each other, and who has it open.

Belongs here: reading and writing both. Does not belong here: decisions (``decisions.py``), and
which cases there are (``etl/stewards/desk``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from etl.domain.errors import ConfigError
from etl.state.store import State, now

HELD_FOR = timedelta(minutes=10)
"""How long a case counts as open after somebody last looked at it."""

_LONGEST = 4_000
"""Characters of a note."""


@dataclass(frozen=True)
class Note:
    """A note on a case.

    Attributes:
        record_id: The record.
        written_at: When, in UTC.
        written_by: Who.
        note: What.
        asked: The colleague who is asked; None where it is a note to everybody.
    """

    record_id: str
    written_at: datetime
    written_by: str
    note: str
    asked: str | None


@dataclass(frozen=True)
class Hold:
    """Who has a case open, and until when that counts (UTC)."""

    record_id: str
    held_by: str
    held_until: datetime


def hold(state: State, record_id: str, by: str) -> Hold | None:
    """Notes that somebody has a case open, unless somebody else has.

    Args:
        state: An open transaction.
        record_id: The record.
        by: Who opens it.

    Returns:
        Who else has it open; None where nobody has, and it is held for ``by`` from now on.
    """
    table = state.tables["case_holds"]
    mine = table.c.record_id == record_id
    for held in _holds(state, mine):
        if held.held_by != by and held.held_until > now():
            return held
    state.writer.delete_where(table, mine)
    state.put(
        "case_holds",
        [{"record_id": record_id, "held_by": by, "held_until": now() + HELD_FOR}],
    )
    return None


def let_go(state: State, record_id: str, by: str) -> None:
    """Notes that somebody has closed a case."""
    table = state.tables["case_holds"]
    state.writer.delete_where(table, (table.c.record_id == record_id) & (table.c.held_by == by))


def held_by_others(state: State, records: Collection[str], by: str) -> dict[str, str]:
    """Returns which of some cases somebody else has open, and who."""
    if not records:
        return {}
    table = state.tables["case_holds"]
    found = _holds(state, table.c.record_id.in_(list(records)))
    return {h.record_id: h.held_by for h in found if h.held_by != by and h.held_until > now()}


def write_note(state: State, record_id: str, by: str, note: str, asked: str | None) -> None:
    """Writes a note on a case.

    Raises:
        ConfigError: It is empty, or too long.
    """
    if not note.strip() or len(note) > _LONGEST:
        raise ConfigError(
            f"A note has between 1 and {_LONGEST} characters.", remedy="Write it anew."
        )
    row = {
        "note_id": uuid4().hex, "record_id": record_id, "written_at": now(), "written_by": by,
        "note": note.strip(), "asked": asked,
    }  # fmt: skip
    state.put("case_notes", [row])


def notes_on(state: State, record_id: str) -> list[Note]:
    """Returns the notes on a record, the last first."""
    table = state.tables["case_notes"]
    return _notes(state, table.c.record_id == record_id)


def asked_of(state: State, user: str) -> list[Note]:
    """Returns the notes that ask somebody and are not answered yet, the last first.

    It is answered by a note of theirs on the same case, or by anybody's decision on it.
    """
    table = state.tables["case_notes"]
    asked = _notes(state, table.c.asked == user)
    if not asked:
        return []
    records = list({note.record_id for note in asked})
    own = (table.c.written_by == user) & table.c.record_id.in_(records)
    answers = [(note.record_id, note.written_at) for note in _notes(state, own)]
    decisions = state.tables["decisions"]
    made = state.writer.read(
        decisions, ["record_id", "decided_at"], decisions.c.record_id.in_(records)
    ).read_all()
    answers += [(row["record_id"], row["decided_at"]) for row in made.to_pylist()]
    return [
        note
        for note in asked
        if not any(record == note.record_id and at > note.written_at for record, at in answers)
    ]


def _notes(state: State, where: Any) -> list[Note]:
    names = list(Note.__dataclass_fields__)
    rows = state.writer.read(state.tables["case_notes"], names, where).read_all().to_pylist()
    return sorted((Note(**row) for row in rows), key=lambda note: note.written_at, reverse=True)


def _holds(state: State, where: Any) -> list[Hold]:
    names = list(Hold.__dataclass_fields__)
    rows = state.writer.read(state.tables["case_holds"], names, where).read_all().to_pylist()
    return [Hold(**row) for row in rows]
