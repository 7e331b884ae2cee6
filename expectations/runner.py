"""The one runner: a suite against its table, inside DuckDB, through Great Expectations.

Belongs here: letting Great Expectations judge. It is loaded only when it is needed, because that
takes seconds, and no value that it sampled leaves this module. Does not belong here: rules, what a
failure leads to, and the pages of what was judged (``docs.py``).
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from typing import Any

from etl.engine.builds import state_of
from etl.engine.port import Warehouse
from etl.process.privacy import WITHHELD
from expectations.failures import (
    Standing,
    close_failures,
    keep_failures,
    know_rules,
    standing,
    trend,
)
from expectations.rules import Rule, Suite

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

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
        standing: Since when it fails and whether that is known; None where it holds.
        evidence: Great Expectations' own result, its counts only; the Data Docs are drawn from it.
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


def run_suite(warehouse: Warehouse, suite: Suite) -> list[RuleResult]:
    """Validates one table by its suite and keeps what was found.

    Results go to ``ops.quality_results`` and the keys of failing rows to ``ops.quality_failures``.

    Args:
        warehouse: The open warehouse; failing rows are found through it, by SQL.
        suite: The suite.

    Returns:
        One result per rule, in the suite's order.
    """
    total = warehouse.count(suite.table)
    found = _validate(warehouse, suite)
    know_rules(warehouse, suite)
    results = []
    for rule in suite.rules:
        evidence = found[rule.name]
        passed, observed = bool(evidence.success), _observed(evidence)
        if rule.seen and observed != _NOT_EVALUATED:
            observed = str(warehouse.value(rule.seen.replace("{batch}", suite.table.sql)))
        failed, sample = _failing_rows(warehouse, suite, rule, passed)
        result = RuleResult(rule, passed, total, failed, observed, sample, evidence=evidence)
        _remember(warehouse, suite, result)
        results.append(
            replace(
                result,
                trend=trend(warehouse, suite, rule),
                standing=None if passed else standing(warehouse, suite, rule),
            )
        )
    return results


def _validate(warehouse: Warehouse, suite: Suite) -> dict[str, Any]:
    """Lets Great Expectations judge each rule: name -> its result without values."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    with warehouse.for_great_expectations() as url:
        source = context.data_sources.add_sql("warehouse", connection_string=url)
        asset = source.add_table_asset(
            suite.table.sql, table_name=suite.table.table, schema_name=suite.table.schema
        )
        batch = asset.add_batch_definition_whole_table("all")
        checks = context.suites.add(
            gx.ExpectationSuite(
                name=suite.table.sql, expectations=[_expectation(rule) for rule in suite.rules]
            )
        )
        validation = gx.ValidationDefinition(name=suite.table.sql, data=batch, suite=checks)
        context.validation_definitions.add(validation)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # BOOLEAN_ONLY would hide counts; the values that SUMMARY samples are left behind here.
            outcome = validation.run(result_format={"result_format": "SUMMARY"})
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
    """Copies a result by what is known to be harmless: counts, and names of columns."""
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
    """Says whether a rule could not be evaluated: as itself, or one of the metrics it asks for."""
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(metric["raised_exception"] for metric in info.values())


def _expectation(rule: Rule) -> Any:
    from great_expectations import expectations as gxe

    return getattr(gxe, rule.kind.value)(meta={"rule": rule.name}, **rule.arguments)


def _observed(result: Any) -> str:
    """Words what was seen, from counts alone: samples of values are left where they are."""
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
    """Returns how many rows fail, and a few of their keys; keeps all of them."""
    if not rule.failing:
        return int(not passed), ()
    if passed and "mostly" not in rule.arguments:
        close_failures(warehouse, suite, rule)
        return 0, ()
    return keep_failures(warehouse, suite, rule)


def _remember(warehouse: Warehouse, suite: Suite, result: RuleResult) -> None:
    warehouse.execute(
        "insert into ops.quality_results by name select run_id, $tab as table_name, "
        "$name as check_name, $severity as severity, $blocking as blocking, $passed as passed, "
        "$checked as checked_rows, $failed as failed_rows, $observed as observed, "
        "current_timestamp::timestamp as checked_at, $state as of_state from ops.parameters",
        {
            "tab": suite.table.sql,
            "name": result.rule.name,
            "severity": result.rule.severity.value,
            "blocking": result.rule.blocking,
            "passed": result.passed,
            "checked": result.checked,
            "failed": result.failed,
            "observed": result.observed,
            "state": state_of(warehouse, {suite.table, *result.rule.reads}),
        },
    )
