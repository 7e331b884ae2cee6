"""The worklists that were sent, with how many of their rows are answered and past due.

Belongs here: reading them from the state. Does not belong here: each row (``worklist_status`` in
the target).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, func, select

from etl.settings import Settings
from etl.state.store import State, now, open_state


def sent_worklists(settings: Settings, province: str | None = None) -> list[dict[str, Any]]:
    """Returns the worklists, the last first.

    Args:
        settings: Whose state.
        province: Only those of a province, by its code of 2025.

    Raises:
        ConnectionFailedError: The state cannot be reached.
    """
    with open_state(settings) as state:
        table = state.tables["worklists"]
        here = None if province is None else table.c.province_code == province
        columns = [column.name for column in table.columns]
        lists = state.writer.read(table, columns, here).read_all().to_pylist()
        counts = {row["worklist_id"]: row for row in _counted(state)}
    found = [one | counts.get(one["worklist_id"], _NONE) for one in lists]
    return sorted(found, key=lambda one: (one["made_at"], one["worklist_id"]), reverse=True)


_NONE = {"answered": 0, "past_due": 0}


def _counted(state: State) -> list[dict[str, Any]]:
    """Returns by worklist how many rows are answered, and how many are unanswered and past due."""
    items = state.tables["worklist_items"]
    is_late = items.c.answered_at.is_(None) & (items.c.due_at < now())
    counted: Any = (
        select(
            items.c.worklist_id,
            func.count(items.c.answered_at).label("answered"),
            func.count(case((is_late, items.c.worklist_id))).label("past_due"),
        )
        .group_by(items.c.worklist_id)
        .subquery()
    )
    found: list[dict[str, Any]] = (
        state.writer.read(counted, ["worklist_id", *_NONE]).read_all().to_pylist()
    )
    return found
