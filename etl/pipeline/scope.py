"""Which rows a delta builds anew: those that have changed, and those that depend on them.

A delta takes the rows that have changed in the registers, and those with a date that is understood
otherwise than in the last run (a birth that was in the future then). It follows what ties records
and citizens together, and builds each large table anew for those rows only. It does so in stages
(``Stage``), because the ties of one stage depend on the results of the stage before. More rows than
needed cost time; fewer would be an error: ``tests/integration/test_scope.py`` compares every table
with one that was built whole, and ``test_delta.py`` with that of a full run.

Belongs here: the order in which a scope is found. Does not belong here: what ties rows together
(``ties.py``), how an engine shows a table in part (``etl/engine``), and building (``runner.py``).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import pyarrow as pa

from etl.domain.contract import REGISTERS
from etl.engine.builds import build_of, out_of_step
from etl.engine.port import Warehouse
from etl.engine.statements import Kind, Stage, Statement, TableName
from etl.extract import Extraction
from etl.extract.delta import changed_keys, key_of, touched_keys
from etl.pipeline.graph import pipeline
from etl.pipeline.ties import (
    BEFORE,
    BY_COLUMN,
    GONE,
    KEYS_READ,
    MAKES_MORE,
    NEEDED,
    SAVED,
    SETS,
    SETS_AFTER,
    SHOWN,
    TIES,
    UNNEEDED,
    WHOLE_BY,
    keys_of_restated,
    restated_strings,
)

_MOST = 0.2
_ALWAYS = 10_000
"""If more records or citizens than this, and more than the share ``_MOST`` of a register, would be
built anew, all of them are: that costs less."""


class _TooMuchError(Exception):
    """So many rows are tied to what has changed that building all of them costs less."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The rows of a table that a delta has built again.

    Attributes:
        before: The build of the table of which all other rows are.
        rows: The rows built, as SQL.
        whole_by: Rows that agree in these columns were all built again, or none of them.
    """

    before: str
    rows: str
    whole_by: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Replaced:
    """That a delta has replaced rows of a table.

    Attributes:
        stage: The stage that said which.
        before: The build of the table before.
        after: Its build since.
        rows: How many rows the table lost and gained in all.
    """

    stage: Stage
    before: str
    after: str
    rows: int


class Scope:
    """The rows that one delta builds anew."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Begins before anything is read, while the tables are as the last run left them.

        A delta can continue only if that run built every table.
        """
        self._warehouse = warehouse
        self._stages: list[Stage] = []
        self._kept: set[str] = set()
        self._in_parts_for: Stage | None = None
        self._in_parts: set[TableName] = set()
        tables = [table.name for table in pipeline().values()]
        is_usable = all(map(warehouse.exists, tables)) and not out_of_step(warehouse, tables)
        self._given_up = "" if is_usable else "the last run did not build every table"
        self._extractions: dict[str, Extraction] = {}
        self._restated: set[str] = set()
        self._whole: dict[TableName, str] = {}
        self._replaced: dict[TableName, _Replaced] = {}

    def note(self, extraction: Extraction) -> None:
        """Notes what was read of a register."""
        self._extractions[extraction.register] = extraction

    def note_restated(self, dictionary: TableName, strings: pa.Array) -> None:
        """Notes strings that a dictionary understands otherwise than in the last run."""
        if not len(strings):
            return
        if self._stages:  # midnight has passed since
            self.give_up("a date was understood otherwise after the scope had been found")
        name = restated_strings(dictionary.table)
        self._warehouse.execute(f"create temp table if not exists {name} (raw varchar)")
        with self._warehouse.lending("incoming", pa.table({"raw": strings})):
            self._warehouse.execute(f"insert into {name} select raw from incoming")  # noqa: S608
        self._restated.add(dictionary.table)

    def give_up(self, reason: str) -> None:
        """Makes every table be built whole from here on."""
        self._given_up = self._given_up or reason

    @property
    def whole_because(self) -> str:
        """Why tables are built whole; empty where the rows of the scope suffice."""
        if self._given_up:
            return self._given_up
        for register in REGISTERS:
            read = self._extractions.get(register)
            if read is None or read.changes is None:
                how = "read whole" if read else "not read by this process"
                return f"the {register} register was {how}"
        return ""

    def covers(self, statement: Statement, build: Callable[[TableName], int]) -> bool:
        """Says whether few rows of a statement's table need be built; finds out which.

        Args:
            statement: The statement.
            build: Builds a table that must be there before.
        """
        if statement.delta is None or self.whole_because:
            return False
        try:
            for stage in Stage:
                if stage not in self._stages:
                    self._enter(stage, build)
                    self._stages.append(stage)
                if self._given_up or stage is statement.delta:
                    break
        except _TooMuchError as reason:
            self.give_up(str(reason))
            self._drop(itertools.chain(*UNNEEDED.values()))
        return not self._given_up

    def build(self, statement: Statement) -> str:
        """Builds the rows of a statement's table that are in the scope.

        Returns:
            The condition of the rows that they replace.
        """
        warehouse, name, stage = self._warehouse, statement.name, statement.delta
        assert stage is not None  # noqa: S101 - covers() said so
        if stage is not self._in_parts_for:
            warehouse.show_whole()
            self._in_parts_for, self._in_parts = stage, set()
        warehouse.show_whole(statement.read_whole)
        self._in_parts -= statement.read_whole
        for table in statement.depends_on - statement.read_whole - self._in_parts:
            if rows := self._shown(stage, table):
                warehouse.show_part(table, rows)
                self._in_parts.add(table)
        gone = self._gone(stage, name)
        if name.sql in SAVED:
            kept, columns = SAVED[name.sql]
            self._set(kept, f"select {columns} from {name.sql} where {gone}")  # noqa: S608
        query = statement.query
        if name.sql in MAKES_MORE:
            query = f"select * from (\n{query}\n) where {gone}"  # noqa: S608 - our own words
        warehouse.build_part(name, query, statement.depends_on)
        self._in_parts.add(name)
        return gone

    def note_built(self, statement: Statement, before: str, replaced: int) -> None:
        """Notes that so many rows of a table that was some build before were replaced."""
        assert statement.delta is not None  # noqa: S101 - covers() said so
        after = build_of(self._warehouse, statement.name)
        self._replaced[statement.name] = _Replaced(statement.delta, before, after, replaced)

    def rebuilt(self, table: TableName) -> Rebuilt | None:
        """Returns the rows of a table that this delta has built; None if it was built whole."""
        found, rows = self._replaced.get(table), self._warehouse.built_rows(table)
        if not (found and rows and found.after == build_of(self._warehouse, table)):
            return None
        return Rebuilt(found.before, rows, self._whole_by(found.stage, table))

    def replaced(self, table: TableName) -> tuple[str, int]:
        """Returns the build of which this delta has replaced rows (or nothing), and how many."""
        found = self._replaced.get(table)
        if not (found and found.after == build_of(self._warehouse, table)):
            return "", 0
        return found.before, found.rows

    def note_whole(self, statement: Statement) -> None:
        """Notes that a table is built whole."""
        if statement.delta is not None:
            self._whole[statement.name] = self.whole_because

    def why_whole(self, table: TableName) -> str:
        """Returns why a table was built whole that might have been built in part; else nothing."""
        return self._whole.get(table, "")

    def keep(self, name: TableName) -> None:
        """Keeps a table's rows before it is built whole, if old and new must be compared."""
        if name.sql in BEFORE and name.sql not in self._kept and not self.whole_because:
            self._kept.add(name.sql)
            self._set(BEFORE[name.sql], f"select * from {name.sql}")  # noqa: S608

    # --- the rows of each stage -------------------------------------------------------------------

    def _enter(self, stage: Stage, build: Callable[[TableName], int]) -> None:
        """Finds the rows of a stage, after building the tables from which they are found."""
        for name, table in pipeline().items():
            if name.sql in NEEDED.get(stage, ()):
                self.keep(name)
            is_needed = (
                name.sql in NEEDED.get(stage, ())
                or (table.kind is Kind.DICTIONARY and stage is Stage.READING)
                or (table.statement is not None and table.statement.delta in self._stages)
            )
            if is_needed:
                build(name)
        if self._given_up:  # a dictionary was begun anew
            return
        if stage is Stage.READING:
            self._begin()
        for table_of_rows, query in SETS[stage].items():
            self._set(table_of_rows, query)
        if stage in TIES:
            self._follow(TIES[stage])
        for table_of_rows, query in SETS_AFTER.get(stage, {}).items():
            self._set(table_of_rows, query)
        self._drop(UNNEEDED.get(stage, ()))

    def _begin(self) -> None:
        for name, (kept, columns) in SAVED.items():
            self._set(kept, f"select {columns} from {name} limit 0")  # noqa: S608 - our own names
        for register, keys in KEYS_READ.items():
            queries = ["select '' as row_key where false"]
            if self._extractions[register].changes:
                queries.append(f"select row_key from {changed_keys(register)}")  # noqa: S608
            queries += (keys_of_restated(register, dictionary) for dictionary in self._restated)
            self._set(keys, " union ".join(queries))
        is_any = self._extractions["insurance"].changes
        touched = touched_keys("insurance") if is_any else "record_keys limit 0"
        self._set("touched_records", f"select row_key as record_id from {touched}")  # noqa: S608

    def _follow(self, ties: dict[str, str]) -> None:
        """Adds to the scope all that is tied to its rows, until a round finds nothing new.

        Args:
            ties: For each set, the query for what is tied to the findings of the last round.
        """
        for of in ties:
            self._set(f"reached_{of}", f"select * from found_{of}")  # noqa: S608 - our own names
        registers = {"records": "clean.insurance", "citizens": "clean.population"}
        most = {
            of: max(_ALWAYS, int(_MOST * self._warehouse.count(TableName.parse(registers[of]))))
            for of in ties
            if of in registers
        }
        while any(self._count(f"found_{of}") for of in ties):
            for of, query in ties.items():
                self._set("found", query)
                self._set(
                    f"found_{of}",
                    f"select * from found except select * from reached_{of}",  # noqa: S608
                )
                self._warehouse.execute(f"insert into reached_{of} from found_{of}")
            for of, limit in most.items():
                if (found := self._count(f"reached_{of}")) > limit:
                    raise _TooMuchError(f"{found:,} {of} depend on what has changed")

    def _drop(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._warehouse.execute(f"drop table if exists {table}")

    def _count(self, rows: str) -> int:
        return self._warehouse.number(f"select count(*) from {rows}")  # noqa: S608 - our own names

    def _set(self, table: str, query: str) -> None:
        self._warehouse.execute(f"create or replace temp table {table} as {query}")

    # --- how a table's rows are told --------------------------------------------------------------

    def _shown(self, stage: Stage, table: TableName) -> str:
        """Returns the rows of an input that count, as SQL; empty where all do."""
        if stage is Stage.READING and table.schema == "raw":
            return self._rows_read(table)
        condition = SHOWN.get((stage, table.sql), "")
        if not condition and stage is not Stage.READING and table.schema not in {"ref", "ops"}:
            condition = _by_column({name for name, _ in self._warehouse.columns(table)})
        columns = self._columns(stage, table)
        return condition and f"select {columns} from {table.sql} where {condition}"  # noqa: S608

    def _rows_read(self, table: TableName) -> str:
        """Returns the rows of a register that are understood again.

        All rows of a key that has changed are amended, so only other keys are sought in the whole
        register.
        """
        register, keys = table.table, KEYS_READ[table.table]
        nothing = f"(select row_key from {keys} limit 0)"  # noqa: S608 - our own names
        changed = changed_keys(register) if self._extractions[register].changes else nothing
        others = f"select row_key from {keys} anti join {changed} as changed using (row_key)"  # noqa: S608
        rows = "select * from {} where {} in ({})"
        key, amended = key_of(register), self._warehouse.amended_rows(table)
        found = [rows.format(amended, key, f"select row_key from {changed}")]  # noqa: S608
        if self._count(f"({others})"):
            found.append(rows.format(table.sql, key, others))
        return " union all by name ".join(found)

    def _columns(self, stage: Stage, table: TableName) -> str:
        """Returns the columns of an input that a stage's statements name: registers are wide."""
        if stage is Stage.READING or table.schema not in {"raw", "clean"}:
            return "*"
        named = {
            word
            for made in pipeline().values()
            if made.statement and made.statement.delta is stage and table in made.inputs
            for word in re.findall(r"\w+", made.statement.text)
        }
        return ", ".join(name for name, _ in self._warehouse.columns(table) if name in named)

    def _whole_by(self, stage: Stage, table: TableName) -> frozenset[str]:
        """Returns the columns on which alone it depends whether a row is replaced."""
        if found := WHOLE_BY.get(table.sql) or WHOLE_BY.get(stage):
            return found
        if table.sql in GONE:
            return frozenset()
        columns = {name for name, _ in self._warehouse.columns(table)}
        return frozenset(itertools.islice((one for one in BY_COLUMN if one in columns), 1))

    def _gone(self, stage: Stage, table: TableName) -> str:
        """Returns which rows of a table are replaced."""
        if found := GONE.get(table.sql) or GONE.get(stage):
            return found
        if table.schema == "publish":
            return "record_id in (select published_key(record_id) from scope_records)"
        return _by_column({name for name, _ in self._warehouse.columns(table)})


def _by_column(columns: Collection[str]) -> str:
    return next((rows for column, rows in BY_COLUMN.items() if column in columns), "")


_SCOPES: WeakKeyDictionary[Warehouse, Scope] = WeakKeyDictionary()


def scope_of(warehouse: Warehouse) -> Scope | None:
    """Returns the scope of the delta that a warehouse is open for, if one was begun."""
    return _SCOPES.get(warehouse)


def begin_scope(warehouse: Warehouse) -> Scope:
    """Begins the scope of a delta, before anything is read; or returns the one that was begun."""
    if warehouse not in _SCOPES:
        _SCOPES[warehouse] = Scope(warehouse)
    return _SCOPES[warehouse]
