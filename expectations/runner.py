"""The one runner: a suite against its table, inside DuckDB, through Great Expectations.

Belongs here: letting Great Expectations judge. It is loaded only when needed, because that takes
seconds, and no value that it has sampled leaves this module. Does not belong here: rules, what a
failure leads to, and the pages of what was judged (``docs.py``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from etl.engine.builds import state_of, state_of_build
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.runner import is_delta
from etl.pipeline.scope import scope_of
from etl.process.privacy import WITHHELD
from expectations.failures import (
    Standing,
    close_failures,
    keep_failures,
    know_rules,
    sample_of,
    standings_of,
    trends_of,
)
from expectations.loading import load_great_expectations
from expectations.rules import BATCH, Kind, Rule, Suite

_NOT_EVALUATED = "could not be evaluated"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How one rule went.

    Attributes:
        rule: The rule.
        passed: Whether it holds.
        checked: Rows looked at.
        failed: Rows that break it; 0 or 1 for rules about the table as a whole.
        observed: What was seen, as a word or a count, never a value of a person.
        sample: A few keys of failing rows.
        trend: Rows that failed in the last runs, this one last.
        standing: Since when it fails and whether that is acknowledged; None where it holds.
        evidence: Great Expectations' own result, its counts only, or what it would be; the Data
            Docs are made from it. None where the last result still counts.
        asked_in: The run in which Great Expectations checked it last; empty if it was this run.
    """

    rule: Rule
    passed: bool
    checked: int
    failed: int
    observed: str
    sample: tuple[str, ...] = ()
    trend: tuple[int, ...] = ()
    standing: Standing | None = None
    evidence: Any = None
    asked_in: str = ""


def run_suite(warehouse: Warehouse, suite: Suite) -> list[RuleResult]:
    """Validates one table by its suite and stores the results.

    Results go to ``ops.quality_results`` and the keys of failing rows to ``ops.quality_failures``.
    A delta does not check a rule again if its tables are still the builds on which it was checked
    last, and it neither reads earlier runs nor the clock. Of any other rule that no row failed, a
    delta runs the SQL, to see whether it still holds: on the rows that were built since, where
    these suffice. Great Expectations, which takes seconds to load, judges only if it does not.

    Args:
        warehouse: The open warehouse; failing rows are found through it, by SQL.
        suite: The suite.

    Returns:
        One result per rule, in the suite's order.
    """
    total, states = warehouse.count(suite.table), _states(warehouse, suite)
    last = _last_results(warehouse, suite) if is_delta(warehouse) else {}
    known = _known(warehouse, suite, last, states, total)
    held = _held(
        warehouse, suite, {name: row for name, row in last.items() if name not in known}, total
    )
    warehouse.forget_built_rows(suite.table)
    asked = [rule for rule in suite.rules if rule.name not in known | held]
    found = _validate(warehouse, suite, asked) if asked else {}
    if known and any(_is_news(warehouse, suite, rule, found[rule.name]) for rule in asked):
        # The table's page needs all of them.
        known, held, found = {}, {}, _validate(warehouse, suite, suite.rules)
    if found:
        held = {name: _with_evidence(result) for name, result in held.items()}
    know_rules(warehouse, suite)
    known |= held
    judged = [
        known.get(rule.name) or _judged(warehouse, suite, rule, found[rule.name], total)
        for rule in suite.rules
    ]
    close_failures(
        warehouse,
        suite,
        [r.rule for r in judged if r.rule.failing and not r.failed and not r.asked_in],
    )
    _remember(warehouse, suite, judged, states)
    failed, trends = [r for r in judged if not r.passed], trends_of(warehouse, suite)
    standings = standings_of(warehouse, suite) if failed else {}
    return [
        replace(
            result,
            trend=trends.get(result.rule.name, ()),
            standing=None if result.passed else standings[result.rule.name],
        )
        for result in judged
    ]


_LAST_RESULTS = """
select
    check_name,
    passed,
    checked_rows,
    failed_rows,
    observed,
    of_state,
    of_rule,
    coalesce(asked_in, run_id) as asked_in
from ops.quality_results
where table_name = $table
qualify row_number() over (partition by check_name order by checked_at desc) = 1
"""


_Results = Mapping[str, Mapping[str, object]]
"""Rows of ``_LAST_RESULTS``, by the name of the rule."""


