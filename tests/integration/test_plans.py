"""Plans: every join in a sync is a join by equality.

Every statement that a sync sends to the engine is examined before it runs: those of the tables, the
dictionaries, the differences, the working copy of the state and the quality rules.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest

from etl.engine.statements import statements
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.publish import publish
from etl.publish.ledger import balance
from etl.reconcile import training
from expectations import SUITES
from expectations.failures import keep_failures
from tests.crowds import all_crowds
from tests.support import Registers, memory_folder

_LOOPS = frozenset(
    {
        "NESTED_LOOP_JOIN",
        "BLOCKWISE_NL_JOIN",
        "IE_JOIN",
        "PIECEWISE_MERGE_JOIN",
        "CROSS_PRODUCT",
        "POSITIONAL_JOIN",
        "ASOF_JOIN",
    }
)
_ONE_ROW = frozenset({"UNGROUPED_AGGREGATE", "DUMMY_SCAN"})
_AS_MANY_ROWS = frozenset(
    {"PROJECTION", "FILTER", "ORDER_BY", "TOP_N", "LIMIT", "STREAMING_LIMIT", "UNNEST", "WINDOW"}
)
_FIXED = re.compile(r"\b(ops\.parameters|ref\.[a-z_]+)$")
"""The run's settings, which are one row, and the reference tables, which do not grow."""

SAMPLES = "create or replace table core.level_chances "
"""It compares each of a thousand records with each of a thousand citizens: always so many."""


@dataclass
class Plan:
    """The physical plan of one statement."""

    query: str
    root: dict[str, Any]
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def loops(self) -> Iterator[str]:
        """The joins that would compare each row of one large side with each row of another."""
        for node in self._nodes(self.root):
            if node["name"] in _LOOPS and not any(map(self._is_small, node["children"])):
                info = node["extra_info"]
                condition = info.get("Conditions") or info.get("Condition") or "no condition"
                yield f"{node['name']} on {condition}"

    def _nodes(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if node["name"] == "CTE":
            self.tables[node["extra_info"]["Table Index"]] = node["children"][0]
        yield node
        for child in node["children"]:
            yield from self._nodes(child)

    def _is_small(self, node: dict[str, Any]) -> bool:
        name, info = node["name"], node.get("extra_info", {})
        if name in _ONE_ROW or name == "EMPTY_RESULT":
            return True
        if name == "CTE_SCAN":
            return self._is_small(self.tables[info["CTE Index"]])
        if "SCAN" in name:
            return bool(_FIXED.search(str(info.get("Table", "")).replace('"', "")))
        if name in _AS_MANY_ROWS or name == "CROSS_PRODUCT":
            return all(map(self._is_small, node["children"]))
        return False


class Watched:
    """A connection that plans each statement before it runs it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, plans: list[Plan]) -> None:
        self.plans = plans
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: str, parameters: Any = None) -> Any:
        for statement in self._connection.extract_statements(query):
            if _is_planned(statement):
                self._plan(statement.query, parameters)
        return self._connection.execute(query, parameters)

    def _plan(self, query: str, parameters: Any) -> None:
        found = self._connection.execute(f"explain (format json) {query}", parameters)
        root = json.loads(found.fetchall()[-1][1])
        self.plans.append(Plan(query.strip(), root[0] if isinstance(root, list) else root))


def _is_planned(statement: duckdb.Statement) -> bool:
    kinds = duckdb.StatementType
    if statement.type == kinds.CREATE:
        made = re.match(r"\s*create (or replace )?(temp )?table \S+ as\b", statement.query, re.I)
        return bool(made)
    return statement.type in (kinds.SELECT, kinds.INSERT, kinds.UPDATE, kinds.DELETE, kinds.COPY)


@pytest.fixture(scope="module")
def plans() -> Iterator[list[Plan]]:
    """The plans of two syncs, of every quality rule, and of what the model is trained on."""
    folder = memory_folder("doisoat-plans-")
    registers = Registers(
        folder,
        *all_crowds(30),
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    settings = registers.settings
    found: list[Plan] = []
    for run in ("first", "second"):
        with warehouse_for(settings, Run(run)) as warehouse:
            if run == "second":
                _decide(warehouse.connection)
            watched = Watched(warehouse.connection, found)
            warehouse.connection = watched  # type: ignore[assignment]
            runner.run(warehouse, settings)
            balance(warehouse)
            publish(warehouse, settings, ())
            for suite in SUITES:
                for rule in suite.rules:
                    query = rule.arguments.get("unexpected_rows_query", "")
                    for sql in filter(None, (query, rule.seen)):
                        watched.execute(sql.replace("{batch}", suite.table.sql))
                    if rule.failing:
                        keep_failures(warehouse, suite, rule)
            parameters = {"seed": 1, "records": training.SAMPLE_RECORDS}
            watched.execute(training._RECORDS, parameters)
            watched.execute(training._CITIZENS)
        release_lock(settings)
    yield found
    shutil.rmtree(folder, ignore_errors=True)


def _decide(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("""
        insert into ops.decisions by name
        select
            record_id,
            '008075000000' as personal_id,
            'Lan' as decided_by,
            'seen' as reason,
            current_timestamp::timestamp as decided_at,
            '1' as decision_id
        from core.reconciled where record_id = 'namesakes 1'
    """)


def test_every_join_of_a_sync_is_by_equality(plans: list[Plan]) -> None:
    loops = {
        f"{' '.join(plan.query.split())[:200]}: {loop}"
        for plan in plans
        if not plan.query.startswith(SAMPLES)
        for loop in plan.loops()
    }
    assert not loops, "\n".join(sorted(loops))


def test_every_statement_was_planned(plans: list[Plan]) -> None:
    planned = " ".join(plan.query for plan in plans)
    for name in statements():
        assert f"create or replace table {name.sql} as" in planned
    for words in ("unknown_strings as", "from published as theirs", "ops.link_history", "fails"):
        assert words in planned


@pytest.mark.parametrize(
    "condition",
    [
        "records.number in (citizens.number, citizens.former)",
        "records.number < citizens.number",
        "records.number <> citizens.number",
        "records.number = citizens.number or records.former = citizens.former",
        "true",
    ],
)
def test_a_join_without_an_equality_is_seen(condition: str) -> None:
    with duckdb.connect() as connection:
        watched = Watched(connection, [])
        for table in ("records", "citizens"):
            connection.execute(
                f"create table {table} as select range as number, range % 7 as former "
                "from range(1000)"
            )
        watched.execute(f"select count(*) from records inner join citizens on {condition}")
        assert list(watched.plans[0].loops())


def test_a_join_with_one_row_is_none() -> None:
    with duckdb.connect() as connection:
        watched = Watched(connection, [])
        connection.execute("create table records as select range as number from range(1000)")
        watched.execute(
            "with top as materialized (select max(number) as number from records) "
            "select count(*) from records cross join top where records.number < top.number"
        )
        assert not list(watched.plans[0].loops())
