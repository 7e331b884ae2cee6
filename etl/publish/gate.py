"""The gate of the publish: what must be true of the tables that leave, whoever began the run.

Within one run of the main job Dagster stops what comes after a failed blocking check. But a person
may launch any selection of tables, retry a failed run, or make Dagster go on despite a failure; so
the publish checks again.

Belongs here: that all tables are of one state, that each blocking rule was checked on this state
and passed, that nothing was lost, that the target is this installation's, and that its rows do not
vanish. Does not belong here: the rules (``expectations``), and writing (``transaction.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Table

from etl.databases.writers import Writer
from etl.domain.errors import QualityGateError
from etl.engine.builds import out_of_step, state_of
from etl.engine.port import Warehouse
from etl.engine.statements import TableName, statements
from etl.publish.differences import Difference
from etl.publish.ledger import TABLES as OF_THE_LEDGER
from etl.settings import Target

_UNTOUCHED = "nothing was published, and the target is as it was"
_WHOLE_RUN = "Run the whole job: doisoat sync, or 'Materialize all' of the job in the UI."

MOST_GONE = 0.1
"""The share of the published records that one publish may remove; as ``has_not_shrunk`` allows."""
MOST_NEW = 0.5
"""The share of the records that may be new in one publish."""
_FEW = 20
"""This many rows may be new or vanish, whatever their share."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A blocking rule: one that must have passed.

    Attributes:
        table: The table that it judges.
        check: Its name.
        reads: The tables that it looks at besides.
    """

    table: TableName
    check: str
    reads: frozenset[TableName] = frozenset()

    @property
    def name(self) -> str:
        """The rule as people name it."""
        return f"{self.table.sql}.{self.check}"


def prove_state(warehouse: Warehouse, guards: Iterable[Guard]) -> None:
    """Proves that the tables are of one state, and that every blocking rule passed on it.

    Raises:
        QualityGateError: They are of several states, or a rule did not pass.
    """
    _prove_one_state(warehouse)
    open_rules = _not_passed(warehouse, guards)
    if open_rules:
        shown = ", ".join(guard.name for guard in open_rules[:3])
        more = f" and {len(open_rules) - 3} more" if len(open_rules) > 3 else ""
        raise QualityGateError(
            "Blocking quality checks have not passed on the tables that would be published "
            f"({shown}{more}); {_UNTOUCHED}.",
            remedy=f"See 'doisoat triage'. When they are mended: {_WHOLE_RUN}",
        )
    if not _is_balanced(warehouse):
        raise QualityGateError(
            "The ledger has not been balanced on the tables that would be published; "
            f"{_UNTOUCHED}.",
            remedy=_WHOLE_RUN,
        )


def _prove_one_state(warehouse: Warehouse) -> None:
    found = out_of_step(warehouse, statements())
    if not found:
        return
    table, read = found[0]
    why = f"{table} was built from another version of {read} than the present one" if read else (
        f"{table} has not been built"
    )  # fmt: skip
    more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
    raise QualityGateError(
        f"The tables do not belong together: {why}{more}; {_UNTOUCHED}.", remedy=_WHOLE_RUN
    )


def _not_passed(warehouse: Warehouse, guards: Iterable[Guard]) -> list[Guard]:
    """Returns the rules that did not pass when last checked on these builds, or never were."""
    passed = {
        (row["table_name"], row["check_name"], row["of_state"])
        for row in warehouse.rows(
            "select table_name, check_name, of_state from ops.quality_results "
            "group by all having arg_max(passed, checked_at)"
        )
    }
    needed = [(guard, frozenset({guard.table, *guard.reads})) for guard in guards]
    states = {tables: state_of(warehouse, tables) for tables in {read for _, read in needed}}
    return [
        guard
        for guard, read in needed
        if (guard.table.sql, guard.check, states[read]) not in passed
    ]


def _is_balanced(warehouse: Warehouse) -> bool:
    return bool(
        warehouse.value(
            "select bool_and(holds) from ops.ledger where of_state = $state",
            {"state": state_of(warehouse, OF_THE_LEDGER)},
        )
    )


# --- the target ---------------------------------------------------------------------------------


def claim_target(
    warehouse: Warehouse, writer: Writer, table: Table, target: Target, *, replace: bool
) -> None:
    """Proves that the target is this installation's; a new target is marked as such.

    An installation is known by the secret of its record keys, which moves with its home.

    Args:
        warehouse: Knows the secret.
        writer: The target's open transaction.
        table: ``installation``.
        target: For messages.
        replace: Take over a target that another installation published.

    Raises:
        QualityGateError: Another installation publishes there.
    """
    ours = str(warehouse.value("select record_key('installation')"))
    known = [str(name) for name in writer.read(table, ["installation_id"]).read_all().column(0)]
    if known == [ours]:
        return
    if known and not replace:
        raise QualityGateError(
            f"Another installation of doisoat publishes to this target; {_UNTOUCHED}.",
            where=target.shown,
            remedy="Name another target, or another [target] schema. If this installation takes "
            "its place (its home or record_key was lost), run once: doisoat sync --replace-target",
        )
    if known:
        writer.delete(table, warehouse.arrow(
            "select unnest($known::varchar[]) as installation_id", {"known": known}
        ).to_reader())  # fmt: skip
    writer.insert(
        table,
        warehouse.arrow(
            "select record_key('installation') as installation_id, started_at as since_at "
            "from ops.parameters"
        ).to_reader(),
    )


def refuse_upheaval(
    found: Difference, published: int, target: Target, in_full: int | None = None
) -> None:
    """Refuses a publish by which too many rows of the target would vanish or be new.

    A lost warehouse, a source that renumbers its records, or a partial load has that effect.

    Args:
        found: What ``reconciled`` would gain and lose.
        published: Its rows in the target.
        target: For messages.
        in_full: Its rows after the last full run, from which many deltas together may have moved
            far; None where no such run is known.

    Raises:
        QualityGateError: Too much would change at once.
    """
    if not published:
        return
    after = published - found.deleted + found.inserted
    gone = found.deleted > max(_FEW, MOST_GONE * published)
    new = found.inserted > max(_FEW, MOST_NEW * after)
    if not gone and in_full and in_full - after > max(_FEW, MOST_GONE * in_full):
        raise QualityGateError(
            f"{after:,} records would be left of the {in_full:,} that the last full run "
            f"published; {_UNTOUCHED}.",
            where=target.shown,
            remedy="Usually the source is losing rows little by little: check it first. If the "
            "smaller number is right, run once in full: doisoat sync --replace-target",
        )
    if not gone and not new:
        return
    what = (
        f"{found.deleted:,} of {published:,} published records would vanish"
        if gone
        else f"{found.inserted:,} of {after:,} records would be new"
    )
    also = f" and {found.inserted:,} new ones come" if gone and found.inserted else ""
    raise QualityGateError(
        f"{what}{also}; {_UNTOUCHED}.",
        where=target.shown,
        remedy="Usually the source is another one, was loaded only in part, or has renumbered its "
        "records: check it first. If the change is right, run once: doisoat sync --replace-target",
    )