def _last_results(warehouse: Warehouse, suite: Suite) -> _Results:
    """Returns how each rule went last, where it is still the same rule and could be evaluated."""
    rows = {
        str(row["check_name"]): row
        for row in warehouse.rows(_LAST_RESULTS, {"table": suite.table.sql})
        if row["observed"] != _NOT_EVALUATED
    }
    same = [rule.name for rule in suite.rules if rule.name in rows]
    of_rule = {rule.name: rule.fingerprint for rule in suite.rules}
    return {name: rows[name] for name in same if rows[name]["of_rule"] == of_rule[name]}


def _known(
    warehouse: Warehouse, suite: Suite, last: _Results, states: Mapping[str, str], total: int
) -> dict[str, RuleResult]:
    """Returns the results that still count: those on the same builds."""
    known = {}
    for rule in suite.rules:
        row = last.get(rule.name)
        if (
            row is None
            or row["of_state"] != states[rule.name]
            or (rule.looks_beyond and not (row["passed"] and _holds(warehouse, suite, rule, total)))
        ):
            continue
        failed = int(str(row["failed_rows"]))
        observed = str(row["observed"])
        known[rule.name] = RuleResult(
            rule,
            bool(row["passed"]),
            int(str(row["checked_rows"])),
            failed,
            _seen(warehouse, suite, rule, observed) if rule.shows_beyond else observed,
            sample_of(warehouse, suite, rule) if failed and rule.failing else (),
            asked_in=str(row["asked_in"]),
        )
    return known


def _held(warehouse: Warehouse, suite: Suite, last: _Results, total: int) -> dict[str, RuleResult]:
    """Returns the results of rules that no row failed, and that hold still by their own SQL.

    Where a delta has built some rows of the table, and whether a row fails depends only on them,
    these rows are asked; otherwise the whole table is.
    """
    good = [
        rule
        for rule in suite.rules
        if (row := last.get(rule.name)) and (row["passed"], row["failed_rows"]) == (True, 0)
    ]
    scope = scope_of(warehouse)
    rebuilt = scope.rebuilt(suite.table) if scope else None
    holding: list[Rule] = []
    if rebuilt:
        before = state_of_build(suite.table, rebuilt.before)
        since = [rule for rule in good if last[rule.name]["of_state"] == before]
        by_rows = [rule for rule in since if rule.is_judged_by_rows(rebuilt.whole_by)]
        unique = [rule for rule in since if rule not in by_rows and rule.unique_column]
        good = [rule for rule in good if rule not in (*by_rows, *unique)]
        holding += _holding_in(warehouse, by_rows, rebuilt.rows) if by_rows else ()
        holding += (
            rule for rule in unique if _is_unique(warehouse, suite.table, rule, rebuilt.rows)
        )
    holding += (rule for rule in good if _holds(warehouse, suite, rule, total))
    return {
        rule.name: RuleResult(
            rule,
            passed=True,
            checked=total,
            failed=0,
            observed=_seen(warehouse, suite, rule, _nothing_seen(rule, total)),
            asked_in=str(last[rule.name]["asked_in"]),
        )
        for rule in holding
    }


def _holding_in(warehouse: Warehouse, rules: list[Rule], rows: str) -> list[Rule]:
    """Returns the rules that none of some rows fails."""
    # Each condition is computed as a column first, so that it may use window functions.
    conditions = ", ".join(f"({rule.failing}) as fails_{n}" for n, rule in enumerate(rules))
    counts = ", ".join(f"count(*) filter (fails_{n}) as fails_{n}" for n in range(len(rules)))
    try:
        (failing,) = warehouse.rows(
            f"select {counts} from (select {conditions} from {rows})"  # noqa: S608 - our rules
        )
    except Exception:
        return []  # Great Expectations reports a rule that cannot be evaluated
    return [rule for rule, count in zip(rules, failing.values(), strict=True) if not count]


def _is_unique(warehouse: Warehouse, table: TableName, rule: Rule, rows: str = "") -> bool:
    """Says whether no two rows agree in the column in which none may.

    Args:
        warehouse: The open warehouse.
        table: The table.
        rule: The rule that names the column.
        rows: The rows that are new, if the rule held before: those that agree with none of them
            need not be counted.
    """
    column = rule.unique_column
    among = f"semi join {rows} using ({column})" if rows else ""
    return _finds_nothing(
        warehouse,
        f"select {column} from {table.sql} {among} where {column} is not null "  # noqa: S608 - our own rule
        f"group by {column} having count(*) > 1",
    )


