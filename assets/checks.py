"""The checks: one per expectation, one step per table.

Belongs here: showing suites as Dagster asset checks. Every declared check is always emitted: one
that is declared and not emitted would let downstream assets run. If a blocking one failed, the step
then fails with a plain message. Does not belong here: the rules (``expectations``).
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import dagster as dg

from assets.instance import WAREHOUSE_POOL
from assets.metadata import key_of
from assets.outcomes import gate_closed
from assets.resources import DoisoatResource
from assets.tags import failed_checks, tell_checks
from etl.domain.codes import Severity
from etl.engine.port import Warehouse
from etl.pipeline.run import last_published
from etl.process.privacy import places
from etl.report import advice
from etl.settings import Settings
from etl.state.copying import save_now
from expectations import SUITES, Rule, Suite, suites
from expectations.rules import page_file
from expectations.runner import RuleResult, run_suite

_SEVERITY = {
    Severity.ERROR: dg.AssetCheckSeverity.ERROR,
    Severity.WARNING: dg.AssetCheckSeverity.WARN,
    Severity.INFO: dg.AssetCheckSeverity.WARN,
}

# These names sort after the meaning and the next step, which the UI must not fold away.
SINCE, KNOWN_UNTIL = "since", "until (acknowledged)"


def _spec(suite: Suite, rule: Rule) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        rule.name,
        asset=key_of(suite.table),
        description=rule.why,
        blocking=rule.blocking,
        # A rule that looks at other tables waits for them.
        additional_deps=[key_of(table) for table in sorted(rule.reads - {suite.table})],
        metadata={"severity": rule.severity.value, "owner": rule.owner.value},
    )


def _checks_of(suite: Suite) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"check_{suite.table.schema}_{suite.table.table}",
        specs=[_spec(suite, rule) for rule in suite.rules],
        pool=WAREHOUSE_POOL,
    )
    def validate(
        context: dg.AssetCheckExecutionContext, doisoat: DoisoatResource
    ) -> Iterator[dg.AssetCheckResult]:
        with doisoat.step(context) as warehouse:
            results = run_suite(warehouse, suite)
            page = _documented(context, warehouse, doisoat.settings, suite, results)
            published = last_published(warehouse)
            tell_checks(context, failed_checks(warehouse))
            if any(result.rule.blocking and not result.passed for result in results):
                save_now(warehouse, doisoat.settings)  # this run will not publish
        schedule = doisoat.settings.schedule
        for result in results:
            publish = advice.publish(result.rule.blocking, published, schedule)
            yield _shown(suite, result, page, publish)
        if closed := [r.rule.name for r in results if _closes_gate(r)]:
            raise gate_closed([f"{suite.table.sql}.{name}" for name in closed])

    return validate


def _closes_gate(result: RuleResult) -> bool:
    """Says whether a result stops what is downstream, by Dagster's rules."""
    error = _SEVERITY[result.rule.severity] == dg.AssetCheckSeverity.ERROR
    return result.rule.blocking and error and not result.passed


def _documented(
    context: dg.AssetCheckExecutionContext,
    warehouse: Warehouse,
    settings: Settings,
    suite: Suite,
    results: list[RuleResult],
) -> str | None:
    """Writes the table's page of the Data Docs and says where it opens.

    If the page cannot be written, the results count all the same. If there is nothing to draw of
    some rules, because they were not checked again, the page of the run that checked them stays:
    every rule holds, or fails, as it did then.
    """
    folder = settings.data_docs.resolve()
    if (
        any(result.evidence is None for result in results)
        and page_file(folder, suite.table).exists()
    ):
        return settings.quality.page(suite.table.sql, max(result.asked_in for result in results))
    from expectations.docs import write_docs  # loads Great Expectations

    try:
        run_id = write_docs(warehouse, suite, results, folder, settings.schedule)
        return settings.quality.page(suite.table.sql, run_id)
    except Exception as error:
        context.log.warning(
            f"The Data Docs of {suite.table.sql} were not written: {type(error).__name__} at "
            f"{places(error)}. {folder} must be a folder that you may write to, on a disk with "
            "room; if it is, report this."
        )
        return None


def _shown(suite: Suite, result: RuleResult, page: str | None, publish: str) -> dg.AssetCheckResult:
    """A rule's result as the UI shows it: counts and keys, never a value."""
    rule = result.rule
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=key_of(suite.table),
        check_name=rule.name,
        severity=_SEVERITY[rule.severity],
        description=result.observed + ", within tolerance" * bool(result.passed and result.failed),
        # The UI sorts by name and folds all but the first few lines: the meaning comes first.
        metadata={
            "meaning": rule.why,
            "observed": result.observed,
            "expected": rule.limit,
            "owner": rule.owner.words,
            **_to_work_on(suite, result),
            **({} if result.passed else {"publish": publish}),
            **_standing(result),
            **({"asked in run": result.asked_in} if result.asked_in else {}),
            **({"page": dg.MetadataValue.url(page)} if page else {}),
            "rows_checked": result.checked,
            "rows_failed": result.failed,
            "share_failed": round(result.failed / result.checked, 6) if result.checked else 0.0,
        },
    )


def _to_work_on(suite: Suite, result: RuleResult) -> dict[str, str]:
    """What a person does next about a failure; nothing where nothing fails."""
    if not result.failed:
        return {}
    name = f"{suite.table.sql}.{result.rule.name}"
    rows = {}
    if result.sample:
        shown = f"{len(result.sample)} of {result.failed:,}: " if result.failed > 1 else ""
        rows = {
            "next (one row)": advice.one_row(name, result.sample[0]),
            "record_keys": shown + ", ".join(result.sample),
        }
        if advice.id_column(suite.table.sql, suite.key):
            rows["next (list for its office)"] = advice.for_the_office(name)
    return {"next": advice.more(name), **rows, "trend": advice.trend(result.trend)}


def _standing(result: RuleResult) -> dict[str, dg.MetadataValue]:
    """Since when a rule fails and until when that is acknowledged; the alerts read both here."""
    found = result.standing
    if found is None:
        return {}
    known = found.acknowledged_until
    return {
        SINCE: dg.MetadataValue.timestamp(found.since),
        **({KNOWN_UNTIL: dg.MetadataValue.timestamp(known)} if known else {}),
    }


def try_thresholds(file: Path) -> str:
    """Says what a file of thresholds changes, for ``doisoat check``.

    Raises:
        ConfigError: It cannot be used.
    """
    changed = sum(suite != shipped for suite, shipped in zip(suites(file), SUITES, strict=True))
    return f"{file.name} can be used; it differs from what ships in {changed} tables"


def suite_checks(judged: Iterable[Suite] = SUITES) -> list[dg.AssetChecksDefinition]:
    """Returns the checks of every suite.

    Args:
        judged: The suites with the numbers of a configuration; by default with those of the
            package.
    """
    return [_checks_of(suite) for suite in judged]


def judges() -> dict[str, Callable[[Warehouse], int]]:
    """Returns, by table, a function that judges its rules without Dagster, for measurements.

    Each returns how many rules it judged.
    """
    return {suite.table.sql: partial(_judge, suite) for suite in SUITES}


def _judge(suite: Suite, warehouse: Warehouse) -> int:
    return len(run_suite(warehouse, suite))
