"""The figures of the last run, read from the warehouse.

Belongs here: counts that people are shown, without personal data. Does not belong here:
laying them out (``etl/report/display.py``).
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from etl.domain.codes import Status
from etl.domain.errors import DoisoatError, NothingYetError
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.snapshots import has, reading
from etl.publish.asking import runs_in_doubt, settle_published
from etl.reconcile.model import is_trained
from etl.report.people import Compared, compare_with_people
from etl.settings import Settings, Target


@dataclass(frozen=True)
class Figures:
    """What the last run found.

    Attributes:
        run_id: The run.
        statuses: Records by status, in the order of ``etl.domain.codes.Status``.
        waterfall: Per step: came_in, linked, to_review, went_on.
        mismatches: Per code: records, commonest first.
        ledger: The equations and whether they hold.
        repaired: How many rows of the target somebody else had changed and the run has put right,
            by table; only tables that had any.
        people: People's decisions, compared with what the machine had said.
        outdated: How many decisions were made on data that have changed since.
        wrong_links_per_million: How many of a million links may be wrong, as configured.
        model: The version of the linkage model.
        model_is_trained: Whether the model was trained on these registers.
    """

    run_id: str
    statuses: dict[str, int]
    waterfall: list[dict[str, Any]]
    mismatches: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    repaired: dict[str, int]
    people: list[Compared]
    outdated: int
    wrong_links_per_million: float
    model: str
    model_is_trained: bool

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures as plain values, for JSON."""
        return asdict(self)


def read_figures(settings: Settings) -> Figures | None:
    """Reads the figures of the last run, or None where none got that far."""
    try:
        needed = has(TableName("publish", "waterfall"), TableName("core", "decided"))
        with reading(settings, needed) as warehouse:
            return figures_of(warehouse)
    except NothingYetError:
        return None


def figures_of(warehouse: Warehouse) -> Figures:
    """Reads the figures of the current run, whose tables are all there."""
    model = warehouse.value("select min(version) from ref.match_model")
    counted = {
        str(row["status"]): int(str(row["n"]))
        for row in warehouse.rows(
            "select status, count(*) as n from core.reconciled group by status"
        )
    }
    return Figures(
        run_id=str(warehouse.value("select run_id from ops.parameters")),
        statuses={status.value: counted.get(status.value, 0) for status in Status},
        waterfall=warehouse.rows(
            "select match_step, came_in, linked, to_review, went_on from publish.waterfall "
            "where province_code = 'all' order by step_order"
        ),
        mismatches=warehouse.rows(
            "select code, mismatches from publish.mismatch_counts "
            "where scheme = 'all' and province_code = 'all' order by mismatches desc, code"
        ),
        ledger=warehouse.rows(
            "select equation, left_side, right_side, holds from ops.ledger "
            "where run_id = (select run_id from ops.parameters)"
        ),
        repaired={
            str(row["table_name"]): int(str(row["repaired_rows"]))
            for row in warehouse.rows(
                "select table_name, repaired_rows from ops.target_comparisons "
                "where run_id = (select run_id from ops.parameters) and repaired_rows > 0 "
                "order by table_name"
            )
        },
        people=compare_with_people(warehouse),
        outdated=warehouse.number(
            "select count(*) from core.decided where state in ('record_changed', 'citizen_changed')"
        ),
        wrong_links_per_million=float(
            str(warehouse.value("select wrong_links_per_million from ops.parameters"))
        ),
        model=str(model),
        model_is_trained=is_trained(model),
    )


def read_runs(settings: Settings, last: int = 20) -> list[dict[str, Any]]:
    """Reads the last runs, newest first, each with its checks.

    If a run died while it published, only the target knows whether it was published; ``published``
    is None where the target cannot be reached.
    """
    with ExitStack() as opened:
        try:
            warehouse = opened.enter_context(reading(settings, has(TableName("ops", "runs"))))
        except NothingYetError:
            return []
        unknown = _settled(warehouse, settings.target)
        rows = warehouse.rows(
            """
            select
                runs.run_id,
                runs.mode,
                runs.started_at,
                runs.published_at,
                runs.dagster_run_id,
                count(results.check_name) as checks,
                count(*) filter (not results.passed and results.severity = 'error') as errors,
                count(*) filter (not results.passed and results.severity <> 'error') as warnings
            from ops.runs as runs
            left join ops.quality_results as results on runs.run_id = results.run_id
            group by all
            order by runs.started_at desc
            limit $last
            """,
            {"last": last},
        )
    return [
        row | {"published": None if row["run_id"] in unknown else row["published_at"] is not None}
        for row in rows
    ]


def _settled(warehouse: Warehouse, target: Target) -> Collection[str]:
    """Asks the target whether runs in doubt were published; returns those that stay in doubt."""
    try:
        settle_published(warehouse, target)
    except DoisoatError:
        return runs_in_doubt(warehouse)
    return ()
