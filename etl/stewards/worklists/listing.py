"""The worklists that were sent, with how many of their rows are answered and past due.

Belongs here: reading them of the state. Does not belong here: each row (``worklist_status`` in the
target).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.settings import Settings
from etl.state.store import now, open_state


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
        items = state.read("worklist_items", ["worklist_id", "answered_at", "due_at"])
        counts = _counted(items)
    found = [one | counts.get(one["worklist_id"], _NONE) for one in lists]
    return sorted(found, key=lambda one: (one["made_at"], one["worklist_id"]), reverse=True)


_NONE = {"answered": 0, "past_due": 0}


def _counted(items: pa.RecordBatchReader) -> dict[str, dict[str, int]]:
    """Returns by worklist how many rows are answered, and how many past due and not."""
    counts: dict[str, dict[str, int]] = {}
    moment = pa.scalar(now(), pa.timestamp("us"))
    for batch in items:
        answered = pc.is_valid(batch.column("answered_at"))
        late = pc.and_(
            pc.invert(answered),
            pc.less(pc.cast(batch.column("due_at"), pa.timestamp("us")), moment),
        )
        summed = (
            pa.table(
                {
                    "worklist_id": batch.column("worklist_id"),
                    "answered": pc.cast(answered, pa.int64()),
                    "past_due": pc.cast(late, pa.int64()),
                }
            )
            .group_by("worklist_id")
            .aggregate([("answered", "sum"), ("past_due", "sum")])
        )
        for row in summed.to_pylist():
            one = counts.setdefault(row["worklist_id"], dict(_NONE))
            one["answered"] += row["answered_sum"]
            one["past_due"] += row["past_due_sum"] or 0
    return counts
