"""What people decided on one record, as the state has it now.

Belongs here: reading the decisions on a record, those that were taken back left out. Does not
belong here: making one (``etl/stewards/decide.py``), and what a run makes of all
(``core.decided``).
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


def decided_since(state: State, moment: datetime) -> list[Decision]:
    """Returns what was decided at a moment or later, on any record, and not taken back.

    Args:
        state: An open transaction.
        moment: In UTC.
    """
    table = state.tables["decisions"]
    return _standing(state, table.c.decided_at >= moment)


def _standing(state: State, where: Any) -> list[Decision]:
    table = state.tables["decisions"]
    columns = [one.name for one in table.columns if not one.name.startswith("machine_")]
    rows = state.writer.read(table, columns, where).read_all()
    found = sorted(rows.to_pylist(), key=lambda row: row["decided_at"], reverse=True)
    undone = {row["undoes"] for row in found}
    return [
        Decision(
            **{name: row[name] for name in Decision.__dataclass_fields__ if name != "verdict"},
            # Early versions had two verdicts, told apart by the citizen.
            verdict=row["verdict"] or ("link" if row["personal_id"] else "not_a_person"),
        )
        for row in found
        if row["undoes"] is None and row["decision_id"] not in undone
    ]
