"""The ledger: equations that prove that no row was lost or made on the way.

Belongs here: the equations and writing them down. Does not belong here: what happens when one is
broken (``assets/publishing.py`` stops the publish).
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.engine.builds import is_noted, state_of
from etl.engine.port import Warehouse
from etl.engine.statements import tables_read


@dataclass(frozen=True, slots=True)
class Equation:
    """Two row counts that must be equal."""

    name: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        """Whether they are."""
        return self.left == self.right

    def __str__(self) -> str:
        return f"{self.name}: {self.left} {'=' if self.holds else '<>'} {self.right}"


_COUNT = "(select count(*) from {})"

_EQUATIONS: tuple[tuple[str, str, str], ...] = (
    (
        "insurance rows read = understood + rejected",
        _COUNT.format("raw.insurance"),
        _COUNT.format("clean.insurance")
        + " + "
        + _COUNT.format("clean.rejects where register = 'insurance'"),
    ),
    (
        "population rows read = understood + rejected",
        _COUNT.format("raw.population"),
        _COUNT.format("clean.population")
        + " + "
        + _COUNT.format("clean.rejects where register = 'population'"),
    ),
    (
        "records understood = sum over the statuses",
        _COUNT.format("clean.insurance"),
        _COUNT.format(
            "core.reconciled where status in ('VERIFIED', 'MISMATCH', 'REVIEW', 'NOT_FOUND')"
        ),
    ),
    (
        "records of the register = records reconciled",
        "(select count(distinct record_id) from raw.insurance where trim(record_id) <> '')",
        _COUNT.format("core.reconciled"),
    ),
    (
        "records linked = links",
        _COUNT.format("core.reconciled where status in ('VERIFIED', 'MISMATCH')"),
        _COUNT.format("core.links"),
    ),
    (
        "records leaving = records reconciled",
        _COUNT.format("publish.reconciled"),
        _COUNT.format("core.reconciled"),
    ),
    (
        "mismatches counted = mismatches found",
        "(select coalesce(sum(mismatches), 0) from publish.mismatch_counts "
        "where scheme = 'all' and province_code = 'all')",
        _COUNT.format("core.mismatches"),
    ),
)


TABLES = frozenset(
    table for _, *sides in _EQUATIONS for side in sides for table in tables_read(f"select {side}")
)
"""The tables that the equations count."""


def balance(warehouse: Warehouse) -> list[Equation]:
    """Works the equations out for the current run and keeps them in ``ops.ledger``.

    Those that held for the same builds of all tables, because nothing was built since, are not
    worked out again.
    """
    found = []
    state = state_of(warehouse, TABLES)
    known = _known(warehouse, state) if all(is_noted(warehouse, one) for one in TABLES) else {}
    warehouse.execute("delete from ops.ledger where run_id = (select run_id from ops.parameters)")
    for name, left, right in _EQUATIONS:
        equation = known.get(name) or _worked_out(warehouse, name, left, right)
        found.append(equation)
        warehouse.execute(
            "insert into ops.ledger by name select run_id, $name as equation, $left as left_side, "
            "$right as right_side, $holds as holds, $state as of_state from ops.parameters",
            {"name": name, "left": equation.left, "right": equation.right,
             "holds": equation.holds, "state": state},
        )  # fmt: skip
    return found


def _known(warehouse: Warehouse, state: str) -> dict[str, Equation]:
    """Returns the equations that held for the builds of a state."""
    return {
        str(row["equation"]): Equation(
            str(row["equation"]), int(str(row["left_side"])), int(str(row["right_side"]))
        )
        for row in warehouse.rows(
            "select equation, left_side, right_side from ops.ledger "
            "where of_state = $state and holds",
            {"state": state},
        )
    }


def _worked_out(warehouse: Warehouse, name: str, left: str, right: str) -> Equation:
    sides = warehouse.rows(f"select {left} as l, {right} as r")[0]
    return Equation(name, int(str(sides["l"])), int(str(sides["r"])))
