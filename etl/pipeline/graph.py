"""The pipeline: every table, what it reads, and the one order in which tables are built.

Belongs here: which tables there are, computed from the registers' contract, the dictionaries and
the ``.sql`` files; no list is kept by hand. Does not belong here: building them (``runner.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter

from etl.clean import dictionaries
from etl.domain.contract import REGISTERS
from etl.engine.statements import Kind, Statement, TableName, statements
from etl.pipeline.places import INPUTS, PLACES

GIVEN = frozenset({"ref", "ops"})
"""Schemas that statements read but the pipeline does not build: reference data and the state."""


@dataclass(frozen=True)
class Table:
    """One table of the pipeline.

    Attributes:
        name: Schema and table.
        kind: What its rows depend on.
        inputs: The tables of the pipeline that it reads.
        statement: The SQL that makes it; None for registers, dictionaries and places.
    """

    name: TableName
    kind: Kind
    inputs: frozenset[TableName]
    statement: Statement | None = None


class Pipeline(Mapping[TableName, Table]):
    """The tables by name, each after those that it reads."""

    def __init__(self, tables: Collection[Table]) -> None:
        """Puts tables in order.

        Args:
            tables: In any order.

        Raises:
            LookupError: One reads a table that nothing makes.
            graphlib.CycleError: Tables read each other in a circle.
        """
        named = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
        for table in named.values():
            if unknown := sorted(table.inputs - named.keys()):
                raise LookupError(f"{table.name.sql} reads {unknown[0].sql}, which nothing makes")
        sorter = TopologicalSorter({name: sorted(one.inputs) for name, one in named.items()})
        self._tables = {name: named[name] for name in sorter.static_order()}

    def __getitem__(self, name: TableName) -> Table:
        """Returns a table by its name."""
        return self._tables[name]

    def __iter__(self) -> Iterator[TableName]:
        """Goes through the names in the order of building."""
        return iter(self._tables)

    def __len__(self) -> int:
        """Returns how many tables there are."""
        return len(self._tables)

    def of(self, *schemas: str) -> list[Table]:
        """Returns the tables of some schemas, in the order of building."""
        return [table for table in self.values() if table.name.schema in schemas]

    def upstream(self, name: TableName) -> frozenset[TableName]:
        """Returns every table that a table depends on, without itself."""
        found: set[TableName] = set()
        waiting = list(self[name].inputs)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self[one].inputs
        return frozenset(found)


@cache
def pipeline() -> Pipeline:
    """Returns the pipeline of the project."""
    registers = [
        Table(TableName("raw", register), Kind.REGISTER, frozenset()) for register in REGISTERS
    ]
    understood = [
        Table(TableName("clean", table), Kind.DICTIONARY, dictionaries.inputs_of(table))
        for table in dictionaries.tables()
    ]
    made = [
        Table(
            name,
            statement.kind,
            frozenset(table for table in statement.depends_on if table.schema not in GIVEN),
            statement,
        )
        for name, statement in statements().items()
    ]
    found = Table(PLACES, Kind.RECORD, INPUTS)
    return Pipeline([*registers, *understood, *made, found])
