"""The checks: one per expectation, one step per table.

Belongs here: showing suites as Dagster asset checks. Every declared check is always emitted: one
that is declared and not emitted would let downstream assets run. Does not belong here: the rules
(``expectations``).
"""

from collections.abc import Iterator

import dagster as dg

from assets.metadata import key_of
from assets.resources import WAREHOUSE_POOL, Doisoat
from etl.codes import Severity
from expectations import SUITES, Rule, Suite
from expectations.runner import RuleResult, run_suite

_SEVERITY = {
    Severity.ERROR: dg.AssetCheckSeverity.ERROR,
    Severity.WARNING: dg.AssetCheckSeverity.WARN,
    Severity.INFO: dg.AssetCheckSeverity.WARN,
}


def _spec(suite: Suite, rule: Rule) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        rule.name,
        asset=key_of(suite.table),
        description=rule.why,
        blocking=rule.blocking,
        metadata={"severity": rule.severity.value, "owner": rule.owner.value},
    )


def _checks_of(suite: Suite) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"check_{suite.table.schema}_{suite.table.table}",
        specs=[_spec(suite, rule) for rule in suite.rules],
        pool=WAREHOUSE_POOL,
    )
    def validate(
        context: dg.AssetCheckExecutionContext, doisoat: Doisoat
    ) -> Iterator[dg.AssetCheckResult]:
        with doisoat.step(context) as warehouse:
            results = run_suite(warehouse, suite)
        for result in results:
            yield _shown(suite, result)

    return validate


def _shown(suite: Suite, result: RuleResult) -> dg.AssetCheckResult:
    """A rule's result as the UI shows it: counts and keys, never a value."""
    rule = result.rule
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=key_of(suite.table),
        check_name=rule.name,
        severity=_SEVERITY[rule.severity],
        description=result.observed,
        # The UI sorts by name and folds all but the first few lines away: the meaning leads.
        metadata={
            "meaning": rule.why,
            "observed": result.observed,
            "owner": rule.owner.value,
            **({"record_keys": ", ".join(result.sample)} if result.sample else {}),
            "rows_checked": result.checked,
            "rows_failed": result.failed,
            "share_failed": round(result.failed / result.checked, 6) if result.checked else 0.0,
        },
    )


def suite_checks() -> list[dg.AssetChecksDefinition]:
    """Returns the checks of every suite."""
    return [_checks_of(suite) for suite in SUITES]
