"""doisoat's links at other limits of risk, as Splink's are swept over its weights.

Belongs here: linking anew with another ``wrong_links_per_million``, and counting what comes out.
Does not belong here: the pipeline up to there, which knows nothing of the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.accuracy.bounds import lower_bound, share
from benchmarks.accuracy.report import Section
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.settings import Reconcile

LIMITS = (Reconcile().wrong_links_per_million, 1_000.0, 10_000.0, 100_000.0, 500_000.0)
"""Wrong links in a million that a link of the probabilistic step may risk.

The first is the default; at the last, as from Splink's weight 0, what is more probable than not is
enough evidence. (What the agreement rules leave to a person, and a citizen who is linked already,
stay with a person at any limit.)
"""

_READS_THE_LIMIT = ("step_probabilistic", "links")


class AtLimit(NamedTuple):
    """What one limit gives.

    Attributes:
        limit: ``wrong_links_per_million``.
        links: How many records are linked.
        right: How many of them to their own citizen.
        identified: How many of those are identifiable.
    """

    limit: float
    links: int
    right: int
    identified: int

    @property
    def label(self) -> str:
        """The limit as a heading."""
        asked = f"{self.limit:,.0f} wrong in a million"
        return f"{asked}, the default" if self.limit == LIMITS[0] else asked


def sweep(warehouse: Warehouse, truth: Path, judged: Path) -> list[AtLimit]:
    """Links anew at each limit; the warehouse is left at the last one.

    Args:
        warehouse: One that has been reconciled.
        truth: The simulator's table truth, as Parquet.
        judged: What ``judge`` wrote.
    """
    found = []
    for limit in LIMITS:
        warehouse.connection.execute(
            "update ops.parameters set wrong_links_per_million = ?", [limit]
        )
        for table in _READS_THE_LIMIT:
            runner.build(warehouse, TableName("core", table))
        counts = warehouse.connection.execute(
            """
            select
                count(*),
                count(*) filter (links.personal_id = truth.personal_id),
                count(*) filter (links.personal_id = truth.personal_id and judged.identifiable)
            from core.links as links
            inner join read_parquet(?) as truth on links.record_id = truth.record_id
            inner join read_parquet(?) as judged on links.record_id = judged.record_id
            """,
            [str(truth), str(judged)],
        ).fetchall()[0]
        found.append(AtLimit(limit, *counts))
    return found


def pooled(sweeps: Sequence[Sequence[AtLimit]]) -> list[AtLimit]:
    """Adds the sweeps of several registers up."""
    return [
        AtLimit(found[0].limit, *(sum(part) for part in zip(*(f[1:] for f in found), strict=True)))
        for found in zip(*sweeps, strict=True)
    ]


def section(found: Sequence[AtLimit], citizens: int, identifiable: int) -> Section:
    """Lays precision and recall out by limit.

    Args:
        found: What each limit gives.
        citizens: How many records have a citizen.
        identifiable: How many of them are identifiable.
    """
    columns = (
        "wrong_links_per_million", "links", "wrong", "precision", "at least (95%)", "recall",
        "recall, identifiable",
    )  # fmt: skip
    rows = [
        (
            f"{at.limit:,.0f}", at.links, at.links - at.right, share(at.right, at.links),
            lower_bound(at.right, at.links), share(at.right, citizens),
            share(at.identified, identifiable),
        )
        for at in found
    ]  # fmt: skip
    note = "Of all records that have a citizen. Only the probabilistic step reads the limit."
    return Section("At other limits of risk", columns, rows, note)
