"""Building the tables of the pipeline: used by Dagster, by the tests and by the benchmarks alike.

Belongs here: building one table, or all of them in order. Does not belong here: which tables there
are (``graph.py``) and which run is current (``run.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from etl.clean import dictionaries
from etl.engine.builds import (
    build_of,
    forget_build,
    is_in_step,
    is_noted,
    note_build,
    note_inputs,
    noted_rows,
)
from etl.engine.port import Warehouse
from etl.engine.statements import Kind, Statement, TableName
from etl.extract import Extraction, extract_changes, extract_register
from etl.pipeline.graph import Table, pipeline
from etl.pipeline.places import PLACES, build_places
from etl.pipeline.run import DELTA
from etl.pipeline.scope import Scope, begin_scope, scope_of
from etl.publish.replaced import noting_replaced
from etl.settings import Settings
from etl.state.statistics import remember_statistic


@dataclass(frozen=True)
class Built:
    """One table that was built.

    Attributes:
        table: Its name.
        rows: How many rows it has; of a dictionary, how many strings were new.
        seconds: How long it took.
        processor_seconds: How long all processors together were at work on it.
    """

    table: TableName
    rows: int
    seconds: float
    processor_seconds: float


def read(
    warehouse: Warehouse,
    register: str,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> Extraction:
    """Reads a register into ``raw``: whole, or in a delta what has changed.

    Raises:
        DoisoatError: As ``extract_register`` and ``extract_changes`` do.
    """
    source = getattr(settings, register)
    if not is_delta(warehouse):
        return extract_register(warehouse, register, source, progress, settings.engine)
    scope = begin_scope(warehouse)
    found = extract_changes(warehouse, register, source, progress, settings.engine)
    scope.note(found)
    return found


def build(warehouse: Warehouse, name: TableName) -> int:
    """Builds one table from its inputs as they are now, and notes which builds it read.

    Args:
        warehouse: The warehouse.
        name: A dictionary, or a table that a statement makes.

    Returns:
        The rows of the table; of a dictionary, how many strings were new.

    Raises:
        LookupError: Nothing builds it: a register is read, other tables are given.
    """
    table = pipeline().get(name)
    if table is None or table.kind is Kind.REGISTER:
        raise LookupError(f"nothing builds {name.sql}")
    if is_delta(warehouse):
        return _build_in_delta(warehouse, table)
    return _build(warehouse, table)


def is_delta(warehouse: Warehouse) -> bool:
    """Says whether the run continues with the tables of the last one."""
    return warehouse.value("select mode from ops.parameters") == DELTA


def _build_in_delta(warehouse: Warehouse, table: Table) -> int:
    """Builds a table whose inputs have changed, or some of its rows; keeps any other table.

    The rules, the reference tables and the parameters are those of the last run: otherwise the run
    would be full. A statistic is kept whatever its inputs: only a full run counts again.
    """
    name, statement, scope = table.name, table.statement, scope_of(warehouse)
    if table.kind is Kind.STATISTIC:
        note_inputs(warehouse, name, table.inputs)
    elif table.kind is Kind.DICTIONARY:
        return _extend(warehouse, table, scope)
    elif not is_in_step(warehouse, name):
        if scope and statement and scope.covers(statement, lambda one: build(warehouse, one)):
            _build_few(warehouse, statement, scope)
        else:
            if scope:
                scope.keep(name)
            if scope and statement:
                scope.note_whole(statement)
            if statement is None or statement.delta or not is_noted(warehouse, name):
                return _build(warehouse, table)
            _build_if_other(warehouse, statement)
    elif statement and any(read.schema == "ops" for read in statement.depends_on):
        if scope:
            scope.keep(name)
        _build_if_other(warehouse, statement)
    return warehouse.count(name)


def _build_if_other(warehouse: Warehouse, statement: Statement) -> None:
    """Builds a table whole that no delta builds in part; if it is as it was, its build stands.

    Its content shows whether decisions, which have no build, have changed it.
    """
    name = statement.name
    with warehouse.transaction():
        before = _content(warehouse, name)
        warehouse.build(name, statement.query)
        if _content(warehouse, name) == before:
            note_inputs(warehouse, name, statement.depends_on)
        else:
            forget_build(warehouse, name)
            note_build(warehouse, name, statement.depends_on)


def _extend(warehouse: Warehouse, table: Table, scope: Scope | None) -> int:
    """Extends a dictionary, and tells the scope which strings it understands otherwise.

    A dictionary that was begun anew ends the scope: any of its strings may be understood otherwise.
    """
    before = noted_rows(warehouse, table.name)
    only_amended = bool(scope and not scope.whole_because)
    found = dictionaries.extend(warehouse, table.name.table, only_amended=only_amended)
    if scope:
        scope.note_restated(table.name, found.restated)
        if before is None or before + found.new != warehouse.count(table.name):
            scope.give_up(f"the dictionary of {table.name.table} was begun anew")
    return found.new


def _build_few(warehouse: Warehouse, statement: Statement, scope: Scope) -> None:
    """Builds the rows of a table that a delta's scope has, and puts them in place.

    Where there are none, the table is as it was, and nothing that is made of it need be made again.
    """
    name, before = statement.name, build_of(warehouse, statement.name)
    gone = scope.build(statement)
    with warehouse.transaction(), noting_replaced(warehouse, name, gone):
        replaced = warehouse.replace_rows(name, gone)
        if replaced:
            forget_build(warehouse, name)
            note_build(warehouse, name, statement.depends_on)
        else:
            note_inputs(warehouse, name, statement.depends_on)
    scope.note_built(statement, before, replaced)


def _content(warehouse: Warehouse, name: TableName) -> object:
    return warehouse.value(
        f"select (count(*), sum(hash(content)::hugeint))::varchar from {name.sql} as content"  # noqa: S608
    )


def _build(warehouse: Warehouse, table: Table) -> int:
    name = table.name
    if name == PLACES:
        scope = scope_of(warehouse)
        return build_places(warehouse, scope.replaced if scope else lambda _: ("", 0))
    if table.statement is None:
        return dictionaries.extend(warehouse, name.table).new
    forget_build(warehouse, name)
    by = table.statement.sliced_by
    rows = warehouse.build(
        name, table.statement.query, rows_at_work=warehouse.count(by) if by else 0
    )
    note_build(warehouse, name, table.statement.depends_on)
    if table.kind is Kind.STATISTIC:
        remember_statistic(warehouse, name)
    return rows


def build_all(warehouse: Warehouse, tables: Iterable[Table] | None = None) -> list[Built]:
    """Builds tables in order, from registers that are in the warehouse.

    Args:
        warehouse: The warehouse.
        tables: In the order of building; by default all but the registers.

    Returns:
        What was built, in order.
    """
    chosen = pipeline().of("clean", "core", "publish") if tables is None else list(tables)
    done = []
    for table in chosen:
        began, processor = time.perf_counter(), time.process_time()
        rows = build(warehouse, table.name)
        done.append(
            Built(
                table.name,
                rows,
                time.perf_counter() - began,
                time.process_time() - processor,
            )
        )
    return done


def run(warehouse: Warehouse, settings: Settings) -> list[Built]:
    """Reads both registers and builds every table: a sync without checks and publish."""
    for table in pipeline().of("raw"):
        read(warehouse, table.name.table, settings)
    return build_all(warehouse)
