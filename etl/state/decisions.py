"""What people decided on one record, as the state has it now.

Belongs here: reading the decisions on a record, without those that were taken back. Does not belong
here: making one (``etl/stewards/decide.py``), and what a run makes of all (``core.decided``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etl.settings import Settings
from etl.state.store import State, open_state


@dataclass(frozen=True)
class Decision:
    """A decision on a record.

    Attributes:
        decision_id: Its name in the state.
        verdict: ``link``, ``not_link``, ``not_a_person``, ``keep_record`` or ``undo``.
        record_id: The record.
        personal_id: The citizen, of ``link`` and ``not_link``.
        kept_record_id: The record to keep, of ``keep_record``.
        decided_by: Who.
        decided_at: When, in UTC.
        reason: Why, in that person's words.
        seen: Fingerprints of what was shown (``etl/reconcile/sql/facts.sql``); None in those of
            early versions.
    """

    decision_id: str
    verdict: str
    record_id: str
    personal_id: str | None
    kept_record_id: str | None
    decided_by: str
    decided_at: datetime
    reason: str
    seen: str | None


def standing_decisions(settings: Settings, record_id: str) -> list[Decision]:
    """Returns what was decided on a record and not taken back, the last first.

    Raises:
        ConnectionFailedError: The state cannot be reached.
    """
    with open_state(settings) as state:
        return standing_within(state, record_id)


def standing_within(state: State, record_id: str) -> list[Decision]:
    """``standing_decisions``, of a state that is open."""
    table = state.tables["decisions"]
    return _standing(state, table.c.record_id == record_id)


@dataclass(frozen=True)
class Undone:
    """How a decision was taken back: by whom, when (UTC) and why."""

    by: str
    at: datetime
    reason: str


def history_within(state: State, record_id: str) -> list[tuple[Decision, Undone | None]]:
    """Returns all that was ever decided on a record, the last first, and how it was taken back."""
    table = state.tables["decisions"]
    return _all(state, table.c.record_id == record_id)


def decided_since(state: State, moment: datetime) -> list[Decision]:
    """Returns what was decided at a moment or later, on any record, and not taken back.

    Args:
        state: An open transaction.
        moment: In UTC.
    """
    table = state.tables["decisions"]
    return _standing(state, table.c.decided_at >= moment)


def decided_by(state: State, user: str, moment: datetime) -> list[tuple[Decision, Undone | None]]:
    """Returns what somebody decided at a moment or later, the last first; what was undone, too.

    Args:
        state: An open transaction.
        user: Who.
        moment: In UTC.
    """
    table = state.tables["decisions"]
    made = _all(state, table.c.decided_at >= moment)
    return [(one, undone) for one, undone in made if one.decided_by == user]


def _standing(state: State, where: Any) -> list[Decision]:
    return [one for one, undone in _all(state, where) if undone is None]


def _all(state: State, where: Any) -> list[tuple[Decision, Undone | None]]:
    table = state.tables["decisions"]
    columns = [one.name for one in table.columns if not one.name.startswith("machine_")]
    rows = state.writer.read(table, columns, where).read_all()
    found = sorted(rows.to_pylist(), key=lambda row: row["decided_at"], reverse=True)
    undone = {
        row["undoes"]: Undone(row["decided_by"], row["decided_at"], row["reason"])
        for row in found
        if row["undoes"] is not None
    }
    return [(_decision(row), undone.get(row["decision_id"])) for row in found if not row["undoes"]]


def _decision(row: dict[str, Any]) -> Decision:
    return Decision(
        **{name: row[name] for name in Decision.__dataclass_fields__ if name != "verdict"},
        # Early versions had two verdicts, told apart by the citizen.
        verdict=row["verdict"] or ("link" if row["personal_id"] else "not_a_person"),
    )