def _finds_nothing(warehouse: Warehouse, query: str) -> bool:
    try:
        return not warehouse.number(f"select count(*) from ({query})")  # noqa: S608 - our own rule
    except Exception:
        return False  # Great Expectations reports a rule that cannot be evaluated


def _holds(warehouse: Warehouse, suite: Suite, rule: Rule, total: int) -> bool:
    """Says whether a rule holds now, so that no row fails it; asks the whole table.

    Args:
        warehouse: The open warehouse.
        suite: The suite.
        rule: One of its rules.
        total: The rows of its table.
    """
    if rule.kind is Kind.COLUMNS_MATCH:
        agreed: list[str] = rule.arguments["column_list"]
        return [name for name, _ in warehouse.columns(suite.table)] == agreed
    if rule.kind is Kind.ROW_COUNT:
        least, most = (rule.arguments.get(name) for name in ("min_value", "max_value"))
        return (least is None or total >= least) and (most is None or total <= most)
    if rule.unique_column:
        return _is_unique(warehouse, suite.table, rule)
    if rule.kind is Kind.NO_ROWS:
        broken = rule.arguments["unexpected_rows_query"].format(batch=suite.table.sql)
    else:
        broken = f"select 1 from {suite.table.sql} where {rule.failing}"  # noqa: S608 - our own rule
    return _finds_nothing(warehouse, broken)


def _nothing_seen(rule: Rule, total: int) -> str:
    """What is observed of a rule that no row fails, in the words of ``_observed``."""
    if rule.kind is Kind.COLUMNS_MATCH:
        return f"{len(rule.arguments['column_list'])} columns"
    if rule.kind is Kind.ROW_COUNT:
        return f"{total} rows"
    return "0 rows" if rule.kind is Kind.NO_ROWS else f"0 of {total} rows fail"


def _with_evidence(result: RuleResult) -> RuleResult:
    """Adds what Great Expectations would say of a rule that no row fails, for the table's page."""
    from great_expectations.core import ExpectationValidationResult

    rule = result.rule
    counts: dict[str, Any] = {
        "element_count": result.checked,
        "unexpected_count": 0,
        "unexpected_percent": 0.0,
    }
    observed = {
        Kind.NO_ROWS: 0,
        Kind.ROW_COUNT: result.checked,
        Kind.COLUMNS_MATCH: rule.arguments.get("column_list"),
    }
    evidence = ExpectationValidationResult(
        success=True,
        expectation_config=_expectation(rule).configuration,
        result={"observed_value": observed[rule.kind]} if rule.kind in observed else counts,
        exception_info={
            "raised_exception": False,
            "exception_message": WITHHELD,
            "exception_traceback": WITHHELD,
        },
    )
    return replace(result, evidence=evidence)


def _seen(warehouse: Warehouse, suite: Suite, rule: Rule, observed: str) -> str:
    """Describes what was observed, by the rule's own SQL where it has one."""
    if not rule.seen:
        return observed
    return str(warehouse.value(rule.seen.replace(BATCH, suite.table.sql)))


def _is_news(warehouse: Warehouse, suite: Suite, rule: Rule, evidence: Any) -> bool:
    """Says whether a rule's outcome differs from the last one."""
    last = warehouse.value(
        "select arg_max(passed, checked_at) from ops.quality_results "
        "where table_name = $table and check_name = $check",
        {"table": suite.table.sql, "check": rule.name},
    )
    return bool(evidence.success) is not last


def _states(warehouse: Warehouse, suite: Suite) -> dict[str, str]:
    """Names the builds of the tables that each rule reads."""
    read = {rule.name: frozenset({suite.table, *rule.reads}) for rule in suite.rules}
    states = {tables: state_of(warehouse, tables) for tables in set(read.values())}
    return {name: states[tables] for name, tables in read.items()}


def _judged(
    warehouse: Warehouse, suite: Suite, rule: Rule, evidence: Any, total: int
) -> RuleResult:
    passed, observed = bool(evidence.success), _observed(evidence)
    if observed != _NOT_EVALUATED:
        observed = _seen(warehouse, suite, rule, observed)
    failed, sample = _failing_rows(warehouse, suite, rule, passed)
    return RuleResult(rule, passed, total, failed, observed, sample, evidence=evidence)


