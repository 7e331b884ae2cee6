"""The ledger, the publish to the target, and the charts of what was published.

Belongs here: the last steps as Dagster sees them. Does not belong here: how rows are written
(``etl/publish``) and how charts are drawn (``etl/report/charts``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from assets.instance import WAREHOUSE_POOL
from assets.metadata import GROUPS, OWNER, key_of, table_metadata
from assets.resources import DoisoatResource
from assets.tags import REPLACE_TAG, checks_in_words, failed_checks, tell_published
from etl.domain.codes import Owner, labels
from etl.domain.contract import DIFFERENCE_TABLES, HISTORY_TABLES, target_metadata
from etl.domain.words import UNTRAINED
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.graph import pipeline
from etl.publish import PublishedCounts, inputs_of, publish
from etl.publish.differences import Difference
from etl.publish.drift import SLICES, Part
from etl.publish.gate import Guard
from etl.publish.ledger import TABLES as OF_THE_LEDGER
from etl.publish.ledger import balance
from etl.report.changes import links_since_the_last
from etl.report.charts import charts_file, write_charts
from etl.report.charts.counts import TABLES as OF_THE_CHARTS
from etl.report.figures import figures_of
from etl.settings import Settings
from expectations import suites

LEDGER = TableName("ops", "ledger")
LEDGER_KEY = key_of(LEDGER)
_BALANCED = "nothing_is_lost"
_ALL_ROWS = (
    "Every row read is accounted for. If it fails, rows were lost or made on the way: a fault of "
    "doisoat, report it with the equation."
)

_AS_WRITTEN = "rows_are_as_written"
_BY_ANOTHER_HAND = (
    "Somebody, or a program, other than doisoat has changed published rows in the target. They are "
    "written anew, so the target is right again; find out who may write there, and take that right."
)
_NOT_KEPT = (
    "The target gives rows back otherwise than they were written: a trigger, or a column of "
    "another type, length or character set changes them. Put the table right, or rename it and "
    "run again, and it is made anew."
)


def _built(tables: Iterable[TableName]) -> list[dg.AssetKey]:
    """The assets of those tables that the pipeline builds."""
    return [key_of(table) for table in sorted(tables) if table in pipeline()]


def _ledger_asset() -> dg.AssetsDefinition:
    @dg.asset(
        key=["ops", "ledger"],
        deps=[key_of(table) for table in sorted(OF_THE_LEDGER)],
        group_name=GROUPS["ops"],
        description="Proof that nothing was lost: rows read = understood + rejected, understood = "
        "the sum over the statuses, leaving = reconciled. A broken equation stops the publish.",
        owners=[OWNER],
        kinds={"duckdb", "sql"},
        pool=WAREHOUSE_POOL,
        check_specs=[
            dg.AssetCheckSpec(
                _BALANCED,
                asset=["ops", "ledger"],
                blocking=True,
                description=_ALL_ROWS,
            )
        ],
    )
    def ledger(context: dg.AssetExecutionContext, doisoat: DoisoatResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with doisoat.step(context) as warehouse:
            equations = balance(warehouse)
            metadata = table_metadata(warehouse, LEDGER)
        return dg.MaterializeResult(
            metadata=metadata | {"equations": dg.MetadataValue.md(_as_markdown(equations))},
            check_results=[
                dg.AssetCheckResult(
                    passed=all(equation.holds for equation in equations),
                    check_name=_BALANCED,
                    severity=dg.AssetCheckSeverity.ERROR,
                    description=_in_words(equations),
                    metadata={
                        "meaning": _ALL_ROWS,
                        "observed": _in_words(equations),
                        "expected": "every equation holds",
                    },
                )
            ],
        )

    return ledger


def _in_words(equations: list) -> str:  # type: ignore[type-arg]
    broken = "; ".join(str(equation) for equation in equations if not equation.holds)
    return broken or f"{len(equations)} equations hold"


def _as_markdown(equations: list) -> str:  # type: ignore[type-arg]
    rows = "\n".join(
        f"| {e.name} | {e.left:,} | {e.right:,} | {'yes' if e.holds else '**no**'} |"
        for e in equations
    )
    return f"| equation | left | right | holds |\n|---|---|---|---|\n{rows}"


def _target_specs(kind: str) -> list[dg.AssetSpec]:
    comments = {table.name: table.comment or "" for table in target_metadata(None).sorted_tables}
    return [
        dg.AssetSpec(
            ["target", name],
            deps=[LEDGER_KEY, *_built(inputs_of(name))],
            group_name=GROUPS["target"],
            description=comments[name],
            owners=[OWNER],
            kinds={kind},
        )
        for name in (*DIFFERENCE_TABLES, *HISTORY_TABLES)
    ]


def _target_schema(name: str) -> dg.TableSchema:
    table = target_metadata(None).tables[name]
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                str(column.type).lower(),
                description=column.comment,
                constraints=dg.TableColumnConstraints(nullable=bool(column.nullable)),
            )
            for column in table.columns
        ]
    )


def _guards(settings: Settings) -> list[Guard]:
    """The blocking rules, as the configuration has them."""
    return [
        Guard(suite.table, rule.name, rule.reads)
        for suite in suites(settings.quality.thresholds)
        for rule in suite.rules
        if rule.blocking
    ]


def _publish_asset(kind: str) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="publish_to_target",
        specs=_target_specs(kind),
        description="Writes what differs to the target database, in one transaction.",
        pool=WAREHOUSE_POOL,
        check_specs=[
            dg.AssetCheckSpec(
                _AS_WRITTEN,
                asset=["target", name],
                description="Of the published rows some slices, and all of them once in [target] "
                "compare_whole_days, are read and compared with what they should hold.",
            )
            for name in DIFFERENCE_TABLES
        ],
    )
    def publish_to_target(
        context: dg.AssetExecutionContext, doisoat: DoisoatResource
    ) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        with doisoat.step(context) as warehouse:
            counts = publish(
                warehouse,
                doisoat.settings,
                _guards(doisoat.settings),
                replace=context.run.tags.get(REPLACE_TAG) == "yes",
            )
            tell_published(context)
            summary = _summary(warehouse, doisoat.settings)
        for name, rows in counts.rows.items():
            difference = counts.differences.get(name)
            changes = (
                {
                    "inserted": difference.inserted,
                    "updated": difference.updated,
                    "deleted": difference.deleted,
                    "compared": difference.compared,
                    "repaired": difference.repaired,
                }
                if difference
                else {}
            )
            yield dg.MaterializeResult(
                asset_key=["target", name],
                metadata={
                    "dagster/row_count": rows,
                    "dagster/column_schema": _target_schema(name),
                    **changes,
                    **(summary if name == "sync_runs" else {}),
                },
                check_results=[_as_written(name, difference, counts)] if difference else [],
            )

    return publish_to_target


def _summary(warehouse: Warehouse, settings: Settings) -> dict[str, dg.MetadataValue]:
    """What a run found, for the first screen: statuses, failed checks, where to read more."""
    figures, failed = figures_of(warehouse), failed_checks(warehouse)
    quality = settings.quality
    model, links = figures.model, links_since_the_last(warehouse)
    return {
        # The UI sorts by name.
        "1 statuses": dg.MetadataValue.md(_statuses_as_markdown(figures.statuses)),
        "2 failed checks": dg.MetadataValue.md(_checks_as_markdown(failed)),
        "3 charts": dg.MetadataValue.url(quality.charts_page()),
        "4 data docs": dg.MetadataValue.url(quality.page("index", figures.run_id)),
        "5 links since the last run": dg.MetadataValue.text(_links_in_words(links)),
        "linkage_model": dg.MetadataValue.text(
            f"{model}, trained on these registers" if figures.model_is_trained else UNTRAINED.en
        ),
    }


def _links_in_words(links: Mapping[str, int] | None) -> str:
    if links is None:
        return "The first published run."
    told = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in links.items())
    return f"{told}. Next: doisoat runs diff"


def _statuses_as_markdown(statuses: Mapping[str, int]) -> str:
    words, total = labels(), sum(statuses.values())
    rows = "\n".join(
        f"| {status} | {records:,} | {records / total if total else 0:.2%} | {words[status].en} |"
        for status, records in statuses.items()
    )
    return f"| status | records | share | meaning |\n|---|---:|---:|---|\n{rows}"


def _checks_as_markdown(failed: Sequence[Mapping[str, Any]]) -> str:
    if not failed:
        return "All quality checks passed."
    rows = "\n".join(
        f"| {rule['severity']} | `{rule['rule']}` | {rule['observed']} |" for rule in failed
    )
    return (
        f"**{checks_in_words(failed)}**\n\n| severity | check | observed |\n|---|---|---|\n{rows}"
        "\n\nNext: `doisoat triage`"
    )


def _slices(part: Part) -> str:
    return "" if part.slices is None else f"({len(part.slices)} of {SLICES} slices) "


def _as_written(name: str, difference: Difference, counts: PublishedCounts) -> dg.AssetCheckResult:
    """Says whether the rows that were read whole still held what had been written."""
    read = f"{difference.compared:,} {_slices(counts.part)}"
    observed = f"{read}of the published rows were compared; all hold what was written"
    if not (counts.part.is_all or counts.part.slices):
        observed = "no slice of the published rows is due so soon after the last"
    elif difference.repaired:
        observed = (
            f"{read}of the published rows were compared; another hand had changed "
            f"{difference.repaired:,}, which were put right"
        )
    if difference.unkept:
        observed += f"; the target still gives {difference.unkept:,} of them back otherwise"
    return dg.AssetCheckResult(
        passed=not difference.repaired,
        check_name=_AS_WRITTEN,
        asset_key=["target", name],
        severity=dg.AssetCheckSeverity.WARN,
        description=observed,
        metadata={
            "meaning": _NOT_KEPT if difference.unkept else _BY_ANOTHER_HAND,
            "observed": observed,
            "expected": "every row holds what doisoat wrote",
            "owner": Owner.ENGINEERING.words,
            "rows_checked": difference.compared,
            "rows_failed": difference.repaired,
        },
    )


def _charts_asset() -> dg.AssetsDefinition:
    @dg.asset(
        key=["publish", "charts"],
        # Drawn after the publish, so that the charts show what readers of the target have.
        deps=[["target", "sync_runs"], *_built(OF_THE_CHARTS)],
        # It is in this group because it shows what the target holds.
        group_name=GROUPS["target"],
        description="One page of charts of the last published run, for a browser: records by "
        "province and step, probabilities and thresholds, mismatches by province. It holds "
        "counts, no personal data.",
        owners=[OWNER],
        kinds={"altair"},
        pool=WAREHOUSE_POOL,
    )
    def charts(context: dg.AssetExecutionContext, doisoat: DoisoatResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        file = charts_file(doisoat.settings).resolve()
        with doisoat.step(context) as warehouse:
            write_charts(warehouse, file, doisoat.settings.schedule)
        return dg.MaterializeResult(
            metadata={
                "page": dg.MetadataValue.url(doisoat.settings.quality.charts_page()),
                "file": dg.MetadataValue.path(str(file)),
            }
        )

    return charts


def publish_assets(kind: str) -> list[dg.AssetsDefinition]:
    """Returns the ledger, the publish and the charts.

    Args:
        kind: The target's database product, for its icon.
    """
    return [_ledger_asset(), _publish_asset(kind), _charts_asset()]
