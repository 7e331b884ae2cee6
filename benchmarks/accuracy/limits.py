"""doisoat's links at several limits of risk, as Splink's links are counted at several weights.

Belongs here: linking anew with another ``wrong_links_per_million``, and counting the links. Does
not belong here: the part of the pipeline before that, which does not depend on the limit.
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
from etl.pipeline.graph import pipeline
from etl.settings import Reconcile

LIMITS = (Reconcile().wrong_links_per_million, 1_000.0, 10_000.0, 100_000.0, 500_000.0)
"""Limits to try: how many of a million links of the probabilistic step may be wrong.

The first is the default. The last accepts whatever is more probable than not, as Splink does from
weight 0. (At any limit a person decides what the agreement rules leave to a person, and whether a
citizen who is already linked has a second record.)
"""

_READS_THE_LIMIT = TableName("core", "step_probabilistic")
_LINKS = TableName("core", "links")


class AtLimit(NamedTuple):
    """The result at one limit.

    Attributes:
        limit: ``wrong_links_per_million``.
        links: How many records are linked.
        right: How many of them are linked to their own citizen.
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
    """Links anew at each limit; afterwards the warehouse holds the result of the last one.

    Args:
        warehouse: A reconciled one.
        truth: The simulator's table truth, as Parquet.
        judged: What ``judge`` wrote.
    """
    found = []
    for limit in LIMITS:
        warehouse.execute(
            "update ops.parameters set wrong_links_per_million = $limit", {"limit": limit}
        )
        for table in _from_the_limit_to_the_links():
            runner.build(warehouse, table)
        (counts,) = warehouse.rows(
            """
            select
                count(*) as links,
                count(*) filter (links.personal_id = truth.personal_id) as right_links,
                count(*) filter (links.personal_id = truth.personal_id and judged.identifiable)
                    as identifiable
            from core.links as links
            inner join read_parquet($truth) as truth on links.record_id = truth.record_id
            inner join read_parquet($judged) as judged on links.record_id = judged.record_id
            """,
            {"truth": str(truth), "judged": str(judged)},
        )
        found.append(AtLimit(limit, *(int(str(count)) for count in counts.values())))
    return found


def _from_the_limit_to_the_links() -> list[TableName]:
    """Returns the tables that another limit changes, in order, up to the links."""
    found: list[TableName] = []
    for table in pipeline().of("core"):
        if table.name == _READS_THE_LIMIT or set(found) & set(table.inputs):
            found.append(table.name)
        if table.name == _LINKS:
            break
    return found


def pooled(sweeps: Sequence[Sequence[AtLimit]]) -> list[AtLimit]:
    """Adds up the results of several registers."""
    return [
        AtLimit(found[0].limit, *(sum(part) for part in zip(*(f[1:] for f in found), strict=True)))
        for found in zip(*sweeps, strict=True)
    ]


def section(found: Sequence[AtLimit], citizens: int, identifiable: int) -> Section:
    """Makes a table of precision and recall by limit.

    Args:
        found: The result at each limit.
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
