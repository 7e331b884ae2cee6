"""The SQL files of the project, found by the name of the table that they make.

Belongs here: loading ``.sql`` files and reading from them what they say of themselves (what the
table is, its kind, the tables that it reads). Does not belong here: running them (the engines),
their order (``etl/pipeline``) and column lineage (``lineage.py``). A file
``<package>/sql/<schema>/<table>.sql`` holds one SELECT; its leading comment says what the table is
and what it decides, and ends with its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

import sqlglot
from sqlglot import exp

DIALECT = "duckdb"

UNSEEN = frozenset({"ops.parameters"})
"""Tables every statement may read that are no part of the lineage: the run's own settings."""

_KIND = "Kind: "
_SLICES = "Slices: "
_DELTA = "Delta: "
_WHOLE = "Whole: "


class Kind(StrEnum):
    """What rows of a table depend on: how a run must build it that reads only what has changed."""

    REGISTER = "register"
    """A register as it was read."""
    DICTIONARY = "dictionary"
    """Each distinct string, understood once; extended from run to run."""
    STATISTIC = "statistic"
    """Counts over a whole register: written by a run that reads all of it, and by no other."""
    RECORD = "record"
    """Rows that depend on one record, its own citizens and statistics."""
    GROUP = "group"
    """Rows that depend on all that share a number, a citizen, or a name and birth date."""
    TOTAL = "total"
    """Counts of the run."""


class Stage(StrEnum):
    """Which rows a delta builds anew, one stage after the other (``etl/pipeline/scope.py``)."""

    READING = "reading"
    """Of the keys that have changed in the registers."""
    LINKING = "linking"
    """Of the records and citizens with which a changed one may be linked, or whose link it may
    prevent."""
    BLOCKING = "blocking"
    """Of the records whose neighbours may be others: citizens that share a blocking key."""
    NEARNESS = "nearness"
    """Of the pairs that are new, or of which a side has changed."""
    WEIGHING = "weighing"
    """Of the records of which a pair weighs differently, or a citizen may be linked otherwise."""
    LINKED = "linked"
    """Of the records whose link may have changed."""
    FINDINGS = "findings"
    """Of the records whose mismatches or status may have changed."""


@dataclass(frozen=True, order=True, slots=True)
class TableName:
    """Schema and table; the Dagster asset key is the two joined by '/'."""

    schema: str
    table: str

    @property
    def sql(self) -> str:
        """The name as SQL writes it."""
        return f"{self.schema}.{self.table}"

    @classmethod
    def parse(cls, name: str) -> TableName:
        """Reads ``schema.table``."""
        schema, _, table = name.partition(".")
        return cls(schema, table)


@dataclass(frozen=True)
class Statement:
    """One SQL file: the table it makes and how.

    Attributes:
        name: The table that it makes.
        text: The file, comment and all.
        package: The package that it lives in.
    """

    name: TableName
    text: str
    package: str

    @property
    def query(self) -> str:
        """The SELECT, with its comments."""
        return self.text.strip().removesuffix(";")

    @cached_property
    def _head(self) -> tuple[str, ...]:
        """The lines of the leading comment."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").removeprefix(" "))
        return tuple(lines)

    @cached_property
    def description(self) -> str:
        """The leading comment without its marked lines (``Kind: `` …), as Markdown for the UI."""
        marks = (_KIND, _SLICES, _DELTA, _WHOLE)
        told = (line for line in self._head if not line.startswith(marks))
        return "\n".join(told).strip()

    @cached_property
    def kind(self) -> Kind:
        """The kind that the leading comment names.

        Raises:
            ValueError: It names none, or an unknown one.
        """
        named = self._named(_KIND)
        if len(named) != 1:
            raise ValueError(f"{self.name.sql}: the leading comment must end with '{_KIND}…'")
        return Kind(named[0])

    @cached_property
    def sliced_by(self) -> TableName | None:
        """The table whose size decides in how many pieces this one is built; None: always in one.

        Such a statement calls ``in_slice`` with the key by which the pieces are divided.
        """
        named = self._named(_SLICES)
        return TableName.parse(named[0]) if named else None

    @cached_property
    def delta(self) -> Stage | None:
        """Which rows of the table a delta builds; None: all of them."""
        named = self._named(_DELTA)
        return Stage(named[0]) if named else None

    @cached_property
    def read_whole(self) -> frozenset[TableName]:
        """The tables of which the statement reads all rows, even where a delta builds few rows."""
        return frozenset(map(TableName.parse, self._named(_WHOLE)))

    def _named(self, mark: str) -> list[str]:
        """What the leading comment names after a mark, separated by commas."""
        lines = [line.removeprefix(mark) for line in self._head if line.startswith(mark)]
        return [name for line in lines for name in line.rstrip(".").split(", ")]

    @cached_property
    def depends_on(self) -> frozenset[TableName]:
        """The tables that the statement reads."""
        return tables_read(self.query)


def tables_read(query: str) -> frozenset[TableName]:
    """Returns the tables that a query reads, from its syntax tree: those with a schema.

    Args:
        query: A SELECT, or an expression with subqueries.
    """
    tree = sqlglot.parse_one(query, dialect=DIALECT)
    found = {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db} - UNSEEN
    return frozenset(TableName.parse(name) for name in found)


@cache
def packages() -> tuple[str, ...]:
    """Returns the packages of ``etl`` with a folder ``sql``: statements and macros."""
    return tuple(
        f"etl.{room.name}"
        for room in sorted(files("etl").iterdir(), key=lambda room: room.name)
        if room.is_dir() and room.joinpath("sql").is_dir()
    )


def _folder(package: str) -> Traversable:
    """Where a package has its statements; the package itself is not imported for it."""
    return files("etl").joinpath(package.removeprefix("etl."), "sql")


def sql_files(package: str, schema: str = "") -> list[tuple[str, str]]:
    """Returns name and text of the ``.sql`` files of a package, of one schema or of none."""
    folder = _folder(package)
    if schema:
        folder = folder.joinpath(schema)
    return sorted(
        (entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    )


@cache
def statements() -> dict[TableName, Statement]:
    """Returns every statement of the project, by table."""
    return {
        (name := TableName(schema.name, table)): Statement(name, text, package)
        for package in packages()
        for schema in _folder(package).iterdir()
        if schema.is_dir()
        for table, text in sql_files(package, schema.name)
    }
