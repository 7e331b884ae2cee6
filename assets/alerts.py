"""Alerts as Dagster sees them: the runs that have ended, and the sensor that reports them.

Belongs here: reading a run's end and its checks from the event log; the warehouse stays closed,
because the next run may be writing in it. Does not belong here: what is news, its words and sending
(``etl/alerts``).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from assets.checks import KNOWN_UNTIL, SINCE
from assets.instance import with_log
from assets.jobs import DELTA_SYNC, FULL_SYNC, PRUNE_HISTORY
from assets.outcomes import Outcome, has_published, note, stopped_by_check
from assets.processes import bury_dead_runs
from assets.resources import DoisoatResource
from etl.alerts import CheckReport, Report, Told, tell
from etl.alerts.incidents import GATE
from etl.domain.errors import DoisoatError
from etl.publish.asking import AskPublished, asking
from etl.settings import Alerts, Settings

SENSOR = "alerts"

TOLD_JOBS = (FULL_SYNC, DELTA_SYNC, PRUNE_HISTORY)
"""The jobs that are reported; a person who materializes assets in the UI sees how it ends."""

_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
"""Cancelled runs are not reported: whoever cancels a run knows of it."""

_STALE = timedelta(days=1)
"""Of runs that ended longer ago and were not reported yet, only each job's last is reported."""

_READ = {
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}
_LONGEST = 1_000
"""Characters of a failure's description."""


def tell_news(settings: Settings, instance: dg.DagsterInstance) -> Told:
    """Reports what is new in the runs that have ended; both the sensor and ``sync`` use it.

    Args:
        settings: Names the receivers.
        instance: Where the runs are.

    Raises:
        AlertError: A receiver was not reached; it is tried again at the next call.
    """
    ask = asking(settings.target)
    return tell(settings, lambda since, seen: _reports(instance, since, seen, ask))


def tell_of_no_run(settings: Settings, instance: dg.DagsterInstance, error: DoisoatError) -> Told:
    """Reports that a sync of the command line could not begin, and what else is new.

    Args:
        settings: Names the receivers.
        instance: Where earlier runs are.
        error: Why it could not.

    Raises:
        AlertError: A receiver was not reached.
    """
    report = Report("", FULL_SYNC, datetime.now(UTC), cause="no run", problem=str(error))
    ask = asking(settings.target)
    return tell(settings, lambda since, seen: [*_reports(instance, since, seen, ask), report])


def alert_sensor(alerts: Alerts) -> dg.SensorDefinition:
    """The sensor; it is on where the configuration names a receiver."""

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=60,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if alerts.urls else dg.DefaultSensorStatus.STOPPED
        ),
        description="Tells the receivers of [alerts] urls when a run fails or checks fail anew: "
        "one message for one run at most.",
    )
    def look(context: dg.SensorEvaluationContext, doisoat: DoisoatResource) -> dg.SkipReason:
        settings = doisoat.settings
        if not settings.alerts.urls:
            return dg.SkipReason("Nobody is told: [alerts] urls is empty in the configuration.")
        bury_dead_runs(context.instance, settings)
        told = tell_news(settings, context.instance)
        if told.busy:
            return dg.SkipReason("Another process is sending; the next look does what is left.")
        if not told.runs and not told.messages:
            return dg.SkipReason("No run has ended since the last look.")
        return dg.SkipReason(f"Runs looked at: {told.runs}; messages sent: {told.messages}.")

    return look


def _reports(
    instance: dg.DagsterInstance,
    since: datetime | None,
    seen: Mapping[str, datetime],
    ask: AskPublished,
) -> list[Report]:
    """Reads the runs that ended since, the oldest first; the first time, only the last run."""
    if since is None:
        records = [
            record
            for job in (FULL_SYNC, DELTA_SYNC)
            for record in instance.get_run_records(
                dg.RunsFilter(job_name=job, statuses=list(_ENDED)), limit=1
            )
        ]
        records = sorted(records, key=lambda record: record.end_time or 0.0)[-1:]
    else:
        records = [
            *instance.get_run_records(dg.RunsFilter(statuses=list(_ENDED), updated_after=since))
        ]
    begun = since.timestamp() if since else 0.0
    fresh = sorted(
        (
            record
            for record in records
            if record.dagster_run.job_name in TOLD_JOBS
            and record.dagster_run.run_id not in seen
            and (record.end_time or 0.0) >= begun
        ),
        key=lambda record: record.end_time or 0.0,
    )
    last = {record.dagster_run.job_name: record for record in fresh}
    stale = (datetime.now(UTC) - _STALE).timestamp()
    return [
        _report(instance, record, ask)
        for record in fresh
        if (record.end_time or 0.0) > stale or last[record.dagster_run.job_name] is record
    ]


def _report(instance: dg.DagsterInstance, record: Any, ask: AskPublished) -> Report:
    run = record.dagster_run
    events = [
        entry.dagster_event
        for entry in with_log(
            instance, run.run_id, lambda: instance.all_logs(run.run_id, of_type=_READ)
        )
        if entry.dagster_event
    ]
    cause, problem = _failure(events) if run.status == dg.DagsterRunStatus.FAILURE else ("", "")
    return Report(
        run_id=run.run_id,
        job=run.job_name,
        ended=datetime.fromtimestamp(record.end_time or 0.0, UTC),
        cause=cause,
        problem=problem,
        published=has_published(events, run.run_id, ask),
        checks=[
            _check(event.asset_check_evaluation_data)
            for event in events
            if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ],
    )


def _failure(events: list[dg.DagsterEvent]) -> tuple[str, str]:
    """Returns why a run failed: as a word that never varies, and as text for a person."""
    failures = [e for e in events if e.event_type == dg.DagsterEventType.STEP_FAILURE]
    broken = [event for event in failures if not stopped_by_check(event)]
    outcome = Outcome("")
    # A step that broke comes before a check that failed beside it; its error may be a known one.
    for event in broken or events:
        note(event, outcome)
    problem = outcome.problem[:_LONGEST]
    if broken:
        steps = ", ".join(sorted({str(event.step_key) for event in broken}))
        return steps, f"{problem}\nStep: {steps}"
    return (GATE if failures else "the process ended"), problem


def _check(check: dg.AssetCheckEvaluation) -> CheckReport:
    found = {name: getattr(value, "value", None) for name, value in check.metadata.items()}
    table = ".".join(check.asset_key.path)
    of_rows = bool(found.get("record_keys"))
    return CheckReport(
        rule=f"{table}.{check.check_name}",
        passed=check.passed,
        error=check.severity == dg.AssetCheckSeverity.ERROR,
        blocking=bool(check.blocking),
        observed=str(found.get("observed") or check.description or ""),
        expected=str(found.get("expected") or ""),
        failed=int(found.get("rows_failed") or 0),
        share=float(found.get("share_failed") or 0.0) if of_rows else 0.0,
        owner=str(found.get("owner") or ""),
        meaning=str(found.get("meaning") or ""),
        next=str(found.get("next") or ""),
        since=_when(found.get(SINCE)),
        acknowledged_until=_when(found.get(KNOWN_UNTIL)),
    )


def _when(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(float(seconds), UTC) if seconds is not None else None