def _validate(warehouse: Warehouse, suite: Suite, rules: Iterable[Rule]) -> dict[str, Any]:
    """Has Great Expectations judge some rules of a suite: name -> the result without values."""
    load_great_expectations()
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    with warehouse.for_great_expectations() as url:
        # All at once, because the context writes itself to disk after each part that is added.
        table = {"table_name": suite.table.table, "schema_name": suite.table.schema}
        assets: list[Any] = [
            {
                "name": suite.table.sql,
                "type": "table",
                "batch_definitions": [{"name": "all", "partitioner": None}],
                **table,
            }
        ]
        add: Any = context.data_sources.add_sql  # whose stub does not know assets
        source = add("warehouse", connection_string=url, assets=assets)
        batch = source.get_asset(suite.table.sql).get_batch_definition("all").get_batch()
        # Neither the suite nor its results are stored in the context, which would take a third
        # longer.
        checks = gx.ExpectationSuite(
            name=suite.table.sql, expectations=[_expectation(rule) for rule in rules]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # BOOLEAN_ONLY would hide counts; the values that SUMMARY samples are dropped here.
            outcome = batch.validate(checks, result_format={"result_format": "SUMMARY"})
        source.get_engine().dispose()
    return {_rule_name(result): _without_values(result) for result in outcome.results}


def _rule_name(result: Any) -> str:
    return str(result.expectation_config.meta["rule"])


_COUNTS = {
    "element_count",
    "missing_count",
    "missing_percent",
    "unexpected_count",
    "unexpected_percent",
    "unexpected_percent_nonmissing",
    "unexpected_percent_total",
}


def _without_values(result: Any) -> Any:
    """Copies only what is known to be harmless of a result: counts, and names of columns."""
    from great_expectations.core import ExpectationValidationResult

    details = result.result or {}
    kept = {name: details[name] for name in _COUNTS & set(details)}
    observed = details.get("observed_value")
    of_columns = result.expectation_config.type == "expect_table_columns_to_match_ordered_list"
    if isinstance(observed, int) or of_columns:
        kept["observed_value"] = observed
    return ExpectationValidationResult(
        success=bool(result.success),
        expectation_config=result.expectation_config,
        result=kept,
        exception_info={
            "raised_exception": _raised(result.exception_info or {}),
            "exception_message": WITHHELD,
            "exception_traceback": WITHHELD,
        },
    )


def _raised(info: dict[str, Any]) -> bool:
    """Says whether a rule, or a metric that it needs, could not be evaluated."""
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(metric["raised_exception"] for metric in info.values())


def _expectation(rule: Rule) -> Any:
    from great_expectations import expectations as gxe

    return getattr(gxe, rule.kind.value)(meta={"rule": rule.name}, **rule.arguments)


def _observed(result: Any) -> str:
    """Describes what was seen, from counts only and never from samples of values."""
    if result.exception_info["raised_exception"]:
        return _NOT_EVALUATED
    details = result.result
    if "unexpected_count" in details:
        return f"{details['unexpected_count']} of {details['element_count']} rows fail"
    observed = details.get("observed_value")
    if isinstance(observed, int):
        return f"{observed} rows"
    if isinstance(observed, list):
        return f"{len(observed)} columns"
    return "holds" if result.success else "does not hold"


def _failing_rows(
    warehouse: Warehouse, suite: Suite, rule: Rule, passed: bool
) -> tuple[int, tuple[str, ...]]:
    """Returns how many rows fail, and a few of their keys; stores all keys."""
    if not rule.failing:
        return int(not passed), ()
    if passed and "mostly" not in rule.arguments:
        return 0, ()
    return keep_failures(warehouse, suite, rule)


def _remember(
    warehouse: Warehouse, suite: Suite, results: list[RuleResult], states: Mapping[str, str]
) -> None:
    """Stores the result of each rule, and the builds of the tables that it read."""
    run_id = warehouse.value("select run_id from ops.parameters")
    rows = [
        {
            "run_id": run_id,
            "table_name": suite.table.sql,
            "check_name": result.rule.name,
            "severity": result.rule.severity.value,
            "blocking": result.rule.blocking,
            "passed": result.passed,
            "checked_rows": result.checked,
            "failed_rows": result.failed,
            "observed": result.observed,
            "checked_at": datetime.now(UTC).replace(tzinfo=None),
            "of_state": states[result.rule.name],
            "of_rule": result.rule.fingerprint,
            "asked_in": result.asked_in or run_id,
        }
        for result in results
    ]
    warehouse.append(TableName("ops", "quality_results"), pa.Table.from_pylist(rows))
