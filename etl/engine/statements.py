"""The SQL files of the project, found by the name of the table that they make.

Belongs here: loading ``.sql`` files and reading from them what the lineage graph shows
(description, dependencies). Does not belong here: running them (``engine.py``) and column
lineage (``lineage.py``). A file ``<package>/sql/<schema>/<table>.sql`` holds one SELECT; its
leading comment says what the table is and what it decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

import sqlglot
from sqlglot import exp

DIALECT = "duckdb"

PACKAGES = ("etl.clean", "etl.reconcile", "etl.publish")
"""The packages that hold statements, in the order of the flow."""

UNSEEN = frozenset({"ops.parameters"})
"""Tables every statement may read that are no part of the lineage: the run's own settings."""


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
    def description(self) -> str:
        """The leading comment, as Markdown for the UI."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").removeprefix(" "))
        return "\n".join(lines).strip()

    @cached_property
    def depends_on(self) -> frozenset[TableName]:
        """The tables that the statement reads."""
        tree = sqlglot.parse_one(self.query, dialect=DIALECT)
        found = {
            f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db
        } - UNSEEN
        return frozenset(TableName.parse(name) for name in found)


def _sql_files(folder: Traversable) -> list[tuple[str, Traversable]]:
    return sorted(
        ((entry.name.removesuffix(".sql"), entry) for entry in folder.iterdir()
         if entry.name.endswith(".sql")),
        key=lambda pair: pair[0],
    )  # fmt: skip


@cache
def statements() -> dict[TableName, Statement]:
    """Returns every statement of the project, by table."""
    found: dict[TableName, Statement] = {}
    for package in PACKAGES:
        for schema in files(package).joinpath("sql").iterdir():
            if not schema.is_dir():
                continue
            for table, file in _sql_files(schema):
                name = TableName(schema.name, table)
                found[name] = Statement(name, file.read_text(encoding="utf-8"), package)
    return found


@cache
def macros() -> tuple[str, ...]:
    """Returns the macros that statements share, one CREATE each.

    They are how two values are compared: one definition, used by every step.
    """
    found: list[str] = []
    for package in PACKAGES:
        for _, file in _sql_files(files(package).joinpath("sql")):
            text = file.read_text(encoding="utf-8")
            found += [
                "create or replace temp macro" + part
                for part in text.split("create or replace temp macro")[1:]
            ]
    return tuple(found)
